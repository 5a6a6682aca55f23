"""Forecasting a stock's next return: daily prices -> a network walked forward through time, beside naive forecasts.

    kerazoo run stock_prediction                                   # Microsoft, 1986 to 2017
    kerazoo run stock_prediction --data prices.csv --model tft     # date, open, high, low, close, volume

At the close of each day the network forecasts what buying at the next open and selling at the open after it earns.
The years after the first part are cut into folds; each is forecast by a network that was trained on the days before
it alone, with the days left out whose labels reach into it. Nothing is chosen on the test days. A run leaves
`run.json`, `report.html` and `forecasts.csv`, which `kerazoo run algorithmic_trading --forecasts` trades. It is a
study of forecasts, no advice to trade.

Data: MSFT as pmdarima carries it, adjusted for splits and dividends.
"""

import sys
from pathlib import Path

import numpy as np

import kerazoo
from kerazoo.applications import reading, running
from kerazoo.quiet import import_tensorflow

TASK = "stock_prediction"
NEEDS = ("matplotlib",)
REACH = 2  # Days that a label looks ahead: the open after the next.
HOLD = "buy and hold"
LARGEST = 5.0  # Deviations beyond which a feature says no more.
DEFAULTS = {"epochs": 15, "batch_size": 128, "learning_rate": 1e-3, "patience": 4}
RECIPES = {
    "lstm_seq2seq": {"option": {"units": 32, "dropout": 0.2}},
    "tft": {"option": {"width": 16, "dropout": 0.2}},
    "tcn": {"option": {"filters": 16}},
}
SETTINGS = (
    f"{reading.SETTINGS} "
    "stock data time model option lookback folds first cost epochs batch_size learning_rate patience precision seed"
)


def parse_args(argv):
    """The options; those that a recipe can decide are None until `settle`."""
    parser = running.parser(TASK, __doc__)
    data = parser.add_argument_group("data")
    source = data.add_mutually_exclusive_group()
    source.add_argument("--stock", help="msft (default)")
    source.add_argument("--data", type=Path, metavar="FILE", help="a .csv or .parquet of daily prices and volumes")
    data.add_argument("--time", help="the column of dates; by default the first that holds some")
    reading.add_options(data, stamps=True)
    training = parser.add_argument_group("model and training")
    training.add_argument("--model", default="lstm_seq2seq", help="one of `kerazoo list --task forecasting`")
    running.add_model_option(training)
    training.add_argument("--lookback", type=int, default=60, help="days that the model sees")
    training.add_argument("--folds", type=int, default=8, help="parts of the walk forward")
    training.add_argument("--first", type=float, default=0.4, help="share of the days before the first test day")
    training.add_argument("--cost", type=float, default=5.0, help="of a trade with all capital, in basis points")
    running.add_training(training, precision="float32")
    running.add_output(parser, TASK)
    return parser.parse_args(argv)


def settle(arguments):
    """Fills in what the recipe decides; checks what can be wrong before time is spent."""
    reading.check(arguments)
    facts = kerazoo.info(arguments.model)
    if facts["task"] != "forecasting" or "distribution" in facts["arguments"]:
        raise ValueError(f"`--model` must forecast points. Received: {arguments.model!r}, for {facts['task']}.")
    arguments.stock = None if arguments.data else arguments.stock or "msft"
    recipe = DEFAULTS | RECIPES.get(arguments.model, {})
    arguments.option = recipe.pop("option", {}) | running.options(arguments.option)
    running.fill_in(arguments, recipe)
    running.check_positive(arguments, "epochs", "batch_size", "patience", "lookback", "folds")
    if not 0 < arguments.first < 1 or arguments.cost < 0:
        raise ValueError(
            "`--first` must lie between 0 and 1, `--cost` must not be negative. "
            f"Received: {arguments.first}, {arguments.cost}."
        )
    return arguments


class Days:
    """The days on which a forecast can be made and judged.

    Attributes:
        series: the prices.
        features: (T, F) of all days.
        returns: (T,) what a decision at each day's close earns.
        days: (N,) rows of `features` that have a whole past and a return.
    """

    def __init__(self, series, lookback):
        from kerazoo.data import prices

        self.series, self.lookback = series, lookback
        self.features, self.returns = prices.features(series), prices.returns(series)
        self.days = np.arange(prices.WARM_UP + lookback - 1, len(series) - REACH)
        if len(self.days) < 100:
            raise ValueError(
                f"There must be at least 100 days to forecast. Received: {len(self.days)} in {series.name}."
            )

    def scale(self, chosen):
        """((mean, deviation) of each feature, deviation of the return) over what training days see."""
        rows = self.features[self.days[chosen.start] - self.lookback + 1 : self.days[chosen.stop - 1] + 1]
        deviation = rows.std(axis=0)
        return (rows.mean(axis=0), np.where(deviation > 0, deviation, 1)), self.returns[self.days[chosen]].std() or 1.0

    def windows(self, chosen):
        """(N, lookback, F), features of the days up to each of the chosen ones."""
        views = np.lib.stride_tricks.sliding_window_view(self.features, self.lookback, axis=0)
        return views[self.days[chosen] - self.lookback + 1].swapaxes(1, 2)

    def batches(self, chosen, batch_size, *, unit, training=False, seed=0):
        """(features of the past, return in deviations) for `fit`; the past is cut out in the graph."""
        import tensorflow as tf

        table = tf.constant(self.features)
        targets = tf.constant((self.returns / unit).astype("float32"))
        order = tf.data.Dataset.from_tensor_slices(self.days[chosen].astype("int64"))
        if training:
            order = order.shuffle(len(chosen), seed=seed)
        past = tf.range(-self.lookback + 1, 1, dtype="int64")

        def cut(day):
            window = tf.gather(table, day[:, None] + past)
            window.set_shape((None, self.lookback, table.shape[1]))
            return window, tf.gather(targets, day)

        drop = training and len(chosen) >= batch_size
        return order.batch(batch_size, drop_remainder=drop).map(cut, tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)


def load(arguments):
    """The prices, as a `Series`."""
    from kerazoo.data.prices import load_prices, read_prices

    if arguments.data:
        series = read_prices(arguments.data, **reading.of_series(arguments))
    else:
        series = load_prices(arguments.stock)
    print(f"{series.name}: {len(series):,} days, {str(series.stamps[0])[:10]} to {str(series.stamps[-1])[:10]}.")
    print("".join(f"  {note}\n" for note in series.notes), end="")
    return series


def build(arguments, scale):
    """Features of the past in, the next return in deviations out: a forecaster between its scaling and one channel."""
    import keras

    mean, deviation = scale
    core = kerazoo.build(
        arguments.model,
        learning_rate=arguments.learning_rate,
        precision=arguments.precision,
        seed=arguments.seed,
        lookback=arguments.lookback,
        horizon=1,
        channels=len(mean),
        **arguments.option,
    )
    past = keras.Input((arguments.lookback, len(mean)), name="features", dtype="float32")
    scaled = keras.layers.Rescaling((1 / deviation).tolist(), offset=(-mean / deviation).tolist(), name="scale")(past)
    # The first channel is the day's own return; the forecaster carries it on.
    forecast = core(keras.ops.clip(scaled, -LARGEST, LARGEST))[:, 0, 0]
    model = keras.Model(past, forecast, name=arguments.model)
    model.compile(optimizer=core.optimizer, loss=keras.losses.Huber(), jit_compile=core.jit_compile)
    return model


def train(arguments, days, fold, folder, *, verbose):
    """(model with its best weights, the return's deviation, journal) of one fold."""
    import keras

    from kerazoo.training.callbacks import Journal

    keras.utils.set_random_seed(arguments.seed)
    scale, unit = days.scale(fold.train)
    model = build(arguments, scale)
    journal = Journal(
        folder,
        configuration=running.settings(arguments, SETTINGS),
        monitor="val_loss",
        mode="min",
        patience=arguments.patience,
        open_ended=True,
    )
    first = journal.restore(model)
    journal.fit(
        model,
        days.batches(fold.train, arguments.batch_size, unit=unit, training=True, seed=arguments.seed + first),
        validation_data=days.batches(fold.validation, 512, unit=unit),
        epochs=arguments.epochs,
        verbose=verbose,
        shuffle=False,
    )
    journal.load_best(model)
    return model, unit, journal


def walk(arguments, days, folds, folder):
    """(forecasts of all test days, {fold's name: history}, the last fold's model and unit)."""
    from kerazoo.evaluate.predict import compiled

    forecasts, histories = [], []
    for number, fold in enumerate(folds, start=1):
        dates = days.series.stamps[days.days[[fold.test.start, fold.test.stop - 1]]]
        span = f"{str(dates[0])[:10]} to {str(dates[1])[:10]}"
        print(f"Fold {number} of {len(folds)}: trained on {len(fold.train):,} days, tested on {span}.")
        verbose = ("auto" if sys.stdout.isatty() else 2) if number == 1 else 0
        model, unit, journal = train(arguments, days, fold, folder / f"fold-{number}", verbose=verbose)
        forecasts.append(compiled(model)(days.windows(fold.test)) * unit)
        histories.append({"test": span} | journal.record())
    return np.concatenate(forecasts).astype("float64"), histories, (model, unit)


def judge(arguments, days, folds, forecasts):
    """`(test days, rows of the forecasts, {strategy: Performance}, rows of the strategies)`."""
    from kerazoo.evaluate import trading

    chosen = days.days[folds[0].test.start : folds[-1].test.stop]
    earned = days.returns[chosen]
    past = [days.returns[days.days[fold.train]].mean() for fold in folds]
    mean = np.repeat(past, [len(fold.test) for fold in folds])
    month = days.features[chosen, 7].astype("float64")  # The return of 20 days.
    candidates = {
        arguments.model: forecasts,
        "random walk (no return)": np.zeros(len(earned)),
        "mean return of the past": mean,
        "momentum (mean of 20 days)": month / 20,
    }
    rows = []
    for name, answer in candidates.items():
        coefficient, t = trading.information_coefficient(answer, earned)
        hit, error = trading.hits(answer, earned) if np.any(answer) else (None, None)
        rows.append(
            {
                "name": name,
                "rmse": float(np.sqrt(np.mean((answer - earned) ** 2))),
                "information_coefficient": coefficient,
                "t": t,
                "hits": hit,
                "hits_error": error,
            }
        )
    positions = {
        f"{arguments.model}, long or flat": (forecasts > 0).astype(float),
        f"{arguments.model}, long or short": np.sign(forecasts),
        "momentum, long or flat": (month > 0).astype(float),
        HOLD: np.ones(len(earned)),
    }
    cost = arguments.cost / 1e4
    performances = {name: trading.backtest(p, earned, cost=cost, seed=arguments.seed) for name, p in positions.items()}
    return chosen, rows, performances, trading.compared(performances, HOLD, seed=arguments.seed)


def export(arguments, model, unit, days, fold):
    """Exports the last fold's network: features in, the forecast return out. Returns the files' rows."""
    import keras

    from kerazoo.data.prices import FEATURES
    from kerazoo.evaluate.predict import compiled, difference

    returns = keras.layers.Rescaling(float(unit), name="forecast_return")(model.output)
    model = keras.Model(model.input, returns, name=arguments.model)
    windows = days.windows(fold.test)
    report = running.export(
        arguments,
        model,
        formats=("saved_model", "tflite"),
        representative_data=windows[:64],
        metadata={"features": list(FEATURES), "lookback": arguments.lookback, "dataset": days.series.name},
    )
    reference = compiled(model)(windows)
    return [
        {
            "form": file.engine,
            "folder": report.path,
            "bytes": file.bytes,
            "difference": difference(reference, kerazoo.load(report.path, engine=file.engine)(windows)),
            "latency_ms": file.latency_ms,
        }
        for file in report.files
    ]


def main(argv=None):
    """Runs the application; returns the record that `run.json` in the run's folder holds."""
    return running.main(parse_args(argv), _run, NEEDS)


def _run(arguments, start):
    import_tensorflow()
    from kerazoo.data.splits import walk_forward
    from kerazoo.evaluate import stock_report
    from kerazoo.training.callbacks import mark

    given = running.given(arguments, parse_args([]))
    settle(arguments)
    name = arguments.stock or arguments.data.stem
    folder = running.new_folder(TASK, f"{name}-{arguments.model}", arguments)
    with running.resumable(running.command(TASK, given, "--resume", f"--out={folder}")):
        days = Days(load(arguments), arguments.lookback)
        folds = walk_forward(
            len(days.days), folds=arguments.folds, first=int(arguments.first * len(days.days)), reach=REACH
        )
        # Each fold has its own journal.
        mark(folder, running.settings(arguments, SETTINGS), open_ended=True)
        forecasts, histories, (model, unit) = walk(arguments, days, folds, folder)
        chosen, rows, performances, strategies = judge(arguments, days, folds, forecasts)
        print("Exporting ...")
        exports = export(arguments, model, unit, days, folds[-1])
    dates = days.series.stamps[chosen]
    lines = [f"{str(d)[:10]},{f:.8f},{r:.8f}" for d, f, r in zip(dates, forecasts, days.returns[chosen])]
    (folder / "forecasts.csv").write_text("\n".join(["date,forecast,return", *lines, ""]), encoding="utf-8")
    record = running.record(
        TASK,
        given,
        running.settings(arguments, SETTINGS),
        start,
        dataset=days.series.record()
        | {
            "split": f"{len(folds)} folds in order of time, {len(chosen):,} test days from {str(dates[0])[:10]} on; "
            f"{REACH} days left out between training, validation and test"
        },
        model={"name": arguments.model, "lookback": arguments.lookback},
        folds=histories,
        forecasts=rows,
        strategies=strategies,
        exports=exports,
    )
    equity = {name: (dates, done.equity) for name, done in performances.items()}
    return running.finish(
        arguments,
        record,
        stock_report.page(record, equity=equity, forecasts=forecasts, returns=days.returns[chosen]),
        stock_report.summary(record),
        folder,
    )


if __name__ == "__main__":
    main()
