"""Forecasting loads and temperatures: a series -> a trained, backtested and exported forecaster.

    kerazoo run energy_forecasting                                   # ETTh1, DLinear, 96 hours ahead
    kerazoo run energy_forecasting --model patchtst_small --horizon 192
    kerazoo run energy_forecasting --data load.csv --season 48       # a column of stamps, columns of numbers
    kerazoo run energy_forecasting --predict newer.csv --from saved_models/energy_forecasting/load-dlinear
    kerazoo run energy_forecasting --model tft --calendar --quantiles 0.1,0.5,0.9
    kerazoo run energy_forecasting --series elecdemand --model tft --calendar --known WorkDay --observed Temperature

Windows are cut in order of time: training, validation, test; scaling uses the training rows alone. A run leaves
`run.json` and `report.html` in its folder (--out), `forecast.csv` there with the rows after the last one and their
prediction intervals, and the exported model in saved_models/energy_forecasting/<data>-<model>/<version>: raw values in,
raw forecasts out. The test part is looked at once, at the end.

Data: ETTh1 (Zhou et al., 2021, CC BY-ND 4.0), the split of 12, 4 and 4 months, all seven channels; half-hourly
demand of England and Wales (Taylor, 2003), 8, 2 and 2 weeks; half-hourly demand of Victoria with work days and
temperature (Hyndman, 2018), 8, 2 and 2 months.
"""

import sys
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import kerazoo
from kerazoo.applications import forecast_ahead, forecast_predict, forecasts, reading, running
from kerazoo.quiet import import_tensorflow

TASK = "energy_forecasting"
NEEDS = ("matplotlib",)
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
    "tft": {
        "lookback": 168,
        "epochs": 10,
        "batch_size": 64,
        "learning_rate": 1e-3,
        "patience": 3,
        "option": {"width": 32, "normalize": True},
    },
    "lstm_seq2seq": {"lookback": 168, "epochs": 15, "batch_size": 64, "learning_rate": 1e-3},
    "tsmixer": {"epochs": 30, "learning_rate": 1e-3},
    "itransformer": {"lookback": 96, "epochs": 10, "factor": 0.5, "option": {"width": 256, "hidden": 256}},
    "deepar": {"lookback": 168, "epochs": 20, "batch_size": 64, "learning_rate": 1e-3},
    "nbeats": {"epochs": 10, "batch_size": 128, "learning_rate": 1e-4, "factor": 0.5},
    "nhits": {"epochs": 10, "batch_size": 128, "learning_rate": 1e-4, "factor": 0.5},
}
SETTINGS = (
    f"{reading.SETTINGS} "
    "series data time columns known observed grid limit season model option quantiles calendar lookback horizon epochs "
    "batch_size learning_rate hold factor patience precision seed"
)
GRIDS = ("even", "rows")  # Of `kerazoo.data.series`, which is imported when there is something to read.
DAY = 86_400  # seconds


def parse_args(argv):
    """The options; those that a recipe can decide are None until `settle`."""
    parser = running.parser(TASK, __doc__)
    data = parser.add_argument_group("data")
    source = data.add_mutually_exclusive_group()
    source.add_argument("--series", help="etth1 (default), taylor or elecdemand")
    source.add_argument("--data", type=Path, metavar="FILE", help="a .csv or .parquet with a column of stamps")
    data.add_argument("--time", help="the column of stamps; by default the first that holds some")
    reading.add_options(data, stamps=True)
    data.add_argument("--columns", help="channels, with commas; by default all columns of numbers")
    data.add_argument("--known", help="columns that are told in advance and not forecast, with commas; work days, say")
    data.add_argument("--observed", help="columns of which the past alone is told; the model forecasts the others")
    data.add_argument(
        "--grid", choices=GRIDS, default="even", help="rows: each is a step, as for months and trading days"
    )
    data.add_argument("--season", type=int, help="rows of a season; by default those of a day")
    data.add_argument("--limit", type=int, help="windows of each part at most, for a first look")
    training = parser.add_argument_group("model and training")
    training.add_argument("--model", default="dlinear", help="one of `kerazoo list --task forecasting`")
    training.add_argument("--quantiles", help="ascending, with commas, symmetric around 0.5; for models that have them")
    training.add_argument(
        "--calendar",
        action="store_true",
        help="tell the model the time of day, week and year, where there are two to learn from",
    )
    running.add_model_option(training)
    training.add_argument("--lookback", type=int, help="rows of the past that the model sees")
    training.add_argument("--horizon", type=int, default=96, help="rows to forecast")
    training.add_argument(
        "--coverage", type=float, default=0.9, help="share of what comes that the prediction intervals are to hold"
    )
    running.add_training(training)
    training.add_argument("--hold", type=int, help="epochs before the rate falls")
    training.add_argument("--factor", type=float, help="of the rate, each epoch after those")
    running.add_jit_compile(training)
    training.add_argument("--steps-per-execution", type=int, help="default: 32 for a small model, else 1")
    forecast_predict.add_options(parser)
    running.add_output(parser, TASK)
    return parser.parse_args(argv)


def settle(arguments):
    """Fills in what the recipe decides; checks what can be wrong before time is spent."""
    forecast_predict.refuse(arguments)
    if not arguments.data:
        arguments.series = arguments.series or "etth1"
    reading.check(arguments)
    facts = kerazoo.info(arguments.model)
    if facts["task"] != "forecasting":
        raise ValueError(f"`--model` must be one for forecasting. Received: {arguments.model!r}, for {facts['task']}.")
    recipe = DEFAULTS | {"learning_rate": facts["arguments"].get("learning_rate")} | RECIPES.get(arguments.model, {})
    arguments.option = recipe.pop("option", {}) | running.options(arguments.option)
    running.fill_in(arguments, recipe)
    running.check_positive(
        arguments, "epochs", "batch_size", "limit", "lookback", "horizon", "season", "patience", "hold"
    )
    if not 0 < arguments.coverage < 1:
        raise ValueError(f"`--coverage` must lie between 0 and 1. Received: {arguments.coverage}.")
    for name in ("columns", "known", "observed"):
        given = getattr(arguments, name)
        setattr(arguments, name, given.split(",") if given else None)
    if arguments.quantiles:
        arguments.quantiles = [float(quantile) for quantile in arguments.quantiles.split(",")]
        if 0.5 not in arguments.quantiles:
            raise ValueError(f"`--quantiles` must have 0.5, the forecast itself. Received: {arguments.quantiles}.")
    told = {
        ("quantiles", "distribution"): arguments.quantiles,
        ("known",): arguments.calendar or arguments.known,
        ("observed",): arguments.observed,
    }
    for able, given in told.items():
        if given and not set(able) & set(facts["arguments"]):
            models, named = ", ".join(_with(able)), " or ".join(f"`{name}`" for name in able)
            raise ValueError(f"`--model` must be one that takes {named}: {models}. Received: {arguments.model!r}.")
    return arguments


def _with(able):
    """Names of the forecasters whose builder takes one of these arguments."""
    names = kerazoo.list_models(task="forecasting")
    return [name for name in names if set(able) & set(kerazoo.info(name)["arguments"])]


def load(arguments):
    """`(SeriesParts, season)`."""
    from kerazoo.data.named_series import load_series
    from kerazoo.data.series import read_series
    from kerazoo.data.series_parts import SeriesParts

    told = {"known": arguments.known or [], "observed": arguments.observed or []}
    columns = arguments.columns and [*arguments.columns, *told["known"], *told["observed"]]
    if arguments.data:
        series = read_series(arguments.data, columns=columns, grid=arguments.grid, **reading.of_series(arguments))
        if arguments.calendar and not series.dated:
            raise ValueError(f"`--calendar` needs a column of stamps. Received: none in {arguments.data}.")
        test = len(series) // 5
        split = (len(series) - test - len(series) // 10, len(series) // 10, test)
    else:
        series, split = load_series(arguments.series)
        if series.targets and not columns:
            columns = [*series.targets, *told["known"], *told["observed"]]
        series = series.select(columns) if columns else series
    season = arguments.season or max(DAY // series.step, 1)
    print(f"{series.name}: {len(series):,} rows, {len(series.columns)} columns, a season of {season} rows.")
    print("".join(f"  {note}\n" for note in series.notes), end="")
    if season > arguments.lookback:
        raise ValueError(f"`--lookback` must hold a season of {season} rows. Received: {arguments.lookback}.")
    sizes = {"lookback": arguments.lookback, "horizon": arguments.horizon, "limit": arguments.limit}
    parts = SeriesParts(series, split, calendar=arguments.calendar, **sizes, **told)
    for name, columns in parts.covariates.items():
        print(f"  {name}: {', '.join(columns.names)}.")
    return parts, season


def build(arguments, parts, *, steps):
    """The compiled model, its rate held and then falling."""
    from kerazoo.training.schedules import HoldThenDecay

    return kerazoo.build(
        arguments.model,
        learning_rate=HoldThenDecay(arguments.learning_rate, steps=steps, hold=arguments.hold, factor=arguments.factor),
        precision=arguments.precision,
        jit_compile=running.JIT_COMPILE[arguments.jit_compile],
        steps_per_execution="auto" if arguments.steps_per_execution is None else arguments.steps_per_execution,
        seed=arguments.seed,
        **forecasts.builder_arguments(arguments, parts),
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
        open_ended=True,
    )
    steps = max(len(parts.starts["train"]) // arguments.batch_size, 1)
    model = build(arguments, parts, steps=steps)
    first = journal.restore(model)
    pipeline = partial(parts.batches, "train", arguments.batch_size, training=True, seed=arguments.seed + first)
    training, speed = pipeline(), throughput(pipeline(), seconds=1.0)
    print(f"Input pipeline: {speed:,.0f} windows/s. Model: {model.name}, {model.count_params():,} parameters.")
    callbacks = []
    if find_spec("tensorboard"):
        callbacks.append(keras.callbacks.TensorBoard(str(folder / "tensorboard")))
    journal.fit(
        model,
        training,
        validation_data=parts.batches("validation", 256),
        epochs=arguments.epochs,
        callbacks=callbacks,
        verbose="auto" if sys.stdout.isatty() else 2,
        shuffle=False,
    )
    return journal, speed


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
    arguments = parse_args(argv)
    return running.main(arguments, forecast_predict.run if arguments.predict else _run, NEEDS)


def _run(arguments, start):
    from kerazoo.training.callbacks import best_weights

    import_tensorflow()
    from kerazoo.evaluate import forecast_report

    given = running.given(arguments, parse_args([]))
    settle(arguments)
    name = arguments.series or arguments.data.stem
    folder = running.new_folder(TASK, f"{name}-{arguments.model}", arguments)
    with running.resumable(running.command(TASK, given, "--resume", f"--out={folder}")):
        parts, season = load(arguments)
        journal, speed = train(arguments, parts, folder)
        judged = forecasts.Judging(arguments, parts, best_weights(folder), season).judge(arguments.coverage)
    examples, ahead = judged.pop("examples"), judged.pop("ahead_examples")
    judged["ahead"]["file"] = str(forecast_ahead.write(judged["ahead"], folder) or "") or None
    split = {part: len(starts) for part, starts in parts.starts.items()}
    record = running.record(
        TASK,
        given,
        running.settings(arguments, SETTINGS),
        start,
        dataset=parts.series.record()
        | {
            "columns": list(parts.channels.names),
            "covariates": {name: list(columns.names) for name, columns in parts.covariates.items()},
            "split": ", ".join(f"{count:,} {part} windows" for part, count in split.items()) + ", in order of time",
            "windows": split,
            "limited": arguments.limit,
        },
        model={"name": arguments.model, "lookback": arguments.lookback, "horizon": arguments.horizon},
        training=journal.record("windows", seen=split["train"], fed=speed),
        published=_published(parts.series, arguments.model, arguments.horizon),
        **judged,
    )
    page = forecast_report.page(record, examples=examples, ahead=ahead)
    return running.finish(arguments, record, page, forecast_report.summary(record), folder)


if __name__ == "__main__":
    main()
