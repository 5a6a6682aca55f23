"""Image files to pixels inside a TensorFlow graph, as `kerazoo.data.decode` does it outside of one.

A served model and a tf.data service have no Python. JPEG, PNG, GIF and WebP are decoded by TensorFlow's own operations;
what those do not know is read here, by the rules of `kerazoo.image_kinds`: EXIF's orientation, BMPs with palettes, PGM,
PPM.
"""

import tensorflow as tf

from kerazoo import image_kinds as kinds


def decode(file, channels=3):
    """One image file to upright pixels.

    Grey becomes three equal channels, 16 bits a channel become their upper 8, what is transparent is shown as its own
    colour, and of several frames the first is taken. Pixels are those of `kerazoo.data.decode.decode`, but for the
    rounding of CMYK, by one.

    Args:
        file: a string tensor, (), the bytes of the file.
        channels: 3, or 1 for grey: .299 red + .587 green + .114 blue.

    Returns:
        uint8, (H, W, channels).

    Raises:
        tf.errors.InvalidArgumentError: not a readable image of a known kind, or beyond the bounds of `image_kinds`.
    """
    readers = {"JPEG": _jpeg, "PNG": _png, "BMP": _bmp, "GIF": _gif, "PPM": _ppm, "WEBP": _webp}
    starts = {
        name: tf.reduce_any(
            [tf.equal(tf.strings.substr(file, 0, len(b)), b) for b, n in kinds.KINDS.items() if n == name]
        )
        for name in readers
    }
    starts["WEBP"] &= tf.equal(tf.strings.substr(tf.strings.join([file, b"\0" * 12]), 8, 4), kinds.WEBP)
    found = tf.stack(list(starts.values()))
    file = _require(file, tf.reduce_any(found), f"Every image must be one of {kinds.READ}.")
    small = tf.strings.length(file) <= kinds.LARGEST_FILE
    file = _require(file, small, f"An image file must be at most {kinds.LARGEST_FILE} bytes.")
    pixels = tf.switch_case(tf.argmax(found, output_type=tf.int32), [lambda r=r: r(file) for r in readers.values()])
    pixels.set_shape((None, None, 3))
    return pixels if channels == 3 else _grey(pixels)


def upright(pixels, orientation):
    """Undoes how the camera was held: of EXIF's eight orientations four lie on their side."""
    pixels = tf.cond(orientation >= 5, lambda: tf.transpose(pixels, (1, 0, 2)), lambda: pixels)
    for axis, mirrored in ((1, (2, 3, 6, 7)), (0, (3, 4, 7, 8))):
        there = tf.reduce_any(orientation == tf.constant(mirrored, orientation.dtype))
        pixels = tf.cond(there, lambda axis=axis, held=pixels: tf.reverse(held, [axis]), lambda held=pixels: held)
    return pixels


def _grey(pixels):
    """Pillow's weights and rounding."""
    weighed = tf.cast(pixels, tf.int32) * tf.constant([19595, 38470, 7471])
    return tf.cast((tf.reduce_sum(weighed, axis=-1, keepdims=True) + 0x8000) // 0x10000, tf.uint8)


def _require(value, rule, message, *facts):
    """The value, where the rule holds."""
    with tf.control_dependencies([tf.debugging.Assert(rule, [message, *facts])]):
        return tf.identity(value)


def _bounded(file, height, width):
    """The file, where it promises no more pixels than are decoded."""
    sides = tf.cast(tf.stack([height, width]), tf.int64)
    small = tf.reduce_all(sides > 0) & tf.reduce_all(sides <= kinds.LARGEST) & (sides[0] * sides[1] <= kinds.LARGEST)
    return _require(file, small, f"An image must have 1 to {kinds.LARGEST} pixels:", sides)


def _length(file):
    return tf.cast(tf.strings.length(file), tf.int64)


def _where(rule, one, other):
    return tf.where(rule, tf.cast(one, tf.int64), tf.cast(other, tf.int64))


def _part(file, start, count):
    """At most `count` bytes of a string."""
    start = tf.clip_by_value(tf.cast(start, tf.int64), 0, _length(file))
    return tf.strings.substr(file, start, tf.maximum(tf.cast(count, tf.int64), 0))


def _bytes(file, start, count):
    """(count,) int64: bytes of a string, zeros beyond its end."""
    values = tf.io.decode_raw(_part(file, start, count), tf.uint8)
    values = tf.pad(tf.cast(values, tf.int64), [[0, tf.cast(count, tf.int32) - tf.size(values)]])
    return tf.ensure_shape(values, (count if isinstance(count, int) else None,))


def _big(values):
    """(..., n) bytes -> (...) numbers, the most significant byte first."""
    return tf.reduce_sum(values * [256**i for i in reversed(range(values.shape[-1]))], axis=-1)


def _little(values):
    return _big(tf.reverse(values, [-1]))


def _jpeg(file):
    height, width, _ = tf.unstack(tf.image.extract_jpeg_shape(file))
    pixels = tf.io.decode_jpeg(_bounded(file, height, width), channels=3, dct_method="INTEGER_ACCURATE")

    def step(place, _, left):
        head = _bytes(file, place, 10)
        marker, length = head[1], _big(head[2:4])
        exif = (marker == 0xE1) & tf.reduce_all(head[4:] == list(kinds.EXIF))
        over = (head[0] != 0xFF) | tf.reduce_any(marker == tf.constant([0x00, 0xD9, 0xDA], tf.int64)) | exif
        alone = (marker == 0x01) | (marker >= 0xD0) & (marker <= 0xD8)
        further = _where(marker == 0xFF, 1, _where(alone, 2, length + 2))
        return place + further, _part(file, place + 10, _where(exif, length - 8, 0)), _where(over, 0, left - 1)

    start = tf.constant(2, tf.int64), tf.constant(""), tf.constant(kinds.SEGMENTS, tf.int64)
    exif = tf.while_loop(lambda place, found, left: left > 0, step, start)[1]
    return upright(pixels, _orientation(exif))


def _png(file):
    height, width = tf.unstack(_big(tf.reshape(_bytes(file, 16, 8), (2, 4))))
    pixels = tf.io.decode_png(_bounded(file, height, width), channels=3)
    size = _length(file)

    def step(place, _):
        head = _bytes(file, place, 8)
        exif, length = tf.reduce_all(head[4:] == list(b"eXIf")), _big(head[:4])
        return _where(exif, size, place + 12 + length), _part(file, place + 8, _where(exif, length, 0))

    exif = tf.while_loop(lambda place, found: place < size, step, (tf.constant(8, tf.int64), tf.constant("")))[1]
    return upright(pixels, _orientation(_headless(exif)))


def _headless(exif):
    """Without what JPEG wants in front, which some writers keep."""
    headed = tf.equal(_part(exif, 0, len(kinds.EXIF)), kinds.EXIF)
    return _part(exif, _where(headed, len(kinds.EXIF), 0), _length(exif))


def _webp(file):
    name, start = _part(file, 12, 4), _bytes(file, 20, 10)
    extended = tf.equal(name, b"VP8X")
    bits = _little(start[1:5])
    forms = {  # Width and height of each of the three first chunks.
        b"VP8X": (1 + _little(start[4:7]), 1 + _little(start[7:10])),
        b"VP8L": (1 + bits % 2**14, 1 + bits // 2**14 % 2**14),
        b"VP8 ": (_little(start[6:8]) % 2**14, _little(start[8:10]) % 2**14),
    }
    width, height = (
        sum(_where(tf.equal(name, form), sides[side], 0) for form, sides in forms.items()) for side in (0, 1)
    )
    still = ~(extended & (start[0] // 2 % 2 == 1))
    file = _bounded(_require(file, still, f"{kinds.WEBP_RULE}."), height, width)
    pixels = tf.io.decode_webp(file)[0, ..., :3]  # It refuses three channels of a file that has four.
    size = _length(file)

    def step(place, _, left):
        head = _bytes(file, place, 8)
        exif, length = tf.reduce_all(head[:4] == list(b"EXIF")), _little(head[4:])
        further = _where(exif, size, place + 8 + length + length % 2)
        return further, _part(file, place + 8, _where(exif, length, 0)), left - 1

    start = tf.constant(12, tf.int64), tf.constant(""), tf.constant(kinds.SEGMENTS, tf.int64)
    exif = tf.while_loop(lambda place, found, left: (place < size) & (left > 0), step, start)[1]
    return upright(pixels, _orientation(_headless(exif)))


def _orientation(tiff):
    """EXIF's number of how the camera was held, 1 where a TIFF structure does not say."""
    little = tf.equal(_part(tiff, 0, 4), b"II*\0")

    def number(values):
        return _where(little, _little(values), _big(values))

    first = number(_bytes(tiff, 4, 4))
    held = (_length(tiff) - first - 2) // 12
    count = tf.clip_by_value(number(_bytes(tiff, first, 2)), 0, tf.maximum(held, 0))
    entries = tf.reshape(_bytes(tiff, first + 2, 12 * count), (-1, 12))
    type = number(entries[:, 2:4])
    there = (number(entries[:, :2]) == kinds.ORIENTATION) & ((type == kinds.SHORT) | (type == kinds.LONG))
    values = _where(type == kinds.SHORT, number(entries[:, 8:10]), number(entries[:, 8:12]))
    value = tf.concat([tf.boolean_mask(values, there), [1]], axis=0)[0]
    known = (little | tf.equal(_part(tiff, 0, 4), b"MM\0*")) & (value >= 1) & (value <= 8)
    return _where(known, value, 1)


def _gif(file):
    """The first frame on its canvas, black beside it.

    A file is cut behind that frame and rebuilt without what stands before it: frames that follow may be gigabytes, and
    TensorFlow would show what is transparent as black.
    """
    values = tf.io.decode_raw(file, tf.uint8)
    count = tf.size(values, tf.int64)

    def byte(place):
        return _where(place < count, values[tf.minimum(place, count - 1)], 0)

    def table(flags):  # Bytes of a table of colours.
        return _where(flags >= 0x80, 3 * 2 ** (flags % 8 + 1), 0)

    def chained(place):  # Behind a chain of blocks, which a block of no bytes ends.
        return tf.while_loop(lambda at: byte(at) > 0, lambda at: (at + 1 + byte(at),), (place,))[0] + 1

    colours = 3 + table(byte(tf.constant(10, tf.int64)))
    start = tf.while_loop(lambda at: byte(at) == 0x21, lambda at: (chained(at + 2),), (10 + colours,))[0]
    file = _require(file, byte(start) == 0x2C, "A GIF must have an image.")
    place = _bytes(file, start + 1, 9)
    left, top, width, height = tf.unstack(_little(tf.reshape(place[:8], (4, 2))))
    across, down = tf.unstack(_little(tf.reshape(_bytes(file, 6, 4), (2, 2))))
    across, down = tf.maximum(across, left + width), tf.maximum(down, top + height)
    file = _bounded(file, down, across)
    end = chained(start + 11 + table(place[8]))
    head = [_part(file, 0, 6), _part(file, start + 5, 4), _part(file, 10, colours), b",\0\0\0\0"]
    frame = tf.io.decode_gif(tf.strings.join([*head, _part(file, start + 5, end - start - 5), b";"]))[0]
    beside = [[top, down - top - height], [left, across - left - width], [0, 0]]
    return tf.pad(frame, tf.convert_to_tensor(beside, tf.int64))


def _bmp(file):
    old = _little(_bytes(file, 14, 4)) == 12  # Of OS/2, with numbers of two bytes.
    width = _where(old, _little(_bytes(file, 18, 2)), _little(_bytes(file, 18, 4)))
    height = _where(old, _little(_bytes(file, 20, 2)), _little(_bytes(file, 22, 4)))
    bits = _where(old, _little(_bytes(file, 24, 2)), _little(_bytes(file, 28, 2)))
    compression = _where(old, 0, _little(_bytes(file, 30, 4)))
    masks = tf.reduce_all(_little(tf.reshape(_bytes(file, 54, 12), (3, 4))) == list(kinds.BGRX))
    plain = (compression == 0) | (compression == 3) & (bits == 32) & masks
    known = tf.reduce_any(bits == tf.constant(kinds.BMP_BITS, tf.int64))
    file = _require(file, known & plain, f"{kinds.BMP_RULE}. Received:", bits, compression)
    downwards = height >= 2**31  # A negative height: the first row comes first.
    height = _where(downwards, 2**32 - height, height)
    file = _bounded(file, height, width)
    stride = (width * bits + 31) // 32 * 4
    start = _little(_bytes(file, 10, 4))
    whole = start + stride * height <= _length(file)
    file = _require(file, whole, "A BMP must have all of its pixels.")
    rows = tf.io.decode_raw(_part(file, start, stride * height), tf.uint8)
    rows = tf.reshape(rows, (height, stride))

    def coloured():
        depth = bits // 8
        return tf.reshape(rows[:, : width * depth], (height, width, depth))[..., :3]

    def indexed():
        entry = _where(old, 3, 4)
        used = _where(old, 0, _little(_bytes(file, 46, 4)))
        count = tf.clip_by_value(_where(used == 0, 2**bits, used), 0, 256)
        palette = tf.reshape(_bytes(file, 14 + _little(_bytes(file, 14, 4)), count * entry), (count, entry))[:, :3]
        palette = tf.pad(tf.cast(palette, tf.uint8), [[0, 256 - count], [0, 0]])
        shifts = tf.cast(tf.range(8 // bits - 1, -1, -1, tf.int64) * bits, tf.uint8)
        indices = tf.bitwise.bitwise_and(
            tf.bitwise.right_shift(rows[..., None], shifts), tf.cast(2**bits - 1, tf.uint8)
        )
        return tf.gather(palette, tf.cast(tf.reshape(indices, (height, -1))[:, :width], tf.int32))

    pixels = tf.reverse(tf.cond(bits > 8, coloured, indexed), [2])
    return tf.cond(downwards, lambda: pixels, lambda: tf.reverse(pixels, [0]))


def _ppm(file):
    start = _part(file, 0, kinds.PPM_HEADER_BYTES)
    header = tf.strings.regex_replace(start, rf"^({kinds.PPM_HEADER})\C*$", r"\1")
    fits = tf.strings.regex_full_match(header, kinds.PPM_HEADER)
    header = _require(header, fits, f"{kinds.PPM_RULE}.")
    words = tf.strings.split(tf.strings.regex_replace(header, kinds.COMMENT, ""))
    width, height, largest = tf.unstack(tf.strings.to_number(words[1:4], tf.int64), num=3)
    grey = tf.equal(words[0], "P5")
    file = _require(file, (largest == 255) | grey & (largest == 65535), f"{kinds.PPM_RULE}. Received:", largest)
    file = _bounded(file, height, width)
    depth = _where(largest == 255, _where(grey, 1, 3), 2)
    whole = _length(header) + height * width * depth
    file = _require(file, whole <= _length(file), "A PPM must have all of its pixels.")
    values = tf.io.decode_raw(_part(file, _length(header), height * width * depth), tf.uint8)
    pixels = tf.reshape(values, (height, width, depth))
    return tf.cond(grey, lambda: tf.repeat(pixels[..., :1], 3, axis=-1), lambda: pixels)
