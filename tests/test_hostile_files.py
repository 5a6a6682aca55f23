"""Files that try to do harm: a clear error of one line, little memory, nothing written, nothing half loaded."""

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("safetensors")
pytest.importorskip("gguf")
pytest.importorskip("lz4")

import hostile_files as hostile

from kerazoo.data import archives

MOST = 150 * 2**20  # Bytes that reading a small file may take for a while.


@pytest.fixture(scope="module")
def models():
    """{how it is made: a model}, whose weights no test changes."""
    makers = {each[3] for each in hostile.FORMATS.values()} - {None}
    return {None: None} | {maker: maker() for maker in makers}


def weights_of(model):
    return [] if model is None else model.get_weights()


def written(tmp_path, kind, models):
    """A folder with a valid file of a format, and a secret beside it."""
    name, write, _, maker = hostile.FORMATS[kind]
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "secret").write_bytes(hostile.SECRET)
    write(folder / name, models[maker])
    return folder / name


@pytest.mark.parametrize("kind", hostile.FORMATS)
def test_valid_files_are_read(tmp_path, models, kind):
    """Else a refusal of what was made of them would say nothing."""
    path = written(tmp_path, kind, models)
    _, _, read, maker = hostile.FORMATS[kind]
    model = maker and maker()
    read(path, model)
    if model is not None and kind not in ("gguf", "keras model"):
        assert all(np.array_equal(*pair) for pair in zip(model.get_weights(), models[maker].get_weights()))


@pytest.mark.parametrize("name", hostile.CORPUS)
def test_hostile_files(tmp_path, models, monkeypatch, name):
    kind, change = hostile.CORPUS[name]
    path = written(tmp_path, kind, models)
    _, _, read, maker = hostile.FORMATS[kind]
    change(path)
    monkeypatch.setenv("TMPDIR", str(tmp_path / "folder"))
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.chdir(tmp_path / "folder")
    there, before = sorted(tmp_path.rglob("*")), weights_of(models[maker])
    error, grown = hostile.memory(lambda: read(path, models[maker]))
    assert isinstance(error, (ValueError, OSError)), repr(error)
    assert "\n" not in str(error) and 20 < len(str(error)) < 1500, str(error)
    assert path.name in str(error) or kind in hostile.NAMELESS, str(error)
    assert grown < MOST, f"{grown / 2**20:.0f} MiB"
    assert sorted(tmp_path.rglob("*")) == there
    assert all(np.array_equal(*pair) for pair in zip(weights_of(models[maker]), before, strict=True))


def test_archives_of_a_whole_folder(tmp_path):
    """Their first member is the folder itself."""
    folder = tmp_path / "folder"
    (folder / "inner").mkdir(parents=True)
    (folder / "inner" / "one.txt").write_text("one", encoding="utf-8")
    with tarfile.open(tmp_path / "a.tar.xz", "w:xz") as archive:
        archive.add(folder, ".")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.mkdir("./")
        archive.write(folder / "inner" / "one.txt", "./inner/one.txt")
    assert archives.read_tar(tmp_path / "a.tar.xz") == {"./inner/one.txt": b"one"}
    assert archives.read_zip(tmp_path / "a.zip") == {"inner/one.txt": b"one"}
    with pytest.raises(IsADirectoryError):
        archives.read_zip(folder)


def test_some_mutations_of_every_format():
    """The first of the fuzzer's; `tests/file_fuzzer.py` runs as long as one likes."""
    import file_fuzzer

    with file_fuzzer.own_folder() as folder:
        fuzzer = file_fuzzer.Fuzzer(folder)
        for kind in fuzzer.valid:
            for number in range(2 if kind == "keras model" else 8):
                fuzzer.run(kind, number)
    assert all(counts["refused"] for counts in fuzzer.counts.values() if sum(counts.values()) > 2), fuzzer.counts


@pytest.mark.slow
def test_mutations_for_minutes():
    """As many minutes as KERAZOO_FUZZ_MINUTES says, in a process of its own: a crash of a library is a failure, too."""
    minutes = float(os.environ.get("KERAZOO_FUZZ_MINUTES", "10"))
    command = [sys.executable, str(Path(__file__).with_name("file_fuzzer.py")), str(minutes)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60 * minutes + 600)
    assert done.returncode == 0 and "none of them did harm" in done.stdout, done.stderr[-3000:]
