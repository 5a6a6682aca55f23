"""Networks on tables: built for the data at hand, trained, asked, and exported with their preprocessing."""

from dataclasses import dataclass, replace

import numpy as np

import kerazoo
from kerazoo.applications import running

PIECEWISE_BINS = 16  # Of a piecewise-linear embedding whose edges are not given.
LARGEST_CALL = 1024  # Rows that a model is asked about together.


@dataclass
class Network:
    """A trained network and what its inputs and outputs mean.

    Attributes:
        model: the Keras model: classes' logits, or of a regression the standardised number.
        encoder: from a `Table` to its inputs.
        weights: (classes,), what a row of each class weighed in training.
        journal: of the training.
        scale: (mean, deviation) of a regression's target among the training rows, or None.
    """

    model: object
    encoder: object
    weights: np.ndarray
    journal: object
    scale: tuple | None = None

    def answers(self, table):
        """What the network says of the rows of a `Table`: `probabilities`, or of a regression numbers, (N,)."""
        if self.scale is None:
            return self.probabilities(table)
        mean, deviation = self.scale
        return self._outputs(table)[:, 0] * deviation + mean

    def probabilities(self, table):
        """Of every class for the rows of a `Table`, (N, classes) float64, the training's weights taken out again."""
        from kerazoo.evaluate.classification import softmax

        logits = self._outputs(table)
        if logits.shape[1] == 1:  # Of the class looked for; the other one's is 0.
            logits = logits * (np.arange(2) == table.positive)
        return softmax(logits - np.log(self.weights))

    def _outputs(self, table):
        from kerazoo.models.tabular.rows import only

        rows = self.encoder(table)
        parts = []
        for start in range(0, len(table), LARGEST_CALL):
            part = {name: values[start : start + LARGEST_CALL] for name, values in rows.items()}
            parts.append(np.asarray(self.model(only(part), training=False), "float64"))
        return np.concatenate(parts)


def build(arguments, table, encoder, **options):
    """The compiled model for the encoder's inputs and the table's classes or numbers."""
    from kerazoo.data.encoder import bin_edges

    count = len(table.classes)
    chosen = kerazoo.info(arguments.model)["arguments"] | arguments.option
    if chosen.get("numeric_embedding") == "piecewise" and encoder.numeric:
        options = {"bin_edges": bin_edges(encoder.scaled(table), PIECEWISE_BINS)} | options
    return kerazoo.build(
        arguments.model,
        numeric=len(encoder.numeric),
        cardinalities=encoder.cardinalities,
        outputs=count if count > 2 else 1,
        objective={0: "regression", 2: "binary"}.get(count, "multiclass"),
        **(options | arguments.option),
    )


def train(arguments, train_rows, validation_rows, folder, settings, *, verbose):
    """A `Network` with its best weights, trained with early stopping on the validation rows."""
    import keras
    import tensorflow as tf

    from kerazoo.data.encoder import Encoder
    from kerazoo.models.tabular.rows import only
    from kerazoo.training.callbacks import Journal

    keras.utils.set_random_seed(arguments.seed)
    encoder = Encoder(train_rows, scaling=arguments.scaling)
    options = {"learning_rate": arguments.learning_rate, "precision": arguments.precision, "seed": arguments.seed}
    model = build(arguments, train_rows, encoder, steps_per_execution="auto", **options)
    options = {"monitor": "val_loss", "mode": "min", "patience": arguments.patience, "open_ended": True}
    journal = Journal(folder, configuration=settings, **options)
    first = journal.restore(model)
    scale = None if train_rows.classes else (train_rows.target.mean(), train_rows.target.std() or 1.0)
    counts = np.maximum(np.bincount(train_rows.strata, minlength=len(train_rows.classes)), 1)
    weights = np.ones(len(counts)) if arguments.weighting == "none" else counts.sum() / (len(counts) * counts)

    def batches(rows, shuffle):
        targets = rows.target
        if scale:
            targets = ((targets - scale[0]) / scale[1]).astype("float32")[:, None]
        elif len(rows.classes) == 2:
            targets = (targets == rows.positive).astype("float32")[:, None]
        parts = (only(encoder(rows)), targets)
        if arguments.weighting != "none":
            parts += (weights[rows.target].astype("float32"),)
        data = tf.data.Dataset.from_tensor_slices(parts)
        if shuffle:
            data = data.shuffle(len(rows), seed=arguments.seed + first)
        return data.batch(arguments.batch_size if shuffle else LARGEST_CALL).prefetch(tf.data.AUTOTUNE)

    journal.fit(
        model,
        batches(train_rows, True),
        validation_data=batches(validation_rows, False),
        epochs=arguments.epochs,
        verbose=verbose,
        shuffle=False,
    )
    journal.load_best(model)
    return Network(model, encoder, weights, journal, scale)


def deployable(arguments, network, table):
    """The network behind its preprocessing: raw columns in, probabilities or numbers out.

    The output is that of the class looked for, (B, 1), where there are two, or else of each class, (B, classes); of a
    regression the number, (B, 1).
    """
    import keras

    from kerazoo.layers.quantile_scale import QuantileScale
    from kerazoo.layers.standardize import Standardize
    from kerazoo.models.tabular.rows import only

    encoder, inputs, encoded = network.encoder, {}, {}
    if encoder.numeric:
        inputs["numeric"] = keras.Input((len(encoder.numeric),), name="numeric", dtype="float32")
        if encoder.scaling == "quantile":
            scale = QuantileScale(encoder.median, *zip(*encoder.points), name="scale")
        else:
            scale = Standardize(encoder.median, encoder.mean, encoder.deviation, name="standardize")
        encoded["numeric"] = scale(inputs["numeric"])
    if encoder.values:
        inputs["categories"] = keras.Input((len(encoder.values),), name="categories", dtype="string")
        columns = [
            keras.layers.StringLookup(vocabulary=known or ["\0"], name=f"lookup{i + 1}")(
                inputs["categories"][:, i : i + 1]
            )
            for i, known in enumerate(encoder.values.values())
        ]
        joined = keras.layers.Concatenate(name="codes")(columns) if len(columns) > 1 else columns[0]
        encoded["categories"] = keras.ops.cast(joined, "int32")
    if network.scale:
        mean, deviation = network.scale
        value = keras.layers.Rescaling(deviation, mean, dtype="float32", name="value")
        return keras.Model(only(inputs), value(network.model(only(encoded))), name=arguments.model)
    weighed, positive = np.log(network.weights), table.positive
    if len(table.classes) == 2:
        weighed = weighed[positive : positive + 1] - weighed[1 - positive]
    logits = network.model(only(encoded)) - weighed.astype("float32")
    kind, name = ("sigmoid", "probability") if len(weighed) == 1 else ("softmax", "probabilities")
    last = keras.layers.Activation(kind, dtype="float32", name=name)
    return keras.Model(only(inputs), last(logits), name=arguments.model)


def raw_rows(table, encoder):
    """What the exported model takes for these rows."""
    from kerazoo.models.tabular.rows import only

    inputs = {}
    if encoder.numeric:
        inputs["numeric"] = np.stack([table.numeric[name] for name in encoder.numeric], axis=1).astype("float32")
    if encoder.values:
        inputs["categories"] = np.stack([table.categories[name] for name in encoder.values], axis=1)
    return only(inputs)


def export(arguments, network, development, test, scores):
    """Exports the network, loads every file again and puts the test rows to it.

    Returns:
        [{"form", "folder", "file", "bytes", "difference", "latency_ms", ...scores}], a row for each file.
    """
    encoder, two = network.encoder, len(test.classes) == 2
    report = running.export(
        arguments,
        deployable(arguments, network, development),
        signature="columns",
        formats=("saved_model",) if encoder.values else ("saved_model", "tflite"),  # TFLite has no table of words.
        representative_data=raw_rows(development.take(np.arange(min(len(development), 64))), encoder),
        metadata={
            "numeric": list(encoder.numeric),
            "categories": list(encoder.values),
            "words": encoder.values,
            "classes": list(test.classes),
            "positive": test.classes[test.positive] if two else None,
            "target": arguments.target,
            "output": "probabilities" if test.classes else "values",
            "dataset": test.name,
        },
    )
    expected, raw, rows = network.answers(test), raw_rows(test, encoder), []
    for file in report.files:
        answer = np.asarray(kerazoo.load(report.path, engine=file.engine)(raw), "float64")
        if two:
            answer = np.where(np.arange(2) == test.positive, answer, 1 - answer)
        elif not test.classes:
            answer = answer[:, 0]
        rows.append(
            {
                "form": file.engine,
                "folder": report.path,
                "file": file.path,
                "bytes": file.bytes,
                "difference": float(np.abs(answer - expected).max()),
                "latency_ms": file.latency_ms,
            }
            | scores(answer, test)
        )
    return rows


def float32(arguments, network, table):
    """The same network in float32, whatever it was trained in."""
    served = build(arguments, table, network.encoder, precision="float32", jit_compile=False)
    served.set_weights(network.model.get_weights())
    return replace(network, model=served)
