"""SIGTERM as Ctrl-C: what a scheduler or `docker stop` ends is left as whole as what its user ends."""

import contextlib
import signal
import threading


class Terminated(KeyboardInterrupt):
    """SIGTERM came."""


@contextlib.contextmanager
def sigterm_interrupts():
    """Within it SIGTERM raises `Terminated` in the main thread; in another thread nothing changes.

    Example:

    >>> from kerazoo.signals import sigterm_interrupts
    >>> with sigterm_interrupts():
    ...     pass
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number, frame):
        raise Terminated

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
