"""Image classification: named data or a folder of images -> a trained, judged and exported classifier.

    kerazoo run image_classification                                       # 1,797 scanned digits
    kerazoo run image_classification --dataset cifar10 --model resnet20 --epochs 15
    kerazoo run image_classification --data photos --model resnet18        # photos/<class>/<image>.jpg

A run leaves `run.json` and `report.html` in its folder (--out), and the exported model in
saved_models/image_classification/<data>-<model>/<version>. The test split is looked at once, at the end.
"""

import sys
import time
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import numpy as np

import kerazoo
from kerazoo.applications import duplicate_images, running
from kerazoo.quiet import import_tensorflow
from kerazoo.training import distribution

TASK = "image_classification"
NEEDS = ("PIL", "matplotlib", "sklearn")
MODELS = {"digits": "lenet5", "mnist": "lenet5", "fashion_mnist": "lenet5", "cifar10": "resnet20"}
# What holds where the command line says nothing: the recipe of a data set and model, else DEFAULTS.
DEFAULTS = {
    "epochs": 20,
    "batch_size": 64,
    "augment": "flip,crop",
    "optimizer": "model",
    "weight_decay": None,
    "label_smoothing": 0.0,
    "mean_teacher": 0.0,
    "views": 1,
    "precision": "float32",
    "warm_up": 0.3,
}
RECIPES = {
    ("digits", "lenet5"): {"epochs": 60, "batch_size": 32, "augment": "crop", "learning_rate": 3e-3},
    ("mnist", "lenet5"): {"epochs": 15, "batch_size": 128, "augment": "crop", "learning_rate": 3e-3},
    ("fashion_mnist", "lenet5"): {"epochs": 20, "batch_size": 128, "augment": "flip", "learning_rate": 3e-3},
    # Muon learns faster than the paper's SGD: after two of four epochs 70% of the training images against 65%.
    # bfloat16 trained 1.2 times as fast as float32.
    ("cifar10", "resnet20"): {
        "augment": "flip,shift",
        "batch_size": 32,
        "epochs": 15,
        "label_smoothing": 0.1,
        "learning_rate": 0.015,
        "mean_teacher": 0.5,
        "optimizer": "muon",
        "precision": "mixed_bfloat16",
        "views": 2,
        "weight_decay": 0.02,
    },
}
MIXING = {"mixup", "cutmix"}
MIRRORING = {"flip", "alternate"}
TEACHER_RAMP = (1 / 15, 4 / 15)  # Shares of the training between which the teacher's answers come to count.
OPTIMIZERS = ("model", "muon")
# What decides the outcome of a training; a run is resumed only with the same.
SETTINGS = (
    "dataset data limit drop_duplicates size augment model weights epochs batch_size optimizer learning_rate warm_up "
    "weight_decay label_smoothing mean_teacher views precision seed"
)


def parse_args(argv):
    """The options; those that a recipe can decide are None until `settle`."""
    parser = running.parser(TASK, __doc__)
    data = parser.add_argument_group("data")
    source = data.add_mutually_exclusive_group()
    source.add_argument("--dataset", help="digits (default), cifar10, mnist, fashion_mnist or tfds:<name>")
    source.add_argument("--data", type=Path, metavar="FOLDER", help="class/image.jpg, or train|validation|test around")
    data.add_argument("--limit", type=int, help="images of each split at most, for a first look")
    duplicate_images.add_option(data)
    data.add_argument("--augment", help="flip, alternate, crop, shift, randaugment, gridmask, mixup, cutmix or none")
    data.add_argument("--views", type=int, help="how often an image stands in its batch, each time augmented by itself")
    data.add_argument("--image-size", type=int, help="side of the model's input; by default the model's own")
    training = parser.add_argument_group("model and training")
    training.add_argument("--model", help=f"one of `kerazoo list --task {TASK}`")
    training.add_argument("--weights", help="where to start: a tag from `kerazoo info MODEL`, or a file")
    running.add_training(training, learning_rate="the peak of the one-cycle schedule")
    training.add_argument("--optimizer", choices=OPTIMIZERS, help="the model's own (default), or Muon for its kernels")
    training.add_argument("--warm-up", type=float, help="share of the steps in which the rate climbs to its peak")
    training.add_argument("--weight-decay", type=float, help="decoupled; biases and batch norms are left out")
    training.add_argument("--label-smoothing", type=float, help="share of the target that all classes divide")
    teacher = "share of the loss that the answers of the weights' moving average have, to the mirrored image if flipped"
    training.add_argument("--mean-teacher", type=float, help=teacher)
    running.add_jit_compile(training)
    training.add_argument("--steps-per-execution", type=int, help="default: 32 for a small model, else 1")
    distribution.add_arguments(parser)
    running.add_output(parser, TASK)
    return parser.parse_args(argv)


def settle(arguments):
    """Fills in what the recipe decides; checks what can be wrong before time is spent."""
    if not arguments.data:
        arguments.dataset = arguments.dataset or "digits"
    arguments.model = arguments.model or MODELS.get(arguments.dataset, "resnet18")
    facts = kerazoo.info(arguments.model)
    if facts["task"] != TASK:
        raise ValueError(f"`--model` must be one for {TASK}. Received: {arguments.model!r}, for {facts['task']}.")
    recipe = DEFAULTS | {"learning_rate": facts["arguments"].get("learning_rate")}
    recipe |= RECIPES.get((arguments.dataset, arguments.model), {})
    running.fill_in(arguments, recipe)
    running.check_positive(arguments, "epochs", "batch_size", "views", "limit", "image_size", "patience")
    if not 0 <= arguments.label_smoothing < 1:
        raise ValueError(f"`--label-smoothing` must be in [0, 1). Received: {arguments.label_smoothing}.")
    if not 0 <= arguments.mean_teacher < 1:
        raise ValueError(f"`--mean-teacher` must be in [0, 1). Received: {arguments.mean_teacher}.")
    if arguments.mean_teacher and arguments.strategy:
        raise ValueError(f"`--mean-teacher` must be 0 under a strategy. Received: {arguments.mean_teacher}.")
    if not 0 < arguments.warm_up < 1:
        raise ValueError(f"`--warm-up` must be between 0 and 1. Received: {arguments.warm_up}.")
    arguments.augment = [] if arguments.augment == "none" else arguments.augment.split(",")
    if arguments.data_service and "alternate" in arguments.augment:
        raise ValueError('A data service has no memory of its images: `--augment` must be without "alternate" there.')
    side = arguments.image_size
    arguments.size = [side, side] if side else list(facts["arguments"]["input_shape"][:2])
    return arguments


def load(arguments):
    """The data set, as `kerazoo.data.images.ImageData`."""
    from kerazoo.data.folders import from_folder
    from kerazoo.data.named import load as load_named

    start = time.perf_counter()
    if arguments.data:
        data = from_folder(arguments.data, size=arguments.size, seed=arguments.seed)
    else:
        data = load_named(arguments.dataset, size=arguments.size)
    if arguments.limit:
        data = data.limited(arguments.limit, seed=arguments.seed)
    counts = f"{len(data.train):,} training, {len(data.validation):,} validation, {len(data.test):,} test images"
    print(f"{data.name}: {len(data.classes)} classes, {counts}, read in {time.perf_counter() - start:.1f} s")
    if data.unreadable:
        print(f"{len(data.unreadable)} files are left out:")
        print("\n".join(f"  {name}: {reason}" for name, reason in data.unreadable[:20]))
    return _without_duplicates(arguments, data)


def _without_duplicates(arguments, data):
    """The data set that says what its splits have in common, without that where --drop-duplicates asks for it."""
    from kerazoo.data.pipeline import pixel_batches

    parts = {name: getattr(data, name) for name in ("train", "validation", "test")}
    names = {
        name: [f"{name} {i}" for i in range(len(part))] if part.names is None else part.names
        for name, part in parts.items()
    }
    splits = {name: (names[name], pixel_batches(part, size=arguments.size)) for name, part in parts.items()}
    kept, record = duplicate_images.check(
        splits, drop=arguments.drop_duplicates, labels=data.train.labels, classes=data.classes
    )
    return replace(data, train=data.train.take(kept), duplicates=record)


def build(arguments, classes, *, steps):
    """The compiled model, with a one-cycle schedule over `steps` optimizer steps."""
    from kerazoo.training.muon import ConvMuon
    from kerazoo.training.schedules import OneCycle

    schedule = OneCycle(arguments.learning_rate, steps=steps, warm_up=arguments.warm_up)
    decay = {} if arguments.weight_decay is None else {"weight_decay": arguments.weight_decay}
    muon = arguments.optimizer == "muon"
    model = kerazoo.build(
        arguments.model,
        num_classes=classes,
        weights=arguments.weights,
        precision=arguments.precision,
        jit_compile=running.JIT_COMPILE[arguments.jit_compile],
        steps_per_execution="auto" if arguments.steps_per_execution is None else arguments.steps_per_execution,
        optimizer=ConvMuon(schedule, **decay) if muon else None,
        learning_rate=None if muon else schedule,
        loss=_loss(arguments),
        seed=arguments.seed,
        **_input_shape(arguments),
    )
    if decay and not muon:  # Muon leaves those variables out by itself.
        optimizer = getattr(model.optimizer, "inner_optimizer", model.optimizer)
        optimizer.weight_decay = arguments.weight_decay
        optimizer.exclude_from_weight_decay(var_names=["gamma", "beta", "bias"])
    return model


def _with_teacher(arguments, model, *, steps):
    """The model as it learns from its own average too, the more so the further the training has come."""
    from kerazoo.training.mean_teacher import MeanTeacher

    ramp = [share * steps for share in TEACHER_RAMP]
    mirror = bool(MIRRORING & set(arguments.augment))
    return MeanTeacher(model, weight=arguments.mean_teacher, ramp=ramp, mirror=mirror)


def _soft_labels(arguments):
    return bool(MIXING & set(arguments.augment) or arguments.label_smoothing)


def _loss(arguments):
    """None is the model's own, on integer labels."""
    import keras

    if not _soft_labels(arguments):
        return None
    return keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=arguments.label_smoothing)


def train(arguments, data, folder):
    """Trains, saving every epoch.

    Returns:
        `(journal, speed)`: the `Journal`, and the images a second that the input pipeline gives alone.
    """
    import keras

    from kerazoo.data.pipeline import batches, throughput
    from kerazoo.training.callbacks import Journal

    keras.utils.set_random_seed(arguments.seed)
    steps = max(len(data.train) // arguments.batch_size, 1)
    # By the loss: a small validation split has many epochs of one accuracy.
    journal = Journal(
        distribution.own_folder(folder),
        configuration=running.settings(arguments, SETTINGS),
        monitor="val_loss",
        mode="min",
        patience=arguments.patience,
        kept=lambda model: getattr(model, "teacher", model),
    )
    options = {
        "size": arguments.size,
        "batch_size": arguments.batch_size,
        "num_classes": len(data.classes) if _soft_labels(arguments) else None,
    }
    callbacks = []
    if find_spec("tensorboard") and distribution.is_chief():
        callbacks.append(keras.callbacks.TensorBoard(str(folder / "tensorboard")))
    with distribution.scope(arguments.strategy):
        model = build(arguments, len(data.classes), steps=steps * arguments.epochs)
        size = model.count_params()
        if arguments.mean_teacher:
            model = _with_teacher(arguments, model, steps=steps * arguments.epochs)
        first = journal.restore(model)
        # A resumed run shuffles by another seed: the order of the first epochs would otherwise come again.
        pipeline = partial(
            batches,
            data.train,
            training=True,
            keep_remainder=bool(arguments.data_service),
            in_graph=bool(arguments.data_service),
            augment=arguments.augment,
            views=arguments.views,
            seed=arguments.seed + first,
            **options,
        )
        training, speed = pipeline(), throughput(pipeline(), seconds=1.0)
        print(f"Input pipeline: {speed:,.0f} images/s. Model: {model.name}, {size:,} parameters.")
        if arguments.strategy or arguments.data_service:
            training = distribution.distribute_dataset(
                training,
                arguments.data_service,
                batch_size=arguments.batch_size * arguments.views,
                drop_remainder=len(data.train) >= arguments.batch_size,
            )
        validation = batches(data.validation, **options)
        if arguments.strategy:
            validation = distribution.distribute_dataset(validation)
        journal.fit(
            model,
            training,
            validation_data=validation,
            epochs=arguments.epochs,
            callbacks=callbacks,
            verbose="auto" if sys.stdout.isatty() else 2,
            shuffle=False,
        )
    return journal, speed


def judge(arguments, data, weights):
    """Exports the model with these weights in float32, and puts the test split to the model and to every file.

    Returns:
        `(evaluation, exports)`: of the Keras model, and a row for each exported file.
    """
    from kerazoo.data.pipeline import batches
    from kerazoo.data.splits import stratified_sample
    from kerazoo.evaluate.classification import evaluate
    from kerazoo.evaluate.predict import collect, compiled, difference

    model = kerazoo.build(
        arguments.model,
        num_classes=len(data.classes),
        weights=weights,
        precision="float32",
        jit_compile=False,
        **_input_shape(arguments),
    )
    sample = stratified_sample(data.train.labels, 256, np.random.default_rng(arguments.seed))
    print("Exporting ...")
    report = running.export(
        arguments,
        model,
        formats=("saved_model", "tflite"),
        quantize="int8",
        representative_data=batches(data.train.take(sample), size=arguments.size, batch_size=64),
        signature="raw",
        metadata={
            "labels": list(data.classes),
            "preprocessing": {"resize": "bilinear", "fit": "stretch", "antialias": True},
            "output": "logits",
            "dataset": data.name,
        },
    )
    forms = {file.engine: kerazoo.load(report.path, engine=file.engine) for file in report.files}
    print("Testing the model and its exported files ...")
    answers, labels = collect(
        {"keras": compiled(model)} | forms, batches(data.test, size=arguments.size, batch_size=64)
    )
    evaluations = {form: evaluate(logits, labels) for form, logits in answers.items()}
    exports = [
        {
            "form": file.engine,
            "folder": report.path,
            "file": file.path,
            "bytes": file.bytes,
            "accuracy": evaluations[file.engine].accuracy,
            "max_relative_difference": difference(answers["keras"], answers[file.engine]),
            "same_answers": float((evaluations[file.engine].predicted == evaluations["keras"].predicted).mean()),
            "latency_ms": file.latency_ms,
        }
        for file in report.files
    ]
    return evaluations["keras"], exports


def main(argv=None):
    """Runs the application; returns the record that `run.json` in the run's folder holds."""
    return running.main(parse_args(argv), _run, NEEDS)


def _run(arguments, start):
    distribution.create(arguments.strategy)  # Several workers meet before TensorFlow starts.
    import_tensorflow()
    from kerazoo.data.pipeline import pixels_of
    from kerazoo.evaluate import classification_report
    from kerazoo.evaluate.baselines import image_baselines
    from kerazoo.training.callbacks import best_weights

    given = running.given(arguments, parse_args([]))
    settle(arguments)
    name = arguments.dataset or arguments.data.resolve().name
    folder = running.new_folder(TASK, f"{name}-{arguments.model}", arguments)
    with running.resumable(running.command(TASK, given, "--resume", f"--out={folder}")):
        data = load(arguments)
        journal, speed = train(arguments, data, folder)
        if not distribution.is_chief():
            return {"task": TASK, "worker": "its chief has the record"}
        evaluation, exports = judge(arguments, data, best_weights(folder))
    seen = (
        len(data.train)
        if len(data.train) < arguments.batch_size
        else (len(data.train) // arguments.batch_size * arguments.batch_size)
    )
    record = running.record(
        TASK,
        given,
        running.settings(arguments, SETTINGS),
        start,
        dataset=data.record() | {"limited": arguments.limit},
        model={"name": arguments.model, "input_size": arguments.size},
        training=journal.record("images", seen=seen, fed=speed),
        test=evaluation.record(data.classes),
        baselines=image_baselines(data.train, data.test, seed=arguments.seed),
        published=data.published,
        exports=exports,
    )
    page = classification_report.page(
        record, evaluation, pictures=lambda positions: pixels_of(data.test, positions, size=arguments.size)
    )
    return running.finish(arguments, record, page, classification_report.summary(record), folder)


def _input_shape(arguments):
    return {"input_shape": (*arguments.size, 3)} if arguments.image_size else {}


if __name__ == "__main__":
    main()
