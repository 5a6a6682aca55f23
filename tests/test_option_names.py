"""What a user of the command line reads names options; a run's own command is one that can be given again."""

import shlex
from pathlib import Path

import fuzz_command_line as fuzz
import numpy as np
import pytest

from kerazoo import cli, runner
from kerazoo.applications import running
from kerazoo.arguments import Parser, add_former_name, errors_name_options
from kerazoo.errors import KerazooWarning

PARSERS = fuzz.parsers()
OTHER_NAMES = {"export_from": "--from"}  # `from` is a word of Python's.


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def message_of(argv, capsys):
    assert cli.main(["run", *argv]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    return said


@pytest.fixture
def load():
    """A table of hours, one of them twice."""
    hours = np.datetime64("2024-01-01T00") + np.arange(2000)
    rows = [f"{hour}:00,{number % 24}" for number, hour in enumerate(hours)]
    Path("load.csv").write_text("\n".join(["when,load", *rows, rows[-1], ""]))
    days = np.datetime64("2024-01-01") + np.arange(330)
    prices = [f"{day},9,12,8,10,500" for day in days]
    Path("prices.csv").write_text("\n".join(["date,open,high,low,close,volume", *prices, prices[-1], ""]))


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["energy_forecasting", "--data=load.csv"], "a stamp must occur once (or choose `--duplicates`)"),
        (
            ["energy_forecasting", "--data=load.csv", "--time=hour"],
            "`--time` must be one of the columns ['when', 'load']",
        ),
        (["energy_forecasting", "--data=load.csv", "--columns=lod"], "`--columns` must be some of ['load']"),
        (["series_anomaly", "--data=load.csv"], "a stamp must occur once (or choose `--duplicates`)"),
        (["series_anomaly", "--data=load.csv", "--columns=lod"], "`--columns` must be some of ['load']"),
        (["stock_prediction", "--data=prices.csv"], "a stamp must occur once (or choose `--duplicates`)"),
        (["algorithmic_trading", "--data=prices.csv"], "a stamp must occur once (or choose `--duplicates`)"),
        (
            ["disease_diagnosis", "--data=load.csv", "--target=load", "--time=x"],
            "of which `--time` must be. Received: 'x'",
        ),
        (["fraud_detection", "--data=load.csv", "--target=lod"], "of which `--target` must be. Received: 'lod'"),
        (["credit_scoring", "--data=load.csv", "--target=load", "--groups=age"], "of which `--groups` must be"),
        (["credit_scoring", "--data=load.csv", "--target=load", "--drop=age"], "of which `--drop` must be"),
        (["energy_forecasting", "--data=load.csv", "--date-format=x"], "`--date-format` must be one of"),
        (["object_detection", "--predict=load.csv", "--from=nowhere"], "`--from` must be an exported model's folder"),
    ],
)
def test_an_error_of_a_reader_names_the_option(argv, said, load, capsys):
    assert said in message_of(argv, capsys)


def test_words_without_a_date_name_what_the_command_line_has(capsys):
    Path("words.csv").write_text("name,load\na,1\nb,2\nc,3\n")
    said = message_of(["energy_forecasting", "--data=words.csv"], capsys)
    assert "name one (`--time`) and its form (`--date-format`), or count rows of numbers alone" in said
    assert "(`--grid rows`)" in said
    assert "rows`" not in message_of(["series_anomaly", "--data=words.csv"], capsys)


@pytest.mark.parametrize("task", ["energy_forecasting", "series_anomaly"])
def test_rows_of_one_stamp_are_read_as_the_option_says(task, load):
    module = runner.find(task)
    arguments = module.settle(module.parse_args(["--data=load.csv", "--duplicates=mean"]))
    read = module.load(arguments)
    series = read[0].series if task == "energy_forecasting" else next(iter(read.values())).series
    assert len(series) == 2000 and any("'mean' counts" in note for note in series.notes)


def test_arguments_are_told_as_options():
    parser = Parser()
    for option in ("--date-format", "--grid", "--mask-threshold", "--image-size", "--option"):
        parser.add_argument(option)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args(["--data=a/b", "--out=c"])
    arguments.option = ["width=3"]
    for said, told in (
        ("`date_format` (--date-format) must be", "`--date-format` must be"),
        ('count rows (`grid="rows"`) or (`grid`, --grid rows)', "count rows (`--grid rows`) or (`--grid` rows)"),
        ("`threshold` and `size`", "`--mask-threshold` and `--image-size`"),
        ("`width` must be even", "`--option width` must be even"),
        ("`path` must exist. Received: 'a/b'.", "`--data` must exist. Received: 'a/b'."),
        ("`path` must exist. Received: 'elsewhere'.", "`path` must exist. Received: 'elsewhere'."),
        ("`id` must be a string", "`id` must be a string"),
    ):
        with pytest.raises(ValueError) as raised, errors_name_options(arguments):
            raise ValueError(said)
        assert str(raised.value) == told
    with pytest.raises(OSError, match=r"\[Errno 2\] None: '`grid`'"), errors_name_options(arguments):
        raise OSError(2, None, "`grid`")


@pytest.mark.parametrize("words", PARSERS, ids=" ".join)
def test_an_option_is_called_as_its_value_is(words):
    """`running.command` and errors take the one for the other."""
    for action in PARSERS[words]:
        if action.option_strings and not hasattr(action, "now"):
            assert action.option_strings == [OTHER_NAMES.get(action.dest, f"--{action.dest.replace('_', '-')}")]


@pytest.mark.parametrize("task", ["translation", "summarisation"])
def test_the_command_of_a_run_can_be_given_again(task):
    module = runner.find(task)
    given = running.given(module.parse_args(["--source=fr", "--target=cs"]), module.parse_args([]))
    again = shlex.split(running.command(task, given))[3:]
    assert vars(module.parse_args(again)) == vars(module.parse_args(["--source=fr", "--target=cs"]))


@pytest.mark.parametrize("task", ["translation", "summarisation"])
def test_a_former_name_is_taken_with_a_warning(task, capsys):
    module = runner.find(task)
    with pytest.warns(KerazooWarning, match="`--from` is now `--source`; the next release takes the new name alone"):
        assert module.parse_args(["--from=fr", "--target=x"]).source == "fr"
    with pytest.warns(KerazooWarning, match="`--to` is now `--target`"):
        assert module.parse_args(["--to", "cs"]).target == "cs"
    with pytest.raises(SystemExit):
        module.parse_args(["--help"])
    assert "--from" not in capsys.readouterr().out


def test_a_former_name_leaves_the_default():
    parser = Parser()
    parser.add_argument("--source", default="en")
    add_former_name(parser, "--from", now="--source")
    assert vars(parser.parse_args([])) == {"source": "en"}


def test_from_is_an_export_everywhere():
    found = {words: a for words, actions in PARSERS.items() for a in actions if "--from" in a.option_strings}
    kept = {words for words, action in found.items() if not hasattr(action, "now")}
    assert all(found[words].metavar == "EXPORT" and found[words].type is Path for words in kept) and kept


@pytest.mark.parametrize("words", PARSERS, ids=" ".join)
def test_help_shows_every_default(words):
    parser = Parser()
    for action in PARSERS[words]:
        if not action.option_strings or action.default in (None, False, [], "==SUPPRESS=="):
            continue
        said = parser._get_formatter()._expand_help(action)
        assert f"{action.default}" in said and "default" in said, action.option_strings
