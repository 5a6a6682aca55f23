"""What would end a run after its training is refused before it: packages, Keras's backend, folders."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

import kerazoo
from kerazoo import cli, runner
from kerazoo.applications import dialogues, running, starting, tables
from kerazoo.extras import EXTRAS

ROOT = Path(__file__).parents[1]
TABLES = ("credit_scoring", "fraud_detection", "disease_diagnosis", "intrusion_detection")
TRAINED = {"chatbot": ["--model=seq2seq_luong"]}  # What makes an application train, where it need not.
IMPLIED = {"PIL": "matplotlib", "scipy": "sklearn", "pandas": "statsmodels"}  # Who needs whom.
# Imported only where it is there, or by another use of the application, before any work.
BEFORE_OR_NEVER = {
    "energy_forecasting": {"statsmodels"},
    "object_detection": {"av", "pycocotools"},
    "question_answering": {"sklearn"},
    "chatbot": {"tokenizers"},
}


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def needs(task):
    if task in TABLES:
        return tables.NEEDS
    return dialogues.NEEDS if task == "chatbot" else runner.find(task).NEEDS


def _source(module):
    """The file of a module of kerazoo, or None."""
    names = module.split(".")
    place = ROOT.joinpath(*(names[1:] if names[:2] == ["kerazoo", "applications"] else names))
    return next((path for path in (place.with_suffix(".py"), place / "__init__.py") if path.is_file()), None)


def _imports(module):
    """Every module that one imports, at its beginning or in a function."""
    for node in ast.walk(ast.parse(_source(module).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _optional(module):
    """Modules of the extras that an application, its evaluation or its generation imports, wherever they do."""
    found, seen, waiting = set(), set(), [module]
    while waiting:
        seen.add(current := waiting.pop())
        for name in _imports(current):
            first, _, rest = name.partition(".")
            if first in EXTRAS:
                found.add(first)
            elif rest.startswith(("applications", "evaluate", "generation", "faces")) and name not in seen:
                waiting += [name] if _source(name) else []
    return found


@pytest.mark.parametrize("task", runner.tasks())
def test_an_application_names_every_package_that_its_end_needs(task):
    named = set(needs(task))
    wanted = _optional(runner.find(task).__name__) - BEFORE_OR_NEVER.get(task, set())
    assert {name for name in wanted - named if IMPLIED.get(name) not in named} == set()
    assert named <= wanted


@pytest.mark.parametrize(("task", "module"), [(task, name) for task in runner.tasks() for name in needs(task)])
def test_a_missing_package_is_told_before_the_training(task, module, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=rf"{module} is needed here and not installed. Run: pip install \"kerazoo\["):
        kerazoo.run(task, TRAINED.get(task, []))
    assert not list(Path().iterdir())


def test_a_package_that_cannot_be_imported_is_told_with_the_reason(tmp_path, monkeypatch, capsys):
    (tmp_path / "broken" / "rouge_score").mkdir(parents=True)
    (tmp_path / "broken" / "rouge_score" / "__init__.py").write_text("raise ImportError('built for\\nanother numpy')")
    monkeypatch.syspath_prepend(tmp_path / "broken")
    for name in [name for name in sys.modules if name.partition(".")[0] == "rouge_score"]:
        monkeypatch.delitem(sys.modules, name)
    assert cli.main(["run", "summarisation"]) == 2
    said = capsys.readouterr().err
    assert "rouge_score is needed here and cannot be imported (built for another numpy)" in said
    assert said.count("\n") == 1 and 'pip install "kerazoo[text]"' in said


@pytest.mark.parametrize(
    ("backend", "received"),
    [("openvino", "'openvino'"), ("nothing_like_it", "'nothing_like_it' (Unable to import backend : nothing_like_it)")],
)
def test_another_backend_is_told_before_any_work(backend, received, tmp_path):
    pytest.importorskip("openvino")
    code = (
        "from kerazoo import cli\n"
        "commands = 'run image_classification', 'run chatbot --help', 'export a.keras b', 'verify lenet5', "
        "'benchmark lenet5', 'doctor'\n"
        "print([cli.main(command.split()) for command in commands])"
    )
    environment = os.environ | {"KERAS_BACKEND": backend}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, cwd=tmp_path, check=True
    )
    rule = f"KERAS_BACKEND=tensorflow. Received: {received}"
    assert done.stderr.splitlines() == [
        f"kerazoo: An application needs {rule}.",
        f"kerazoo: An application needs {rule}.",
        f"kerazoo: Export needs {rule}.",
        f"kerazoo: `kerazoo verify` needs {rule}.",
        f"kerazoo: `kerazoo benchmark` needs {rule}.",
    ]
    *doctor, statuses = done.stdout.splitlines()
    assert doctor[-1] == f"PROBLEM: applications, texts and exports need {rule}"
    assert statuses == "[2, 2, 2, 2, 2, 1]" and not list(tmp_path.iterdir())


@pytest.mark.parametrize("task", runner.tasks())
@pytest.mark.parametrize("option", ["--out", "--export"])
def test_a_folder_that_cannot_be_is_told_before_the_training(task, option, capsys):
    if option[2:] not in runner.find(task).parse_args([]):
        assert task == "algorithmic_trading"  # It has no model to export.
        return
    Path("file").write_text("")
    for value, reason in (("file", "'file', a file."), ("file/below/it", f"in the file '{Path('file').absolute()}'.")):
        assert cli.main(["run", task, f"{option}={value}"]) == 2
        said = capsys.readouterr().err
        assert said.startswith(f"kerazoo: `{option}` must be a folder. Received: ") and said.endswith(f"{reason}\n")
    assert [path.name for path in Path().iterdir()] == ["file"]


def test_a_folder_that_cannot_be_written_to(monkeypatch):
    def read_only(dir):
        raise OSError(30, "Read-only file system", dir)

    monkeypatch.setattr(starting.tempfile, "TemporaryDirectory", read_only)
    with pytest.raises(OSError, match=r"`--export` must be a folder that can be written to \(Read-only file system\)"):
        kerazoo.run("image_classification", ["--export=served"])


def test_the_default_folder_of_exports_is_looked_at_too():
    Path("saved_models").write_text("")
    with pytest.raises(NotADirectoryError, match="`--export` must be a folder"):
        kerazoo.run("image_classification", ["--dataset=digits", "--epochs=1"])
    assert not list(Path().rglob("*-1"))


def test_a_transcript_that_cannot_be_written_is_told_before_the_conversation():
    Path("file").write_text("")
    with pytest.raises(NotADirectoryError, match="the folder of `--transcript` must be a folder"):
        kerazoo.run("chatbot", ["--say=Hello", "--transcript=file/said.jsonl"])


@pytest.mark.parametrize(
    ("task", "argv"),
    [("named_entities", ["--predict=texts/a.txt"]), ("question_answering", ["--documents=texts", "--ask=Who?"])],
)
def test_a_folder_with_something_in_it_is_told_before_predictions(task, argv, monkeypatch):
    class Model:
        def raw(self, texts):
            pytest.fail("predicts")

    monkeypatch.setattr(kerazoo, "load", lambda path, engine: Model(), raising=False)
    for name in ("texts", "out"):
        Path(name).mkdir()
        Path(name, "a.txt").write_text("Somebody was here, who asked.")
    with pytest.raises(FileExistsError, match="The run's folder must be new"):
        kerazoo.run(task, [*argv, "--out=out", "--from=exported"])


def test_a_check_leaves_nothing_behind(tmp_path):
    arguments = running.parser("a", "")
    running.add_output(arguments, "a")
    starting.check(arguments.parse_args(["--out=a/b/c", f"--export={tmp_path / 'd'}"]), ("matplotlib",))
    assert not list(Path().iterdir())
