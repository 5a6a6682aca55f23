"""What all tabular models share: their inputs, their checks, how they are compiled, random tables to test with."""

import keras
import numpy as np
from keras import layers

from kerazoo.training.adamw import SelectiveAdamW

# Objective -> the loss of the outputs, logits where they are classes.
OBJECTIVES = ("binary", "multiclass", "regression")


def row_inputs(numeric, cardinalities):
    """{"numeric": (B, numeric) float32, "categories": (B, len(cardinalities)) int32}, those that there are.

    Raises:
        ValueError: no column at all, or a category with fewer than two values.
    """
    if not isinstance(numeric, int) or numeric < 0 or not numeric + len(cardinalities):
        raise ValueError(f"A row needs a column. Received: numeric={numeric!r} and cardinalities={cardinalities!r}.")
    if any(not isinstance(count, int) or count < 2 for count in cardinalities):
        raise ValueError(f"`cardinalities` must be integers of at least 2. Received: {cardinalities!r}.")
    inputs = {}
    if numeric:
        inputs["numeric"] = keras.Input((numeric,), name="numeric", dtype="float32")
    if cardinalities:
        inputs["categories"] = keras.Input((len(cardinalities),), name="categories", dtype="int32")
    return inputs


def only(inputs):
    """The inputs as a model takes them: a dict, or its only member."""
    return inputs if len(inputs) > 1 else next(iter(inputs.values()))


def embedded_row(inputs, cardinalities, width):
    """(B, features): the numbers, and for every category an embedding of `width`, side by side."""
    parts = [inputs["numeric"]] if "numeric" in inputs else []
    for index, count in enumerate(cardinalities):
        category = inputs["categories"][:, index]
        # As rtdl's; Keras's own start, within 0.05, is so small beside the numbers that categories come in last.
        start = keras.initializers.RandomUniform(-(width**-0.5), width**-0.5)
        embedding = layers.Embedding(count, width, start, name=f"category{index + 1}_embedding")
        parts.append(embedding(category))
    return layers.Concatenate(name="row")(parts) if len(parts) > 1 else parts[0]


def compile_rows(model, objective, learning_rate, *, weight_decay=1e-5):
    """Compiles with AdamW and the objective's loss; only kernels decay; returns the model."""
    losses = {
        "binary": keras.losses.BinaryCrossentropy(from_logits=True),
        "multiclass": keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        "regression": keras.losses.MeanSquaredError(),
    }
    metrics = {
        "binary": [keras.metrics.BinaryAccuracy(name="accuracy", threshold=0.0)],
        "multiclass": ["accuracy"],
        "regression": [keras.metrics.MeanAbsoluteError(name="mae")],
    }
    model.compile(
        optimizer=SelectiveAdamW(learning_rate, weight_decay=weight_decay),
        loss=losses[objective],
        metrics=metrics[objective],
    )
    return model


def check_objective(objective, outputs):
    """Refuses an unknown objective, or outputs that do not fit it.

    Raises:
        ValueError: it is not one of `OBJECTIVES`, or the number of outputs makes no sense with it.
    """
    if objective not in OBJECTIVES:
        raise ValueError(f"`objective` must be one of {OBJECTIVES}. Received: {objective!r}.")
    least = 2 if objective == "multiclass" else 1
    if not isinstance(outputs, int) or outputs < least:
        raise ValueError(f"`outputs` must be an integer of at least {least} for {objective!r}. Received: {outputs!r}.")


def sample_of(*, numeric, cardinalities, outputs):
    """`(rng, batch) -> (rows, classes)`: random tables, for `register(sample=)`."""

    def sample(rng, batch):
        rows = {
            "numeric": rng.normal(size=(batch, numeric)).astype("float32"),
            "categories": np.stack([rng.integers(0, count, batch) for count in cardinalities], axis=1).astype("int32"),
        }
        return rows, rng.integers(0, outputs, batch)

    return sample
