"""Errors of other libraries in messages of one line."""

LONGEST = 500  # Characters: some libraries print what they were given.


def one_line(error):
    """What an error says, on one line and not long.

    Args:
        error: an exception.

    Example:

    >>> from kerazoo.errors import one_line
    >>> one_line(ValueError("cut\\n  short"))
    'cut short'
    """
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} ..."
