"""What Debian's or Ubuntu's package lists say of each package: one line, and some paragraphs."""

import bz2
import gzip
import hashlib
import lzma
from pathlib import Path

from kerazoo.data.documents import Documents
from kerazoo.extras import need

LISTS = Path("/var/lib/apt/lists")
LARGEST = 512 * 2**20  # Bytes of an unpacked list; Debian's have 40 million.
FETCH = "apt-get -o Acquire::Languages=en update"


def load_packages(folder=LISTS):
    """`Documents` of the system's own package lists: packages, their synopses as titles, their long descriptions.

    A description that several packages share is taken once, and one that only repeats its synopsis not at all.

    Args:
        folder: where apt keeps its lists.

    Raises:
        FileNotFoundError: there is no list of descriptions; the message has the command that fetches one.
        ImportError: a list is packed by LZ4, and lz4 is not installed.
        ValueError: a list that is damaged or too large.
    """
    files = sorted(Path(folder).glob("*_i18n_Translation-en*"))
    if not files:
        raise FileNotFoundError(
            f"{folder} must have a list of descriptions, *_i18n_Translation-en. Fetch one, as root: {FETCH}"
        )
    digest, found, repeated = hashlib.sha256(), {}, 0
    for file in files:
        data = unpacked(file)
        digest.update(data)
        for package, synopsis, description in descriptions(data.decode("utf-8", errors="replace")):
            if not description or description.casefold() == synopsis.casefold():
                continue
            repeated += description in found
            found.setdefault(description, (package, synopsis))
    release = files[0].name.split("_i18n_")[0]
    return Documents(
        "packages",
        tuple(package for package, _ in found.values()),
        tuple(synopsis for _, synopsis in found.values()),
        tuple(found),
        source=f"package descriptions of {release} ({len(files)} lists, sha256 {digest.hexdigest()[:16]})",
        terms="free, as the packages are",
        notes=(f"{repeated:,} packages share a description with another one.",),
    )


def descriptions(text):
    """Yields (package, synopsis, description) of a list's paragraphs; line breaks within a paragraph are undone.

    Args:
        text: of a file Translation-en.
    """
    for entry in text.split("\n\n"):
        lines = iter(entry.strip("\n").split("\n"))
        package = next(lines).removeprefix("Package: ").strip()
        synopsis = next((line.partition(": ")[2] for line in lines if line.startswith("Description-en: ")), None)
        if synopsis is None:
            continue
        paragraphs = [""]
        for line in lines:
            if not line.startswith(" "):
                break
            if line == " .":
                paragraphs.append("")
            else:
                paragraphs[-1] = f"{paragraphs[-1]} {line.strip()}".strip()
        yield package, synopsis.strip(), "\n".join(paragraph for paragraph in paragraphs if paragraph)


def unpacked(file):
    """A list's bytes, packed as apt may have it: not at all, or by gzip, bzip2, xz or LZ4.

    Raises:
        ImportError: it is packed by LZ4, and lz4 is not installed.
        ValueError: it is damaged or too large.
    """
    openers = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
    opener = openers.get(file.suffix, open)
    if file.suffix == ".lz4":
        need("lz4", extra="text")
        import lz4.frame

        opener = lz4.frame.open
    try:
        with opener(file, "rb") as stream:
            data = stream.read(LARGEST + 1)
    except (OSError, EOFError, RuntimeError, lzma.LZMAError) as error:
        raise ValueError(f"{file} is damaged: {error}") from error
    if len(data) > LARGEST:
        raise ValueError(f"{file} must unpack to at most {LARGEST:,} bytes.")
    return data
