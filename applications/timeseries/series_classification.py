"""Classification of series: named sets of the UCR and UEA archives or your own -> a judged and exported classifier.

    kerazoo run series_classification                                      # GunPoint, 50 series to train with
    kerazoo run series_classification --dataset basic_motions              # activities, six channels of a watch
    kerazoo run series_classification --dataset arrowhead --ensemble 5     # the mean answer of five, as in the paper
    kerazoo run series_classification --data waves --model minirocket      # waves/X_TRAIN.ts and waves/X_TEST.ts
    kerazoo run series_classification --data waves.csv                     # rows: class, value, value, ...

The archives' own training and test part hold; the test series are looked at once, at the end. A fifth of the
training series is set aside for validation where every class has 50; with fewer all are trained with, and the epoch
of the lowest training loss is kept, as InceptionTime's authors do. The exported model takes raw values. A run leaves
`run.json` and `report.html` in its folder.

One InceptionTime network, seed 0, on the archives' own split: GunPoint 100.0%, ItalyPowerDemand 97.0%, BasicMotions
100.0%, ArrowHead with --as-authors 85.1% (docs/series_classification.md).
"""

import sys
from functools import partial
from pathlib import Path

import numpy as np

import kerazoo
from kerazoo.applications import reading, running
from kerazoo.quiet import import_tensorflow

TASK = "series_classification"
NEEDS = ("matplotlib",)
DEFAULTS = {"epochs": 200, "batch_size": 16, "schedule": "one_cycle", "warm_up": 0.2, "precision": "float32"}
RECIPES = {"minirocket": {"epochs": 60}}
# InceptionTime's authors': a constant rate, halved where the training loss stands still.
AUTHORS = {"epochs": 1500, "batch_size": 64, "schedule": "plateau", "learning_rate": 1e-3}
SPACING = 5.0  # Seconds between savings: an epoch of some dozen series takes less time than its files.
SCALES = ("auto", "series", "train", "none")
SETTINGS = (
    f"{reading.SETTINGS} "
    "dataset data lengths missing limit scale model option ensemble epochs batch_size learning_rate schedule warm_up "
    "patience precision seed"
)


def parse_args(argv):
    """The options; those that a recipe can decide are None until `settle`."""
    parser = running.parser(TASK, __doc__)
    data = parser.add_argument_group("data")
    source = data.add_mutually_exclusive_group()
    source.add_argument("--dataset", help="gunpoint (default), arrowhead, italy_power_demand or basic_motions")
    source.add_argument("--data", type=Path, metavar="PATH", help="a folder with X_TRAIN.ts and X_TEST.ts, or one file")
    reading.add_options(data)
    data.add_argument("--lengths", choices=("error", "pad"), default="error", help="of series with fewer steps")
    data.add_argument("--missing", choices=("error", "linear"), default="error", help="of missing values")
    data.add_argument("--limit", type=int, help="series of each split at most, for a first look")
    scale = "mean 0 and deviation 1 of each series, or of each channel in training; auto: each series if one channel"
    data.add_argument("--scale", choices=SCALES, default="auto", help=scale)
    training = parser.add_argument_group("model and training")
    training.add_argument("--model", default="inception_time", help=f"one of `kerazoo list --task {TASK}`")
    running.add_model_option(training)
    training.add_argument("--ensemble", type=int, default=1, help="networks, of seeds one apart; exported as one model")
    running.add_training(
        training,
        batch_size="at most; batches are made as even as they can be",
        learning_rate="the peak of one cycle, the start before a plateau",
        patience="epochs without a lower loss, then it stops",
    )
    training.add_argument("--schedule", choices=("one_cycle", "plateau"), help="plateau: halved where the loss stands")
    training.add_argument("--as-authors", action="store_true", help=f"what InceptionTime's authors did: {AUTHORS}")
    training.add_argument("--warm-up", type=float, help="share of the steps in which the rate climbs to its peak")
    running.add_jit_compile(training)
    running.add_output(parser, TASK)
    return parser.parse_args(argv)


def settle(arguments):
    """Fills in what the recipe decides; checks what can be wrong before time is spent."""
    if not arguments.data:
        arguments.dataset = arguments.dataset or "gunpoint"
    reading.check(arguments)
    facts = kerazoo.info(arguments.model)
    if facts["task"] != TASK:
        raise ValueError(f"`--model` must be one for {TASK}. Received: {arguments.model!r}, for {facts['task']}.")
    recipe = DEFAULTS | {"learning_rate": facts["arguments"].get("learning_rate")}
    recipe |= AUTHORS if arguments.as_authors else RECIPES.get(arguments.model, {})
    running.fill_in(arguments, recipe)
    running.check_positive(arguments, "ensemble", "epochs", "batch_size", "limit", "patience")
    if not 0 < arguments.warm_up < 1:
        raise ValueError(f"`--warm-up` must be between 0 and 1. Received: {arguments.warm_up}.")
    arguments.option = running.options(arguments.option)
    return arguments


def load(arguments):
    """The `SeriesData`; also decides `--scale auto`."""
    from kerazoo.data.labelled_files import from_files
    from kerazoo.data.named_labelled_series import load_labelled_series

    if arguments.data:
        how = {"lengths": arguments.lengths, "missing": arguments.missing}
        data = from_files(arguments.data, seed=arguments.seed, dialect=reading.dialect(arguments), **how)
    else:
        data = load_labelled_series(arguments.dataset)
    data = data.with_validation(seed=arguments.seed)
    if arguments.limit:
        data = data.limited(arguments.limit, seed=arguments.seed)
    facts = data.record()
    if arguments.scale == "auto":
        arguments.scale = "series" if facts["channels"] == 1 else "train"
    print(
        f"{data.name}: {len(data.classes)} classes, {facts['length']} steps of {facts['channels']} channels; "
        f"{facts['train']:,} training, {facts['validation']:,} validation, {facts['test']:,} test series."
    )
    print("".join(f"  {note}\n" for note in facts["notes"]), end="")
    return data


def scaler(arguments, data):
    """The layer that scales raw values, (B, T, C), as `--scale` says."""
    import keras

    if arguments.scale == "series":
        return keras.layers.LayerNormalization(axis=1, center=False, scale=False, epsilon=1e-8, name="scale")
    if arguments.scale == "none":
        return keras.layers.Identity(name="scale")
    values = data.train.values.astype("float64")
    mean, deviation = values.mean(axis=(0, 1)), values.std(axis=(0, 1))
    deviation = np.where(deviation > 0, deviation, 1.0)
    return keras.layers.Rescaling((1 / deviation).tolist(), offset=(-mean / deviation).tolist(), name="scale")


def build(arguments, data, **options):
    """The compiled model for the data's sizes."""
    facts = data.record()
    sizes = {"length": facts["length"], "channels": facts["channels"], "num_classes": len(data.classes)}
    return kerazoo.build(arguments.model, **(sizes | arguments.option | options))


def network_folders(arguments, folder):
    """Where each network's journal lies: the first one's in the run's folder, so that --resume finds its way."""
    return [folder] + [folder / f"network-{number}" for number in range(2, arguments.ensemble + 1)]


def train(arguments, data, folder, *, seed):
    """Trains one network, saving every epoch.

    Returns:
        `(journal, speed)`: the `Journal`, and the series a second that the input pipeline gives alone.
    """
    import keras
    import tensorflow as tf

    from kerazoo.data.pipeline import throughput
    from kerazoo.models.timeseries.minirocket import adapt
    from kerazoo.training.callbacks import Journal
    from kerazoo.training.plateau import FallOnPlateau
    from kerazoo.training.schedules import OneCycle

    keras.utils.set_random_seed(seed)
    scale = scaler(arguments, data)
    steps = -(-len(data.train) // arguments.batch_size)
    even = -(-len(data.train) // steps)  # A last batch of one would spoil batch normalisation.
    journal = Journal(
        folder,
        configuration=running.settings(arguments, SETTINGS),
        monitor="val_loss" if data.validation else "loss",
        mode="min",
        patience=arguments.patience,
        spacing=SPACING,
        open_ended=arguments.schedule == "plateau",
    )
    rate, callbacks = arguments.learning_rate, []
    if arguments.schedule == "plateau":
        callbacks.append(FallOnPlateau(journal, rate))
    else:
        rate = OneCycle(rate, steps=steps * arguments.epochs, warm_up=arguments.warm_up)
    model = build(
        arguments,
        data,
        learning_rate=rate,
        precision=arguments.precision,
        jit_compile=running.JIT_COMPILE[arguments.jit_compile],
        steps_per_execution="auto",
        seed=seed,
    )
    adapt(model, np.asarray(scale(data.train.values)))
    first = journal.restore(model)

    def batches(part, *, training=False):
        series = tf.data.Dataset.from_tensor_slices((np.asarray(scale(part.values)), part.labels))
        if (
            training
        ):  # A resumed run shuffles by another seed: the order of the first epochs would otherwise come again.
            series = series.shuffle(len(part), seed=seed + first)
        return series.batch(even if training else 256).prefetch(tf.data.AUTOTUNE)

    speed = throughput(batches(data.train, training=True), seconds=0.5)
    journal.fit(
        model,
        batches(data.train, training=True),
        validation_data=batches(data.validation) if data.validation else None,
        epochs=arguments.epochs,
        callbacks=callbacks,
        verbose="auto" if sys.stdout.isatty() else 2,
        shuffle=False,
    )
    return journal, speed


def deployable(arguments, data, folders):
    """The networks with their best weights in float32 behind the scaling: raw values in, logits out.

    Of several networks the logits are the logarithms of their mean probabilities.

    Returns:
        `(model, members)`: the model, and each network behind the scaling by itself.
    """
    import keras
    from keras import ops

    from kerazoo.training.callbacks import best_weights

    facts = data.record()
    series = keras.Input((facts["length"], facts["channels"]), name="series", dtype="float32")
    scaled, answers = scaler(arguments, data)(series), []
    for number, folder in enumerate(folders, start=1):
        core = build(arguments, data, weights=best_weights(folder), precision="float32", jit_compile=False)
        answers.append(keras.Model(core.input, core.output, name=f"network{number}")(scaled))
    logits = answers[0]
    if len(answers) > 1:
        each = ops.stack([ops.log_softmax(answer) for answer in answers], axis=1)
        logits = ops.logsumexp(each, axis=1) - float(np.log(len(answers)))
    logits = keras.layers.Identity(dtype="float32", name="logits")(logits)
    members = [keras.Model(series, answer) for answer in answers]
    return keras.Model(series, logits, name=arguments.model), members


def judge(arguments, data, folders):
    """Exports the model, and puts the test series to it and to every file.

    Returns:
        `(evaluation, exports, alone)`: of the Keras model, a row for each exported file, and the accuracy of each
        network by itself.
    """
    from kerazoo.data.splits import stratified_sample
    from kerazoo.evaluate.classification import evaluate
    from kerazoo.evaluate.predict import compiled, difference

    model, members = deployable(arguments, data, folders)
    sample = stratified_sample(data.train.labels, 64, np.random.default_rng(arguments.seed))
    print("Exporting ...")
    report = running.export(
        arguments,
        model,
        formats=("saved_model", "tflite"),
        representative_data=data.train.values[sample],
        metadata={
            "labels": list(data.classes),
            "length": data.train.values.shape[1],
            "channels": data.train.values.shape[2],
            "output": "logits",
            "dataset": data.name,
        },
    )
    print("Testing the model and its exported files ...")
    forms = {"keras": compiled(model)} | {f.engine: kerazoo.load(report.path, engine=f.engine) for f in report.files}
    answers = {form: in_batches(function, data.test.values) for form, function in forms.items()}
    evaluations = {form: evaluate(logits, data.test.labels) for form, logits in answers.items()}
    alone = [evaluate(in_batches(compiled(m), data.test.values), data.test.labels).accuracy for m in members]
    exports = [
        {
            "form": file.engine,
            "folder": report.path,
            "file": file.path,
            "bytes": file.bytes,
            "accuracy": evaluations[file.engine].accuracy,
            "difference": difference(answers["keras"], answers[file.engine]),
            "same_answers": float((evaluations[file.engine].predicted == evaluations["keras"].predicted).mean()),
            "latency_ms": file.latency_ms,
        }
        for file in report.files
    ]
    return evaluations["keras"], exports, alone


def in_batches(function, values, size=256):
    """A function's answers on all values, some at a time: (N, classes)."""
    return np.concatenate([np.asarray(function(values[i : i + size])) for i in range(0, len(values), size)])


def main(argv=None):
    """Runs the application; returns the record that `run.json` in the run's folder holds."""
    return running.main(parse_args(argv), _run, NEEDS)


def _run(arguments, start):
    import_tensorflow()
    from kerazoo.evaluate import series_report
    from kerazoo.evaluate.nearest_neighbour import series_baselines

    given = running.given(arguments, parse_args([]))
    settle(arguments)
    data = load(arguments)
    folder = running.new_folder(TASK, f"{data.name}-{arguments.model}", arguments)
    again = running.command(TASK, given, "--resume", f"--out={folder}")
    with running.resumable(again, saved="All but the last seconds"):
        folders = network_folders(arguments, folder)
        one = partial(train, arguments, data)
        trained = [one(place, seed=arguments.seed + number) for number, place in enumerate(folders)]
        evaluation, exports, alone = judge(arguments, data, folders)
    journals, (journal, speed) = [journal for journal, _ in trained], trained[0]
    record = running.record(
        TASK,
        given,
        running.settings(arguments, SETTINGS),
        start,
        dataset=data.record() | {"limited": arguments.limit},
        model={"name": arguments.model, "ensemble": arguments.ensemble},
        training=journal.record("series", seen=len(data.train), fed=speed)
        | {
            "validated": data.validation is not None,
            "minutes": sum(journal.seconds for journal in journals) / 60,
        },
        test=evaluation.record(data.classes) | {"of_each_network": alone},
        baselines=series_baselines(data.train, data.test, seed=arguments.seed),
        published=data.published,
        exports=exports,
    )
    return running.finish(
        arguments, record, series_report.page(record, evaluation, data), series_report.summary(record), folder
    )


if __name__ == "__main__":
    main()
