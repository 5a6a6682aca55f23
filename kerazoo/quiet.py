"""TensorFlow's start-up banners, kept off a command's output."""

import contextlib
import os
import sys
import tempfile

# Set before the import: it silences the C++ log after start-up.
LOG_LEVEL = ("TF_CPP_MIN_LOG_LEVEL", "3")


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
def _held_back():
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            os.dup2(kept, 2)
            held.seek(0)
            sys.stderr.write(held.read().decode(errors="replace"))
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)
