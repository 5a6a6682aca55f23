"""Reading archives made by others: nothing leaves its folder, nothing unpacks without a bound."""

import zipfile
from pathlib import PurePosixPath

# Bytes of one member and of all taken together. CIFAR-10 as JPEGs has members of 1 kB.
LARGEST_MEMBER = 256 * 2**20
LARGEST_TOTAL = 16 * 2**30


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
    try:
        with zipfile.ZipFile(path) as archive:
            for member in archive.infolist():
                if member.is_dir():
                    continue
                check_member(member.filename, path)
                if (member.external_attr >> 16) & 0o170000 == 0o120000:
                    raise ValueError(f"{path} has a link as a member, which is refused: {member.filename!r}.")
                if not wanted(member.filename):
                    continue
                total += member.file_size
                if member.file_size > LARGEST_MEMBER or total > LARGEST_TOTAL:
                    raise ValueError(
                        f"{path} unpacks to more than is taken ({LARGEST_MEMBER} bytes a member, {LARGEST_TOTAL} in "
                        f"all). Received: {member.filename!r} with {member.file_size}, {total} so far."
                    )
                contents[member.filename] = archive.read(member)  # Never more than the size it declares.
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError) as error:
        raise ValueError(f"{path} is damaged or no zip archive: {error}") from error
    return contents


def check_member(name, archive):
    """Refuses the name of an archive's member that would leave the folder it is unpacked to.

    Raises:
        ValueError: it is absolute, or climbs with `..`.
    """
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or ":" in path.parts[0] or "\0" in name:
        raise ValueError(f"{archive} has a member that leaves its folder, which is refused: {name!r}.")
