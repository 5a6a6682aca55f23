"""The commands of the README, each as it is printed, in a process of its own.

Files and folders lie under the names that the README uses; options that make a run small are added at a line's end.
Those that take more than a few seconds all the same are slow: `pytest -m slow tests/test_readme_commands.py`.
"""

import os
import re
import subprocess
import sysconfig
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
LINES = [line for block in re.findall(r"```sh\n(.*?)```", README, re.S) for line in block.splitlines()]
COMMANDS = [line for line in LINES if line.startswith("kerazoo ")]
DATA = Path(os.environ.get("KERAZOO_DATA_DIR", ROOT.parent / "shared" / "data"))

# The begin of a command -> (options that make it small, what the README's names stand for, whether it is slow).
SMALL = {
    "kerazoo list ": ("", None, False),
    "kerazoo info ": ("", None, False),
    "kerazoo doctor": ("", None, False),
    "kerazoo export ": ("", "model", False),
    "kerazoo benchmark ": ("--seconds 0.05 --set 'input_shape=(32,32,3)'", None, True),
    "kerazoo verify ": ("", None, True),
    "kerazoo run image_classification --data ": ("--epochs 1 --batch-size 4 --image-size 32", "classes", True),
    "kerazoo run image_classification --dataset cifar10 ": ("--epochs 1 --limit 40", "cifar10", True),
    "kerazoo run object_detection ": ("--epochs 1 --batch-size 4 --size 64", "boxes", True),
    "kerazoo run semantic_segmentation ": ("--epochs 1 --batch-size 4", "masks", True),
    "kerazoo run energy_forecasting ": ("--epochs 1 --limit 32", "load", True),
    "kerazoo run disease_diagnosis ": ("--epochs 1 --folds 2", "patients", True),
    "kerazoo run stock_prediction ": ("--epochs 1 --folds 2", "prices", True),
}


def save(path, pixels):
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels.astype("uint8")).save(path)


def classes(rng):
    """Red and blue images."""
    for channel, name in ((0, "red"), (2, "blue")):
        for number in range(10):
            pixels = rng.integers(0, 60, (40, 40, 3))
            pixels[..., channel] += 180
            save(Path("folder/with/one/folder/per/class", name, f"{number}.jpg"), pixels)


def boxes(rng):
    """Bright boxes in dark images, told by COCO's annotations."""
    from kerazoo.data import detection_coco
    from kerazoo.data.detection import Annotations

    folder, names, corners = Path("folder/with/annotations"), [f"{number:02d}.png" for number in range(12)], []
    for name in names:
        x, y = rng.integers(0, 30, 2)
        pixels = rng.integers(0, 40, (64, 64, 3))
        pixels[y : y + 24, x : x + 24, 0] = 240
        save(folder / name, pixels)
        corners.append(np.array([[x, y, x + 24, y + 24]], "float32"))
    annotations = Annotations(
        tuple(names),
        tuple(str(folder / name) for name in names),
        np.full((12, 2), 64, "int32"),
        tuple(corners),
        (np.zeros(1, "int32"),) * 12,
        (np.zeros(1, bool),) * 12,
    )
    detection_coco.write_coco(annotations, ("red",), folder / "annotations.json")


def masks(rng):
    """Bright halves of images, told by masks."""
    for number in range(12):
        mask = np.zeros((64, 64), "uint8")
        mask[:, : rng.integers(20, 44)] = 1
        pixels = 40 + 150 * mask[..., None] + rng.integers(0, 40, (64, 64, 3))
        for kind, image in (("images", pixels), ("masks", mask)):
            save(Path("folder/with/images/and/masks", kind, f"{number}.png"), image)


def load(rng):
    """Hours of a load with a daily season."""
    hours = np.datetime64("2023-01-01T00") + np.arange(3000)
    values = 10 + np.sin(np.arange(3000) * np.pi / 12) + rng.normal(0, 0.1, 3000)
    rows = [f"{hour}:00,{value:.3f}" for hour, value in zip(hours, values)]
    Path("load.csv").write_text("\n".join(["time,load", *rows, ""]))


def patients(rng):
    """Who is ill has more of two numbers."""
    ill = rng.integers(0, 2, 120)
    rows = [
        f"{rng.normal(age, 9):.1f},{rng.normal(i, 1):.2f},{'yes' if i else 'no'}" for i, age in zip(ill, 50 + 9 * ill)
    ]
    Path("patients.csv").write_text("\n".join(["age,marker,ill", *rows, ""]))


def prices(rng):
    """A random walk of working days."""
    days = np.busday_offset("2018-01-01", np.arange(900), roll="forward")
    close = 50 * np.exp(np.cumsum(rng.normal(0, 0.01, 900)))
    rows = [
        f"{day},{c:.2f},{1.01 * c:.2f},{0.99 * c:.2f},{c:.2f},{rng.integers(900, 1000)}" for day, c in zip(days, close)
    ]
    Path("prices.csv").write_text("\n".join(["date,open,high,low,close,volume", *rows, ""]))


def model(rng):
    import kerazoo

    kerazoo.build("resnet20").save("model.keras")  # It has layers of kerazoo's own.


def cifar10(rng):
    if not (DATA / "cifar10_jpg.zip").is_file():
        pytest.skip("cifar10_jpg.zip is not in KERAZOO_DATA_DIR")


FILES = {f.__name__: f for f in (classes, boxes, masks, load, patients, prices, model, cifar10)}


def entry(command):
    """The row of `SMALL` of a command, by the longest begin."""
    begins = [begin for begin in SMALL if command.startswith(begin)]
    assert begins, f"tests/test_readme_commands.py does not know how to make this small: {command}"
    return SMALL[max(begins, key=len)]


def test_no_command_is_left_out():
    assert len(COMMANDS) >= 13 and len(COMMANDS) == README.count("\nkerazoo ")
    assert {line for line in LINES if line not in COMMANDS} <= {line for line in LINES if line.startswith("make ")}
    for begin in SMALL:
        assert any(command.startswith(begin) for command in COMMANDS), f"the README has no `{begin}` any more"
    for command in COMMANDS:
        entry(command)


@pytest.mark.parametrize(
    "command", [pytest.param(line, marks=[pytest.mark.slow] if entry(line)[2] else []) for line in COMMANDS]
)
def test_a_command_of_the_readme_runs(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    options, files, _ = entry(command)
    if files:
        FILES[files](np.random.default_rng(0))
    scripts = Path(sysconfig.get_path("scripts"))
    if not (scripts / "kerazoo").is_file():
        pytest.skip("kerazoo is not installed, and so not a command")
    environment = os.environ | {"PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}", "KERAZOO_DATA_DIR": str(DATA)}
    done = subprocess.run(
        f"{command} {options}".strip(),
        shell=True,
        executable="/bin/bash",
        capture_output=True,
        text=True,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr and done.stdout.strip()
    ours = ("kerazoo: warning: ", "Writing ", "Converting ", "Comparing ", "Timing ")  # An export's progress.
    assert not [line for line in done.stderr.splitlines() if not line.startswith(ours)] or "verify" in command
    if command.startswith("kerazoo run "):
        assert len(list(Path("runs").glob("*/*/report.html"))) == 1 and "Report: " in done.stdout
        assert len(list(Path("saved_models").rglob("export.json"))) == 1
    if command.startswith("kerazoo export "):
        assert Path("exported/1/saved_model.pb").is_file()
