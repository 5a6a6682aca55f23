"""Which image files are read, told by their content and never by their suffix, and how a photograph was held.

One statement for both decoders: Pillow's (`kerazoo.data.decode`), and the one inside a TensorFlow graph
(`kerazoo.image_graph`), which serves exported models. What one of them takes, the other takes too.
"""

import re
import warnings

from kerazoo.errors import KerazooWarning

LARGEST = 64_000_000  # Pixels of the largest image that is decoded: 192 MB as RGB.
LARGEST_FILE = 256 * 2**20  # Bytes.
READ = "JPEG, PNG, BMP, GIF, WebP, PGM and PPM"
CONVERT = "convert it, for instance to PNG"
# Of files that are images and are not read.
UNREAD = (".tif", ".tiff", ".heic", ".heif", ".avif", ".jxl", ".jp2", ".jpf", ".jpx", ".svg", ".psd", ".dng", ".ico")
# The first bytes of a file -> what it is. Pillow and TensorFlow agree on the pixels of these.
KINDS = {
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"BM": "BMP",
    b"GIF87a": "GIF",
    b"GIF89a": "GIF",
    b"P5": "PPM",
    b"P6": "PPM",
    b"RIFF": "WEBP",  # And `WEBP` at byte 8: sounds and films are RIFF too.
}
WEBP = b"WEBP"
WEBP_RULE = "a WebP must be a still image"
# What else a file called .jpg may be: position, bytes, name.
OTHERS = (
    (0, b"II*\0", "TIFF"),
    (0, b"MM\0*", "TIFF"),
    (4, b"ftyp", "HEIC or AVIF"),
    (0, b"\0\0\0\x0cjP", "JPEG 2000"),
    (0, b"P1", "PBM"),
    (0, b"P2", "PGM in plain text"),
    (0, b"P3", "PPM in plain text"),
    (0, b"P4", "PBM"),
    (0, b"%PDF", "PDF"),
    (0, b"<", "HTML, XML or SVG"),
)
BMP_BITS = (1, 4, 8, 24, 32)
BMP_RULE = f"a BMP must be uncompressed, with {', '.join(map(str, BMP_BITS))} bits a pixel"
BGRX = (0xFF0000, 0xFF00, 0xFF)  # The masks of 32 bits where a BMP states any: red, green, blue.
PPM_RULE = "a PPM must count to 255, a PGM to 255 or 65535"
# RE2's syntax too. White space or comments stand between the four words, one white space after them.
_GAP = r"(?:\s|#[^\r\n]*[\r\n])+"
PPM_HEADER = rf"P[56]{_GAP}\d+{_GAP}\d+{_GAP}\d+\s"
PPM_HEADER_BYTES = 512
COMMENT = r"#[^\r\n]*"
ORIENTATION = 0x0112  # EXIF's tag for how the camera was held.
EXIF = b"Exif\0\0"
SHORT, LONG = 3, 4  # EXIF's types of numbers.
SEGMENTS = 1000  # Of a JPEG or a WebP that are looked through for EXIF, at most.


def kind(content):
    """What an image file is: "JPEG", "PNG", "BMP", "GIF", "WEBP" or "PPM" (also PGM), as Pillow calls it.

    Args:
        content: bytes.

    Raises:
        ValueError: another kind, or one of these in a form that is not read.
    """
    if not content:
        raise ValueError("the file is empty")
    found = next((name for start, name in KINDS.items() if content.startswith(start)), None)
    if found is None or (found == "WEBP" and content[8:12] != WEBP):
        other = next((name for place, start, name in OTHERS if content[place:].startswith(start)), None)
        said = f"{other}: {CONVERT}" if other else "none of them"
        raise ValueError(f"{READ} files are read; its content is {said}")
    if found == "BMP":
        _check_bmp(content)
    if found == "PPM":
        _check_ppm(content)
    if found == "WEBP":
        _check_webp(content)
    return found


def _check_bmp(content):
    def number(place, size):
        return int.from_bytes(content[place : place + size], "little")

    bits, compression = (number(24, 2), 0) if number(14, 4) == 12 else (number(28, 2), number(30, 4))
    masks = tuple(number(place, 4) for place in (54, 58, 62))
    plain = compression == 0 or compression == 3 and bits == 32 and masks == BGRX
    if bits not in BMP_BITS or not plain:
        raise ValueError(f"{BMP_RULE}. Received: {bits} bits, compression {compression}")


def _check_ppm(content):
    header = re.match(PPM_HEADER.encode(), content[:PPM_HEADER_BYTES])
    largest = int(re.sub(COMMENT.encode(), b"", header[0]).split()[3]) if header else None
    if largest != 255 and not (largest == 65535 and content.startswith(b"P5")):
        raise ValueError(f"{PPM_RULE}. Received: {largest}")


def _check_webp(content):
    """Before Pillow opens it, which sets memory aside for as many pixels as the header promises."""
    width, height, animated = webp_header(content)
    if animated:
        raise ValueError(f"{WEBP_RULE}. Received: an animation")
    if not 0 < width * height <= LARGEST:
        raise ValueError(f"{width}x{height} pixels; at most {LARGEST} are decoded")


def webp_header(content):
    """(width, height, whether it is an animation) of a WebP's first chunk; zeros where that is none of its three."""
    name, start = content[12:16], content[20:30].ljust(10, b"\0")
    if name == b"VP8X":
        sides = [1 + int.from_bytes(start[place : place + 3], "little") for place in (4, 7)]
        return *sides, bool(start[0] & 2)
    if name == b"VP8L":
        bits = int.from_bytes(start[1:5], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF), False
    if name == b"VP8 ":
        return *(int.from_bytes(start[place : place + 2], "little") & 0x3FFF for place in (6, 8)), False
    return 0, 0, False


def orientation(content):
    """How the camera was held, as EXIF counts: 1 is upright, also where nothing is said; 2 to 8 want a turn.

    Args:
        content: bytes of an image; JPEG's first EXIF segment, PNG's eXIf chunk and WebP's EXIF chunk count, and nothing
            else.
    """
    return _tag(_exif(content))


def _exif(content):
    """The TIFF structure in a JPEG, a PNG or a WebP, or nothing."""
    if content.startswith(b"\xff\xd8"):
        place = 2
        for _ in range(SEGMENTS):
            head = content[place : place + 10].ljust(10, b"\0")
            marker, length = head[1], int.from_bytes(head[2:4], "big")
            if head[0] != 0xFF or marker in (0x00, 0xD9, 0xDA):  # No segment, the end, the pixels.
                break
            if marker == 0xE1 and head[4:] == EXIF:
                return content[place + 10 : place + 2 + length]
            place += 1 if marker == 0xFF else 2 if marker == 0x01 or 0xD0 <= marker <= 0xD8 else 2 + length
    elif content.startswith(b"\x89PNG"):
        place = 8
        while place < len(content):
            length = int.from_bytes(content[place : place + 4], "big")
            if content[place + 4 : place + 8] == b"eXIf":
                return content[place + 8 : place + 8 + length].removeprefix(EXIF)
            place += 12 + length
    elif content.startswith(b"RIFF"):
        place = 12
        for _ in range(SEGMENTS):
            length = int.from_bytes(content[place + 4 : place + 8], "little")
            if content[place : place + 4] == b"EXIF":
                return content[place + 8 : place + 8 + length].removeprefix(EXIF)
            place += 8 + length + length % 2
    return b""


def _tag(tiff):
    order = {b"II*\0": "little", b"MM\0*": "big"}.get(tiff[:4])
    if order is None:
        return 1

    def number(place, size):
        return int.from_bytes(tiff[place : place + size], order)

    first = number(4, 4) + 2
    for place in range(first, min(first + 12 * number(first - 2, 2), len(tiff) - 11), 12):
        if number(place, 2) == ORIENTATION and number(place + 2, 2) in (SHORT, LONG):
            value = number(place + 8, 2 if number(place + 2, 2) == SHORT else 4)
            return value if 1 <= value <= 8 else 1
    return 1


def warn_if_scaled(pixels):
    """Warns where pixels look as if somebody had scaled them already: models take 0 to 255 and scale by themselves.

    Args:
        pixels: some images, an array of any shape.
    """
    if pixels.size and pixels.min() >= -1 and 0 < pixels.max() <= 1:
        low = "-1" if pixels.min() < 0 else "0"
        warnings.warn(
            f"Pixels must be in [0, 255]: models scale them by themselves. These look scaled to [{low}, 1] already. "
            f"Received: {pixels.min():.3g} to {pixels.max():.3g}.",
            category=KerazooWarning,
            stacklevel=3,
        )
