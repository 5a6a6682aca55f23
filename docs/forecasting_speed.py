"""Seconds for an epoch of ETTh1, side by side: kerazoo's windows, Keras's own `fit` on an array, NeuralForecast.

    python docs/forecasting_speed.py patchtst_small nhits tsmixer lstm_seq2seq nlinear

An epoch is every training window of all seven channels once, 336 hours back (--lookback) and 96 ahead, in batches of
128 (--batch). Each way runs in a process of its own, and the ways take turns, so that a machine that slows down slows
them all alike. Where NeuralForecast is not installed its column is left out; its models of one series get seven times
as many windows of one channel, in batches seven times as large; its LSTM reads each channel by itself, kerazoo's reads
all together.
"""

import argparse
import json
import subprocess
import sys
import time
from functools import partial
from importlib.util import find_spec

HORIZON, ROWS = 96, 8640
WAYS = ("windows", "array", "neuralforecast")
EPOCHS = 2  # That count, in each process; one before them does not.
STEPS = 8  # Of NeuralForecast's, from which the time of an epoch follows: its slowest model takes minutes for one.


def series():
    """(ROWS, 7), scaled."""
    from kerazoo.data.named_series import load_series

    values = load_series("etth1")[0].values[:ROWS]
    return (values - values.mean(axis=0)) / values.std(axis=0)


def seconds_of(step):
    """The fastest of some calls, after one that is not counted."""
    step()
    times = []
    for _ in range(EPOCHS):
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    return min(times)


def keras_epoch(name, way, batch, lookback):
    """Seconds of an epoch as `kerazoo run energy_forecasting` trains, or by Keras's on an array of all windows."""
    import numpy as np

    import kerazoo
    from kerazoo.data.windows import window_starts, windows

    values, sizes = series(), {"lookback": lookback, "horizon": HORIZON}
    starts = window_starts(ROWS, **sizes)
    if way == "windows":
        model = kerazoo.build(name, channels=7, steps_per_execution="auto", **sizes)
        data = windows(values, starts, batch_size=batch, training=True, **sizes)
        return seconds_of(lambda: model.fit(data, verbose=0, shuffle=False))
    model = kerazoo.build(name, channels=7, jit_compile=False, steps_per_execution=1, **sizes)
    cut = values[np.asarray(starts)[:, None] + np.arange(lookback + HORIZON)]
    past, future = cut[:, :lookback], cut[:, lookback:]
    return seconds_of(lambda: model.fit(past, future, batch_size=batch, verbose=0))


def neuralforecast_epoch(name, batch, lookback):
    """Seconds of as many steps as an epoch has, by what some steps more take: the start is not counted."""
    import logging
    import warnings

    import numpy as np
    import pandas
    from neuralforecast import NeuralForecast, models
    from neuralforecast.losses.pytorch import MSE

    logging.disable(logging.CRITICAL)
    warnings.filterwarnings("ignore")
    values = series()
    stamps = pandas.date_range("2016-07-01", periods=ROWS, freq="h")
    frame = pandas.DataFrame(
        {"unique_id": np.repeat(list("abcdefg"), ROWS), "ds": np.tile(stamps, 7), "y": values.T.ravel()}
    )
    quiet = dict.fromkeys(("enable_progress_bar", "enable_model_summary", "logger", "enable_checkpointing"), False)
    common = {"h": HORIZON, "input_size": lookback, "loss": MSE(), "scaler_type": "identity", "accelerator": "cpu"}
    common |= quiet | {"batch_size": 7, "windows_batch_size": 7 * batch}
    sizes = {"encoder_layers": 3, "n_heads": 4, "hidden_size": 16, "linear_hidden_size": 128, "dropout": 0.3}
    make = {
        "patchtst_small": lambda: models.PatchTST(**common, **sizes, max_steps=steps),
        "nhits": lambda: models.NHITS(**common, max_steps=steps),
        "nlinear": lambda: models.NLinear(**common, max_steps=steps),
        "tsmixer": lambda: models.TSMixer(**(common | {"windows_batch_size": batch}), n_series=7, max_steps=steps),
        "lstm_seq2seq": lambda: models.LSTM(
            **common, encoder_n_layers=1, encoder_hidden_size=128, decoder_layers=1, max_steps=steps
        ),
    }[name]
    few, epoch, times = 2, (ROWS - lookback - HORIZON + 1) // batch, {}
    for steps in (few, few + STEPS) * EPOCHS:
        model = NeuralForecast([make()], freq="h")
        start = time.perf_counter()
        model.fit(frame)
        times[steps] = min(times.get(steps, float("inf")), time.perf_counter() - start)
    return (times[few + STEPS] - times[few]) * epoch / STEPS


def main():
    """Prints a table row for each model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+")
    parser.add_argument("--batch", type=int, default=128, help="windows in a batch")
    parser.add_argument("--lookback", type=int, default=336, help="hours back")
    parser.add_argument("--rounds", type=int, default=2, help="turns that every way gets; its fastest counts")
    parser.add_argument("--ways", default=",".join(WAYS), help="some of them, with commas")
    parser.add_argument("--way", choices=WAYS, help="measure one way of one model in this process")
    arguments = parser.parse_args()
    if arguments.way:
        (name,) = arguments.models
        take = neuralforecast_epoch if arguments.way == WAYS[2] else partial(keras_epoch, way=arguments.way)
        print(json.dumps(take(name, batch=arguments.batch, lookback=arguments.lookback)))
        return
    ways = [way for way in arguments.ways.split(",") if way != WAYS[2] or find_spec(way)]
    print(f"| model | {' | '.join(ways)} |\n|---|{'---:|' * len(ways)}")
    for name in arguments.models:
        best = dict.fromkeys(ways, float("inf"))
        for way in ways * arguments.rounds:
            sizes = [f"--batch={arguments.batch}", f"--lookback={arguments.lookback}"]
            command = [sys.executable, __file__, name, f"--way={way}", *sizes]
            output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
            best[way] = min(best[way], float(output.splitlines()[-1]))
        print(f"| `{name}` | {' | '.join(f'{seconds:.2f} s' for seconds in best.values())} |", flush=True)


if __name__ == "__main__":
    main()
