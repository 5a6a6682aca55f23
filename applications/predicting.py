"""What applications that apply an exported model in place of a training have alike: --from, and what goes with what."""

from pathlib import Path

OPTIONS = {"export_from": "--from"}  # Names of a command line's arguments that are not their options' own.


def add_from(group, exported):
    """--from, the folder of what was `exported`: a tagger, a detector ..."""
    group.add_argument("--from", dest="export_from", type=Path, metavar="EXPORT", help=f"the exported {exported}")


def refuse(arguments, names, without):
    """Refuses arguments that need an option that is not given.

    Args:
        arguments: of the command line.
        names: of the arguments.
        without: the option and its value's name, for instance "--predict FILE".

    Raises:
        ValueError: one of them is given.
    """
    for name in names:
        value = getattr(arguments, name)
        if value is not None:
            option = OPTIONS.get(name, f"--{name}")
            raise ValueError(f"`{option}` goes with {without}. Received: {value}, without it.")


def need_export(arguments, exported, option="--predict"):
    """Refuses an option that needs --from.

    Raises:
        ValueError: it is not given.
    """
    if arguments.export_from is None:
        raise ValueError(f"`{option}` needs the exported {exported}, --from EXPORT. Received: none.")
