"""The one walk over users' files: hidden and system files skipped and counted, linked folders entered once."""

import os
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from kerazoo.image_kinds import CONVERT, UNREAD

# What file managers, network drives and operating systems leave among a user's files, in lower case.
SYSTEM = {
    *("__macosx", "@eadir", "@tmp", "@recycle", "#recycle", "#snapshot", "@recently-snapshot", "__pycache__"),
    *("lost+found", "$recycle.bin", "system volume information", "network trash folder", "temporary items"),
    *("thumbs.db", "ehthumbs.db", "ehthumbs_vista.db", "desktop.ini", "icon\r"),
}
SHOWN = 5  # Of the names and reasons that a message gives.


@dataclass
class Walk:
    """What lies in a folder.

    Attributes:
        files: {name: path} of the files with a wanted suffix. A name is the path below the folder, with slashes.
        folders: {name: path} of the folders, linked ones too.
        left_out: [(name, reason)] of visible files that are not among `files`.
        hidden: names of the hidden and system files and folders; nothing below such a folder is looked at.
    """

    files: dict = field(default_factory=dict)
    folders: dict = field(default_factory=dict)
    left_out: list = field(default_factory=list)
    hidden: list = field(default_factory=list)

    def below(self, prefix):
        """The same `Walk` with `prefix` in front of the names of what was left out or is hidden."""
        left_out = [(f"{prefix}/{name}", reason) for name, reason in self.left_out]
        return Walk(self.files, self.folders, left_out, [f"{prefix}/{name}" for name in self.hidden])


def walk(folder, suffixes=None, *, deep=True):
    """Everything in a user's folder, in the order of the names.

    Hidden files and folders (`.ipynb_checkpoints`, `._a.png`, `.DS_Store`) and those of file managers and systems
    (`__MACOSX`, `@eaDir`, `Thumbs.db`) are skipped and counted. A linked folder is entered, but no folder twice, and
    none in which the walk itself lies.

    Args:
        folder: where to.
        suffixes: of the files that are wanted, in lower case; None takes all.
        deep: False stays in the folder itself.

    Returns:
        A `Walk`.

    Raises:
        FileNotFoundError: no such folder.
        ValueError: its path is not UTF-8.

    Example:

    >>> import pathlib, tempfile
    >>> root = pathlib.Path(tempfile.mkdtemp())
    >>> for name in ("a/0.png", "a/.ipynb_checkpoints/0.png", "Thumbs.db", "notes.txt"):
    ...     (root / name).parent.mkdir(parents=True, exist_ok=True)
    ...     _ = (root / name).write_text("")
    >>> found = walk(root, (".png",))
    >>> list(found.files), found.hidden, found.left_out
    (['a/0.png'], ['Thumbs.db', 'a/.ipynb_checkpoints'], [('notes.txt', 'not one of .png')])
    """
    root = Path(folder)
    if not root.is_dir():
        raise FileNotFoundError(f"There must be a folder. Received: {str(root)!r}.")
    check_name(str(root), "The path of the data")
    found, real = Walk(), root.resolve()
    above = {real, *real.parents, *root.absolute().parents}  # Also by the name of a link that leads to the folder.
    entered = {_identity(path) for path in above}
    # Links wait until all real folders are read, so that a folder is known by its own name rather than a link's.
    waiting, links = [("", root)], []
    while waiting or links:
        prefix, here = waiting.pop() if waiting else links.pop(0)
        if prefix and not _enter(prefix, here, entered, found):
            continue
        try:
            entries = sorted(os.scandir(here), key=lambda entry: entry.name)
        except OSError as error:
            found.left_out.append((prefix or root.name, error.strerror))
            continue
        for entry in entries:
            name, path = prefix + entry.name, here / entry.name
            kind = path if entry.is_symlink() else entry  # An entry knows its kind without asking the disk again.
            if is_hidden(entry.name):
                found.hidden.append(name)
            elif not is_utf8(entry.name) and (deep or not kind.is_dir()):
                found.left_out.append((readable_name(name), "its name is not UTF-8"))
            elif kind.is_dir():
                found.folders[name] = path
                if deep:
                    (links if entry.is_symlink() else waiting).append((f"{name}/", path))
            elif not kind.is_file():
                found.left_out.append((name, "a link to nothing" if entry.is_symlink() else "no regular file"))
            elif suffixes is not None and path.suffix.lower() not in suffixes:
                found.left_out.append((name, unwanted(name, suffixes)))
            else:
                found.files[name] = path
    if not deep:
        real_first = sorted(found.folders.items(), key=lambda item: item[1].is_symlink())
        found.folders = {name: path for name, path in real_first if _enter(name, path, entered, found)}
    found.files, found.folders = (_sorted(kept) for kept in (found.files, found.folders))
    found.left_out.sort()
    found.hidden.sort()
    return found


def unwanted(name, suffixes):
    """Why a file of another suffix is left out.

    Example:

    >>> unwanted("notes.txt", (".png",)), unwanted("scan.tiff", (".png",))
    ('not one of .png', 'not one of .png: convert it, for instance to PNG')
    """
    advice = f": {CONVERT}" if ".png" in suffixes and is_unread_image(name) else ""
    return f"not one of {', '.join(suffixes)}{advice}"


def is_unread_image(name):
    """Whether a file is, by its suffix, an image of a kind that is not read."""
    return name.lower().endswith(UNREAD)


def hidden_row(names):
    """[(name, reason)] that counts and names hidden files in one row, or [] where there are none.

    Example:

    >>> hidden_row([".DS_Store", "cat/.ipynb_checkpoints"])
    [('hidden and system files', '2 are skipped: .DS_Store, cat/.ipynb_checkpoints')]
    """
    names = [readable_name(name) for name in names]
    more = ", ..." * (len(names) > SHOWN)
    said = f"{len(names):,} {'is' if len(names) == 1 else 'are'} skipped: {', '.join(names[:SHOWN])}{more}"
    return [("hidden and system files", said)] if names else []


def left_out_notes(found):
    """Sentences on what a `Walk` left out and skipped, for data sets that tell such things in notes."""
    rows = [*found.left_out[:SHOWN], *hidden_row(found.hidden)]
    more = len(found.left_out) - SHOWN
    return tuple(f"left out: {name}: {reason}" for name, reason in rows) + (
        (f"{more:,} more left out",) if more > 0 else ()
    )


def without_suffix(files):
    """{name without suffix: path} of a `Walk`'s files, by which images and their masks or labels are matched.

    Raises:
        ValueError: two files of one name; both are in the message.

    Example:

    >>> without_suffix({"a/0.png": "/data/a/0.png"})
    {'a/0': '/data/a/0.png'}
    """
    found = {}
    for name, path in files.items():
        key = PurePosixPath(name).with_suffix("").as_posix()
        if key in found:
            raise ValueError(
                "No two files may have one name but for their suffix: which belongs to the other folder's file "
                f"{key!r}? Received: {str(found[key])!r} and {str(path)!r}."
            )
        found[key] = path
    return found


def reasons(left_out):
    """The first reasons why files were left out, to end a message with; empty where there are none.

    Example:

    >>> reasons([("a.png", "has no mask a.png")])
    ' Left out: a.png: has no mask a.png.'
    """
    if not left_out:
        return ""
    more = f"; and {len(left_out) - SHOWN:,} more" if len(left_out) > SHOWN else ""
    return f" Left out: {'; '.join(f'{name}: {reason}' for name, reason in left_out[:SHOWN])}{more}."


def is_hidden(name):
    """Whether a file or folder of this name is hidden or a system's own."""
    return name.startswith((".", "~$")) or name.lower() in SYSTEM


def is_visible(path):
    """Whether no part of a path in an archive, a text with slashes, is hidden or a system's own.

    Example:

    >>> is_visible("train/cat/0.png"), is_visible("__MACOSX/train/cat/._0.png")
    (True, False)
    """
    return not any(is_hidden(part) for part in path.split("/"))


def is_utf8(name):
    """Whether UTF-8 can write a name: a file's of another code page, or half a JSON escape, it cannot."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def readable_name(name):
    """A name for messages and records, with escapes for what UTF-8 cannot write."""
    return name.encode("utf-8", "backslashreplace").decode()


def check_name(name, what="A class's name"):
    """Refuses a name that no report or exported file could hold.

    Raises:
        ValueError: it is not UTF-8.
    """
    if not is_utf8(name):
        raise ValueError(f"{what} must be UTF-8. Received: '{readable_name(name)[:200]}'.")


def _enter(name, path, entered, found):
    """Whether a folder is read: not where it has been read, nor where the walk lies in it."""
    identity = _identity(path)
    if identity in entered:
        found.left_out.append((name.rstrip("/"), "a link to a folder that is read under another name"))
        return False
    entered.add(identity)
    return True


def _identity(path):
    status = os.stat(path)
    return status.st_dev, status.st_ino


def _sorted(kept):
    return {name: kept[name] for name in sorted(kept, key=lambda name: name.split("/"))}
