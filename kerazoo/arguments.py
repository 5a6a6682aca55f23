"""Command lines: one-line errors, and help that shows the defaults."""

import argparse
from pathlib import Path

from kerazoo.paths import expand


class Help(argparse.RawDescriptionHelpFormatter):
    """The description as written; behind an option its default, where it has one that its help does not mention."""

    def _get_help_string(self, action):
        text = action.help or ""
        given = action.option_strings and action.nargs != 0 and action.default not in (None, argparse.SUPPRESS, [])
        return f"{text} (default: %(default)s)" if given and "default" not in text else text


class Parser(argparse.ArgumentParser):
    """An `argparse` parser that says what is wrong in one line, and takes `~` in a path for a home folder."""

    def __init__(self, *arguments, formatter_class=Help, **options):
        super().__init__(*arguments, formatter_class=formatter_class, **options)

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
