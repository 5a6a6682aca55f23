"""Command lines: one-line errors in the words of their options, and help that shows the defaults."""

import argparse
import contextlib
import re
import warnings
from pathlib import Path

from kerazoo.errors import KerazooWarning
from kerazoo.paths import expand

# Arguments of Python -> names of options that give them, where the two differ.
OTHERWISE = {
    "size": "image_size",
    "threshold": "mask_threshold",
    "values": "mask_values",
    "vocabulary_size": "vocabulary",
    "most": "length",
    "question_most": "question_length",
    "data_service_address": "data_service",
}
# An argument in an error, `grid` or `grid="rows"`, with its option where that stands behind it: (--grid).
NAMED = re.compile(r"""`([a-z]\w*)(?:=["']?([^`"']*)["']?)?`(?: \(--[\w-]+\)|, --[\w-]+(?=[ ),]))?""")


class Help(argparse.RawDescriptionHelpFormatter):
    """The description as written; behind an option its default, where it has one that its help does not mention."""

    def _get_help_string(self, action):
        text = action.help or ""
        given = action.option_strings and action.nargs != 0 and action.default not in (None, argparse.SUPPRESS, [])
        return f"{text} (default: %(default)s)" if given and "default" not in text else text


class Arguments(argparse.Namespace):
    """What a command line says; `spelled` is {name: its option}, which `vars` leaves out."""

    __slots__ = ("spelled",)


class Parser(argparse.ArgumentParser):
    """An `argparse` parser that says what is wrong in one line, and takes `~` in a path for a home folder."""

    def __init__(self, *arguments, formatter_class=Help, **options):
        super().__init__(*arguments, formatter_class=formatter_class, **options)

    def parse_args(self, args=None, namespace=None):
        """The `Arguments`."""
        arguments = super().parse_args(args, Arguments() if namespace is None else namespace)
        arguments.spelled = dict(_spelled(self))
        return arguments

    def error(self, message):
        """Ends the process with status 2."""
        self.exit(2, f"{self.prog}: {' '.join(message.split())}. See `{self.prog} --help`.\n")

    def _get_value(self, action, arg_string):
        value = super()._get_value(action, arg_string)
        try:
            return expand(value) if isinstance(value, Path) else value
        except ValueError as error:
            raise argparse.ArgumentError(action, str(error)) from error

    def _get_values(self, action, arg_strings):
        if action.option_strings and arg_strings == ["--"]:  # argparse takes the value of `--option=--` away.
            value = self._get_value(action, "--")
            self._check_value(action, value)
            return value
        return super()._get_values(action, arg_strings)


class _Renamed(argparse.Action):
    """Takes an option by its former name, with a warning."""

    def __init__(self, option_strings, dest, now, **options):
        super().__init__(option_strings, dest, **options)
        self.now = now

    def __call__(self, parser, namespace, values, option_string=None):
        said = f"`{option_string}` is now `{self.now}`; the next release takes the new name alone."
        warnings.warn(said, category=KerazooWarning, stacklevel=2)
        setattr(namespace, self.dest, values)


def add_former_name(group, former, now):
    """An option's former name, for one release: not in the help, and with a warning.

    Example:

    >>> parser = Parser()
    >>> _ = parser.add_argument("--source", default="en")
    >>> add_former_name(parser, "--from", now="--source")
    >>> parser.parse_args(["--source", "de"]).source
    'de'
    """
    options = {"dest": now[2:].replace("-", "_"), "default": argparse.SUPPRESS, "help": argparse.SUPPRESS}
    group.add_argument(former, action=_Renamed, now=now, **options)


@contextlib.contextmanager
def errors_name_options(arguments):
    """Within it an error that names a Python argument names the option that gives it: `--date-format`.

    Args:
        arguments: of `Parser.parse_args`.

    Example:

    >>> parser = Parser()
    >>> _ = parser.add_argument("--date-format")
    >>> with errors_name_options(parser.parse_args([])):
    ...     raise ValueError("`date_format` must be a pattern.")
    Traceback (most recent call last):
    ValueError: `--date-format` must be a pattern.
    """
    try:
        yield
    except (ValueError, OSError) as error:
        if len(error.args) == 1 and isinstance(error.args[0], str):
            error.args = (_in_options(error.args[0], arguments),)
        raise


def _spelled(parser):
    """(name, option) of all options, those of subcommands too; a former name is none."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from _spelled(command)
        elif action.option_strings and not isinstance(action, _Renamed):
            yield action.dest, action.option_strings[-1]


def _in_options(message, arguments):
    def option(match):
        name, value = match.groups()
        found = _option(name, message, arguments)
        return match[0] if found is None else f"`{found}`" if value is None else f"`{found} {value}`"

    return NAMED.sub(option, message)


def _option(name, message, arguments):
    """The option that gives an argument, or None."""
    spelled = {given: option for given, option in arguments.spelled.items() if given in arguments}
    for known in (name, OTHERWISE.get(name)):
        if known in spelled:
            return spelled[known]
    if name == "path":  # Many readers call theirs so: the option is the one whose value was received.
        paths = {option: getattr(arguments, given) for given, option in spelled.items()}
        return next((o for o, path in paths.items() if isinstance(path, Path) and repr(str(path)) in message), None)
    builder = [str(word).partition("=")[0] for word in getattr(arguments, "option", None) or ()]
    return f"--option {name}" if name in builder else None
