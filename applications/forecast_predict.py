"""What an exported forecaster makes of a user's newer file: the rows after its last one, as a table and a page."""

import time
from pathlib import Path

import numpy as np

from kerazoo.applications import forecast_ahead, predicting, reading, running
from kerazoo.json_files import finite
from kerazoo.quiet import import_tensorflow

TASK = "energy_forecasting"
SHOWN = 4  # Channels on the page.


def add_options(parser):
    """--predict and what goes with it."""
    group = parser.add_argument_group("prediction, in place of training")
    group.add_argument(
        "--predict", type=Path, metavar="FILE", help="a .csv or .parquet that ends where forecasts begin"
    )
    predicting.add_from(group, "forecaster")


def refuse(arguments):
    """Refuses --from without --predict.

    Raises:
        ValueError: it is given.
    """
    predicting.refuse(arguments, ["export_from"], "--predict FILE")


def run(arguments, start):
    """Writes `forecast.csv` and `report.html` into a new folder.

    Returns:
        The record that `run.json` there holds: the command, the forecast and where it was written.

    Raises:
        FileNotFoundError: nothing at --predict or --from.
        ValueError: no --from, an export that is no forecaster of `energy_forecasting`, one that is told of columns
            whose later values no file holds, or a file with too few rows or of another spacing.
    """
    predicting.need_export(arguments, "forecaster")
    if arguments.data or arguments.series:
        raise ValueError("`--predict` takes the place of `--data` and `--series`. Received: both.")
    import_tensorflow()
    import kerazoo
    from kerazoo.data.series import read_series
    from kerazoo.evaluate import forecast_report
    from kerazoo.evaluate.runs import environment, write_record

    model = kerazoo.load(arguments.export_from)
    facts = _facts(model, arguments.export_from)
    names, observed = facts["columns"], facts["covariates"].get("observed", [])
    series = read_series(
        arguments.predict,
        time=arguments.time,
        columns=[*names, *observed],
        grid=facts["grid"],
        date_format=arguments.date_format,
        dialect=reading.dialect(arguments),
    )
    inputs, stamps, spacing = _inputs(series, facts, arguments.predict)
    point = np.asarray(model(inputs), "float64")[0]
    if point.ndim > 2:
        point = point[..., facts["quantiles"].index(0.5)]
    intervals = facts["intervals"]
    widths = np.full(point.shape, np.inf) if intervals["half_widths"] is None else np.array(intervals["half_widths"])
    found = forecast_ahead.described(series, names, stamps, spacing, point, widths)
    folder = running.new_folder(TASK, f"predict-{arguments.predict.stem}", arguments)
    folder.mkdir(parents=True, exist_ok=True)
    found |= {"coverage": intervals["coverage"], "file": str(forecast_ahead.write(found, folder))}
    given = {"predict": str(arguments.predict), "from": str(arguments.export_from)}
    record = finite(
        {
            "task": TASK,
            "command": running.command(TASK, given),
            "model": str(arguments.export_from),
            "dataset": series.record(),
            "ahead": found,
            "environment": environment(),
            "minutes": (time.perf_counter() - start) / 60,
        }
    )
    rows = forecast_ahead.examples(found, series.stamps, stamps, series.values[:, : min(SHOWN, len(names))])
    forecast_report.ahead_page(record, ahead=rows).write(folder / "report.html")
    write_record(record, folder / "run.json")
    steps = f"{len(stamps):,} steps after {found['after']} ({spacing})"
    print("".join(f"  {note}\n" for note in series.notes), end="")
    print(f"{steps}: {found['file']}\n{forecast_report.intervals_of_export(found)}\nReport: {folder / 'report.html'}")
    return record


def _facts(model, folder):
    """The export's metadata.

    Raises:
        ValueError: they are not those of a forecaster of this application, with intervals.
    """
    facts = model.metadata or {}
    if not {"columns", "covariates", "lookback", "horizon", "grid", "intervals"} <= set(facts):
        raise ValueError(
            "`--from` must be a forecaster exported by `kerazoo run energy_forecasting`, by this version or a later "
            f"one. Received: {folder}."
        )
    return facts


def _inputs(series, facts, path):
    """(inputs of one window, stamps ahead, their spacing in words)."""
    from kerazoo.data.calendar import calendar
    from kerazoo.data.stamps_ahead import stamps_ahead

    lookback, horizon, count = facts["lookback"], facts["horizon"], len(facts["columns"])
    if len(series) < lookback:
        raise ValueError(f"{path} must have the {lookback} rows that the model sees. Received: {len(series)}.")
    if facts["grid"] == "even" and series.step != facts["step_seconds"]:
        raise ValueError(
            f"{path} must have a row every {facts['step_seconds']} s, as what the model was trained on. "
            f"Received: every {series.step} s."
        )
    stamps, spacing = stamps_ahead(series.stamps, horizon)
    inputs = {"past": series.values[None, -lookback:, :count]}
    if known := facts["covariates"].get("known"):
        values, names = calendar(np.concatenate([series.stamps, stamps]))
        if unknown := [name for name in known if name not in names]:
            raise ValueError(
                "`--predict` needs a model whose known columns are the calendar's: no file holds what comes after it. "
                f"Received: one that is told of {unknown}."
            )
        inputs["known"] = values[None, -lookback - horizon :, [names.index(name) for name in known]]
    if "observed" in facts["covariates"]:
        inputs["observed"] = series.values[None, -lookback:, count:]
    return (inputs if len(inputs) > 1 else inputs["past"]), stamps, spacing
