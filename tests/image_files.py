"""Files of one picture in every form that is read, each with the pixels it must give."""

import io
import struct
import zlib

import numpy as np
from PIL import Image

HEIGHT, WIDTH = 7, 11
ROWS, COLUMNS = np.mgrid[0:HEIGHT, 0:WIDTH]
# No two rows, columns or channels are alike, so that no turn and no mixed-up channels go unseen.
PICTURE = np.stack([20 * COLUMNS + 10, 30 * ROWS + 5, 12 * COLUMNS + 11 * ROWS], axis=-1).astype("uint8")
GREY = PICTURE[..., 2]
TRANSPARENT = np.where((ROWS + COLUMNS) % 3 == 0, 0, 255).astype("uint8")


def held(pixels, orientation):
    """What a camera stores that was held so, (H, W, ...): the inverse of the turn, written from EXIF's table."""
    return {
        1: lambda p: p,
        2: lambda p: p[:, ::-1],
        3: lambda p: p[::-1, ::-1],
        4: lambda p: p[::-1],
        5: lambda p: p.swapaxes(0, 1),
        6: lambda p: p.swapaxes(0, 1)[::-1],
        7: lambda p: p[::-1, ::-1].swapaxes(0, 1),
        8: lambda p: p.swapaxes(0, 1)[:, ::-1],
    }[orientation](pixels)


def turned(pixels, orientation):
    """The upright picture of stored pixels."""
    return held(pixels, {6: 8, 8: 6}.get(orientation, orientation))


def saved(pixels, kind, mode=None, **options):
    """The bytes of an image file by Pillow."""
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(np.ascontiguousarray(pixels))
    buffer = io.BytesIO()
    (image.convert(mode) if mode else image).save(buffer, kind, **options)
    return buffer.getvalue()


def exif(orientation, *, order="<", type=3, before=0):
    """An EXIF block by hand: some other entries, then the orientation."""
    entries = [struct.pack(f"{order}HHI4s", 0x0100 + i, 3, 1, b"\1\0\0\0") for i in range(before)]
    value = struct.pack(
        f"{order}HH" if type == 3 else f"{order}I", *((orientation, 0) if type == 3 else (orientation,))
    )
    entries.append(struct.pack(f"{order}HHI4s", 0x0112, type, 1, value))
    head = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HIH", 42, 8, len(entries))
    return b"Exif\0\0" + head + b"".join(entries) + struct.pack(f"{order}I", 0)


def segment(marker, content):
    """One segment of a JPEG."""
    return bytes([0xFF, marker]) + struct.pack(">H", len(content) + 2) + content


def with_segments(jpeg, *segments):
    """A JPEG with more segments, at its start."""
    return jpeg[:2] + b"".join(segments) + jpeg[2:]


def without_segment(jpeg, marker):
    """A JPEG that has lost a segment."""
    place = 2
    while jpeg[place + 1] != marker:
        place += 2 + struct.unpack(">H", jpeg[place + 2 : place + 4])[0]
    return jpeg[:place] + jpeg[place + 2 + struct.unpack(">H", jpeg[place + 2 : place + 4])[0] :]


def png(samples, depth, colour, *, chunks=(), late=()):
    """A PNG by hand, for depths that Pillow does not write: samples (H, W, channels), big-endian where of 16 bits."""
    height, width = samples.shape[:2]
    if depth == 16:
        rows = samples.astype(">u2").reshape(height, -1).view("uint8")
    else:
        bits = np.unpackbits(samples.astype("uint8").reshape(height, -1, 1), axis=-1)[..., 8 - depth :]
        rows = np.packbits(bits.reshape(height, -1), axis=1)
    lines = b"".join(b"\0" + row.tobytes() for row in rows)

    def chunk(name, content):
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    parts = [head, *(chunk(*c) for c in chunks), chunk(b"IDAT", zlib.compress(lines))]
    return b"\x89PNG\r\n\x1a\n" + b"".join([*parts, *(chunk(*c) for c in late), chunk(b"IEND", b"")])


def bmp(indices, palette, bits, *, old=False, downwards=False):
    """A BMP with a palette, (n, 3) RGB, and as many bits a pixel."""
    height, width = indices.shape
    unpacked = np.unpackbits(indices.astype("uint8")[..., None], axis=-1)[..., 8 - bits :]
    rows = np.packbits(unpacked.reshape(height, -1), axis=1)
    rows = np.pad(rows, [(0, 0), (0, -rows.shape[1] % 4)])
    colours = np.asarray(palette, "uint8")[:, ::-1]
    if old:
        head = struct.pack("<IHHHH", 12, width, height, 1, bits)
        colours = np.pad(colours, [(0, 2**bits - len(colours)), (0, 0)])
    else:
        side = -height if downwards else height
        head = struct.pack("<IiiHHIIiiII", 40, width, side, 1, bits, 0, 0, 0, 0, len(colours), 0)
        colours = np.pad(colours, [(0, 0), (0, 1)])
    start = 14 + len(head) + colours.size
    content = (rows if downwards else rows[::-1]).tobytes()
    return b"BM" + struct.pack("<IHHI", start + len(content), 0, 0, start) + head + colours.tobytes() + content


def grey3(values):
    """Three equal channels."""
    return np.repeat(values[..., None], 3, axis=-1)


def files():
    """{name: (bytes, upright RGB pixels, by how much they may differ)}."""
    deep = (PICTURE.astype("uint16") << 8) + 201  # Beyond a half: the upper 8 bits are kept, never rounded.
    palette = np.random.default_rng(0).permutation(np.arange(48).reshape(16, 3) * 5 % 256)
    few, two = (ROWS * 3 + COLUMNS) % 16, (ROWS + COLUMNS) % 2
    indexed = Image.fromarray(PICTURE).quantize(16)
    shown = np.asarray(indexed.convert("RGB"))
    jpeg, jpeg_grey = saved(PICTURE, "JPEG", quality=95), saved(GREY, "JPEG", quality=95)
    cmyk = saved(Image.fromarray(PICTURE).convert("CMYK"), "JPEG", quality=95)
    inks = 255 - np.asarray(Image.open(io.BytesIO(cmyk))).astype(
        "float64"
    )  # Without Adobe's mark they are not inverted.
    smaller = Image.fromarray(PICTURE[2:6, 3:9]).quantize(16)
    beside = np.zeros_like(PICTURE)
    beside[2:6, 3:9] = np.asarray(smaller.convert("RGB"))
    animated = [indexed, Image.fromarray(255 - PICTURE).quantize(16)]
    webp = saved(PICTURE, "WEBP", quality=90)
    see_through = np.dstack([PICTURE, TRANSPARENT])
    found = {
        "jpeg": (jpeg, _pixels(jpeg)),
        "jpeg progressive": (p := saved(PICTURE, "JPEG", quality=95, progressive=True), _pixels(p)),
        "jpeg 4:4:4": (p := saved(PICTURE, "JPEG", quality=95, subsampling=0), _pixels(p)),
        "jpeg grey": (jpeg_grey, _pixels(jpeg_grey)),
        "jpeg CMYK": (cmyk, _pixels(cmyk), 1),
        "jpeg CMYK without Adobe's mark": (
            without_segment(cmyk, 0xEE),
            ((255 - inks[..., :3]) * (255 - inks[..., 3:]) / 255).round().astype("uint8"),
            1,
        ),
        "jpeg with an orientation that is none": (with_segments(jpeg, segment(0xE1, exif(9))), _pixels(jpeg)),
        "jpeg with damaged EXIF": (with_segments(jpeg, segment(0xE1, exif(6)[:20])), _pixels(jpeg)),
        "jpeg with EXIF without orientation": (
            with_segments(jpeg, segment(0xE1, exif(6)[:14] + b"\0\0")),
            _pixels(jpeg),
        ),
        "png": (saved(PICTURE, "PNG"), PICTURE),
        "png grey": (saved(GREY, "PNG"), grey3(GREY)),
        "png grey and alpha": (saved(np.dstack([GREY, TRANSPARENT]), "PNG"), grey3(GREY)),
        "png alpha": (saved(np.dstack([PICTURE, TRANSPARENT]), "PNG"), PICTURE),
        "png palette": (saved(indexed, "PNG"), shown),
        "png palette, transparent": (saved(indexed, "PNG", transparency=3), shown),
        "png 1 bit": (saved(two.astype(bool), "PNG"), grey3(255 * two.astype("uint8"))),
        "png 2 bits": (png(two[..., None] * 2, 2, 0), grey3(170 * two.astype("uint8"))),
        "png 4 bits": (png(few[..., None], 4, 0), grey3(17 * few.astype("uint8"))),
        "png 16 bits grey": (saved(deep[..., 2], "PNG"), grey3(GREY)),
        "png 16 bits": (png(deep, 16, 2), PICTURE),
        "png 16 bits alpha": (png(np.dstack([deep, TRANSPARENT.astype("uint16") * 257]), 16, 6), PICTURE),
        "png 16 bits grey and alpha": (
            png(np.dstack([deep[..., 2], TRANSPARENT.astype("uint16") * 257]), 16, 4),
            grey3(GREY),
        ),
        "png with EXIF behind its pixels": (
            png(held(PICTURE, 6), 8, 2, late=[(b"eXIf", exif(6)[6:])]),
            PICTURE,
        ),
        "bmp": (saved(PICTURE, "BMP"), PICTURE),
        "bmp grey": (saved(GREY, "BMP"), grey3(GREY)),
        "bmp palette": (saved(indexed, "BMP"), shown),
        "bmp 1 bit": (saved(two.astype(bool), "BMP"), grey3(255 * two.astype("uint8"))),
        "bmp 1 bit of two colours": (bmp(two, palette[:2], 1), palette[two].astype("uint8")),
        "bmp 4 bits": (bmp(few, palette, 4), palette[few].astype("uint8")),
        "bmp downwards": (bmp(few, palette, 8, downwards=True), palette[few].astype("uint8")),
        "bmp of OS/2": (bmp(few, palette, 4, old=True), palette[few].astype("uint8")),
        "bmp 32 bits": (saved(np.dstack([PICTURE, TRANSPARENT]), "BMP"), PICTURE),
        "gif": (saved(indexed, "GIF"), shown),
        "gif grey": (saved(GREY, "GIF"), grey3(GREY)),
        "gif transparent": (saved(indexed, "GIF", transparency=3), shown),
        "gif animated": (
            saved(animated[0], "GIF", save_all=True, append_images=animated[1:], duration=90, loop=0),
            shown,
        ),
        "gif smaller than its canvas": (_on_canvas(saved(smaller, "GIF")), beside),
        "webp": (webp, _pixels(webp)),
        "webp lossless": (saved(PICTURE, "WEBP", lossless=True), PICTURE),
        "webp lossless, grey": (saved(GREY, "WEBP", lossless=True), grey3(GREY)),
        "webp lossless, alpha": (saved(see_through, "WEBP", lossless=True, exact=True), PICTURE),
        "webp alpha": (p := saved(see_through, "WEBP", quality=90), _pixels(p)),
        "webp with a profile of colours": (p := saved(PICTURE, "WEBP", icc_profile=b"profile", quality=90), _pixels(p)),
        "webp with damaged EXIF": (saved(PICTURE, "WEBP", lossless=True, exif=exif(6)[6:20]), PICTURE),
        "webp with bytes behind its end": (saved(PICTURE, "WEBP", lossless=True) + b"more", PICTURE),
        "ppm": (saved(PICTURE, "PPM"), PICTURE),
        "ppm with a comment": (saved(PICTURE, "PPM").replace(b"P6\n", b"P6\n# made by hand 9\n"), PICTURE),
        "pgm": (saved(GREY, "PPM"), grey3(GREY)),
        "pgm 16 bits": (b"P5 %d %d 65535\n" % (WIDTH, HEIGHT) + deep[..., 2].astype(">u2").tobytes(), grey3(GREY)),
    }
    for orientation in range(1, 9):
        stored = saved(held(PICTURE, orientation), "JPEG", quality=95)
        upright = turned(_pixels(stored), orientation)
        big = exif(orientation, order=">", type=4, before=2)
        xmp = segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0<x tiff:Orientation='3'/>")
        blocks = [segment(0xE1, exif(orientation))], [xmp, segment(0xE2, bytes(60_000)), segment(0xE1, big)]
        found[f"jpeg orientation {orientation}"] = (with_segments(stored, *blocks[0]), upright)
        found[f"jpeg orientation {orientation}, behind others"] = (with_segments(stored, *blocks[1]), upright)
        lying = saved(held(GREY, orientation), "PNG", exif=exif(orientation))
        found[f"png orientation {orientation}"] = (lying, grey3(GREY))
        block = exif(orientation) if orientation % 2 else exif(orientation, order=">", type=4, before=2)[6:]
        lying = saved(held(PICTURE, orientation), "WEBP", lossless=True, exif=block)
        found[f"webp orientation {orientation}"] = (lying, PICTURE)
    return {name: (row[0], row[1], row[2] if len(row) > 2 else 0) for name, row in found.items()}


def _pixels(content):
    """What Pillow alone makes of a file that lies the right way up."""
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))


def _on_canvas(gif):
    """A GIF whose frame of 6x4 lies at (3, 2) of a canvas of the picture's size."""
    start = gif.index(b",\0\0\0\0\6\0\4\0")
    screen = gif[:6] + struct.pack("<HH", WIDTH, HEIGHT)
    return screen + gif[10:start] + b"," + struct.pack("<HH", 3, 2) + gif[start + 5 :]


def refused():
    """{name: (bytes, what the refusal says)} of files that are no images here, under whatever suffix."""
    jpeg, large = saved(PICTURE, "JPEG"), saved(PICTURE, "BMP")
    packed = large[:30] + struct.pack("<I", 1) + large[34:]
    sides = b"IHDR" + struct.pack(">IIBBBBB", 100_000, 100_000, 8, 2, 0, 0, 0)
    promised = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + sides + struct.pack(">I", zlib.crc32(sides))
    promised += png(PICTURE, 8, 2)[33:]
    frames = {"save_all": True, "append_images": [Image.fromarray(255 - PICTURE)], "duration": 90}
    webp, lossless = saved(PICTURE, "WEBP"), saved(PICTURE, "WEBP", lossless=True)
    extended = saved(PICTURE, "WEBP", icc_profile=b"profile")
    large_webp = struct.pack("<HH", 16_000, 16_000)
    return {
        "empty": (b"", "empty"),
        "text": (b"no image", "none of them"),
        "webp of a head alone": (b"RIFF\x24\0\0\0WEBPVP8 ", "pixels"),
        "webp cut short": (webp[:-20], ""),
        "webp of another first chunk": (webp.replace(b"VP8 ", b"VP9 "), "pixels"),
        "webp animated": (saved(PICTURE, "WEBP", **frames), "still image"),
        "webp of 16,000 pixels a side": (webp[:26] + large_webp + webp[30:], "pixels"),
        "webp lossless of 16,000 pixels a side": (
            lossless[:21] + struct.pack("<I", 15_999 * (1 + 2**14)) + lossless[25:],
            "pixels",
        ),
        "webp extended of 100,000 pixels a side": (
            extended[:24] + 2 * (99_999).to_bytes(3, "little") + extended[30:],
            "pixels",
        ),
        "webp of another canvas": (extended[:24] + 2 * (99).to_bytes(3, "little") + extended[30:], ""),
        "wav": (b"RIFF\x24\0\0\0WAVEfmt ", "none of them"),
        "tiff": (saved(PICTURE, "TIFF"), "TIFF: convert it, for instance to PNG"),
        "page": (b"<!DOCTYPE html><html>", "HTML"),
        "pbm": (b"P4\n8 1\n\xff", "PBM"),
        "plain ppm": (b"P3\n1 1\n255\n1 2 3\n", "PPM in plain text"),
        "ppm of another maximum": (b"P6\n1 1\n100\n123", "255 or 65535"),
        "bmp compressed": (packed, "uncompressed"),
        "bmp 16 bits": (large[:28] + struct.pack("<H", 16) + large[30:], "uncompressed"),
        "bmp cut short": (large[:-20], ""),
        "jpeg cut short": (jpeg[: len(jpeg) * 3 // 4], ""),
        "png of 100,000 pixels a side": (promised, "pixels"),
        "ppm of no size": (b"P5\n11\xef7\n255\n" + bytes(99), "255 or 65535"),
        "ppm cut short": (saved(PICTURE, "PPM")[:-4], ""),
    }
