"""Anomalies in time series: learn the first rows of a series -> a score for every row after them, and detections.

    kerazoo run series_anomaly                                          # NAB's taxi rides in New York, LSTM autoencoder
    kerazoo run series_anomaly --dataset nab:realKnownCause --model usad
    kerazoo run series_anomaly --dataset nab --model dlinear            # all 58 series; a forecaster's errors
    kerazoo run series_anomaly --data pump.csv --labels broken          # a column of stamps, columns of numbers

The network, a rolling z-score and an isolation forest learn the same first rows (NAB's probationary 15%, of 5,000 rows
at most) and score every later row from the window that ends there: no score looks ahead. Thresholds come from the same
rows by one rule for all; labels serve for judging alone. A run leaves `run.json`, `report.html` and every score in its
folder; of a single series it exports the scorer, raw window in, score of its last row out.

Data: NAB (Lavin & Ahmad, 2015, MIT), 58 series with labelled windows, in KERAZOO_DATA_DIR as nab.zip.
"""

import json
from pathlib import Path

import numpy as np

import kerazoo
from kerazoo.applications import reading, running
from kerazoo.model_files import load_model
from kerazoo.quiet import import_tensorflow

TASK = "series_anomaly"
NEEDS = ("matplotlib", "sklearn")
DEFAULTS = {
    "lookback": 48,
    "epochs": 50,
    "batch_size": 32,
    "patience": 8,
    "passes": 1,
    "scale": "standard",
    "score": "last",
}
# Sizes for the few hundred rows that a NAB file gives to learn from; the rest is the authors' where they say it.
RECIPES = {
    "lstm_autoencoder": {"option": {"units": 32}},
    # Its losses change from epoch to epoch: one pass through a few hundred windows is too short for an epoch.
    "usad": {"option": {"latent": 8}, "epochs": 20, "passes": 10, "patience": 5, "scale": "unit", "score": "mean"},
    "anomaly_transformer": {
        "option": {"width": 64, "heads": 4, "hidden": 64},
        "epochs": 20,
        "patience": 3,
        "learning_rate": 1e-3,
    },
}
SETTINGS = (
    f"{reading.SETTINGS} "
    "dataset data labels time columns learn model option lookback epochs passes batch_size learning_rate patience "
    "scale score risk precision seed"
)
VALIDATION_SHARE = 0.3  # Of the learning rows: they say when to stop, what errors are usual, where the threshold lies.
Z_SCORE, FOREST = "rolling z-score", "isolation forest"


def parse_args(argv):
    """The options; those that a recipe can decide are None until `settle`."""
    parser = running.parser(TASK, __doc__)
    data = parser.add_argument_group("data")
    source = data.add_mutually_exclusive_group()
    source.add_argument(
        "--dataset", help="nab, nab:GROUP or nab:GROUP/FILE.csv; default nab:realKnownCause/nyc_taxi.csv"
    )
    source.add_argument("--data", type=Path, metavar="FILE", help="a .csv or .parquet with a column of stamps")
    data.add_argument("--labels", metavar="COLUMN", help="the column that is 1 at anomalies and 0 elsewhere")
    data.add_argument("--time", help="the column of stamps; by default the first that holds some")
    reading.add_options(data, stamps=True)
    data.add_argument("--columns", help="channels, with commas; by default all columns of numbers")
    data.add_argument("--learn", type=float, help="share of the rows, from the first, to learn from; default 0.15")
    training = parser.add_argument_group("model and training")
    training.add_argument(
        "--model", default="lstm_autoencoder", help="one of `kerazoo list --task series_anomaly` or --task forecasting"
    )
    running.add_model_option(training)
    training.add_argument("--lookback", type=int, help="rows of a window")
    running.add_training(training, precision="float32")
    training.add_argument("--passes", type=int, help="times an epoch goes through the training windows")
    training.add_argument("--scale", choices=("standard", "unit"), help="of the values, by the learning rows")
    training.add_argument(
        "--score", choices=("last", "mean"), help="a row's score: the last step's of its window, or the window's mean"
    )
    training.add_argument(
        "--risk", type=float, default=1e-4, help="of a false alarm at a normal row: sets the threshold"
    )
    running.add_output(parser, TASK)
    return parser.parse_args(argv)


def settle(arguments):
    """Fills in what the recipe decides; checks what can be wrong before time is spent."""
    reading.check(arguments)
    facts = kerazoo.info(arguments.model)
    if facts["task"] not in (TASK, "forecasting"):
        raise ValueError(
            f"`--model` must be one for {TASK} or forecasting. Received: {arguments.model!r}, for {facts['task']}."
        )
    if not arguments.data:
        arguments.dataset = arguments.dataset or "nab:realKnownCause/nyc_taxi.csv"
        if arguments.dataset.partition(":")[0] != "nab":
            raise ValueError(
                f"`--dataset` must be nab, nab:GROUP or nab:GROUP/FILE.csv. Received: {arguments.dataset!r}."
            )
        extra = [name for name in ("labels", "time", "columns", "learn") if getattr(arguments, name) is not None]
        if extra:
            raise ValueError(f"These options go with `--data`: NAB has its own. Received: {extra}.")
    elif arguments.learn is None:
        arguments.learn = 0.15
    if arguments.learn is not None and not 0 < arguments.learn < 1:
        raise ValueError(f"`--learn` must lie between 0 and 1. Received: {arguments.learn}.")
    if not 0 < arguments.risk < 0.1:
        raise ValueError(f"`--risk` must lie between 0 and 0.1. Received: {arguments.risk}.")
    recipe = DEFAULTS | {"learning_rate": facts["arguments"].get("learning_rate")} | RECIPES.get(arguments.model, {})
    arguments.option = recipe.pop("option", {}) | running.options(arguments.option)
    running.fill_in(arguments, recipe)
    running.check_positive(arguments, "epochs", "passes", "batch_size", "lookback", "patience")
    if arguments.lookback < 3:
        raise ValueError(f"`--lookback` must be at least 3. Received: {arguments.lookback}.")
    arguments.columns = arguments.columns.split(",") if arguments.columns else None
    arguments.forecasts = facts["task"] == "forecasting"
    return arguments


def load(arguments):
    """{name: `LabelledSeries`}, each long enough to learn from."""
    from kerazoo.data.nab import LabelledSeries, load_nab, runs
    from kerazoo.data.series import Series, read_series

    if arguments.data:
        columns = arguments.columns
        if arguments.labels and columns:
            columns = [*columns, arguments.labels]
        # Labels are of rows: what has no row has no label.
        series = read_series(arguments.data, columns=columns, grid="rows", **reading.of_series(arguments))
        windows = None
        if arguments.labels:
            if arguments.labels not in series.columns or len(series.columns) < 2:
                raise ValueError(f"`--labels` must be one of {list(series.columns)}. Received: {arguments.labels!r}.")
            place = series.columns.index(arguments.labels)
            flags = series.values[:, place]
            if not np.isin(flags, (0, 1)).all():
                raise ValueError(f"The column {arguments.labels!r} must hold 0 and 1 alone. Received: others.")
            rest = [index for index in range(len(series.columns)) if index != place]
            names = tuple(series.columns[index] for index in rest)
            series = Series(**(vars(series) | {"values": series.values[:, rest], "columns": names}))
            windows = runs(flags == 1)
        found = {series.name: LabelledSeries(series, windows, int(arguments.learn * len(series)))}
    else:
        found = load_nab(arguments.dataset.partition(":")[2])
    for name, labelled in found.items():
        print(f"{name}: {len(labelled.series):,} rows, the first {labelled.learning:,} to learn from.")
        print("".join(f"  {note}\n" for note in labelled.series.notes), end="")
        if labelled.learning * (1 - VALIDATION_SHARE) < arguments.lookback + 16 or labelled.learning < 50:
            raise ValueError(
                f"{name}: the learning rows must hold enough windows of `--lookback` {arguments.lookback}. Received: "
                f"{labelled.learning} learning rows."
            )
    return found


class Rows:
    """A series' rows as the network takes them, and the windows of each part.

    Attributes:
        values: (T, C), scaled by the learning rows that are trained on.
        shift, size: (C,), of the scaling: (raw - shift) / size.
        trained, learning: the training windows end before row `trained`, the validation windows before `learning`.
    """

    def __init__(self, labelled, *, lookback, scale):
        raw = labelled.series.values
        self.lookback, self.learning = lookback, labelled.learning
        self.trained = int(labelled.learning * (1 - VALIDATION_SHARE))
        known = raw[: self.trained].astype("float64")
        if scale == "unit":
            self.shift, size = known.min(axis=0), np.ptp(known, axis=0)
        else:
            self.shift, size = known.mean(axis=0), known.std(axis=0)
        self.size = np.where(size > 0, size, 1.0)  # A channel that never changes is left as it is.
        self.values = ((raw - self.shift) / self.size).astype("float32")
        self.raw = raw

    def windows(self, first, last, *, raw=False):
        """The windows that end at the rows first to last - 1, (N, lookback, C): views, no copies."""
        values = self.raw if raw else self.values
        first = max(first, self.lookback - 1)
        views = np.lib.stride_tricks.sliding_window_view(values, self.lookback, axis=0)
        return views[first - self.lookback + 1 : last - self.lookback + 1].transpose(0, 2, 1)

    def batches(self, first, last, batch_size, *, forecasts, training=False, seed=0):
        """A `tf.data.Dataset` of windows, or of (past, next row) for a forecaster."""
        import tensorflow as tf

        from kerazoo.data.windows import window_starts, windows

        sizes = {"lookback": self.lookback - 1, "horizon": 1}
        starts = window_starts(len(self.values), first=first, last=last, **sizes)
        options = {"batch_size": batch_size, "training": training, "seed": seed}
        pairs = windows(self.values, starts, **sizes, **options)
        return pairs if forecasts else pairs.map(lambda past, last: tf.concat([past, last], axis=1))


def build(arguments, channels, **options):
    """The compiled model for windows of these channels."""
    sizes = {"lookback": arguments.lookback, "channels": channels}
    if arguments.forecasts:
        sizes |= {"lookback": arguments.lookback - 1, "horizon": 1}
    return kerazoo.build(arguments.model, **(sizes | arguments.option | options))


def train(arguments, rows, folder):
    """(model with its best weights, journal), trained with early stopping on the validation rows."""
    import keras

    from kerazoo.training.callbacks import Journal

    keras.utils.set_random_seed(arguments.seed)
    options = {"learning_rate": arguments.learning_rate, "precision": arguments.precision, "seed": arguments.seed}
    model = build(arguments, rows.values.shape[1], steps_per_execution="auto", **options)
    journal = Journal(
        folder,
        configuration=running.settings(arguments, SETTINGS),
        monitor="val_loss",
        mode="min",
        patience=arguments.patience,
        open_ended=True,
    )
    first = journal.restore(model)
    sizes = {"batch_size": arguments.batch_size, "forecasts": arguments.forecasts}
    journal.fit(
        model,
        rows.batches(0, rows.trained, training=True, seed=arguments.seed + first, **sizes).repeat(arguments.passes),
        validation_data=rows.batches(rows.trained, rows.learning, **sizes),
        epochs=arguments.epochs,
        verbose=0,
        shuffle=False,
    )
    journal.load_best(model)
    return model, journal


def deployable(arguments, trained, rows):
    """The trained model in float32 behind its scaling: raw window in, the score of its last row out."""
    import keras
    from keras import ops

    from kerazoo.evaluate.predict import compiled
    from kerazoo.models.anomaly.residual import residual_scorer

    core = build(arguments, rows.values.shape[1], precision="float32", jit_compile=False)
    core.set_weights(trained.get_weights())
    validation = rows.windows(rows.trained, rows.learning)
    if arguments.forecasts:
        scorer = residual_scorer(core, validation[:, -1] - compiled(core)(validation[:, :-1])[:, 0])
    else:
        core.calibrate(np.ascontiguousarray(validation))
        scorer = core.scorer()
    window = keras.Input(scorer.input_shape[1:], name="window", dtype="float32")
    scale = {"offset": (-rows.shift / rows.size).tolist(), "name": "scale"}
    scores = scorer(keras.layers.Rescaling((1 / rows.size).tolist(), **scale)(window))
    if not arguments.forecasts:
        scores = scores[:, -1] if arguments.score == "last" else ops.mean(scores, axis=-1)
    scores = keras.layers.Identity(dtype="float32", name="score")(scores)
    return keras.Model(window, scores, name=arguments.model)


def score(function, windows, batch_size=512):
    """Scores of windows, (N,), batch by batch."""
    parts = [
        np.asarray(function(np.ascontiguousarray(windows[first : first + batch_size])))
        for first in range(0, len(windows), batch_size)
    ]
    return np.concatenate(parts).astype("float64")


def whole(scores, length):
    """(length,) scores: rows without a window get the lowest; they lie among the learning rows."""
    return np.concatenate([np.full(length - len(scores), scores.min()), scores])


def judge(arguments, name, labelled, folder):
    """(record of one series, its arrays, its `Rows`): trained and scored by the network and the baselines.

    What is finished is read from `folder` when a run is resumed; the scorer stays there as `scorer.keras`.
    """
    from kerazoo.data.nab import runs
    from kerazoo.evaluate import anomaly
    from kerazoo.evaluate.predict import compiled
    from kerazoo.evaluate.runs import write_record

    rows = Rows(labelled, lookback=arguments.lookback, scale=arguments.scale)
    done = folder / "series.json"
    if done.exists():
        with np.load(folder / "scores.npz") as arrays:
            return json.loads(done.read_text(encoding="utf-8")), dict(arrays), rows
    trained, journal = train(arguments, rows, folder)
    scorer = deployable(arguments, trained, rows)
    length, count = len(rows.values), rows.values.shape[1]
    forest = anomaly.isolation_forest(rows.windows(0, rows.trained), seed=arguments.seed)
    scores = {
        arguments.model: whole(score(compiled(scorer), rows.windows(0, length, raw=True)), length),
        Z_SCORE: anomaly.rolling_z_score(rows.values, lookback=arguments.lookback - 1, least=np.full(count, 1e-2)),
        FOREST: whole(score(forest, rows.windows(0, length)), length),
    }
    thresholds = {
        who: max(anomaly.tail_threshold(values[rows.trained : rows.learning], risk=arguments.risk), 1e-12)
        for who, values in scores.items()
    }
    own, threshold, inside = scores[arguments.model], thresholds[arguments.model], labelled.labels()
    found = own > threshold
    found[: rows.learning] = False
    record = labelled.series.record() | {
        "name": name,
        "learning": rows.learning,
        "windows": labelled.windows,
        "thresholds": thresholds,
        "detections": [
            {
                "from": labelled.series.when(first),
                "to": labelled.series.when(last),
                "rows": last - first + 1,
                "score": float(own[first : last + 1].max()),
                "labelled": None if labelled.windows is None else bool(inside[first : last + 1].any()),
            }
            for first, last in runs(found)
        ],
        "training": journal.record(),
    }
    if labelled.windows is not None:
        record["figures"] = {}
        for who, values in scores.items():
            one = anomaly.Scored(values, labelled.windows, rows.learning)
            record["figures"][who] = anomaly.figures([one], thresholds[who]) | {"ranking": anomaly.ranking(one)}
    scorer.save(folder / "scorer.keras")
    np.savez_compressed(folder / "scores.npz", **scores)
    write_record(record, done)
    print(f"{name}: {len(record['detections'])} detections, {len(journal.history)} epochs.", flush=True)
    return record, scores, rows


def together(records, arrays, data):
    """[{"name", figures of all series, "best", "auroc", "auprc"}] of each detector, or [] without labels."""
    from kerazoo.evaluate import anomaly

    if any(labelled.windows is None for labelled in data.values()):
        return []
    results = []
    for who in arrays[0]:
        # Each series' scores over its own threshold, so that 1 is the threshold of all.
        series = [
            anomaly.Scored(scores[who] / record["thresholds"][who], labelled.windows, labelled.learning)
            for record, scores, labelled in zip(records, arrays, data.values())
        ]
        ranked = [r["figures"][who]["ranking"] for r in records if r["figures"][who]["ranking"]]
        means = {key: float(np.mean([r[key] for r in ranked])) if ranked else None for key in ("auroc", "auprc")}
        results.append({"name": who, **anomaly.figures(series, 1.0), **means, "best": anomaly.best(series)})
    return results


def export(arguments, record, rows, folder):
    """Exports the scorer of a single series; every file scores the rows that are judged again.

    A file that cannot be made, for instance because the converter fails on a forecaster, is listed with the reason.
    """
    from kerazoo.evaluate.predict import compiled, difference

    scorer = load_model(folder / "scorer.keras", compile=False)
    print("Exporting ...")
    report = running.export(
        arguments,
        scorer,
        formats=("saved_model", "tflite"),
        representative_data=np.ascontiguousarray(rows.windows(0, rows.learning, raw=True)[:64]),
        metadata={
            "columns": record["columns"],
            "lookback": arguments.lookback,
            "threshold": record["thresholds"][arguments.model],
            "output": "the score of the window's last row, higher is stranger",
            "dataset": record["name"],
        },
    )
    windows, threshold = rows.windows(rows.learning, len(rows.values), raw=True), record["thresholds"][arguments.model]
    own = score(compiled(scorer), windows)
    results = []
    for file in report.files:
        answers = score(kerazoo.load(report.path, engine=file.engine), windows)
        results.append(
            {
                "form": file.engine,
                "folder": report.path,
                "file": file.path,
                "bytes": file.bytes,
                "difference": difference(own, answers),
                "same_detections": float(((answers > threshold) == (own > threshold)).mean()),
                "latency_ms": file.latency_ms,
            }
        )
    return results


def main(argv=None):
    """Runs the application; returns the record that `run.json` in the run's folder holds."""
    return running.main(parse_args(argv), _run, NEEDS)


def _run(arguments, start):
    import_tensorflow()
    from kerazoo.evaluate import anomaly_report
    from kerazoo.training.callbacks import mark

    given = running.given(arguments, parse_args([]))
    settle(arguments)
    name = arguments.dataset or arguments.data.stem
    folder = running.new_folder(TASK, f"{name}-{arguments.model}", arguments)
    data = load(arguments)
    parts = [folder / Path(series).stem if len(data) > 1 else folder for series in data]
    if len(data) > 1:
        mark(folder, running.settings(arguments, SETTINGS), open_ended=True)
    with running.resumable(running.command(TASK, given, "--resume", f"--out={folder}")):
        found = []
        for part, (series, labelled) in zip(parts, data.items()):
            part.mkdir(exist_ok=True)
            found.append(judge(arguments, series, labelled, part))
        records, arrays, rows = (list(column) for column in zip(*found))
        exports = export(arguments, records[0], rows[0], folder) if len(data) == 1 else []
    first = next(iter(data.values())).series
    record = running.record(
        TASK,
        given,
        running.settings(arguments, SETTINGS),
        start,
        dataset={
            "name": name,
            "columns": list(first.columns),
            "rows": sum(len(labelled.series) for labelled in data.values()),
            "judged": sum(len(labelled.series) - labelled.learning for labelled in data.values()),
            "source": first.source if len(data) == 1 else "https://github.com/numenta/NAB",
            "terms": first.terms,
            "notes": [note for labelled in data.values() for note in labelled.series.notes],
        },
        model={"name": arguments.model, "lookback": arguments.lookback},
        figures=together(records, arrays, data),
        series=records,
        exports=exports,
    )
    drawn = [
        (
            key,
            labelled.series.values,
            scores[arguments.model],
            one["thresholds"][arguments.model],
            labelled.windows,
            labelled.learning,
        )
        for (key, labelled), scores, one in zip(data.items(), arrays, records)
    ]
    return running.finish(
        arguments, record, anomaly_report.page(record, drawn=drawn), anomaly_report.summary(record), folder
    )


if __name__ == "__main__":
    main()
