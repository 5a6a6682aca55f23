"""Forecasting loads and temperatures: a series -> a trained, backtested and exported forecaster.

    kerazoo run energy_forecasting                                   # ETTh1, DLinear, 96 hours ahead
    kerazoo run energy_forecasting --model patchtst_small --horizon 192
    kerazoo run energy_forecasting --data load.csv --season 48       # a column of stamps, columns of numbers

Windows are cut in order of time: training, validation, test; scaling uses the training rows alone. A run leaves
`run.json` and `report.html` in its folder (--out), and the exported model in
saved_models/energy_forecasting/<model>/<version>: raw values in, raw forecasts out. The test part is looked at
once, at the end.

Data: ETTh1 (Zhou et al., 2021, CC BY-ND 4.0), the split of 12, 4 and 4 months, all seven channels.
"""

import json
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import numpy as np

import kerazoo
from kerazoo.applications import running
from kerazoo.quiet import import_tensorflow

TASK = "energy_forecasting"
DEFAULTS = {
    "lookback": 336,
    "epochs": 20,
    "batch_size": 32,
    "hold": 2,
    "factor": 0.9,
    "patience": 5,
    "precision": "float32",
}
# The authors' own, for ETTh1, where there is one: sizes, batch, rate, and how the rate falls.
RECIPES = {
    "dlinear": {"epochs": 10, "learning_rate": 5e-3, "factor": 0.5, "patience": 3},
    "nlinear": {"epochs": 10, "learning_rate": 5e-3, "factor": 0.5, "patience": 3},
    "patchtst_small": {"epochs": 100, "batch_size": 128, "learning_rate": 1e-4, "hold": 3, "patience": 15},
    "patchtst": {"epochs": 30, "batch_size": 128, "learning_rate": 1e-4, "hold": 3},
    "tsmixer": {"epochs": 60, "learning_rate": 1e-4, "factor": 1.0, "option": {"blocks": 6, "hidden": 512}},
    "itransformer": {"lookback": 96, "epochs": 10, "factor": 0.5, "option": {"width": 256, "hidden": 256}},
    "nbeats": {"epochs": 10, "batch_size": 128, "learning_rate": 1e-4, "factor": 0.5},
    "nhits": {"epochs": 10, "batch_size": 128, "learning_rate": 1e-4, "factor": 0.5},
}
SETTINGS = (
    "series data time columns limit season model option lookback horizon epochs batch_size learning_rate hold factor "
    "patience precision seed"
)
DAY = 86_400  # seconds
SLOW_ORIGINS = 12  # Windows of the baseline that is fitted anew to each.
SHOWN = 4  # Forecasts on the report.


def parse_args(argv):
    """The options; those that a recipe can decide are None until `settle`."""
    parser = running.parser(TASK, __doc__)
    data = parser.add_argument_group("data")
    source = data.add_mutually_exclusive_group()
    source.add_argument("--series", help="etth1 (default)")
    source.add_argument("--data", type=Path, metavar="FILE", help="a .csv or .parquet with a column of stamps")
    data.add_argument("--time", help="the column of stamps; by default the first that holds some")
    data.add_argument("--columns", help="channels, with commas; by default all columns of numbers")
    data.add_argument("--season", type=int, help="rows of a season; by default those of a day")
    data.add_argument("--limit", type=int, help="windows of each part at most, for a first look")
    training = parser.add_argument_group("model and training")
    training.add_argument("--model", default="dlinear", help="one of `kerazoo list --task forecasting`")
    training.add_argument(
        "--option", action="append", metavar="NAME=VALUE", help="an argument of the model's builder; repeatable"
    )
    training.add_argument("--lookback", type=int, help="rows of the past that the model sees")
    training.add_argument("--horizon", type=int, default=96, help="rows to forecast")
    training.add_argument("--epochs", type=int)
    training.add_argument("--batch-size", type=int)
    training.add_argument("--learning-rate", type=float)
    training.add_argument("--hold", type=int, help="epochs before the rate falls")
    training.add_argument("--factor", type=float, help="of the rate, each epoch after those")
    training.add_argument("--patience", type=int, help="epochs without a better validation loss, then it stops")
    training.add_argument("--precision", choices=("float32", "mixed_bfloat16", "mixed_float16"))
    training.add_argument("--jit-compile", choices=("auto", "true", "false"), default="auto")
    training.add_argument("--steps-per-execution", type=int)
    training.add_argument("--seed", type=int, default=0)
    running.add_output(parser, TASK)
    return parser.parse_args(argv)


def settle(arguments):
    """Fills in what the recipe decides; checks what can be wrong before time is spent."""
    if not arguments.data:
        arguments.series = arguments.series or "etth1"
    facts = kerazoo.info(arguments.model)
    if facts["task"] != "forecasting":
        raise ValueError(f"`--model` must be one for forecasting. Received: {arguments.model!r}, for {facts['task']}.")
    recipe = DEFAULTS | {"learning_rate": facts["arguments"].get("learning_rate")} | RECIPES.get(arguments.model, {})
    arguments.option = recipe.pop("option", {}) | _options(arguments.option)
    running.fill_in(arguments, recipe)
    running.check_positive(
        arguments, "epochs", "batch_size", "limit", "lookback", "horizon", "season", "patience", "hold"
    )
    arguments.columns = arguments.columns.split(",") if arguments.columns else None
    arguments.export = arguments.export or Path("saved_models") / TASK / arguments.model
    return arguments


def _options(words):
    """["width=16", ...] -> {"width": 16, ...}; values are JSON where they can be, else text."""
    options = {}
    for word in words or ():
        name, separator, value = word.partition("=")
        if not separator or not name:
            raise ValueError(f"`--option` must be NAME=VALUE. Received: {word!r}.")
        try:
            options[name] = json.loads(value)
        except json.JSONDecodeError:
            options[name] = value
    return options


class Parts:
    """The series with its parts by rows, its scale, and the windows of each part.

    Attributes:
        series: the `Series`, raw.
        split: rows of the training, validation and test parts.
        starts: {"train" | "validation" | "test": first rows of the windows whose future lies in that part}.
        mean, deviation: (C,), of the training rows.
    """

    def __init__(self, series, split, *, lookback, horizon, limit=None):
        from kerazoo.data.windows import window_starts

        train, validation, test = split
        self.series, self.split, self.lookback, self.horizon = series, split, lookback, horizon
        edges = {"train": (lookback, train), "validation": (train, train + validation)}
        edges["test"] = (train + validation, train + validation + test)
        self.mean, self.deviation = scale(series.values[:train])
        self.scaled = (series.values - self.mean) / self.deviation
        self.starts = {
            part: window_starts(len(series), lookback=lookback, horizon=horizon, first=first, last=last)[:limit]
            for part, (first, last) in edges.items()
        }

    def batches(self, part, batch_size, *, training=False, seed=0):
        """(past, future) of a part, scaled, for `fit`."""
        from kerazoo.data.windows import windows

        return windows(
            self.scaled,
            self.starts[part],
            lookback=self.lookback,
            horizon=self.horizon,
            batch_size=batch_size,
            training=training,
            seed=seed,
        )


def scale(values):
    """(mean, deviation) of each channel; a channel that never changes is left as it is."""
    deviation = values.std(axis=0, dtype="float64")
    return values.mean(axis=0, dtype="float64").astype("float32"), np.where(deviation > 0, deviation, 1).astype(
        "float32"
    )


def load(arguments):
    """`(Parts, season)`."""
    from kerazoo.data.named_series import load_series
    from kerazoo.data.series import read_series

    if arguments.data:
        series = read_series(arguments.data, time=arguments.time, columns=arguments.columns)
        test = len(series) // 5
        split = (len(series) - test - len(series) // 10, len(series) // 10, test)
    else:
        series, split = load_series(arguments.series)
    season = arguments.season or max(DAY // series.step, 1)
    print(f"{series.name}: {len(series):,} rows, {len(series.columns)} channels, a season of {season} rows.")
    print("".join(f"  {note}\n" for note in series.notes), end="")
    if season > arguments.lookback:
        raise ValueError(f"`--lookback` must hold a season of {season} rows. Received: {arguments.lookback}.")
    limit = {"lookback": arguments.lookback, "horizon": arguments.horizon, "limit": arguments.limit}
    return Parts(series, split, **limit), season


def build(arguments, channels, *, steps):
    """The compiled model, its rate held and then falling."""
    from kerazoo.training.schedules import HoldThenDecay

    return kerazoo.build(
        arguments.model,
        lookback=arguments.lookback,
        horizon=arguments.horizon,
        channels=channels,
        learning_rate=HoldThenDecay(arguments.learning_rate, steps=steps, hold=arguments.hold, factor=arguments.factor),
        precision=arguments.precision,
        jit_compile={"auto": "auto", "true": True, "false": False}[arguments.jit_compile],
        steps_per_execution=arguments.steps_per_execution,
        seed=arguments.seed,
        **arguments.option,
    )


def train(arguments, parts, folder):
    """Trains, saving every epoch.

    Returns:
        `(journal, speed)`: the `Journal`, and the windows a second that the input pipeline gives alone.
    """
    import keras

    from kerazoo.data.pipeline import throughput
    from kerazoo.training.callbacks import Journal

    keras.utils.set_random_seed(arguments.seed)
    journal = Journal(
        folder,
        configuration=running.settings(arguments, SETTINGS),
        monitor="val_loss",
        mode="min",
        patience=arguments.patience,
    )
    steps = max(len(parts.starts["train"]) // arguments.batch_size, 1)
    model = build(arguments, len(parts.series.columns), steps=steps)
    first = journal.restore(model)
    training = parts.batches("train", arguments.batch_size, training=True, seed=arguments.seed + first)
    speed = throughput(training, seconds=1.0)
    print(f"Input pipeline: {speed:,.0f} windows/s. Model: {model.name}, {model.count_params():,} parameters.")
    callbacks = [journal]
    if find_spec("tensorboard"):
        callbacks.append(keras.callbacks.TensorBoard(str(folder / "tensorboard")))
    model.fit(
        training,
        validation_data=parts.batches("validation", 256),
        epochs=arguments.epochs,
        initial_epoch=first,
        callbacks=callbacks,
        verbose="auto" if sys.stdout.isatty() else 2,
        shuffle=False,
    )
    return journal, speed


def deployable(arguments, parts, weights):
    """The trained model in float32 between its scaling: raw past in, raw forecast out."""
    import keras

    core = kerazoo.build(
        arguments.model,
        lookback=arguments.lookback,
        horizon=arguments.horizon,
        channels=len(parts.series.columns),
        weights=weights,
        precision="float32",
        jit_compile=False,
        **arguments.option,
    )
    mean, deviation = parts.mean.tolist(), parts.deviation.tolist()
    past = keras.Input(core.input_shape[1:], name="past", dtype="float32")
    shift = [-m / d for m, d in zip(mean, deviation)]
    scaled = keras.layers.Rescaling([1 / d for d in deviation], offset=shift, name="scale")(past)
    forecast = keras.layers.Rescaling(deviation, offset=mean, name="unscale")(core(scaled))
    return keras.Model(past, forecast, name=arguments.model)


def judge(arguments, parts, folder, season):
    """Exports the best epoch's weights, and puts the test windows to the model, every file and the baselines.

    Returns:
        `(test, exports, baselines, few, examples)`: `ForecastErrors` of the Keras model, rows of the files, rows
        of the baselines, the comparison with the slow one, and the windows that the report shows.
    """
    from kerazoo.evaluate import forecasting
    from kerazoo.evaluate.predict import compiled, difference

    model = deployable(arguments, parts, folder / "best.weights.h5")
    values, lookback, horizon = parts.series.values, arguments.lookback, arguments.horizon
    print("Exporting ...")
    report = kerazoo.export(
        model,
        arguments.export,
        formats=("saved_model", "tflite"),
        representative_data=values[parts.starts["train"][:64, None] + np.arange(lookback)],
        metadata={
            "columns": list(parts.series.columns),
            "step_seconds": parts.series.step,
            "lookback": lookback,
            "horizon": horizon,
            "dataset": parts.series.name,
        },
    )
    forms = {"keras": compiled(model)} | {f.engine: kerazoo.load(report.path, engine=f.engine) for f in report.files}
    print("Testing the model, its exported files and the baselines ...")
    origins = parts.starts["test"] + lookback

    def run(forecast, chosen=origins):
        return forecasting.backtest(forecast, values, chosen, lookback=lookback, horizon=horizon)

    def errors(answers, truth):
        return forecasting.errors((answers - parts.mean) / parts.deviation, (truth - parts.mean) / parts.deviation)

    answers = {form: run(function) for form, function in forms.items()}
    judged = {form: errors(*both) for form, both in answers.items()}
    forecasting.check_no_look_ahead(
        lambda rows, origin: _anew(arguments, parts, folder, rows, origin), values, int(origins[0])
    )
    exports = [
        {
            "form": file.engine,
            "folder": report.path,
            "file": file.path,
            "bytes": file.bytes,
            "mse": judged[file.engine].mse,
            "mae": judged[file.engine].mae,
            "difference": difference(answers["keras"][0], answers[file.engine][0]),
            "latency_ms": file.latency_ms,
        }
        for file in report.files
    ]
    naive = {
        "last value": forecasting.last_value(horizon),
        f"seasonal naive ({season} rows)": forecasting.seasonal_naive(horizon, season),
    }
    naive = {name: (run(forecast), forecast) for name, forecast in naive.items()}
    baselines = [{"name": name} | _row(errors(*both)) for name, (both, _) in naive.items()]
    few = _few(arguments, run, errors, forms["keras"], naive, origins, season)
    shown = origins[np.linspace(0, len(origins) - 1, SHOWN).astype(int)]
    return judged["keras"], exports, baselines, few, _examples(parts, run, forms["keras"], naive, shown)


def _anew(arguments, parts, folder, values, origin):
    """One forecast by all that happens from the raw rows on, scaling included, for the guard against looking ahead."""
    from kerazoo.evaluate.predict import compiled

    parts = Parts(parts.series.with_values(values), parts.split, lookback=parts.lookback, horizon=parts.horizon)
    model = deployable(arguments, parts, folder / "best.weights.h5")
    return compiled(model)(parts.series.values[None, origin - parts.lookback : origin])


def _row(errors):
    return {"mse": errors.mse, "mae": errors.mae, "mse_by_step": errors.mse_by_step.tolist()}


def _few(arguments, run, errors, network, naive, origins, season):
    """All forecasters on the few windows that exponential smoothing has time for, or None without statsmodels."""
    from kerazoo.evaluate import forecasting

    if not find_spec("statsmodels") or season < 2 or arguments.lookback < 2 * season:
        return None
    chosen = origins[np.unique(np.linspace(0, len(origins) - 1, SLOW_ORIGINS).astype(int))]
    forecasters = {arguments.model: network} | {name: forecast for name, (_, forecast) in naive.items()}
    forecasters["exponential smoothing"] = forecasting.exponential_smoothing(arguments.horizon, season)
    scores = [{"name": name} | _row(errors(*run(forecast, chosen))) for name, forecast in forecasters.items()]
    return {"method": "Exponential smoothing (Holt-Winters)", "windows": len(chosen), "scores": scores}


def _examples(parts, run, network, naive, origins):
    """Rows for `charts.forecasts`: each of the windows shows another channel."""
    (seasonal, (_, forecast)) = list(naive.items())[-1]
    rows = []
    for position, origin in enumerate(origins):
        channel = (len(parts.series.columns) - 1 - position) % len(parts.series.columns)
        answers = {"forecast": run(network, [origin])[0], seasonal: run(forecast, [origin])[0]}
        first, last = origin - min(parts.lookback, 2 * parts.horizon), origin + parts.horizon
        rows.append(
            (
                f"{parts.series.columns[channel]}, from {parts.series.stamps[origin]}",
                parts.series.stamps[first:last],
                parts.series.values[first:origin, channel],
                parts.series.values[origin:last, channel],
                {name: answer[0, :, channel] for name, answer in answers.items()},
            )
        )
    return rows


def _published(series, model, horizon):
    rows = []
    for name, figures in (series.published or {}).items():
        if horizon in figures:
            mse, mae = figures[horizon]
            same = name.lower().startswith(model.partition("_")[0])
            rows.append({"of": name, "mse": mse, "mae": mae, "same_model": same})
    return rows


def main(argv=None):
    """Runs the application; returns the record that `run.json` in the run's folder holds."""
    return running.main(parse_args(argv), _run)


def _run(arguments, start):
    import_tensorflow()
    from kerazoo.evaluate import forecast_report
    from kerazoo.evaluate.runs import environment, write_record

    given = running.given(arguments, parse_args([]))
    settle(arguments)
    name = arguments.series or arguments.data.stem
    folder = running.new_folder(TASK, f"{name}-{arguments.model}", arguments)
    with running.resumable(running.command(TASK, given, "--resume", f"--out={folder}")):
        parts, season = load(arguments)
        journal, speed = train(arguments, parts, folder)
        test, exports, baselines, few, examples = judge(arguments, parts, folder, season)
    seconds = [epoch["training_seconds"] for epoch in journal.history]
    split = {part: len(starts) for part, starts in parts.starts.items()}
    record = {
        "task": TASK,
        "command": running.command(TASK, given),
        "dataset": parts.series.record()
        | {
            "split": ", ".join(f"{count:,} {part} windows" for part, count in split.items()) + ", in order of time",
            "windows": split,
            "limited": arguments.limit,
        },
        "model": {"name": arguments.model, "lookback": arguments.lookback, "horizon": arguments.horizon},
        "settings": running.settings(arguments, SETTINGS),
        "training": {
            "epochs_run": len(journal.history),
            "best_epoch": journal.best_epoch + 1,
            "minutes": journal.seconds / 60,
            "windows_per_second": split["train"] / float(np.median(seconds)),  # The first epoch also compiles.
            "pipeline_windows_per_second": speed,
            "history": journal.history,
        },
        "test": test.record(parts.series.columns),
        "baselines": baselines,
        "few_origins": few,
        "published": _published(parts.series, arguments.model, arguments.horizon),
        "exports": exports,
        "environment": environment(),
        "minutes": (time.perf_counter() - start) / 60,
    }
    forecast_report.page(record, examples=examples).write(folder / "report.html")
    write_record(record, folder / "run.json")  # Last: it marks the run as finished.
    print("\n" + forecast_report.summary(record))
    print(f"Report: {folder / 'report.html'}")
    return record


if __name__ == "__main__":
    main()
