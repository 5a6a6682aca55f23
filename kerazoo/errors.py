"""Warnings of kerazoo's own, and errors of other libraries in messages of one line."""

LONGEST = 500  # Characters: some libraries print what they were given.


class KerazooWarning(UserWarning):
    """A warning of kerazoo's own, which a command shows in one line; those of libraries it does not show."""


def one_line(error, longest=LONGEST):
    """What an error says, on one line and not long.

    Args:
        error: an exception or a warning; its type is told where it has no text.
        longest: characters from which on it is cut; None cuts nothing.

    Example:

    >>> from kerazoo.errors import one_line
    >>> one_line(ValueError("cut\\n  short"))
    'cut short'
    """
    text = " ".join(str(error).split()) or type(error).__name__
    return text if longest is None or len(text) <= longest else f"{text[:longest]} ..."
