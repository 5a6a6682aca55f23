"""How much memory a cache may take."""

import os
from pathlib import Path

# Of the memory that is free when the data is read; the rest is the model's and the system's.
SHARE = 0.5


def available():
    """Bytes of memory that this process can still take: the machine's, or less where a container has a limit."""
    free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    meminfo = Path("/proc/meminfo")
    if meminfo.exists():  # Linux counts what it can take back from its own caches.
        lines = dict(line.split(":", 1) for line in meminfo.read_text().splitlines())
        if "MemAvailable" in lines:
            free = int(lines["MemAvailable"].split()[0]) * 1024
    limit, used = Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")
    if limit.exists() and used.exists() and limit.read_text().strip() != "max":
        free = min(free, int(limit.read_text()) - int(used.read_text()))
    return max(free, 0)


def fits(size):
    """Whether `size` bytes can be held."""
    return size <= SHARE * available()
