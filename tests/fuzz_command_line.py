"""Command lines with bad values, missing files and files of other kinds, made from the parsers' own options."""

import argparse
import contextlib
import io
import json
import signal
import zipfile

import keras
import numpy as np

from kerazoo import cli, runner
from kerazoo.arguments import Parser

SECONDS = 120  # for one command line
WHOLE = ("0", "-1", "1", "2", "7", "1e3", "2147483648", "99999999999999999999", "nan", "x", "")
REAL = ("0", "-1", "0.5", "1", "2", "nan", "inf", "-inf", "1e308", "x", "")
TEXT = ("", " ", "x", "../x", "/", "a,b", ",", "=", "a=1", "a=", "é", "\udcff", "-", "--", "tfds:", "tfds:x", "hf://x")
TEXT += (
    "kaggle://x",
    "http://127.0.0.1:9/x",
    "none",
    "[]",
    "{}",
    "0",
    "[unclosed",
    "*",
    "?",
    "x" * 3000,
    "a\nb",
    "~x",
    "%s",
)
OTHERS = ("export", "info", "list", "verify", "benchmark", "doctor")


class Reached(BaseException):
    """The command went as far as training or building at length: its options were accepted."""


class TooLong(BaseException):
    """A command line hangs."""


def odd_files(folder):
    """Files of many kinds, most of them not what an option asks for; their paths."""
    contents = {
        "empty": b"",
        "junk.bin": bytes(range(256)) * 40,
        "junk.png": b"\x89PNG\r\n\x1a\n" + bytes(64),
        "junk.jpg": b"\xff\xd8\xff" + bytes(64),
        "junk.keras": b"PK\x03\x04" + bytes(64),
        "junk.h5": b"\x89HDF\r\n\x1a\n" + bytes(64),
        "junk.tflite": b"\x1c\0\0\0TFL3" + bytes(64),
        "header.csv": b"a,b,c\n",
        "one.csv": b"a\n1\n",
        "words.csv": b"text;label\nword;1\nother;0\n",
        "numbers.csv": b"".join(b"%d,%d\n" % (i, i * i) for i in range(50)),
        "ragged.csv": b"a,b\n1\n1,2,3\n",
        "latin.csv": b"text,label\ncaf\xe9,1\n",
        "nul.csv": b"a,b\n\0,1\n",
        "dates.csv": b"date,value\n" + b"".join(b"2021-01-%02d,%d\n" % (i, i) for i in range(1, 29)),
        "object.json": b"{}",
        "list.json": b"[1, 2",
        "lines.jsonl": b'{"a": 1}\n[]\n',
        "words.txt": b"one two\nthree\n",
        "words.tsv": b"one\ttwo\n",
        "bomb.xml": b'<!DOCTYPE a [<!ENTITY b "cccc">]><a>&b;</a>',
        "junk.parquet": b"PAR1" + bytes(32) + b"PAR1",
        "junk.ts": b"@data\n1,2:x\n",
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    with zipfile.ZipFile(folder / "outside.zip", "w") as archive:
        archive.writestr("../outside.txt", "x")
    (folder / "nothing").mkdir()
    (folder / "classes" / "a").mkdir(parents=True)
    (folder / "classes" / "b").mkdir()
    (folder / "classes" / "a" / "x.png").write_bytes(contents["junk.png"])
    (folder / "splits" / "train").mkdir(parents=True)
    (folder / "splits" / "train" / "words.txt").write_bytes(contents["words.txt"])
    files = [folder / name for name in (*contents, "outside.zip", "nothing", "classes", "splits", "missing", ".")]
    return [str(file) for file in files]


def parsers():
    """{words that choose the command: its parser's options} of every command and application."""
    found = {(name,): _commands([name])[name]._actions for name in OTHERS}
    for task in runner.tasks():
        found["run", task] = _captured(runner.find(task))._actions
    return {words: [action for action in actions if action.dest != "help"] for words, actions in found.items()}


def _commands(argv):
    return next(a for a in cli._parser(argv)._actions if isinstance(a, argparse._SubParsersAction)).choices


def _captured(module):
    taken = []
    parse = Parser.parse_args

    def take(self, *arguments, **options):
        taken.append(self)
        return parse(self, *arguments, **options)

    Parser.parse_args = take
    try:
        with contextlib.suppress(SystemExit), contextlib.redirect_stderr(io.StringIO()):
            module.parse_args([])
    finally:
        Parser.parse_args = parse
    return taken[0]


def command_line(rng, options, files):
    """One command line: a command with up to four of its options, most with a value that is no good."""
    words = list(options)[rng.integers(len(options))]
    actions = options[words]
    argv = list(words)
    for _ in range(rng.integers(0, 5)):
        if actions:
            argv += _option(rng, actions[rng.integers(len(actions))], files)
    return argv


def _option(rng, action, files):
    value = _value(rng, action, files)
    if action.nargs == 0:
        return [action.option_strings[0]]
    if not action.option_strings:
        return [value] if not value.startswith("-") else []
    return [f"{action.option_strings[-1]}={value}"]


def _value(rng, action, files):
    kind = getattr(action.type, "__name__", "")
    pools = {"int": (WHOLE,), "float": (REAL,), "Path": (files,)}.get(kind, (TEXT, WHOLE, files))
    pool = pools[rng.integers(len(pools))]
    if action.choices and rng.random() < 0.7:
        pool = list(map(str, action.choices))
    return pool[rng.integers(len(pool))]


def run(argv):
    """Runs one command line in this process.

    Returns:
        None, or what is wrong with how it ended.
    """
    out, err = io.StringIO(), io.StringIO()

    def too_long(*_):
        raise TooLong

    signal.signal(signal.SIGALRM, too_long)
    signal.alarm(SECONDS)
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = cli.main(argv)
    except Reached:
        return None
    except TooLong:
        return f"took more than {SECONDS} s"
    except SystemExit as ended:
        status = ended.code
    except BaseException as error:
        return f"raised {type(error).__name__}: {error}"
    finally:
        signal.alarm(0)
    beside = ("kerazoo: warning:", "kerazoo: licence of the weights")
    said = [line for line in err.getvalue().splitlines() if not line.startswith(beside)]
    if "--json" in argv and "Traceback" not in err.getvalue():
        said = said[-1:]  # What the run said before goes to standard error too.
    if status in (None, 0):
        return None
    if argv[0] in ("doctor", "verify") and status == 1:
        return None
    if status != 2 or len(said) != 1 or not said[0].startswith("kerazoo"):
        return f"status {status}, {json.dumps(err.getvalue()[-600:])}"
    return None


def stop_before_work(monkeypatch):
    """Training, verification and measuring end the command line where they would begin."""

    def reached(*_, **__):
        raise Reached

    monkeypatch.setattr(keras.Model, "fit", reached)
    monkeypatch.setattr(keras.Model, "train_on_batch", reached)
    monkeypatch.setattr("kerazoo.verification.runner._run", reached)
    monkeypatch.setattr("kerazoo.benchmarks.benchmark", reached)


def generator(seed):
    """The random numbers of one run."""
    return np.random.default_rng(seed)
