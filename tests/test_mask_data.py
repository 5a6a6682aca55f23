"""Images with masks: layouts, what a mask may hold, what is refused and how, windows that move both alike."""

import io

import numpy as np
import pytest

pytest.importorskip("PIL")
import image_files
from PIL import Image

from kerazoo.data import named_masks
from kerazoo.data.locate import data_folder
from kerazoo.data.mask_folders import from_mask_folder
from kerazoo.data.mask_pipeline import AUGMENTATIONS, mask_batches
from kerazoo.data.masks import Masked, decode_mask, read_pairs


def png(array, mode=None, palette=None, kind="PNG", **options):
    image = Image.fromarray(np.asarray(array), mode) if mode else Image.fromarray(np.asarray(array))
    if palette:
        image = image.convert("P") if image.mode != "P" else image
        image.putpalette(palette)
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def photo(height=8, width=10, value=90):
    return np.full((height, width, 3), value, "uint8")


def make(root, count=10, size=(8, 10), images="images", masks="masks", values=(0, 1)):
    for part in (images, masks):
        (root / part).mkdir(parents=True, exist_ok=True)
    for i in range(count):
        mask = np.zeros(size, "uint8")
        mask[:, 5:] = values[1]
        mask[0] = values[0]
        (root / images / f"{i}.png").write_bytes(png(photo(*size, 10 * i)))
        (root / masks / f"{i}.png").write_bytes(png(mask))
    return root


def test_masks_of_palette_grey_bits_and_equal_channels():
    values = np.array([[0, 1, 2], [2, 1, 255]], "uint8")
    palette = [value for i in range(256) for value in (i * 7 % 256, 255 - i, i)]
    indexed = Image.fromarray(values).convert("P")
    indexed.putpalette(palette)
    buffer = io.BytesIO()
    indexed.save(buffer, "PNG")
    for content in (
        png(values),
        buffer.getvalue(),
        png(np.repeat(values[..., None], 3, -1)),
        png(values.astype("uint16")),
    ):
        np.testing.assert_array_equal(decode_mask(content), values)
    np.testing.assert_array_equal(decode_mask(png(values > 1)), values > 1)


def test_masks_with_alpha_are_their_grey_values():
    values, alpha = np.array([[0, 1, 2], [2, 1, 9]], "uint8"), np.array([[255, 0, 255], [9, 255, 255]], "uint8")
    rgb = np.dstack([values] * 3)
    deep, opaque = values.astype("uint16"), alpha.astype("uint16") * 257
    for content in (
        png(np.dstack([values, alpha])),
        png(np.dstack([rgb, alpha])),
        image_files.png(np.dstack([deep, opaque]), 16, 4),
        image_files.png(np.dstack([rgb, opaque]), 16, 6),
        image_files.png(rgb.astype("uint16"), 16, 2),
        png(values, kind="BMP"),
        png(values, palette=[value for i in range(256) for value in (255 - i, i, 9)], kind="PNG", transparency=1),
        png(values, palette=[value for i in range(256) for value in (255 - i, i, 9)], kind="GIF", optimize=False),
    ):
        np.testing.assert_array_equal(decode_mask(content), values)
    with pytest.raises(ValueError, match="a mask of colours"):
        decode_mask(image_files.png(np.dstack([deep, deep, deep + 1]), 16, 2))
    with pytest.raises(ValueError, match="at most 255. Received: 300"):
        decode_mask(image_files.png(np.dstack([deep + 291, opaque]), 16, 4))


def test_masks_are_turned_as_their_images():
    values = np.arange(6, dtype="uint8").reshape(2, 3)
    for orientation in range(1, 9):
        content = png(image_files.held(values, orientation), exif=image_files.exif(orientation))
        np.testing.assert_array_equal(decode_mask(content), values)


@pytest.mark.parametrize(
    "content, message",
    [
        (png(np.dstack([np.eye(4), 0 * np.eye(4), np.eye(4)]).astype("uint8")), "a mask of colours"),
        (png(np.full((2, 2), 300, "uint16")), "at most 255. Received: 300"),
        (b"no mask", "not a readable mask"),
        (
            png(np.zeros((4, 4), "uint8"), kind="JPEG"),
            "PNG, BMP, GIF files, which keep every value; its content is JPEG",
        ),
    ],
)
def test_masks_that_are_refused(content, message):
    with pytest.raises(ValueError, match=message):
        decode_mask(content)


def test_pairs_that_do_not_fit_are_left_out_and_named():
    exif = Image.Exif()
    exif[0x0112] = 6  # Held sideways.
    mask, jpeg = png(np.zeros((8, 10), "uint8")), png(photo(), kind="JPEG")
    pairs = [
        ("good", png(photo()), mask),
        ("small", png(photo()), png(np.zeros((4, 10), "uint8"))),
        ("sideways", png(photo(), kind="JPEG", exif=exif), mask),
        ("truncated", jpeg[: len(jpeg) // 2], mask),
        ("grey", png(np.full((8, 10), 7, "uint8")), mask),
        ("deep", png(np.full((8, 10), 7 * 256 + 255, "uint16")), mask),
    ]
    images, unreadable = read_pairs(pairs)
    assert images.names == ("good", "grey", "deep")
    assert (images.pixels[1:] == 7).all(), "grey is three equal channels, 16 bits are the upper 8"
    reasons = dict(unreadable)
    assert "must be as large as its image, 10x8. Received: 10x4" in reasons["small"]
    assert "EXIF orientation" in reasons["sideways"] and "not a readable image" in reasons["truncated"]
    upright = read_pairs([("turned", png(photo(), kind="JPEG", exif=exif), png(np.zeros((10, 8), "uint8")))])[0]
    assert upright.joined.shape == (1, 10, 8, 4)


def test_masks_are_resized_to_the_nearest_class():
    mask = np.zeros((8, 10), "uint8")
    mask[:, 5:] = 7
    images, _ = read_pairs([("a", png(photo()), png(mask))], size=(16, 30))
    assert images.joined.shape == (1, 16, 30, 4) and set(np.unique(images.masks)) == {0, 7}
    with pytest.raises(ValueError, match="Images of several sizes need a `size`.*4, 10.*b"):
        read_pairs([("a", png(photo()), png(mask)), ("b", png(photo(4)), png(mask[:4]))])


@pytest.mark.parametrize("layout", ["one folder", "parts", "segnet", "lists"])
def test_layouts(layout, tmp_path):
    root = tmp_path / "road"
    if layout == "one folder":
        make(root)
    elif layout == "parts":
        make(root / "train"), make(root / "val", 3), make(root / "test", 4)
    elif layout == "segnet":
        for part, count in (("train", 10), ("val", 3), ("test", 4)):
            make(root, count, images=part, masks=f"{part}annot")
    else:
        make(root, 17, images="train", masks="trainannot")
        rows = [f"/SegNet/Road/train/{i}.png /SegNet/Road/trainannot/{i}.png\n" for i in range(17)]
        for name, part in (("train", rows[:10]), ("val", rows[10:13]), ("test", rows[13:])):
            (root / f"{name}.txt").write_text("".join(part))
    data = from_mask_folder(root)
    counts = (len(data.train), len(data.validation), len(data.test))
    assert counts == ((7, 1, 2) if layout == "one folder" else (10, 3, 4))
    assert data.classes == ("class 0", "class 1") and data.size == (8, 10)
    assert ("drawn" in data.split) == (layout == "one folder")
    names = [name for part in (data.train, data.validation, data.test) for name in part.names]
    assert len(set(names)) == len(names), "no image is in two splits"


def test_classes_void_and_unknown_values(tmp_path):
    root = make(tmp_path / "binary", values=(0, 255))
    assert set(np.unique(from_mask_folder(root).train.masks)) == {0, 1}, "black and white are two classes"
    root = make(tmp_path / "void", values=(255, 1))
    (root / "masks" / "3.png").write_bytes(png(np.eye(8, 10).astype("uint8") * 2))
    data = from_mask_folder(root)
    assert data.classes == ("class 0", "class 1", "class 2") and 255 in data.train.masks
    (root / "classes.txt").write_text("sky\nroad\n")
    with pytest.raises(ValueError, match=r"0 to 1, the 2 classes.*Received: \[2\] in the mask of images/3.png"):
        from_mask_folder(root)
    (root / "classes.txt").write_text("sky\nroad\ncar\n")
    (root / "masks" / "3.png").unlink()
    data = from_mask_folder(root, border="road")
    assert data.border == 1 and ("images/3.png", "has no mask 3.png") in data.unreadable
    with pytest.raises(ValueError, match="`border` must be one of the classes"):
        from_mask_folder(root, border="tree")


def with_masks(root, masks):
    """A folder of as many images as masks, arrays of values."""
    make(root, len(masks), masks[0].shape)
    for i, mask in enumerate(masks):
        (root / "masks" / f"{i}.png").write_bytes(png(mask))
    return root


def soft(count=6, noise=0):
    """Masks of 0 and 255 that were enlarged with smoothing, as drawing tools leave them."""
    square = np.zeros((32, 32), "uint8")
    square[5:20, 5:20] = 255
    masks = [np.asarray(Image.fromarray(np.roll(square, i)).resize((64, 64), Image.BILINEAR)) for i in range(count)]
    rng = np.random.default_rng(0)  # As JPEG leaves it on both sides of an edge.
    return [np.clip(m + rng.integers(-noise, noise + 1, m.shape), 0, 255).astype("uint8") for m in masks]


@pytest.mark.parametrize("noise", [0, 6])
def test_soft_edges_are_told_and_asked_about(tmp_path, noise):
    masks = soft(noise=noise)
    root = with_masks(tmp_path / "soft", masks)
    with pytest.raises(
        ValueError, match=r"soft edges: .*% of their pixels are 0 or 255.*--mask-threshold 128"
    ) as error:
        from_mask_folder(root)
    assert "\n" not in str(error.value) and len(str(error.value)) < 700
    data = from_mask_folder(root, threshold=128)
    assert data.classes == ("class 0", "class 1")
    for name, mask in zip(data.train.names, data.train.masks):
        np.testing.assert_array_equal(mask, masks[int(name[7:-4])] >= 128)
    (root / "classes.txt").write_text("ground\nhouse\n")
    assert from_mask_folder(root, threshold=128).classes == ("ground", "house")


def test_gaps_between_values_are_told_and_asked_about(tmp_path):
    mask = np.zeros((8, 10), "uint8")
    mask[2:4], mask[4:6], mask[7] = 7, 21, 255
    root = with_masks(tmp_path / "gaps", [mask] * 6)
    asked = r"without a gap.*classes.txt.*--mask-values 0,7,21 .*Received: 0 \(37.5%\), 7 \(25.0%\), 21 .*255 \(12.5%\)"
    with pytest.raises(ValueError, match=asked):
        from_mask_folder(root)
    data = from_mask_folder(root, values=(0, 7, 21))
    assert data.classes == ("class 0", "class 7", "class 21")
    assert (data.train.masks[:, [0, 2, 4, 7], 0] == [0, 1, 2, 255]).all()
    assert from_mask_folder(root, values=(7, 0, 21, 255)).train.masks[0, [0, 2, 7], 0].tolist() == [1, 0, 3]
    with pytest.raises(ValueError, match=r"one of 0, 7, or 255 where.*Received: \[21\] in the mask of images/0.png"):
        from_mask_folder(root, values=(0, 7))
    (root / "classes.txt").write_text("\n".join(f"name {i}" for i in range(22)))
    data = from_mask_folder(root)
    assert len(data.classes) == 22 and set(np.unique(data.train.masks)) == {0, 7, 21, 255}


def test_values_from_one_on_are_a_gap(tmp_path):
    mask = np.repeat(np.array([[1, 2, 3, 1]], "uint8"), 4, axis=0)
    root = with_masks(tmp_path / "pets", [mask] * 6)
    with pytest.raises(ValueError, match="--mask-values 1,2,3"):
        from_mask_folder(root)
    assert from_mask_folder(root, values=(1, 2, 3)).train.masks[0, 0].tolist() == [0, 1, 2, 0]


def test_void_or_a_class_is_asked_where_both_can_be(tmp_path):
    """Masks of one bit beside masks of 0 and 255: read together, the second ones' foreground would be void."""
    block = np.zeros((8, 10), bool)
    block[2:5, 2:5] = True
    root = with_masks(tmp_path / "mixed", [block] * 3 + [block.astype("uint8") * 255] * 3)
    with pytest.raises(ValueError, match="3 have 1 and 3 have 255.*--mask-values 0,1 .*--mask-threshold 1 "):
        from_mask_folder(root)
    data = from_mask_folder(root, threshold=1)
    assert all((part.masks == block).all() for part in (data.train, data.validation, data.test))
    assert 255 in from_mask_folder(root, values=(0, 1)).train.masks
    assert from_mask_folder(with_masks(tmp_path / "bits", [block] * 6)).train.masks.max() == 1


@pytest.mark.parametrize(
    "options, message",
    [
        ({"threshold": 0}, "from 1 to 255. Received: 0"),
        ({"threshold": 9, "values": (0, 1)}, "Either `threshold` or `values`"),
        ({"values": (0, 0)}, "each once"),
        ({"values": (0, 300)}, "from 0 to 255"),
        ({"threshold": 128}, "two classes at least"),
    ],
)
def test_answers_that_are_refused(tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        from_mask_folder(make(tmp_path / "road"), **options)


def test_folders_that_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        from_mask_folder(tmp_path / "nowhere")
    (tmp_path / "photos").mkdir()
    with pytest.raises(ValueError, match="must have folders images and masks"):
        from_mask_folder(tmp_path)
    with pytest.raises(ValueError, match="cannot be drawn. Received: 1 images"):
        from_mask_folder(make(tmp_path / "one", 1))
    (make(tmp_path / "listed") / "train.txt").write_text("images/1.png\n")
    with pytest.raises(ValueError, match="line 1, must have an image and its mask"):
        from_mask_folder(tmp_path / "listed")


def blocks(count=6, size=(40, 48)):
    """Images whose green channel says the class of each pixel, in blocks of 8 pixels."""
    rng = np.random.default_rng(0)
    masks = rng.integers(0, 4, (count, size[0] // 8, size[1] // 8)).repeat(8, axis=1).repeat(8, axis=2).astype("uint8")
    return Masked(np.stack([masks * 0 + 9, 60 * masks, masks * 0, masks], axis=-1), tuple(map(str, range(count))))


@pytest.mark.parametrize("border", ["void", "mirror"])
@pytest.mark.parametrize("name", [*(name for name in AUGMENTATIONS if name != "colour"), "all"])
def test_masks_move_with_their_images(name, border):
    names = [other for other in AUGMENTATIONS if other != "colour"] if name == "all" else [name]
    pixels, labels = next(iter(mask_batches(blocks(), crop=(32, 32), batch_size=6, augment=names, border=border)))
    pixels, labels = pixels.numpy(), labels.numpy()
    inside = labels != 255
    assert (pixels[~inside] == 0).all() and (border == "void" or inside.all())
    said = pixels[..., 1] / 60
    exact = inside & (np.abs(said - said.round()) < 1e-3)  # Pixels between two blocks are mixed, labels never.
    assert exact.mean() > 0.3 and (said.round()[exact] == labels[exact]).mean() > 0.995


def test_windows_without_changes_are_parts_of_the_images():
    images = blocks()
    for pixels, labels in mask_batches(images, crop=(16, 24), batch_size=2):
        for window, mask in zip(pixels.numpy(), labels.numpy()):
            windows = np.lib.stride_tricks.sliding_window_view(images.joined, (16, 24), axis=(1, 2))
            same = (windows[:, :, :, 3] == mask).all(axis=(-1, -2)) & (windows[:, :, :, 1] == window[..., 1]).all(
                (-1, -2)
            )
            assert same.any()


def test_beyond_a_mirrored_border_lies_the_image_again():
    images = blocks(2, (8, 16))
    for pixels, labels in mask_batches(images, crop=(32, 56), batch_size=1, border="mirror"):
        received = np.concatenate([pixels.numpy()[0], labels.numpy()[0, ..., None]], axis=-1)
        matches = 0
        for image in images.joined:
            padded = np.pad(image, ((24, 24), (48, 48), (0, 0)), mode="reflect")
            matches += sum(
                np.array_equal(received, padded[row : row + 32, column : column + 56])
                for row in range(29)
                for column in range(57)
            )
        assert matches


def test_beyond_the_image_nothing_is_known():
    images = blocks(2, (16, 24))
    for pixels, labels in mask_batches(images, crop=(32, 56), batch_size=1):
        unknown = labels.numpy()[0] == 255
        assert (~unknown).sum() == 16 * 24 and (pixels.numpy()[0][unknown] == 0).all()


@pytest.mark.parametrize("name", ["turn", "rescale", "affine"])
def test_changes_keep_the_shape_of_things(name):
    from kerazoo.data.mask_pipeline import _places

    places = _places(8, (32, 32), (16, 16), (name,), 3).numpy()
    down, right = places[:, 1, 0] - places[:, 0, 0], places[:, 0, 1] - places[:, 0, 0]
    np.testing.assert_allclose((down * right).sum(axis=1), 0, atol=1e-4)
    lengths = np.linalg.norm(down, axis=1)
    np.testing.assert_allclose(lengths, np.linalg.norm(right, axis=1), atol=1e-4)
    assert np.ptp(lengths) < 1e-4 if name == "turn" else 0.05 < np.ptp(lengths) < 1.6


def test_colours_change_within_their_range():
    images = blocks()
    bright = Masked(np.where(np.arange(4) < 3, 250, images.joined).astype("uint8"), images.names)
    pixels = np.concatenate(
        [pixels for pixels, _ in mask_batches(bright, crop=(32, 32), batch_size=6, augment=["colour"], repeats=4)]
    )
    assert pixels.max() == 255 and pixels.min() > 100 and np.ptp(pixels.mean(axis=(1, 2, 3))) > 10


def test_a_seed_deals_one_order_and_another_seed_another():
    def first(seed):
        return next(iter(mask_batches(blocks(), crop=(32, 32), batch_size=4, augment=list(AUGMENTATIONS), seed=seed)))

    one, again, other = first(0), first(0), first(1)
    np.testing.assert_array_equal(one[0], again[0])
    np.testing.assert_array_equal(one[1], again[1])
    assert (one[0].numpy() != other[0].numpy()).any()
    data = mask_batches(blocks(), crop=(32, 32), batch_size=6, augment=["rescale"], repeats=2)
    epochs = [np.stack([labels.numpy() for _, labels in data]) for _ in range(2)]
    assert epochs[0].shape == (2, 6, 32, 32) and (epochs[0] != epochs[1]).any(), "every epoch cuts other windows"


def test_mirrored_windows_are_mirrored_and_rescaled_ones_larger():
    images = blocks(1, (32, 32))
    seen = set()
    for pixels, _ in mask_batches(images, crop=(32, 32), batch_size=1, augment=["flip"], repeats=12):
        green = pixels.numpy()[0, ..., 1]
        assert (green == images.pixels[0, ..., 1]).all() or (green == images.pixels[0, :, ::-1, 1]).all()
        seen.add(bool((green == images.pixels[0, ..., 1]).all()))
    assert seen == {True, False}


@pytest.mark.parametrize(
    "options, message",
    [
        ({"augment": ["flop"]}, "Did you mean 'flip'"),
        ({"augment": ["turn"], "crop": (16, 24)}, "of square windows"),
        ({"border": "grey"}, "`border` must be one of"),
        ({"batch_size": 7}, "`batch_size` must be at most the images times `repeats`, 6. Received: 7"),
    ],
)
def test_clear_errors(options, message):
    with pytest.raises(ValueError, match=message):
        mask_batches(blocks(), **({"crop": (16, 16), "batch_size": 2} | options))


@pytest.mark.parametrize("name, archive", [("camvid", "camvid.zip"), ("isbi2012", "isbi2012_membrane.zip")])
def test_named_sets_are_as_upstream_says(name, archive):
    if not (data_folder() / archive).is_file():
        pytest.skip(f"{archive} is not in KERAZOO_DATA_DIR")
    data = named_masks.load(name)
    counts = (len(data.train), len(data.validation), len(data.test))
    assert counts == {"camvid": (367, 101, 233), "isbi2012": (22, 3, 5)}[name] and not data.unreadable
    if name == "isbi2012":
        assert data.test.names == tuple(f"image/{i}.png" for i in range(25, 30)), "slices that follow on one another"
    else:
        assert 255 in data.train.masks and data.train.masks[data.train.masks < 255].max() == 10


def test_unknown_named_set():
    with pytest.raises(ValueError, match="Did you mean 'camvid'"):
        named_masks.load("camvit")
