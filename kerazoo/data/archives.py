"""Reading archives made by others: nothing leaves its folder, nothing unpacks without a bound."""

import bz2
import contextlib
import errno
import gzip
import io
import lzma
import shutil
import struct
import tarfile
import zipfile
import zlib
from pathlib import PurePosixPath

from kerazoo.errors import one_line
from kerazoo.paths import expand

# Bytes of one member and of all taken together. CIFAR-10 as JPEGs has members of 1 kB.
LARGEST_MEMBER = 256 * 2**20
LARGEST_TOTAL = 16 * 2**30
# An archive may unpack to so many times its own size, or to `SMALL` bytes. Tables and pixels pack by 2 to 20.
EXPANSION, SMALL = 100, 64 * 2**20
PIECE = 2**20  # Bytes that are unpacked at a time.
# What the standard library raises over a damaged or forged archive. `OSError` has the missing file's error, too.
DAMAGED = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    NotImplementedError,  # An unknown compression.
    OSError,
    RuntimeError,  # A password.
    ValueError,
    struct.error,
)
OUTSIDE = (FileNotFoundError, PermissionError, IsADirectoryError)  # No fault of the archive.
OPENERS = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\0": lzma.open}


def read_zip(path, wanted=lambda name: True):
    """The files of a zip archive, read into memory: {name: bytes}.

    Args:
        path: the archive.
        wanted: which names to read.

    Raises:
        FileNotFoundError: no such archive.
        ValueError: a damaged archive, a member that leaves its folder (`..`, an absolute path, a
            link) or one beyond the bounds; nothing of the archive is returned then.
    """
    contents, total = {}, 0
    with open_zip(path) as archive:
        for member in archive.infolist():
            if member.is_dir() or not wanted(member.filename):
                continue
            total += member.file_size
            _check_size(member.filename, member.file_size, total, path)
            contents[member.filename] = archive.read(member)  # Never more than the size it declares.
    return contents


@contextlib.contextmanager
def open_zip(path):
    """A `zipfile.ZipFile` whose members stay in their folder and do not unpack without bound; errors name the file.

    Args:
        path: the archive.

    Raises:
        FileNotFoundError: no such archive.
        ValueError: a damaged archive, or a member that is refused; also while it is read.
    """
    path = expand(path)
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            for member in members:
                check_member(member.filename, path)
                if (member.external_attr >> 16) & 0o170000 == 0o120000:
                    raise ValueError(f"{path} has a link as a member, which is refused: {member.filename!r:.80}.")
            size = path.stat().st_size
            check_overlap(archive, size)
            check_expansion(sum(member.file_size for member in members), size, path)
            yield archive
    except DAMAGED as error:
        if isinstance(error, OUTSIDE) or getattr(error, "errno", None) == errno.ENOSPC or str(path) in str(error):
            raise
        raise ValueError(f"{path} is damaged or no zip archive: {one_line(error)}") from error


def extract(path, name, target):
    """Writes one member of a zip archive to the file `target`, in pieces, and returns `target`.

    Args:
        path: the archive.
        name: of the member.
        target: a `pathlib.Path`.

    Raises:
        FileNotFoundError: no such archive.
        ValueError: a damaged or refused archive, or one that has the member not once.
    """
    with open_zip(path) as archive:
        count = archive.namelist().count(name)
        if count != 1:
            raise ValueError(f"{path} must have one member {name!r}. Received: {count}.")
        with archive.open(name) as source, target.open("wb") as file:
            shutil.copyfileobj(source, file, PIECE)
    return target


def read_tar(path, wanted=lambda name: True):
    """The files of a tar archive, packed by gzip, bzip2, xz or not at all, read into memory: {name: bytes}.

    Args:
        path: the archive.
        wanted: which names to read.

    Raises:
        FileNotFoundError: no such archive.
        ValueError: a damaged archive, a member that leaves its folder or is no file, or one beyond the bounds; nothing
            of the archive is returned then.
    """
    contents, total = {}, 0
    path = expand(path)
    try:
        with open_packed(path) as file, tarfile.open(fileobj=file, mode="r|") as archive:
            for member in archive:
                check_member(member.name, path)
                if member.isdir():
                    continue
                if not member.isreg() or member.issparse():
                    raise ValueError(
                        f"{path} has a link or a device as a member, which is refused: {member.name!r:.80}."
                    )
                if not wanted(member.name):
                    continue
                total += member.size
                _check_size(member.name, member.size, total, path)
                contents[member.name] = archive.extractfile(member).read()
                if len(contents[member.name]) != member.size:
                    raise ValueError("it is cut short")
    except DAMAGED as error:
        if isinstance(error, OUTSIDE) or getattr(error, "errno", None) == errno.ENOSPC or str(path) in str(error):
            raise
        raise ValueError(f"{path} is damaged or no tar archive: {one_line(error)}") from error
    return contents


def check_member(name, archive):
    """Refuses the name of an archive's member that would leave the folder it is unpacked to.

    Raises:
        ValueError: it is absolute, climbs with `..`, or is empty.
    """
    if not name:
        raise ValueError(f"{archive} has a member without a name, which is refused.")
    path = PurePosixPath(name.replace("\\", "/"))
    # The folder itself, ".", has no parts.
    if path.is_absolute() or ".." in path.parts or ":" in "".join(path.parts[:1]) or "\0" in name:
        raise ValueError(f"{archive} has a member that leaves its folder, which is refused: {name!r:.80}.")


def check_overlap(archive, size):
    """Refuses a zip archive of `size` bytes whose members share bytes: a small one could unpack to any size.

    Raises:
        ValueError: the members, as they are packed, are larger than the file.
    """
    packed = sum(member.compress_size for member in archive.infolist())
    if packed > size:
        raise ValueError(f"its members take {packed} bytes of a file of {size}")


def check_expansion(unpacked, packed, path):
    """Refuses to unpack a file of `packed` bytes to `unpacked`, where that is more than any real data would give.

    Raises:
        ValueError: it is.
    """
    if unpacked > max(SMALL, EXPANSION * packed):
        raise ValueError(
            f"{path} must unpack to at most {EXPANSION} times its size. Received: {unpacked} bytes from {packed}."
        )


def open_packed(path):
    """A binary stream of a file's bytes, unpacked where gzip, bzip2 or xz packed it, whatever it is called.

    Args:
        path: a `pathlib.Path`.

    Raises:
        FileNotFoundError: no such file.
        ValueError: while it is read: it unpacks to more than a hundred times its size.
    """
    with path.open("rb") as file:
        start = file.read(6)
    opened = next((opener for magic, opener in OPENERS.items() if start.startswith(magic)), None)
    return io.BufferedReader(_Bounded(opened(path, "rb"), path)) if opened else path.open("rb")


def _check_size(name, size, total, path):
    if size > LARGEST_MEMBER or total > LARGEST_TOTAL:
        raise ValueError(
            f"{path} unpacks to more than is taken ({LARGEST_MEMBER} bytes a member, {LARGEST_TOTAL} in "
            f"all). Received: {name!r:.80} with {size}, {total} so far."
        )


class _Bounded(io.RawIOBase):
    """A stream that ends with an error where a file has unpacked to too much."""

    def __init__(self, stream, path):
        self._stream, self._path, self._size, self._total = stream, path, path.stat().st_size, 0

    def readable(self):
        return True

    def readinto(self, buffer):
        content = self._stream.read(len(buffer))
        self._total += len(content)
        check_expansion(self._total, self._size, self._path)
        buffer[: len(content)] = content
        return len(content)

    def close(self):
        self._stream.close()
        super().close()
