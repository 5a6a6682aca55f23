"""Workers of one training: which is the chief, and how the others get what it has."""

import io
import tempfile
import zipfile
from pathlib import Path

import numpy as np

_joined = []  # (Cluster, strategy) that this process is a worker of: one at most, until the process ends.
_own_folders = []  # Removed when the process ends.


def join(cluster, strategy):
    """Makes this process a worker of a cluster, for the functions below."""
    _joined.append((cluster, strategy))


def is_chief():
    """Whether this process writes the run's files: worker 0, and every process that is in no cluster."""
    return not _joined or _joined[0][0].index == 0


def own_folder(folder):
    """The folder itself for the chief; for other workers a temporary copy of the chief's, as it is now.

    So each worker can read the checkpoint that only the chief keeps, on machines that share no disk, and
    write its own without touching the chief's. With more than one worker every worker must call this, at
    the same point. The copies go when their process ends.

    Args:
        folder: a path; it need not exist.

    Returns:
        A `pathlib.Path`.

    Example:

    >>> backup = keras.callbacks.BackupAndRestore(own_folder("runs/a/backup"))  # doctest: +SKIP
    >>> model.fit(dataset, epochs=10, callbacks=[backup])  # doctest: +SKIP
    """
    folder = Path(folder)
    if not _joined:
        return folder
    packed = from_chief(_pack(folder) if is_chief() else b"")
    if is_chief():
        return folder
    own = tempfile.TemporaryDirectory(prefix="kerazoo-worker-", ignore_cleanup_errors=True)
    _own_folders.append(own)
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        archive.extractall(own.name)  # No member leaves the folder.
    return Path(own.name)


def from_chief(content):
    """The chief's `content` (bytes), on every worker; every worker must call this, at the same point."""
    if not _joined:
        return content
    length = int(_sum_over_workers(np.array([len(content) if is_chief() else 0]))[0])
    words = np.zeros(-(-length // 8), "int64")
    if is_chief():
        words.view("uint8")[:length] = np.frombuffer(content, "uint8")
    return _sum_over_workers(words).tobytes()[:length]


def _sum_over_workers(array):
    """(N,) int64 of each worker -> their sum, on every worker."""
    import tensorflow as tf

    strategy = _joined[0][1]

    def of_replica(context):
        # A worker with several devices has its value once.
        first = context.replica_id_in_sync_group % len(strategy.extended.worker_devices) == 0
        return tf.constant(array if first else np.zeros_like(array), "int64")

    values = strategy.experimental_distribute_values_from_function(of_replica)
    return strategy.reduce("SUM", values, axis=None).numpy()


def _pack(folder):
    """The files below a folder as the bytes of a zip archive; a folder that is not there has none."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", strict_timestamps=False) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                archive.write(path, path.relative_to(folder))
    return packed.getvalue()
