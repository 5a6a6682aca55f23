"""From a trained forecaster to its export and its judgement, on the test windows of a `SeriesParts`."""

from importlib.util import find_spec

import numpy as np

import kerazoo
from kerazoo.applications import running
from kerazoo.applications.forecast_ahead import Ahead

SLOW_ORIGINS = 12  # Windows of the baseline that is fitted anew to each.
SHOWN = 4  # Forecasts on the report.
PATHS = 100  # Futures drawn for the quantiles of a forecaster that answers distributions.


def answers_distribution(name):
    """Whether a forecaster answers the parameters of distributions; the mean stands first."""
    return "distribution" in kerazoo.info(name)["arguments"]


def builder_arguments(arguments, parts):
    """What the builder is called with, beside how to train."""
    options = {"lookback": parts.lookback, "horizon": parts.horizon, "channels": len(parts.channels.names)}
    if arguments.quantiles and not answers_distribution(arguments.model):
        options["quantiles"] = tuple(arguments.quantiles)
    options |= {name: len(columns.names) for name, columns in parts.covariates.items()}
    return options | arguments.option


class Judging:
    """A trained forecaster before the test windows, which are looked at here and nowhere else.

    Args:
        arguments: of `energy_forecasting`, settled.
        parts: the `SeriesParts`.
        weights: of the epoch that was kept.
        season: rows of a season, for the naive forecast.
    """

    def __init__(self, arguments, parts, weights, season):
        from kerazoo.evaluate import forecasting

        self.arguments, self.parts, self.weights = arguments, parts, weights
        self.sizes = {"lookback": parts.lookback, "horizon": parts.horizon}
        self.origins = parts.origins("test")
        self.season = season
        self.naive_name = f"seasonal naive ({season} rows)"
        self.naive = {
            "last value": forecasting.last_value(parts.horizon),
            self.naive_name: forecasting.seasonal_naive(parts.horizon, season),
        }

    def judge(self, coverage):
        """Exports, puts the test windows to the model, every file and the baselines, and forecasts what comes after.

        Args:
            coverage: share of what comes that the prediction intervals are to hold.

        Returns:
            What the record and the report take from it, by their names.

        Raises:
            LookAhead: the forecasts know of rows after their origin; nothing is exported then.
        """
        from kerazoo.evaluate import forecasting
        from kerazoo.evaluate.predict import compiled, difference

        observed = self.parts.tables.get("observed")
        told = [self.parts.channels.values] if observed is None else [self.parts.channels.values, observed]
        forecasting.check_no_look_ahead(self._anew, np.concatenate(told, axis=1), int(self.origins[0]))
        model = self.deployable(self.parts)
        network = compiled(model)
        ahead = Ahead(self.parts, self._points(self.run(network, self.parts.origins("validation"))), coverage)
        report = self._export(model, ahead)
        forms = {file.engine: kerazoo.load(report.path, engine=file.engine) for file in report.files}
        print("Testing the model, its exported files and the baselines ...")
        answers = {form: self.run(function) for form, function in ({"keras": network} | forms).items()}
        judged = {form: self.errors(*both) for form, both in answers.items()}
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
        beyond = ahead.record(lambda inputs: self._point(np.asarray(network(inputs))), self._points(answers["keras"]))
        return {
            "test": judged["keras"].record(self.parts.channels.names),
            "ahead": beyond,
            "ahead_examples": ahead.examples(beyond, SHOWN),
            "exports": exports,
            "baselines": [{"name": name} | _row(self.errors(*self.run_naive(f))) for name, f in self.naive.items()],
            "quantiles": self._quantiles(answers["keras"]),
            "few_origins": self._few(network),
            "examples": self._examples(network),
        }

    def deployable(self, parts):
        """The trained model in float32 between its scaling: raw past and covariates in, raw forecast out."""
        import keras

        core = self._core(parts)
        sizes = {"past": (parts.lookback, parts.channels)} | {
            name: (parts.lookback + (parts.horizon if name == "known" else 0), columns)
            for name, columns in parts.covariates.items()
        }
        inputs, scaled = {}, {}
        for name, (rows, columns) in sizes.items():
            inputs[name] = keras.Input((rows, len(columns.names)), name=name, dtype="float32")
            shift = (-columns.mean / columns.deviation).tolist()
            layer = keras.layers.Rescaling((1 / columns.deviation).tolist(), offset=shift, name=f"scale_{name}")
            scaled[name] = layer(inputs[name])
        answers = core(scaled if len(scaled) > 1 else scaled["past"])
        if answers_distribution(self.arguments.model):
            answers = answers[..., 0]
        deviation, mean = parts.channels.deviation, parts.channels.mean
        if len(answers.shape) > 3:  # The channels stand last but one.
            deviation, mean = deviation[:, None], mean[:, None]
        forecast = keras.layers.Rescaling(deviation.tolist(), offset=mean.tolist(), name="forecast")(answers)
        return keras.Model(inputs if len(inputs) > 1 else inputs["past"], forecast, name=self.arguments.model)

    def _core(self, parts):
        return kerazoo.build(
            self.arguments.model,
            weights=self.weights,
            precision="float32",
            jit_compile=False,
            **builder_arguments(self.arguments, parts),
        )

    def _export(self, model, ahead):
        from kerazoo.evaluate import forecasting

        parts = self.parts
        print("Exporting ...")
        return running.export(
            self.arguments,
            model,
            formats=("saved_model", "tflite"),
            representative_data=forecasting.inputs_at(
                parts.origins("train")[:64], parts.channels.values, **self.sizes, **parts.tables
            ),
            metadata={
                "columns": list(parts.channels.names),
                "covariates": {name: list(columns.names) for name, columns in parts.covariates.items()},
                "step_seconds": parts.series.step,
                "quantiles": self.arguments.quantiles,
                "intervals": ahead.metadata(),
                "grid": self.arguments.grid,
                "dataset": parts.series.name,
            }
            | self.sizes,
        )

    def run(self, forecast, origins=None):
        """`(forecasts, truth)` of a function that takes what the model takes."""
        return self._backtest(forecast, origins, self.parts.tables)

    def run_naive(self, forecast, origins=None):
        """`(forecasts, truth)` of a function that takes the past alone."""
        return self._backtest(forecast, origins, {})

    def _backtest(self, forecast, origins, tables):
        from kerazoo.evaluate import forecasting

        origins = self.origins if origins is None else origins
        return forecasting.backtest(forecast, self.parts.channels.values, origins, **self.sizes, **tables)

    def errors(self, answers, truth):
        """`ForecastErrors` in standard deviations, of the middle quantile where there are several."""
        from kerazoo.evaluate import forecasting

        channels = self.parts.channels
        both = self._points((answers, truth))
        scaled = ((values - channels.mean) / channels.deviation for values in both)
        return forecasting.errors(*scaled)

    def _point(self, answers, axes=3):
        """The forecast itself, of so many axes: the middle quantile where there are several."""
        return answers[..., self.arguments.quantiles.index(0.5)] if answers.ndim > axes else answers

    def _points(self, both):
        return self._point(both[0]), both[1]

    def _anew(self, values, origin):
        """One forecast by all that happens from the raw rows on, scaling included."""
        from kerazoo.data.series_parts import SeriesParts
        from kerazoo.evaluate import forecasting

        old, series = self.parts, self.parts.series
        told = {name: old.covariates[name].names if name in old.covariates else () for name in ("known", "observed")}
        told["known"] = tuple(name for name in told["known"] if name in series.columns)  # The rest is the calendar's.
        known = series.select(told["known"]).values if told["known"] else values[:, :0]
        columns = (*old.channels.names, *told["observed"], *told["known"])
        changed = series.select(columns).with_values(np.concatenate([values, known], axis=1))
        parts = SeriesParts(changed, old.split, calendar=self.arguments.calendar, **self.sizes, **told)
        inputs = forecasting.inputs_at([origin], parts.channels.values, **self.sizes, **parts.tables)
        return np.asarray(self.deployable(parts)(inputs))

    def _quantiles(self, answers):
        """Rows of quantile scores, in standard deviations, of the network and of the naive forecast; or None."""
        from kerazoo.evaluate import forecasting

        arguments, parts, name = self.arguments, self.parts, self.arguments.model
        if not arguments.quantiles:
            return None
        if answers_distribution(arguments.model):
            print(f"Drawing {PATHS} futures from every test window ...")
            answers, name = self.run(self._drawn()), f"{name}, {PATHS} futures drawn by the Keras model"
        spread = forecasting.with_error_quantiles(
            self.naive[self.naive_name],
            parts.channels.values,
            parts.origins("train"),
            arguments.quantiles,
            **self.sizes,
        )
        mean, deviation, rows = parts.channels.mean, parts.channels.deviation, []
        for who, (forecasts, truth) in ((name, answers), (f"{self.naive_name} and its errors", self.run_naive(spread))):
            scaled = (forecasts - mean[:, None]) / deviation[:, None]
            scores = forecasting.quantile_scores(scaled, (truth - mean) / deviation, arguments.quantiles)
            rows.append({"name": who} | scores.record())
        return rows

    def _drawn(self):
        """Function from raw inputs to the quantiles of drawn futures, (B, horizon, C, quantiles), raw."""
        parts, core = self.parts, self._core(self.parts)
        columns = {"past": parts.channels} | parts.covariates

        def forecast(inputs):
            inputs = inputs if isinstance(inputs, dict) else {"past": inputs}
            scaled = {name: (x - columns[name].mean) / columns[name].deviation for name, x in inputs.items()}
            paths = np.asarray(core.draw_paths(scaled, paths=PATHS, seed=self.arguments.seed))
            paths = paths * parts.channels.deviation + parts.channels.mean
            return np.moveaxis(np.quantile(paths, self.arguments.quantiles, axis=1), 0, -1)

        return forecast

    def _few(self, network):
        """All forecasters on the few windows that exponential smoothing has time for, or None without statsmodels."""
        from kerazoo.evaluate import forecasting

        if not find_spec("statsmodels") or self.season < 2 or self.parts.lookback < 2 * self.season:
            return None
        chosen = self.origins[np.unique(np.linspace(0, len(self.origins) - 1, SLOW_ORIGINS).astype(int))]
        smoothing = forecasting.exponential_smoothing(self.parts.horizon, self.season)
        scores = [{"name": self.arguments.model} | _row(self.errors(*self.run(network, chosen)))]
        for name, forecast in (self.naive | {"exponential smoothing": smoothing}).items():
            scores.append({"name": name} | _row(self.errors(*self.run_naive(forecast, chosen))))
        return {"method": "Exponential smoothing (Holt-Winters)", "windows": len(chosen), "scores": scores}

    def _examples(self, network):
        """Rows for `charts.forecasts`: each of the windows shows another channel."""
        parts, rows = self.parts, []
        values, stamps, names = parts.channels.values, parts.series.stamps, parts.channels.names
        naive = self.naive[self.naive_name]
        for position, origin in enumerate(self.origins[np.linspace(0, len(self.origins) - 1, SHOWN).astype(int)]):
            channel = (len(names) - 1 - position) % len(names)
            answer = self.run(network, [origin])[0][0, :, channel]
            naive_answer = self.run_naive(naive, [origin])[0][0, :, channel]
            first, last = origin - min(parts.lookback, 2 * parts.horizon), origin + parts.horizon
            band = None
            if answer.ndim > 1:
                band, answer = answer[:, [0, -1]], self._point(answer, axes=1)
            rows.append(
                (
                    f"{names[channel]}, from {stamps[origin]}",
                    stamps[first:last],
                    values[first:origin, channel],
                    values[origin:last, channel],
                    {"forecast": answer, self.naive_name: naive_answer},
                    band,
                )
            )
        return rows


def _row(errors):
    return {"mse": errors.mse, "mae": errors.mae, "mse_by_step": errors.mse_by_step.tolist()}
