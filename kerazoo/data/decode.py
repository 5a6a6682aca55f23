"""Image bytes to pixels, with bounds: what a stranger's file may cost before it is refused."""

import io
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from kerazoo.extras import need

# Pixels of the largest image that is decoded: 64 million, 192 MB as RGB.
LARGEST = 64_000_000
ORIENTATION = 0x0112  # EXIF's tag for how the camera was held.
SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".gif")


def decode(content, *, size=None):
    """One image file to RGB pixels, uint8, (H, W, 3).

    A photograph is turned upright, as its EXIF orientation says. Grey becomes three equal channels, 16 bits a channel
    become their upper 8, and what is transparent is shown as its own colour.

    Args:
        content: bytes, or a path.
        size: (H, W) to resize to, without regard to the aspect; None keeps the image's own.

    Raises:
        ValueError: not an image of a known kind, damaged, cut short or beyond `LARGEST` pixels.
        FileNotFoundError: no such file.
        ImportError: without pillow.
    """
    need("PIL")
    from PIL import Image, ImageOps

    source = io.BytesIO(content) if isinstance(content, bytes) else content
    try:
        with warnings.catch_warnings(), Image.open(source, formats=("JPEG", "PNG", "BMP", "GIF", "PPM")) as image:
            warnings.simplefilter("ignore")  # Pillow's own bound is checked below, as an error.
            if image.width * image.height > LARGEST:
                raise ValueError(f"{image.width}x{image.height} pixels; at most {LARGEST} are decoded.")
            if size is not None:
                sideways = image.getexif().get(ORIENTATION, 1) in (5, 6, 7, 8)
                # JPEG decodes at a half, quarter or eighth much faster.
                image.draft("RGB", tuple(size) if sideways else (size[1], size[0]))
            image = ImageOps.exif_transpose(image)
            if image.mode.startswith("I;16"):  # Pillow would cut at 255.
                image = Image.fromarray((np.asarray(image) >> 8).astype("uint8"))
            image = image.convert("RGB")
            if size is not None and image.size != (size[1], size[0]):
                image = image.resize((size[1], size[0]), Image.Resampling.BILINEAR)
            return np.asarray(image, dtype="uint8")
    except FileNotFoundError:
        raise
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
        raise ValueError(f"not a readable image: {error}") from error


def orientation(path):
    """How the camera was held, as EXIF counts: 1 is upright, also where a readable image does not say."""
    from PIL import Image

    with Image.open(path) as image:
        value = image.getexif().get(ORIENTATION, 1)
    return value if value in range(1, 9) else 1


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
