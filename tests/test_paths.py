"""Paths with `~`: the user's home folder everywhere, and never a folder of that name."""

import pwd

import numpy as np
import pytest

import kerazoo
from kerazoo.data import archives, detection_sets, faces, folders, idx, locate, mask_folders, pictures
from kerazoo.exporters.versions import new_version
from kerazoo.faces.gallery import Gallery
from kerazoo.paths import cache_folder, expand
from kerazoo.weights import load_file
from kerazoo.weights.torch_files import read_tensors

SMALL = {"input_shape": (2, 2, 3), "hidden": (4,), "num_classes": 3, "jit_compile": False}


@pytest.fixture
def home(tmp_path, monkeypatch):
    """An empty home folder, and an empty working folder beside it in which nothing may appear."""
    (tmp_path / "home").mkdir()
    (tmp_path / "work").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path / "work")
    yield tmp_path / "home"
    assert not list((tmp_path / "work").iterdir())


def test_weights(home):
    model = kerazoo.build("mlp", **SMALL)
    model.save_weights(home / "w.weights.h5")
    model.save(home / "w.keras")
    for path in ("~/w.weights.h5", "~/w.keras"):
        again = kerazoo.build("mlp", weights=path, **SMALL)
        assert all(map(np.array_equal, again.get_weights(), model.get_weights()))
        load_file(again, path)
    assert kerazoo.load("~/w.keras").path == home / "w.keras"


@pytest.mark.parametrize("suffix", [".weights.h5", ".keras", ".pth", ".safetensors", ".gguf"])
def test_errors_have_the_whole_path(home, suffix):
    name = "smollm2_135m" if suffix == ".gguf" else "resnet20"
    with pytest.raises(FileNotFoundError, match=f"{home}/none{suffix}"):
        kerazoo.build(name, weights=f"~/none{suffix}")


@pytest.mark.parametrize(
    "read",
    [
        kerazoo.load,
        read_tensors,
        archives.read_zip,
        archives.read_tar,
        idx.read_idx,
        Gallery.load,
        lambda path: folders.from_folder(path, size=(8, 8)),
        mask_folders.from_mask_folder,
        detection_sets.from_path,
        lambda path: faces.faces_in(path, size=(8, 8)),
        lambda path: pictures.read_pictures(path, side=8),
    ],
)
def test_readers(home, read):
    with pytest.raises((FileNotFoundError, NotADirectoryError, ValueError), match=f"{home}/none"):
        read("~/none")


def test_exports_and_galleries(home):
    with new_version("~/exports") as (folder, move):
        (folder / "file").write_text("", encoding="utf-8")
        assert move()[1] == home / "exports" / "1"
    gallery = Gallery(threshold=0.5)
    gallery.enroll("anna", [[1.0, 0.0]])
    assert gallery.save("~/people.npz") == home / "people.npz"
    assert Gallery.load("~/people.npz").people == gallery.people


def test_folder_of_data_sets(home, monkeypatch):
    monkeypatch.setenv("KERAZOO_DATA_DIR", "~/sets")
    assert locate.data_folder() == home / "sets"
    monkeypatch.delenv("KERAZOO_DATA_DIR")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert locate.data_folder() == home / ".cache" / "kerazoo" / "data"
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / "other"))
    assert cache_folder() == home / "other"


def test_a_user_without_a_home_folder(monkeypatch):
    def unknown(_):
        raise KeyError("no such user")

    monkeypatch.delenv("HOME")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv("KERAZOO_DATA_DIR", raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    with pytest.raises(ValueError, match="must be a user with a home folder; .*Received: '~/a'"):
        expand("~/a")
    with pytest.raises(ValueError, match="no home folder: set XDG_CACHE_HOME, or KERAZOO_DATA_DIR"):
        locate.data_folder()
    assert str(expand("a/~b")) == "a/~b"
    with pytest.raises(ValueError, match="`~` must be a user"):
        expand("~nobody-of-that-name/a")
