"""Object detection: images with boxes -> a trained, judged and exported detector.

    kerazoo run object_detection                                       # BCCD: 364 images of blood cells
    kerazoo run object_detection --data photos --model yolov8_n        # COCO, Pascal VOC or YOLO files
    kerazoo run object_detection --predict photos --from saved_models/object_detection/bccd-yolov8_n

A run leaves `run.json` and `report.html` in its folder (--out), and the exported model, which decodes and suppresses
its boxes itself, in saved_models/object_detection/<data>-<model>/<version>. The test split is looked at once, at the
end. --predict draws what an exported model finds into copies of images or of a video, with all boxes as JSON.

Data: BCCD (https://github.com/Shenggan/BCCD_Dataset, MIT), upstream's train, val and test. The first command reached
91.2% mAP at an overlap of .5 on the test images (61.2% over .5 to .95), seed 0, in an hour on two busy cores.
"""

import sys
import time
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import kerazoo
from kerazoo.applications import detections, duplicate_images, running
from kerazoo.quiet import import_tensorflow

TASK = "object_detection"
NEEDS = ("PIL", "matplotlib", "scipy")
# What holds where the command line says nothing: the recipe of a data set, else DEFAULTS.
DEFAULTS = {
    "model": "yolov8_n",
    "size": "320",
    "epochs": 100,
    "passes": 1,
    "batch_size": 16,
    "augment": "flip,mosaic,affine,colour",
    "plain": 0.15,
    "learning_rate": 2e-3,
    "warm_up": 0.1,
    "precision": "float32",
}
RECIPES = {
    # The images are 4:3: of 320x320 pixels a quarter would be bars. Five passes make an epoch, so that validation
    # takes a tenth of the time. bfloat16 trains faster than float32.
    "bccd": {
        "size": "256,320",
        "epochs": 40,
        "passes": 5,
        "augment": "flip,flip_vertical,mosaic,affine,colour",
        "plain": 0.2,
        "precision": "mixed_bfloat16",
    },
}
# What decides the outcome of a training; a run is resumed only with the same.
SETTINGS = (
    "dataset data format limit drop_duplicates size augment model option weights epochs passes plain batch_size "
    "learning_rate warm_up iou_threshold precision seed"
)
# Of boxes that are kept for the curve; and how many of an image.
LOWEST_SCORE, MOST = 0.01, 100


def parse_args(argv):
    """The options; those that a recipe can decide are None until `settle`."""
    parser = running.parser(TASK, __doc__)
    data = parser.add_argument_group("data")
    source = data.add_mutually_exclusive_group()
    source.add_argument("--dataset", help="bccd (default)")
    source.add_argument(
        "--data", type=Path, metavar="PATH", help="COCO JSON, a VOC folder, or a YOLO folder or data.yaml"
    )
    data.add_argument("--format", choices=("coco", "voc", "yolo"), help="of --data; found out where it is not given")
    data.add_argument("--limit", type=int, help="images of each split at most, for a first look")
    duplicate_images.add_option(data)
    augmentations = "flip, flip_vertical, mosaic, affine, rotate, copy_paste, colour, mixup or none, with commas"
    data.add_argument("--augment", help=augmentations)
    data.add_argument("--size", help="of the model's input: a side, or height,width; multiples of 32")
    training = parser.add_argument_group("model and training")
    training.add_argument("--model", help=f"one of `kerazoo list --task {TASK}`")
    training.add_argument("--weights", help="where to start: a tag from `kerazoo info MODEL`, or a file")
    running.add_training(
        training,
        learning_rate="the peak of the one-cycle schedule",
        patience="epochs without a better mAP on validation images, then it stops",
    )
    training.add_argument("--passes", type=int, help="over the training images that make an epoch")
    training.add_argument("--plain", type=float, help="share of the epochs, at the end, without mosaics")
    training.add_argument("--warm-up", type=float, help="share of the steps in which the rate climbs to its peak")
    overlap = "overlap from which the better of two boxes of a class suppresses the other"
    training.add_argument("--iou-threshold", type=float, default=0.6, help=overlap)
    running.add_jit_compile(training)
    running.add_model_option(training)
    detections.add_options(parser)
    running.add_output(parser, TASK)
    return parser.parse_args(argv)


def settle(arguments):
    """Fills in what the recipe decides; checks what can be wrong before time is spent."""
    if not arguments.data:
        arguments.dataset = arguments.dataset or "bccd"
        if arguments.format:
            raise ValueError(f"`--format` goes with --data. Received: {arguments.format!r} for {arguments.dataset!r}.")
    running.fill_in(arguments, DEFAULTS | RECIPES.get(arguments.dataset, {}))
    facts = kerazoo.info(arguments.model)
    if facts["task"] != TASK:
        raise ValueError(f"`--model` must be one for {TASK}. Received: {arguments.model!r}, for {facts['task']}.")
    running.check_positive(arguments, "epochs", "passes", "batch_size", "limit", "patience")
    for name, low in (("plain", 0), ("warm_up", None), ("iou_threshold", None)):
        value = getattr(arguments, name)
        if not (0 <= value <= 1 if low == 0 else 0 < value < 1):
            inside = "in [0, 1]" if low == 0 else "between 0 and 1"
            raise ValueError(f"`--{name.replace('_', '-')}` must be {inside}. Received: {value}.")
    arguments.size = _size(arguments.size)
    arguments.augment = [] if arguments.augment == "none" else arguments.augment.split(",")
    return arguments


def load(arguments):
    """`(data, parts)`: the `DetectionData`, and its splits on canvases of the model's size."""
    from kerazoo.data import detection_sets
    from kerazoo.data.detection_augment import AUGMENTATIONS
    from kerazoo.data.detection_pipeline import Letterboxes
    from kerazoo.registry import unknown_choice

    for name in arguments.augment:
        if name not in AUGMENTATIONS:
            raise ValueError(unknown_choice("augmentation of boxes", name, AUGMENTATIONS))
    start = time.perf_counter()
    if arguments.data:
        data = detection_sets.from_path(arguments.data, format=arguments.format, seed=arguments.seed)
    else:
        data = detection_sets.load(arguments.dataset)
    if arguments.limit:
        data = data.limited(arguments.limit, seed=arguments.seed)
    parts = {part: Letterboxes(getattr(data, part), arguments.size) for part in ("train", "validation", "test")}
    splits = {part: (getattr(data, part).names, images.batches(64)) for part, images in parts.items()}
    kept, duplicates = duplicate_images.check(splits, drop=arguments.drop_duplicates)
    data = replace(data, duplicates=duplicates)
    if len(kept) < len(data.train):
        data = replace(data, train=data.train.take(kept))
        parts["train"] = Letterboxes(data.train, arguments.size)
    for part, images in parts.items():
        if not (images.classes >= 0).any():
            raise ValueError(
                f"Every split must have an object that counts. There is none in {part}, {len(images)} images."
            )
    counts = ", ".join(f"{len(images):,} {part}" for part, images in parts.items())
    print(f"{data.name}: {len(data.classes)} classes; images: {counts}, read in {time.perf_counter() - start:.1f} s")
    for line in data.flaws.lines():
        print(line)
    return data, parts


def build(arguments, classes, **options):
    """The compiled detector."""
    options |= running.options(arguments.option) | {"num_classes": classes, "input_shape": (*arguments.size, 3)}
    return kerazoo.build(arguments.model, **options)


def train(arguments, data, parts, folder):
    """Trains, saving every epoch.

    Returns:
        `(journal, speed)`: the `Journal`, and the images a second that the input pipeline gives alone.
    """
    import keras
    import tensorflow as tf

    from kerazoo.data.detection_pipeline import batches, throughput
    from kerazoo.training.callbacks import Journal
    from kerazoo.training.epochs import Figures, SwitchOff
    from kerazoo.training.schedules import OneCycle

    keras.utils.set_random_seed(arguments.seed)
    count, size = len(parts["train"]) * arguments.passes, arguments.batch_size
    schedule = OneCycle(
        arguments.learning_rate, steps=max(count // size, 1) * arguments.epochs, warm_up=arguments.warm_up
    )
    model = build(
        arguments,
        len(data.classes),
        weights=arguments.weights,
        precision=arguments.precision,
        jit_compile=running.JIT_COMPILE[arguments.jit_compile],
        learning_rate=schedule,
        seed=arguments.seed,
    )
    journal = Journal(
        folder,
        configuration=running.settings(arguments, SETTINGS),
        monitor="val_map50",
        mode="max",
        patience=arguments.patience,
    )
    first = journal.restore(model)
    mosaic = tf.Variable(True, trainable=False)
    pipeline = partial(
        batches,
        parts["train"],
        batch_size=size,
        training=True,
        passes=arguments.passes,
        augment=arguments.augment,
        mosaic=mosaic,
        seed=arguments.seed + first,  # A resumed run shuffles anew: the order of the first epochs would come again.
    )
    speed = throughput(pipeline(), seconds=1.0)
    print(f"Input pipeline: {speed:,.0f} images/s. Model: {model.name}, {model.count_params():,} parameters.")
    detector, validation = _compiled(arguments, model), parts["validation"]

    def figures():
        judged = _judged(detector, validation, data.classes)[0]
        return {"val_map50": judged.map50, "val_map": judged.map}

    callbacks = [SwitchOff(mosaic, round(arguments.epochs * (1 - arguments.plain))), Figures(figures)]
    if find_spec("tensorboard"):
        callbacks.append(keras.callbacks.TensorBoard(str(folder / "tensorboard")))
    journal.fit(
        model,
        pipeline(),
        validation_data=batches(validation, batch_size=size),
        epochs=arguments.epochs,
        callbacks=callbacks,
        verbose="auto" if sys.stdout.isatty() else 2,
        shuffle=False,
    )
    return journal, speed


def judge(arguments, data, parts, folder):
    """Exports the best epoch's weights in float32, and puts the test split to the model and to every file.

    Returns:
        `(evaluation, predictions, threshold, exports)`: of the Keras model on the test images, the score with the best
        F1 on validation images, and a row for each exported file.
    """
    from kerazoo.data.detection_pipeline import batches
    from kerazoo.evaluate.detection import best_threshold, same_boxes
    from kerazoo.training.callbacks import best_weights

    weights = best_weights(folder)
    model = build(arguments, len(data.classes), weights=weights, precision="float32", jit_compile=False)
    detector = _compiled(arguments, model)
    threshold = best_threshold(_judged(detector, parts["validation"], data.classes)[0])[0]
    print("Exporting ...")
    report = running.export(
        arguments,
        _with_boxes(arguments, model),
        formats=("saved_model", "tflite"),
        representative_data=next(iter(batches(parts["validation"], batch_size=8)))[0],
        metadata={
            "labels": list(data.classes),
            "preprocessing": {"resize": "bilinear", "fit": "pad", "antialias": True},
            "output": "detections",
            "score_threshold": threshold,
            "dataset": data.name,
        },
    )
    print("Testing the model and its exported files ...")
    evaluation, predictions = _judged(detector, parts["test"], data.classes)
    exports = []
    for file in report.files:
        judged, found = _judged(kerazoo.load(report.path, engine=file.engine), parts["test"], data.classes)
        exports.append(
            {
                "form": file.engine,
                "folder": report.path,
                "file": file.path,
                "bytes": file.bytes,
                "map50": judged.map50,
                "map": judged.map,
                "same_boxes": same_boxes(predictions, found),
                "latency_ms": file.latency_ms,
            }
        )
    return evaluation, predictions, threshold, exports


def main(argv=None):
    """Runs the application; returns the record that `run.json` in the run's folder holds."""
    arguments = parse_args(argv)
    if arguments.predict:
        return running.main(arguments, detections.run)
    return running.main(arguments, _run, NEEDS)


def _run(arguments, start):
    import_tensorflow()
    from kerazoo.evaluate import detection_report
    from kerazoo.evaluate.coco import coco_figures
    from kerazoo.evaluate.detection import confusion
    from kerazoo.evaluate.detection_baseline import colour_baseline

    given = running.given(arguments, parse_args([]))
    detections.refuse(arguments)
    settle(arguments)
    name = arguments.dataset or arguments.data.resolve().stem
    folder = running.new_folder(TASK, f"{name}-{arguments.model}", arguments)
    with running.resumable(running.command(TASK, given, "--resume", f"--out={folder}")):
        data, parts = load(arguments)
        journal, speed = train(arguments, data, parts, folder)
        evaluation, predictions, threshold, exports = judge(arguments, data, parts, folder)
    baseline, _ = colour_baseline(parts["train"], parts["test"], len(data.classes))
    seen = max(len(data.train) * arguments.passes // arguments.batch_size, 1) * arguments.batch_size
    table = confusion(predictions, data.test, len(data.classes), scores=threshold)
    test = evaluation.record(data.classes) | {"confusion": table.tolist()}
    test["coco"] = coco_figures(predictions, data.test, data.classes) if find_spec("pycocotools") else None
    for number, row in enumerate(test["per_class"].values()):
        row |= {"precision": _ratio(table, number, axis=0), "recall": _ratio(table, number, axis=1)}
    record = running.record(
        TASK,
        given,
        running.settings(arguments, SETTINGS),
        start,
        dataset=data.record() | {"limited": arguments.limit},
        model={"name": arguments.model, "input_size": list(arguments.size)},
        training=journal.record("images", seen=seen, fed=speed),
        test=test,
        score_threshold=threshold,
        baselines=[baseline],
        exports=exports,
    )
    page = detection_report.page(record, evaluation, predictions, data.test)
    return running.finish(arguments, record, page, detection_report.summary(record), folder)


def _with_boxes(arguments, model):
    from kerazoo.decoding import with_boxes

    return with_boxes(model, score_threshold=LOWEST_SCORE, iou_threshold=arguments.iou_threshold, max_detections=MOST)


def _compiled(arguments, model):
    from kerazoo.evaluate.predict import compiled

    return compiled(_with_boxes(arguments, model))


def _judged(detector, images, classes):
    """`(evaluation, predictions)` of a detector on `Letterboxes`."""
    from kerazoo.evaluate.detection import evaluate
    from kerazoo.evaluate.detection_answers import answers

    predictions = answers(detector, images)
    return evaluate(predictions, images.annotations, len(classes)), predictions


def _ratio(table, number, *, axis):
    """Of the answers (axis 0) or objects (axis 1) of a class, the share that is right; None without any."""
    total = int(table.sum(axis=axis)[number])
    return round(int(table[number, number]) / total, 6) if total else None


def _size(words):
    """ "320" -> [320, 320], "256,320" -> [256, 320]."""
    sides = words.split(",")
    if len(sides) > 2 or not all(side.strip().isdigit() and int(side) for side in sides):
        raise ValueError(f"`--size` must be a side, or height,width. Received: {words!r}.")
    return [int(sides[0]), int(sides[-1])]


if __name__ == "__main__":
    main()
