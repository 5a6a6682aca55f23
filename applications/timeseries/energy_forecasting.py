"""Forecasting loads and temperatures: a series -> a trained, backtested and exported forecaster.

    kerazoo run energy_forecasting                                   # ETTh1, DLinear, 96 hours ahead
    kerazoo run energy_forecasting --model patchtst_small --horizon 192
    kerazoo run energy_forecasting --data load.csv --season 48       # a column of stamps, columns of numbers
    kerazoo run energy_forecasting --model tft --calendar --quantiles 0.1,0.5,0.9

Windows are cut in order of time: training, validation, test; scaling uses the training rows alone. A run leaves
`run.json` and `report.html` in its folder (--out), and the exported model in
saved_models/energy_forecasting/<model>/<version>: raw values in, raw forecasts out. The test part is looked at
once, at the end.

Data: ETTh1 (Zhou et al., 2021, CC BY-ND 4.0), the split of 12, 4 and 4 months, all seven channels; half-hourly
demand of England and Wales (Taylor, 2003), 8, 2 and 2 weeks.
"""

import sys
import time
from functools import partial
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
    "tft": {"lookback": 168, "epochs": 10, "batch_size": 64, "learning_rate": 1e-3, "option": {"width": 32}},
    "lstm_seq2seq": {"lookback": 168, "epochs": 15, "batch_size": 64, "learning_rate": 1e-3},
    "tsmixer": {"epochs": 60, "learning_rate": 1e-4, "factor": 1.0, "option": {"blocks": 6, "hidden": 512}},
    "itransformer": {"lookback": 96, "epochs": 10, "factor": 0.5, "option": {"width": 256, "hidden": 256}},
    "nbeats": {"epochs": 10, "batch_size": 128, "learning_rate": 1e-4, "factor": 0.5},
    "nhits": {"epochs": 10, "batch_size": 128, "learning_rate": 1e-4, "factor": 0.5},
}
SETTINGS = (
    "series data time columns limit season model option quantiles calendar lookback horizon epochs batch_size "
    "learning_rate hold factor patience precision seed"
)
DAY = 86_400  # seconds
SLOW_ORIGINS = 12  # Windows of the baseline that is fitted anew to each.
SHOWN = 4  # Forecasts on the report.


def parse_args(argv):
    """The options; those that a recipe can decide are None until `settle`."""
    parser = running.parser(TASK, __doc__)
    data = parser.add_argument_group("data")
    source = data.add_mutually_exclusive_group()
    source.add_argument("--series", help="etth1 (default), or taylor")
    source.add_argument("--data", type=Path, metavar="FILE", help="a .csv or .parquet with a column of stamps")
    data.add_argument("--time", help="the column of stamps; by default the first that holds some")
    data.add_argument("--columns", help="channels, with commas; by default all columns of numbers")
    data.add_argument("--season", type=int, help="rows of a season; by default those of a day")
    data.add_argument("--limit", type=int, help="windows of each part at most, for a first look")
    training = parser.add_argument_group("model and training")
    training.add_argument("--model", default="dlinear", help="one of `kerazoo list --task forecasting`")
    training.add_argument("--quantiles", help="ascending, with commas, symmetric around 0.5; for models that have them")
    training.add_argument("--calendar", action="store_true", help="tell the model the time of day, week and year")
    running.add_model_option(training)
    training.add_argument("--lookback", type=int, help="rows of the past that the model sees")
    training.add_argument("--horizon", type=int, default=96, help="rows to forecast")
    running.add_training(training)
    training.add_argument("--hold", type=int, help="epochs before the rate falls")
    training.add_argument("--factor", type=float, help="of the rate, each epoch after those")
    running.add_jit_compile(training)
    training.add_argument("--steps-per-execution", type=int)
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
    arguments.option = recipe.pop("option", {}) | running.options(arguments.option)
    running.fill_in(arguments, recipe)
    running.check_positive(
        arguments, "epochs", "batch_size", "limit", "lookback", "horizon", "season", "patience", "hold"
    )
    arguments.columns = arguments.columns.split(",") if arguments.columns else None
    if arguments.quantiles:
        arguments.quantiles = [float(quantile) for quantile in arguments.quantiles.split(",")]
        if 0.5 not in arguments.quantiles:
            raise ValueError(f"`--quantiles` must have 0.5, the forecast itself. Received: {arguments.quantiles}.")
    for argument, given in (("quantiles", arguments.quantiles), ("known", arguments.calendar)):
        if given and argument not in facts["arguments"]:
            able = ", ".join(_with(argument))
            raise ValueError(f"`--model` must be one that takes `{argument}`: {able}. Received: {arguments.model!r}.")
    arguments.export = arguments.export or Path("saved_models") / TASK / arguments.model
    return arguments


def _with(argument):
    """Names of the forecasters whose builder takes an argument."""
    names = kerazoo.list_models(task="forecasting")
    return [name for name in names if argument in kerazoo.info(name)["arguments"]]


class Parts:
    """The series with its parts by rows, its scale, what is known in advance, and the windows of each part.

    Attributes:
        series: the `Series`, raw.
        split: rows of the training, validation and test parts.
        starts: {"train" | "validation" | "test": first rows of the windows whose future lies in that part}.
        mean, deviation: (C,), of the training rows.
        known: (T, K) of the calendar, or None.
    """

    def __init__(self, series, split, *, lookback, horizon, calendar=False, limit=None):
        from kerazoo.data.calendar import calendar as of_calendar
        from kerazoo.data.windows import window_starts

        train, validation, test = split
        self.series, self.split, self.lookback, self.horizon = series, split, lookback, horizon
        edges = {"train": (lookback, train), "validation": (train, train + validation)}
        edges["test"] = (train + validation, train + validation + test)
        self.mean, self.deviation = scale(series.values[:train])
        self.scaled = (series.values - self.mean) / self.deviation
        self.known = of_calendar(series.stamps)[0] if calendar else None
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
            known=self.known,
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
    sizes = {"lookback": arguments.lookback, "horizon": arguments.horizon, "limit": arguments.limit}
    return Parts(series, split, calendar=arguments.calendar, **sizes), season


def _arguments(arguments, parts):
    """What the builder is called with, beside how to train."""
    options = {"lookback": arguments.lookback, "horizon": arguments.horizon, "channels": len(parts.series.columns)}
    if arguments.quantiles:
        options["quantiles"] = tuple(arguments.quantiles)
    if parts.known is not None:
        options["known"] = parts.known.shape[1]
    return options | arguments.option


def build(arguments, parts, *, steps):
    """The compiled model, its rate held and then falling."""
    from kerazoo.training.schedules import HoldThenDecay

    return kerazoo.build(
        arguments.model,
        learning_rate=HoldThenDecay(arguments.learning_rate, steps=steps, hold=arguments.hold, factor=arguments.factor),
        precision=arguments.precision,
        jit_compile=running.JIT_COMPILE[arguments.jit_compile],
        steps_per_execution=arguments.steps_per_execution,
        seed=arguments.seed,
        **_arguments(arguments, parts),
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
    model = build(arguments, parts, steps=steps)
    first = journal.restore(model)
    pipeline = partial(parts.batches, "train", arguments.batch_size, training=True, seed=arguments.seed + first)
    training, speed = pipeline(), throughput(pipeline(), seconds=1.0)
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
        arguments.model, weights=weights, precision="float32", jit_compile=False, **_arguments(arguments, parts)
    )
    mean, deviation = parts.mean.tolist(), parts.deviation.tolist()
    sizes = {"past": (parts.lookback, len(mean))}
    if parts.known is not None:
        sizes["known"] = (parts.lookback + parts.horizon, parts.known.shape[1])
    inputs = {name: keras.Input(size, name=name, dtype="float32") for name, size in sizes.items()}
    shift = [-m / d for m, d in zip(mean, deviation)]
    scaled = keras.layers.Rescaling([1 / d for d in deviation], offset=shift, name="scale")(inputs["past"])
    answers = core(inputs | {"past": scaled} if len(inputs) > 1 else scaled)
    if "distribution" in kerazoo.info(arguments.model)["arguments"]:
        answers = answers[..., 0]  # The mean.
    if arguments.quantiles:  # The channels stand last but one.
        deviation, mean = [[d] for d in deviation], [[m] for m in mean]
    forecast = keras.layers.Rescaling(deviation, offset=mean, name="unscale")(answers)
    return keras.Model(inputs if len(inputs) > 1 else inputs["past"], forecast, name=arguments.model)


def judge(arguments, parts, folder, season):
    """Exports the best epoch's weights, and puts the test windows to the model, every file and the baselines.

    Returns:
        What the record and the report take from it, by their names.
    """
    from kerazoo.evaluate import forecasting
    from kerazoo.evaluate.predict import compiled, difference

    model = deployable(arguments, parts, folder / "best.weights.h5")
    values, lookback, horizon, series = parts.series.values, arguments.lookback, arguments.horizon, parts.series
    origins = parts.starts["test"] + lookback
    if arguments.quantiles:
        middle = arguments.quantiles.index(0.5)

    def run(forecast, chosen=origins, known=parts.known):
        return forecasting.backtest(forecast, values, chosen, lookback=lookback, horizon=horizon, known=known)

    def errors(answers, truth):
        point = answers[..., middle] if answers.ndim > truth.ndim else answers
        return forecasting.errors((point - parts.mean) / parts.deviation, (truth - parts.mean) / parts.deviation)

    print("Exporting ...")
    report = kerazoo.export(
        model,
        arguments.export,
        formats=("saved_model", "tflite"),
        representative_data=_windows(parts, parts.starts["train"][:64] + lookback),
        metadata={
            "columns": list(series.columns),
            "step_seconds": series.step,
            "lookback": lookback,
            "horizon": horizon,
            "quantiles": arguments.quantiles,
            "dataset": series.name,
        },
    )
    network = compiled(model)
    forms = {file.engine: kerazoo.load(report.path, engine=file.engine) for file in report.files}
    print("Testing the model, its exported files and the baselines ...")
    answers = {form: run(function) for form, function in ({"keras": network} | forms).items()}
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
    baselines = [{"name": name} | _row(errors(*run(forecast, known=None))) for name, forecast in naive.items()]
    return {
        "test": judged["keras"].record(series.columns),
        "exports": exports,
        "baselines": baselines,
        "quantiles": _quantiles(arguments, parts, answers["keras"], naive, run),
        "few_origins": _few(arguments, run, errors, network, naive, origins, season),
        "examples": _examples(arguments, parts, run, network, naive, origins),
    }


def _windows(parts, origins):
    """What the exported model takes at these origins."""
    past = parts.series.values[origins[:, None] + np.arange(-parts.lookback, 0)]
    if parts.known is None:
        return past
    return {"past": past, "known": parts.known[origins[:, None] + np.arange(-parts.lookback, parts.horizon)]}


def _anew(arguments, parts, folder, values, origin):
    """One forecast by all that happens from the raw rows on, scaling included, for the guard against looking ahead."""
    from kerazoo.evaluate.predict import compiled

    sizes = {"lookback": parts.lookback, "horizon": parts.horizon, "calendar": arguments.calendar}
    parts = Parts(parts.series.with_values(values), parts.split, **sizes)
    model = deployable(arguments, parts, folder / "best.weights.h5")
    return compiled(model)(_windows(parts, np.array([origin])))


def _row(errors):
    return {"mse": errors.mse, "mae": errors.mae, "mse_by_step": errors.mse_by_step.tolist()}


def _quantiles(arguments, parts, answers, naive, run):
    """Rows of quantile scores, in standard deviations, of the network and of the naive forecast; None without them."""
    from kerazoo.evaluate import forecasting

    if not arguments.quantiles:
        return None
    name, forecast = list(naive.items())[-1]
    sizes = {"lookback": arguments.lookback, "horizon": arguments.horizon}
    origins = parts.starts["train"] + arguments.lookback
    spread = forecasting.with_error_quantiles(forecast, parts.series.values, origins, arguments.quantiles, **sizes)
    rows = []
    for who, (forecasts, truth) in ((arguments.model, answers), (f"{name} and its errors", run(spread, known=None))):
        scaled = (forecasts - parts.mean[:, None]) / parts.deviation[:, None]
        scores = forecasting.quantile_scores(scaled, (truth - parts.mean) / parts.deviation, arguments.quantiles)
        rows.append({"name": who} | scores.record())
    return rows


def _few(arguments, run, errors, network, naive, origins, season):
    """All forecasters on the few windows that exponential smoothing has time for, or None without statsmodels."""
    from kerazoo.evaluate import forecasting

    if not find_spec("statsmodels") or season < 2 or arguments.lookback < 2 * season:
        return None
    chosen = origins[np.unique(np.linspace(0, len(origins) - 1, SLOW_ORIGINS).astype(int))]
    others = naive | {"exponential smoothing": forecasting.exponential_smoothing(arguments.horizon, season)}
    scores = [{"name": arguments.model} | _row(errors(*run(network, chosen)))]
    scores += [{"name": name} | _row(errors(*run(forecast, chosen, known=None))) for name, forecast in others.items()]
    return {"method": "Exponential smoothing (Holt-Winters)", "windows": len(chosen), "scores": scores}


def _examples(arguments, parts, run, network, naive, origins):
    """Rows for `charts.forecasts`: each of the windows shows another channel."""
    series, (name, forecast) = parts.series, list(naive.items())[-1]
    rows = []
    for position, origin in enumerate(origins[np.linspace(0, len(origins) - 1, SHOWN).astype(int)]):
        channel = (len(series.columns) - 1 - position) % len(series.columns)
        answer, naive_answer = run(network, [origin])[0][0, :, channel], run(forecast, [origin], known=None)[0][0]
        first, last = origin - min(parts.lookback, 2 * parts.horizon), origin + parts.horizon
        band = None
        if arguments.quantiles:
            band, answer = answer[:, [0, -1]], answer[:, arguments.quantiles.index(0.5)]
        rows.append(
            (
                f"{series.columns[channel]}, from {series.stamps[origin]}",
                series.stamps[first:last],
                series.values[first:origin, channel],
                series.values[origin:last, channel],
                {"forecast": answer, name: naive_answer[:, channel]},
                band,
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
    from kerazoo.evaluate.runs import environment

    given = running.given(arguments, parse_args([]))
    settle(arguments)
    name = arguments.series or arguments.data.stem
    folder = running.new_folder(TASK, f"{name}-{arguments.model}", arguments)
    with running.resumable(running.command(TASK, given, "--resume", f"--out={folder}")):
        parts, season = load(arguments)
        journal, speed = train(arguments, parts, folder)
        judged = judge(arguments, parts, folder, season)
    examples = judged.pop("examples")
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
        "published": _published(parts.series, arguments.model, arguments.horizon),
        "environment": environment(),
        "minutes": (time.perf_counter() - start) / 60,
    } | judged
    return running.finish(
        record, forecast_report.page(record, examples=examples), forecast_report.summary(record), folder
    )


if __name__ == "__main__":
    main()
