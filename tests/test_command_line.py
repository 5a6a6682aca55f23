"""The command line as a whole: errors in one line, nothing on standard error but ours, no traceback for any options."""

import json
import os
import resource
import subprocess
import sys
import time
import warnings

import fuzz_command_line as fuzz
import pytest

from kerazoo import cli, quiet
from kerazoo.errors import KerazooWarning
from kerazoo.exporters.report import ExportError

MINUTES = float(os.environ.get("KERAZOO_FUZZ_MINUTES", "10"))


def kerazoo(*words, **options):
    """A command in a process of its own, on a plain installation."""
    environment = {k: v for k, v in os.environ.items() if k != "TF_CPP_MIN_LOG_LEVEL"}
    command = [sys.executable, "-m", "kerazoo.cli", *words]
    return subprocess.run(command, capture_output=True, text=True, env=environment, **options)


def test_a_reader_that_leaves_early_is_no_error():
    done = subprocess.run(
        f"{sys.executable} -m kerazoo.cli list | head -1; exit ${{PIPESTATUS[0]}}",
        shell=True,
        executable="/bin/bash",
        capture_output=True,
        text=True,
    )
    assert done.stderr == "" and done.stdout == "adain\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["info", "resnet_5"], "Did you mean 'resnet56', 'resnet50' or 'resnet152'? There are 2"),
        (["run", "image_clasification"], "Did you mean 'image_classification', '"),
        (["lst"], "invalid choice: 'lst'"),
        (["list", "renset50"], "Unknown model. Did you mean 'resnet50', "),
        (["list", "*xyz*", "--json"], "Unknown model. There are "),
        (
            ["list", "vit", "--task", "tabular"],
            "No model matches; `kerazoo list` lists all. Received: 'vit', --task",
        ),
        (["list", "--domain"], "expected one argument"),
        (["run", "image_classification", "--epochs", "x"], "invalid int value: 'x'"),
        (["run", "image_classification", "--epochs", "0"], "`--epochs` must be at least 1. Received: 0."),
        (["export", "missing.keras", "exported"], "missing.keras"),
    ],
)
def test_an_error_is_one_line(words, message, capsys):
    try:
        status = cli.main(words)
    except SystemExit as ended:
        status = ended.code
    said = capsys.readouterr().err
    assert status == 2 and message in said and said.count("\n") == 1 and len(said) < 1000


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (ExportError("no\nfile"), 2, "kerazoo: no file\n"),
        (BrokenPipeError(), 141, ""),
        (KeyboardInterrupt(), 130, "kerazoo: interrupted\n"),
        (KeyError("a"), 1, "kerazoo: unexpected KeyError: 'a' (a fault of kerazoo's: --verbose shows where)\n"),
    ],
)
def test_status_and_words_of_an_error(monkeypatch, capfd, error, status, said):
    def fails(arguments):
        raise error

    monkeypatch.setattr(cli, "_list", fails)
    monkeypatch.setattr(os, "dup2", os.dup2 if status != 141 else lambda *_: None)
    assert cli.main(["list"]) == status
    assert capfd.readouterr().err == said


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04" + bytes(64)])
def test_a_damaged_file_is_not_called_missing(content, tmp_path, capsys):
    (tmp_path / "model.keras").write_bytes(content)
    assert cli.main(["export", str(tmp_path / "model.keras"), str(tmp_path / "exported")]) == 2
    said = capsys.readouterr().err
    assert "model.keras is damaged or no zip archive" in said and "not found" not in said and said.count("\n") == 1


@pytest.mark.parametrize(
    ("pattern", "wanted"),
    [
        ("resnet", {"resnet50", "keras_resnet50", "wide_resnet28_10", "deeplabv3plus_resnet18"}),
        ("resnet50", {"resnet50", "keras_resnet50"}),
        ("resnet*", {"resnet50", "resnet1d"}),
        ("resnet5?", {"resnet50", "resnet56"}),
        ("resnet[15]8", {"resnet18"}),
    ],
)
def test_a_part_of_a_name_lists_all_that_have_it(pattern, wanted, capsys):
    assert cli.main(["list", pattern]) == 0
    names = set(capsys.readouterr().out.split())
    assert wanted <= names
    assert all(pattern in name if pattern.isalnum() else name.startswith("resnet") for name in names)


def test_verbose_shows_the_traceback(monkeypatch, capsys):
    monkeypatch.setattr(cli, "_list", lambda arguments: {}["a"])
    assert cli.main(["list", "--verbose"]) == 1
    assert "KeyError: 'a'\nkerazoo: unexpected KeyError" in capsys.readouterr().err


def test_a_user_without_a_home_is_told_what_to_set(tmp_path):
    code = (
        "import os, pwd, sys\n"
        "def nobody(uid): raise KeyError(uid)\n"
        "pwd.getpwuid = nobody\n"
        "from kerazoo import cli; sys.exit(cli.main(['run', 'object_detection', '--epochs', '1']))"
    )
    unset = ("HOME", "XDG_CACHE_HOME", "KERAZOO_DATA_DIR")
    environment = {k: v for k, v in os.environ.items() if k not in unset}
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 2
    assert (
        done.stderr == "kerazoo: This user has no home folder: set XDG_CACHE_HOME, or KERAZOO_DATA_DIR for data sets.\n"
    )


def test_libraries_write_nothing_to_standard_error(capfd):
    import logging

    with quiet.libraries():
        os.write(2, b"E0000 failed call to cuInit\n")
        subprocess.run([sys.executable, "-c", "import sys; sys.stderr.write('a child')"], check=True)
        logging.getLogger("tensorflow").warning("retracing")
        warnings.warn("of a library", stacklevel=1)
        warnings.warn("of\nours", KerazooWarning, stacklevel=1)
        print("said", file=sys.stderr)
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "kerazoo: warning: of ours\nsaid\nafter\n"


def test_what_libraries_wrote_is_shown_after_a_surprise(capfd):
    with pytest.raises(RuntimeError), quiet.libraries():
        os.write(2, b"F0000 check failed\n")
        raise RuntimeError("a surprise")
    assert capfd.readouterr().err == "F0000 check failed\n"


def test_a_whole_run_writes_nothing_to_standard_error(tmp_path):
    options = ["--dataset", "digits", "--limit", "24", "--epochs", "1", "--json"]
    done = kerazoo("run", "image_classification", *options, cwd=tmp_path)
    assert done.returncode == 0
    assert json.loads(done.stdout)["task"] == "image_classification"
    assert not [
        line for line in done.stderr.splitlines() if line[:6] in ("E0000 ", "I0000 ", "W0000 ", "WARNIN", "INFO: ")
    ]


@pytest.fixture
def files(tmp_path, monkeypatch):
    """Odd files, with the test's folder as the working directory and no data sets at hand."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KERAZOO_DATA_DIR", str(tmp_path / "data"))
    (tmp_path / "odd").mkdir()
    fuzz.stop_before_work(monkeypatch)
    return fuzz.odd_files(tmp_path / "odd")


def _faults(files, seed, *, seconds, cases=None):
    options, rng, faults, started = fuzz.parsers(), fuzz.generator(seed), [], time.monotonic()
    done = 0
    while time.monotonic() - started < seconds and done != cases:
        argv = fuzz.command_line(rng, options, files)
        wrong = fuzz.run(argv)
        done += 1
        if wrong:
            faults.append(f"{argv}: {wrong}")
    print(f"{done} command lines, {len(faults)} faults")
    return faults


def test_some_bad_command_lines_end_in_one_line(files):
    assert not _faults(files, seed=0, seconds=30, cases=60)


@pytest.mark.slow
def test_bad_command_lines_end_in_one_line(files):
    """`KERAZOO_FUZZ_MINUTES` of them (10), another seed each minute of the day."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    faults = _faults(files, seed=int(time.time() // 60), seconds=60 * MINUTES)
    assert not faults, "\n".join(faults)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 1e6  # KB


def test_help_shows_defaults(capsys):
    with pytest.raises(SystemExit):
        cli.main(["run", "image_classification", "--help"])
    said = " ".join(capsys.readouterr().out.split())
    assert "of weights, order and augmentation (default: 0)" in said
    assert "passes over the training data; default: the recipe's" in said
    assert "default: None" not in said and "default: False" not in said


def test_two_dashes_are_a_value_like_any_other(capsys):
    assert cli.main(["run", "disease_diagnosis", "--model=--"]) == 2
    assert "Received: '--'" in capsys.readouterr().err


def test_a_home_folder_is_expanded_in_every_path(monkeypatch, tmp_path, capsys):
    """The shell leaves `--out=~/run` as it is."""
    from kerazoo import runner

    monkeypatch.setenv("HOME", str(tmp_path))
    arguments = runner.find("image_classification").parse_args(
        ["--out=~/run", "--export", "~/served", "--data=~/photos"]
    )
    assert (arguments.out, arguments.export) == (tmp_path / "run", tmp_path / "served")
    assert arguments.data == tmp_path / "photos"
    with pytest.raises(SystemExit):
        runner.find("image_classification").parse_args(["--out=~nobody-of-this-name/run"])
    assert "`~` must be a user with a home folder" in capsys.readouterr().err
