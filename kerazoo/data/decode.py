"""Image bytes to pixels, with bounds: what a stranger's file may cost before it is refused.

Whatever reads an image in Python reads it here: checking, training, evaluation, prediction on files.
`kerazoo.image_graph` gives the same pixels inside a graph.
"""

import contextlib
import io
import os
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from kerazoo.extras import need
from kerazoo.image_kinds import LARGEST, LARGEST_FILE, kind, orientation

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp")
# A JPEG is decoded at a half, quarter or eighth, much faster, where that leaves this many times the wanted size:
# resized from there it looks as resized from the whole.
REDUCED = 3


def decode(content, *, size=None, channels=3):
    """One image file to upright pixels, uint8, (H, W, channels).

    A photograph is turned upright, as its EXIF orientation says. Grey becomes three equal channels, 16 bits a channel
    become their upper 8, what is transparent is shown as its own colour, and of several frames the first is taken.
    The content decides what a file is, not its suffix.

    Args:
        content: bytes, or a path.
        size: (H, W) to resize to, without regard to the aspect; None keeps the image's own.
        channels: 3, or 1 for grey: .299 red + .587 green + .114 blue.

    Raises:
        ValueError: not an image of a known kind, damaged, cut short or beyond `LARGEST` pixels.
        FileNotFoundError: no such file.
        ImportError: without pillow.
    """
    need("PIL")
    from PIL import Image

    try:
        content = file_bytes(content)
        with opened(content, kind(content)) as image:
            turn = orientation(content)
            if size is not None:
                height, width = size if turn < 5 else size[::-1]
                image.draft("RGB", (REDUCED * width, REDUCED * height))
            image = _rgb(image)
            if size is not None and image.size != (width, height):
                image = image.resize((width, height), Image.Resampling.BILINEAR)
            pixels = np.asarray(image if channels == 3 else image.convert("L"), dtype="uint8")
    except FileNotFoundError:
        raise
    except Exception as error:  # Pillow raises whatever a damaged file leads its readers to.
        raise ValueError(f"not a readable image: {error}") from error
    return upright(pixels.reshape(*pixels.shape[:2], channels), turn)


@contextlib.contextmanager
def naming(path):
    """Within it an error says which file is not readable: one that the user has named, in no folder of others."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def file_bytes(source):
    """The bytes of a file, given as such or by its path.

    Raises:
        ValueError: more than `LARGEST_FILE`.
        OSError: it cannot be read.
    """
    size = len(source) if isinstance(source, bytes) else os.path.getsize(source)
    if size > LARGEST_FILE:
        raise ValueError(f"{size} bytes; at most {LARGEST_FILE} are read")
    return source if isinstance(source, bytes) else Path(source).read_bytes()


@contextlib.contextmanager
def opened(content, kind):
    """The Pillow image of some bytes of a known kind, where it is not too large."""
    from PIL import Image

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's own bound is checked below, as an error.
        with Image.open(io.BytesIO(content), formats=(kind,)) as image:
            if image.width * image.height > LARGEST:
                raise ValueError(f"{image.width}x{image.height} pixels; at most {LARGEST} are decoded")
            yield image


def upright(pixels, orientation):
    """Pixels (H, W, ...) as they were seen, by EXIF's number of how the camera was held."""
    if orientation >= 5:
        pixels = pixels.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)


def _rgb(image):
    """A Pillow image of any mode as RGB."""
    from PIL import Image, ImageChops

    if image.mode.startswith("I"):  # 16 bits of grey, which Pillow would cut at 255.
        return Image.fromarray((np.asarray(image) >> 8).astype("uint8")).convert("RGB")
    if image.mode == "CMYK" and "adobe" not in image.info:  # Pillow takes all for Adobe's, whose inks are inverted.
        return ImageChops.invert(image).convert("RGB")
    if image.format == "GIF" and image.tile and image.tile[0][1] != (0, 0, *image.size):
        place = image.tile[0][1]  # A first frame smaller than its canvas; black beside it.
        canvas = Image.new("RGB", image.size)
        canvas.paste(image.crop(place).convert("RGB"), place)
        return canvas
    return image.convert("RGB")


def decode_all(contents, names, *, size=None, keep=True, progress=None):
    """Decodes many images in parallel and sets aside those that cannot be read.

    Args:
        contents: paths or bytes, one an image.
        names: what each is called in an error, as many.
        size: (H, W) to resize to, or None where all have one size.
        keep: False decodes to check only, and returns no pixels.
        progress: called with the number of images done so far, now and then.

    Returns:
        `(pixels, readable, unreadable)`: uint8 (n, H, W, 3) or None, the positions of the readable
        images, and [(name, reason)] of the others.

    Raises:
        ValueError: images of several sizes and no `size`.
    """

    def attempt(content):
        try:
            image = decode(content, size=size)
            return image if keep else None, None
        except (ValueError, FileNotFoundError) as error:
            return None, str(error)

    images, readable, unreadable = None, [], []
    with ThreadPoolExecutor() as pool:
        for position, (image, reason) in enumerate(pool.map(attempt, contents)):
            if progress and position % 1000 == 0:
                progress(position)
            if reason:
                unreadable.append((str(names[position]), reason))
                continue
            if keep:
                if images is None:
                    images = np.empty((len(contents), *image.shape), "uint8")
                if image.shape != images.shape[1:]:
                    raise ValueError(
                        f"Images of several sizes need a `size` to be resized to. Received: {images.shape[1:3]} and "
                        f"{image.shape[:2]} ({names[position]})."
                    )
                images[len(readable)] = image
            readable.append(position)
    if keep and images is not None:
        images = images[: len(readable)]
    return images, np.array(readable, int), unreadable
