"""One file from its canonical address: checked by its sha256, resumed where it broke off, moved into place whole."""

import hashlib
import http.client
import os
import sys
import urllib.error
import urllib.request
from pathlib import Path

from kerazoo import __version__

CHUNK = 1 << 16


def download(url, path, *, sha256, size, progress=None, timeout=30.0):
    """Downloads one file unless it is already there and whole.

    What arrived before a break stays in `<path>.part`; the next call asks the server for the rest.

    Args:
        url: http or https.
        path: where the file belongs; folders are made.
        sha256: of the whole file, in hexadecimal digits; a file with another one never gets its name. None: the server
            packs the file anew each time; the caller checks what is in it, and a break starts over.
        size: bytes of the whole file; more are not taken. Without a `sha256` it may have fewer.
        progress: called with (bytes so far, size); None draws a bar on a terminal.
        timeout: seconds without a byte after which the connection counts as broken.

    Returns:
        `path`.

    Raises:
        ConnectionError: no network, or the server does not have it; the message says what to do.
        ValueError: what came is too large or has another checksum; it is deleted.

    Example:

    >>> from pathlib import Path
    >>> download(url, Path("labels.gz"), sha256="f7ae...", size=4542)  # doctest: +SKIP
    """
    path = Path(path)
    if path.is_file() and (sha256 is None or checksum(path) == sha256):
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    if sha256 is None:
        part.unlink(missing_ok=True)
    show = progress or _bar(path.name)
    try:
        _receive(url, part, size=size, exactly=sha256 is not None, show=show, timeout=timeout)
    except urllib.error.HTTPError as error:
        raise ConnectionError(_offline(url, path, f"the server answered {error.code} {error.reason}")) from error
    except (urllib.error.URLError, TimeoutError, OSError, http.client.HTTPException) as error:
        if isinstance(error, OSError) and error.errno == 28:
            raise  # A full disk is no fault of the connection.
        reason = getattr(error, "reason", None) or error
        raise ConnectionError(_offline(url, path, reason)) from error
    received = checksum(part)
    if sha256 is not None and received != sha256:
        part.unlink()
        raise ValueError(f"{url} must have sha256 {sha256}. Received: {received}; the download was deleted.")
    os.replace(part, path)
    return path


def checksum(path):
    """The file's sha256, in hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _receive(url, part, *, size, exactly, show, timeout):
    """Appends to `part` until it has `size` bytes, or the server's all; starts over where the server cannot go on."""
    have = part.stat().st_size if part.exists() else 0
    if have > size:
        part.unlink()
        have = 0
    if have == size:
        return
    if not url.startswith(("http://", "https://")):
        raise ValueError(f"`url` must be http or https. Received: {url!r}.")
    headers = {"User-Agent": f"kerazoo/{__version__}"} | ({"Range": f"bytes={have}-"} if have else {})
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=timeout) as answer:
        if have and answer.status != 206:  # The server sends the whole file, whatever was asked.
            have = 0
        with open(part, "ab" if have else "wb") as file:
            while chunk := answer.read(CHUNK):
                have += len(chunk)
                if have > size:
                    file.close()
                    part.unlink()
                    raise ValueError(f"{url} must have {size} bytes. Received: more; the download was deleted.")
                file.write(chunk)
                show(have, size)
    if exactly and have < size:
        raise ConnectionError(f"the connection broke off after {have} of {size} bytes")


def _offline(url, path, reason):
    return (
        f"{url} could not be downloaded: {reason}. Without a network, put the file at {path} "
        "(or in the folder that KERAZOO_DATA_DIR names, under the same name) and run again; "
        "a download that broke off is resumed."
    )


def _bar(name):
    """A progress bar on stderr where that is a terminal, else nothing."""
    if not sys.stderr.isatty():
        return lambda have, size: None

    def show(have, size):
        done = have * 30 // size
        end = "\n" if have == size else ""
        print(
            f"\r{name} [{'=' * done}{' ' * (30 - done)}] {have / 2**20:.1f} of {size / 2**20:.1f} MiB",
            end=end,
            file=sys.stderr,
        )

    return show
