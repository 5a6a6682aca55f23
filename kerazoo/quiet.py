"""Standard error kept for kerazoo's own words: what libraries log there is held back."""

import contextlib
import logging
import os
import sys
import tempfile
import warnings

from kerazoo.errors import KerazooWarning, one_line

# Set before the import: it silences the C++ log after start-up.
LOG_LEVEL = ("TF_CPP_MIN_LOG_LEVEL", "3")
TAIL = 4000  # bytes of what was held back, shown after a failure


def import_tensorflow():
    """Imports TensorFlow without its banners, which it writes to the file descriptor itself.

    What it wrote is shown after all if the import fails.
    """
    os.environ.setdefault(*LOG_LEVEL)
    with _held_back():
        import tensorflow as tf

        tf.config.list_logical_devices()  # Starting the runtime writes the second banner.
    return tf


@contextlib.contextmanager
def libraries():
    """Within it nothing reaches standard error but what Python prints to `sys.stderr`, and warnings of kerazoo's own.

    What compiled libraries and child processes write to the file descriptor is held back, and its end shown if an
    unexpected exception passes through; log records and warnings of libraries are dropped.
    """
    os.environ.setdefault(*LOG_LEVEL)
    disabled = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with _own_stream(), _held_back(), warnings.catch_warnings():
            warnings.simplefilter("always", KerazooWarning)
            warnings.showwarning = _show
            yield
    finally:
        logging.disable(disabled)


def _show(message, category, filename, lineno, file=None, line=None):
    if issubclass(category, KerazooWarning):
        print(f"kerazoo: warning: {one_line(message, longest=None)}", file=sys.stderr, flush=True)


@contextlib.contextmanager
def _own_stream():
    """Gives `sys.stderr` a file descriptor of its own, where it writes to the process's."""
    before = sys.stderr
    try:
        shared = before.fileno() == 2
    except (AttributeError, OSError, ValueError):  # Not a file: a test's buffer, or no standard error at all.
        shared = False
    if not shared:
        yield
        return
    before.flush()
    with os.fdopen(os.dup(2), "w", buffering=1, encoding=before.encoding, errors="backslashreplace") as own:
        sys.stderr = own
        try:
            yield
        finally:
            sys.stderr = before


@contextlib.contextmanager
def _held_back():
    """Keeps what is written to file descriptor 2 in a file; its end is shown where an exception is a surprise."""
    if sys.stderr is not None:
        sys.stderr.flush()
    try:
        kept = os.dup(2)
    except OSError:  # Standard error is closed.
        yield
        return
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except (ValueError, OSError, KeyboardInterrupt, SystemExit):
            raise
        except BaseException:
            held.seek(max(held.seek(0, os.SEEK_END) - TAIL, 0))
            sys.stderr.write(held.read().decode(errors="replace"))
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)
