"""The application of faces, whole at smoke size: from people to report, gallery and a photograph."""

import json
from pathlib import Path

import numpy as np
import pytest

import kerazoo

for needed in ("sklearn", "matplotlib", "PIL", "ai_edge_litert"):
    pytest.importorskip(needed)

SMALL = ["--epochs=1", "--size", "32", "32", "--repeats=2", "--batch-size=8", "--option=width=4", "--dimension=16"]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Runs and exports go where the test is over with them."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def people(tmp_path):
    """Ten people, three pictures each: a pattern of each one's own, lit otherwise each time."""
    from PIL import Image

    rng = np.random.default_rng(0)
    for person in range(10):
        folder = tmp_path / "people" / f"p{person}"
        folder.mkdir(parents=True)
        pattern = rng.uniform(60, 190, (6, 6))
        for index in range(1, 4):
            pixels = np.kron(pattern + rng.uniform(-15, 15, (6, 6)), np.ones((6, 6)))
            Image.fromarray(pixels.astype("uint8")).save(folder / f"{index}.png")
    return tmp_path / "people"


def test_people_to_report(people, capsys):
    record = kerazoo.run("face_recognition", [f"--data={people}", *SMALL, "--out=run", "--export=out"])
    assert json.loads(Path("run/run.json").read_text()) == json.loads(json.dumps(record))
    assert record["dataset"]["train"]["people"] == 6 and record["dataset"]["test"]["names"] == "p8, p9"
    assert [row["name"].split()[0].strip(",") for row in record["results"]] == ["arcface_iresnet18", "pixels"]
    assert {row["form"] for row in record["exports"]} >= {"saved_model", "tflite"}
    assert all(row["difference"] < 1e-4 for row in record["exports"] if row["form"] in ("saved_model", "tflite"))
    assert Path("run/report.html").read_text().count("data:image/") > 8
    assert "pairs of one person" in capsys.readouterr().out


@pytest.mark.parametrize(
    "options, message",
    [
        (["--size", "30", "32"], "`--size` must be multiples of 16"),
        (["--model=resnet18"], "`--model` must be one for face_recognition"),
        (["--photograph=none.jpg"], "`--photograph` must exist"),
        (["--pairs=none.txt"], "`--pairs` must be an existing file"),
    ],
)
def test_what_cannot_be_is_said_first(options, message):
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        kerazoo.run("face_recognition", options)


def test_people_of_a_pairs_file_are_the_tests(people):
    from kerazoo.applications.vision import face_recognition

    (people.parent / "pairs.txt").write_text("1\np1 1 2\np1 1 p3 2\n")
    arguments = face_recognition.settle(
        face_recognition.parse_args([f"--data={people}", f"--pairs={people.parent / 'pairs.txt'}", *SMALL])
    )
    parts, pairs, _ = face_recognition.load(arguments)
    assert parts["test"].people == ("p1", "p3") and len(parts["validation"].people) == 2
    assert not set(parts["train"].people) & {"p1", "p3", *parts["validation"].people}
    assert [parts["test"].files[i] for i in (*pairs.first, *pairs.second)] == [
        "p1/1.png",
        "p1/1.png",
        "p1/2.png",
        "p3/2.png",
    ]
    (people.parent / "pairs.txt").write_text("4\n" + "".join(f"p{i} 1 2\np{i} 1 p{i + 3} 2\n" for i in range(3, 7)))
    with pytest.raises(ValueError, match="four of them in no test pair"):
        face_recognition.load(arguments)


def test_too_few_pictures_for_a_batch_name_the_options(people, capsys):
    """Six people of three pictures, each four times: 24 in a recipe's batch of 50."""
    from kerazoo import cli

    for person in range(6, 10):
        for file in (people / f"p{person}").iterdir():
            file.unlink()
        (people / f"p{person}").rmdir()
    assert cli.main(["run", "face_recognition", f"--data={people}"]) == 2
    assert capsys.readouterr().err.splitlines()[-1] == (
        "kerazoo: `--batch-size` must be at most the training images times `--repeats`, 6 x 4 = 24: give a smaller "
        "one, or more `--repeats`. Received: 50."
    )
    assert not list(Path("runs").rglob("*/*"))
