"""Command lines: a parser whose errors are one line, and paths as a person writes them."""

import argparse


class Parser(argparse.ArgumentParser):
    """An `argparse` parser that says what is wrong in one line, without the whole usage before it."""

    def error(self, message):
        """Ends the process with status 2."""
        self.exit(2, f"{self.prog}: {' '.join(message.split())}. See `{self.prog} --help`.\n")
