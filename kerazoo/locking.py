"""Locks of folders that end with their process, however it ends."""

import contextlib
import errno
import os
import socket
from pathlib import Path

try:
    import fcntl
except ImportError:  # Not a POSIX system: nothing is locked there.
    fcntl = None


class Locked(BlockingIOError):
    """Another process, or another run of this one, holds the lock."""


@contextlib.contextmanager
def lock(path):
    """Holds the lock of the file `path`, which is made for it and removed after it.

    The system lets go of the lock when the process ends, also by SIGKILL: a file that a killed process left is no
    lock. Where the file system has no locks, nothing is locked.

    Args:
        path: the file; its folder exists.

    Raises:
        Locked: it is held; the message says by whom.

    Example:

    >>> with lock("runs/a/.lock"):  # doctest: +SKIP
    ...     ...
    """
    path = Path(path)
    descriptor = _acquire(path)
    try:
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"process {os.getpid()} on {socket.gethostname()}".encode())
        yield
    finally:
        path.unlink(missing_ok=True)  # While it is held: who waits for this file sees that it is gone.
        os.close(descriptor)


def _acquire(path):
    """A descriptor of the file with its lock."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            if fcntl:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
                holder = os.read(descriptor, 200).decode(errors="replace") or "another process"
                os.close(descriptor)
                raise Locked(f"{str(path)!r} is locked by {holder}.") from None
            if error.errno not in (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EBADF):
                os.close(descriptor)
                raise
        if _is_present(descriptor, path):
            return descriptor
        os.close(descriptor)  # Its holder removed the file between the opening and the lock.


def _is_present(descriptor, path):
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False
