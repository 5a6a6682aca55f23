"""The file of a named data set, wherever it lies."""

import gzip
import hashlib
import io
from importlib.util import find_spec
from pathlib import Path, PurePosixPath

from kerazoo.data.archives import read_zip
from kerazoo.data.download import checksum, download
from kerazoo.data.locate import data_folder


def named_text(archive, member, *, file, **place):
    """The file's text (UTF-8, `.gz` or not), as `named_bytes` finds it."""
    content = named_bytes(archive, member, file=file, **place).getvalue()
    # The checksum has bounded what there is to unpack.
    return (gzip.decompress(content) if file.endswith(".gz") else content).decode()


def named_bytes(archive, member, *, folder, file, address, sha256, size):
    """The file's content: from an archive in the data folder, or else from its canonical address.

    Args:
        archive: name of a zip archive that may lie in the data folder.
        member: name of the file in it, with its folders as far as others have the same name.
        folder: where the download goes, in the data folder.
        file: name of the download.
        address: the download's.
        sha256: of the download.
        size: bytes of the download.

    Returns:
        An `io.BytesIO`.

    Raises:
        ValueError: a damaged archive, one without the file, or a download that is not what it should be.
        ConnectionError: the file is nowhere on this machine and cannot be fetched.
    """
    archive, path = data_folder() / archive, data_folder() / folder / file
    if archive.is_file() and not path.is_file():
        members = read_zip(archive, lambda name: f"/{name}".endswith(f"/{member}"))
        if len(members) != 1:
            raise ValueError(f"{archive} must have one member {member}. Received: {sorted(members)}.")
        (content,) = members.values()
        received = hashlib.sha256(content).hexdigest()
        if received != sha256:
            raise ValueError(f"{member} in {archive} must have sha256 {sha256}. Received: {received}.")
        return io.BytesIO(content)
    download(address, path, sha256=sha256, size=size)
    if checksum(path) != sha256:
        raise ValueError(f"{path} must have sha256 {sha256}. Received: {checksum(path)}.")
    return io.BytesIO(path.read_bytes())


def packaged_file(package, inside, *, folder, address, sha256, size):
    """The path of a file that an installed package carries: from the data folder, the package, or its address.

    Args:
        package, inside, folder, sha256: as for `installed_file`; the download goes to `folder`.
        address, size: of the file.

    Raises:
        ValueError: the file in the data folder is not what it should be.
        ConnectionError: the file is nowhere on this machine and cannot be fetched.
    """
    found = installed_file(package, inside, folder=folder, sha256=sha256)
    own = data_folder() / folder / PurePosixPath(inside).name
    return found or download(address, own, sha256=sha256, size=size)


def installed_file(package, inside, *, folder, sha256):
    """The path of a file from the data folder or from an installed package, or None where neither has it.

    Args:
        package: the module, found and not imported: that would take its time and its dependencies.
        inside: the file's path in it.
        folder: where the file may lie in the data folder.
        sha256: of the file; a package of another version, with another file, does not have it.

    Raises:
        ValueError: the file in the data folder is not what it should be.
    """
    own = data_folder() / folder / PurePosixPath(inside).name
    if own.is_file():
        received = checksum(own)
        if received != sha256:
            raise ValueError(f"{own} must have sha256 {sha256}. Received: {received}.")
        return own
    spec = find_spec(package)
    for root in (spec and spec.submodule_search_locations) or ():
        installed = Path(root) / inside
        if installed.is_file() and checksum(installed) == sha256:
            return installed
    return None
