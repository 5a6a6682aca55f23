"""The forecast beyond the end of a series: the steps after its last row, with prediction intervals, as a table."""

import csv

import numpy as np

FILE = "forecast.csv"


class Ahead:
    """Prediction intervals of a trained forecaster, and its forecast of the rows after a series' last one.

    Args:
        parts: the `SeriesParts`; the intervals are made from the errors on its validation windows.
        validation: (forecasts, truth) there, (N, horizon, C) each, raw.
        coverage: share of what comes that the intervals are to hold.
    """

    def __init__(self, parts, validation, coverage):
        from kerazoo.evaluate.conformal import half_widths

        self.parts, self.coverage, self.windows = parts, coverage, len(validation[0])
        self.widths = half_widths(*validation, coverage)

    def metadata(self):
        """What travels with the export: the intervals' half widths, (horizon, C), or None where they are infinite."""
        known = np.isfinite(self.widths).all()
        return {"coverage": self.coverage, "half_widths": self.widths.tolist() if known else None}

    def record(self, forecast, test):
        """The forecast and the coverage that was measured, as JSON types.

        Args:
            forecast: function from raw inputs to raw point forecasts, (1, horizon, C).
            test: (forecasts, truth) of the test windows, on which the share that the intervals hold is measured.
        """
        from kerazoo.evaluate.conformal import coverage_of

        bounded = bool(np.isfinite(self.widths).all())
        by_step = coverage_of(*test, self.widths) if bounded else None
        record = {
            "coverage": self.coverage,
            "calibration_windows": self.windows,
            "bounded": bounded,
            "measured": float(by_step.mean()) if bounded else None,
            "measured_by_step": by_step.tolist() if bounded else None,
            "test_windows": len(test[0]),
            "left_out": None,
        }
        try:
            inputs, stamps, spacing = self.parts.ahead()
        except ValueError as error:
            return record | {"left_out": str(error)}
        point = np.asarray(forecast(inputs), "float64")[0]
        return record | described(self.parts.series, self.parts.channels.names, stamps, spacing, point, self.widths)

    def examples(self, record, shown):
        """Rows for `charts.forecasts`, as the function `examples` gives them; none where there is no forecast."""
        if record["left_out"]:
            return []
        parts = self.parts
        return examples(record, parts.series.stamps, parts.ahead()[1], parts.channels.values[:, :shown])


def described(series, names, stamps, spacing, point, widths):
    """A forecast of the rows after a series' last one, as JSON types.

    Args:
        series: the `Series`.
        names: of the channels.
        stamps, spacing: of the rows ahead, as `kerazoo.data.stamps_ahead` gives them.
        point: (horizon, C), the forecast.
        widths: (horizon, C), how far the intervals reach to each side.

    Returns:
        {"after", "stamps", "spacing", "bounded", "series": {name: {"forecast", "lower", "upper"}}}.
    """
    bounds = {"forecast": point, "lower": point - widths, "upper": point + widths}
    return {
        "after": series.when(len(series) - 1),
        "stamps": _written(series, stamps),
        "spacing": spacing,
        "bounded": bool(np.isfinite(widths).all()),
        "series": {
            name: {bound: values[:, place].tolist() for bound, values in bounds.items()}
            for place, name in enumerate(names)
        },
    }


def _written(series, stamps):
    """Stamps as text, dates alone where no row has another time than midnight; numbers of rows only counted."""
    if not series.dated:
        return [str(len(series) + step) for step in range(1, len(stamps) + 1)]
    days = not (series.stamps.astype("int64") % 86_400).any() and not (stamps.astype("int64") % 86_400).any()
    return [str(stamp) for stamp in (stamps.astype("datetime64[D]") if days else stamps)]


def examples(record, stamps, ahead, values):
    """Rows for `charts.forecasts`: the forecast of each channel behind the rows before it.

    Args:
        record: of `described`.
        stamps, ahead: datetime64, of the series and of the rows after it.
        values: (T, C), raw, of the channels to show.
    """
    past, rows = min(len(stamps), max(2 * len(ahead), 12)), []
    for (name, series), column in zip(record["series"].items(), values.T):
        band = np.stack([series["lower"], series["upper"]], axis=1) if record["bounded"] else None
        title = f"{name}, after {record['after']}"
        future = {"forecast": np.asarray(series["forecast"])}
        rows.append((title, np.concatenate([stamps[-past:], ahead]), column[-past:], None, future, band))
    return rows


def write(record, folder):
    """Writes a forecast that is `described` as a table into a run's folder; a file that is there is left as it is.

    Returns:
        The file's path, or None where there is no forecast.
    """
    if record.get("left_out"):
        return None
    path, number = folder / FILE, 2
    while path.exists():  # Of the same run before it was resumed.
        path, number = folder / f"forecast-{number}.csv", number + 1
    head, columns = ["stamp"], [record["stamps"]]
    for name, series in record["series"].items():
        for bound, values in series.items():
            title = name if bound == "forecast" else f"{name}_{bound}"
            while title in head:
                title += "_"
            head.append(title)
            columns.append([_cell(value) for value in values])
    with path.open("x", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([head, *zip(*columns)])
    return path


def _cell(value):
    return str(np.float32(value)) if np.isfinite(value) else ""
