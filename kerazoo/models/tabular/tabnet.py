"""TabNet (Arik & Pfister, 2019, https://arxiv.org/abs/1908.07442), as in pytorch-tabnet.

Step by step a sparse mask chooses the columns to look at; what was looked at is worth less in the steps after. All
embedded numbers of a category share one place in the mask. Differs from the paper as that package does: logits of
the sum over the steps, no bias in any dense layer; from the package: without its pretraining.
"""

import math

import keras
from keras import layers, ops

from kerazoo.layers.batch_normalization import BatchNormalization
from kerazoo.layers.ghost_batch_normalization import GhostBatchNormalization
from kerazoo.layers.sparse_mask import SparseMask
from kerazoo.models.tabular.rows import check_objective, compile_rows, embedded_row, only, row_inputs, sample_of
from kerazoo.registry import register

VARIANTS = {"tabnet": {"params": 6_152}}  # pytorch-tabnet's TabNetNoEmbeddings(8, 1).
SMOKE = {
    "numeric": 5,
    "cardinalities": (3, 4),
    "outputs": 4,
    "objective": "multiclass",
    "steps": 2,
    "virtual_batch_size": 4,
}


def _dense(units, inputs, *, scale, name):
    """A dense layer without bias that starts as pytorch-tabnet's: normal, of variance `scale` / sqrt(inputs)."""
    start = keras.initializers.RandomNormal(stddev=math.sqrt(scale / math.sqrt(inputs)))
    return layers.Dense(units, use_bias=False, kernel_initializer=start, name=name)


def _gated(x, dense, *, norm, name):
    """(B, features) -> (B, width): a dense layer of twice the width, normalised, one half gating the other."""
    x = GhostBatchNormalization(name=f"{name}_norm", **norm)(dense(x))
    width = x.shape[-1] // 2
    gate = layers.Activation("sigmoid", name=f"{name}_gate")(x[:, width:])
    return layers.Multiply(name=f"{name}_gated")([x[:, :width], gate])


def _transform(x, width, *, shared, independent, norm, name):
    """(B, features) -> (B, width): the layers that all steps share, then the step's own, with halved residuals."""
    for index in range(1, len(shared) + independent + 1):
        own = index > len(shared)
        name_ = f"{name}_own{index - len(shared)}" if own else f"{name}_shared{index}"
        dense = _dense(2 * width, x.shape[-1], scale=2, name=name_) if own else shared[index - 1]
        y = _gated(x, dense, norm=norm, name=name_)
        x = y if index == 1 else layers.Add(name=f"{name_}_add")([x, y]) * math.sqrt(0.5)
    return x


def _spread(mask, numeric, width):
    """(B, columns) -> (B, features): a category's place divided among its embedded numbers."""
    if width == 1 or mask.shape[-1] == numeric:
        return mask
    categories = ops.repeat(mask[:, numeric:], width, axis=-1) / width
    return ops.concatenate([mask[:, :numeric], categories], axis=-1) if numeric else categories


@register(
    domain="tabular",
    task="tabular",
    variants=VARIANTS,
    smoke=SMOKE,
    sample=sample_of(numeric=5, cardinalities=(3, 4), outputs=4),
)
def tabnet(
    *,
    numeric=8,
    cardinalities=(),
    decision_width=8,
    attention_width=8,
    steps=3,
    shared=2,
    independent=2,
    relaxation=1.3,
    entropy_penalty=1e-3,
    virtual_batch_size=128,
    momentum=0.98,
    category_width=1,
    outputs=1,
    objective="binary",
    learning_rate=2e-2,
    name="tabnet",
):
    """TabNet on rows, compiled with Adam and the loss of its objective.

    Args:
        numeric: columns of numbers.
        cardinalities: values of each category.
        decision_width: numbers that a step adds to the decision.
        attention_width: numbers that a step hands to the next one's mask.
        steps: of looking at columns.
        shared: gated layers that all steps share.
        independent: gated layers of each step's own.
        relaxation: 1 lets a column be used by one step alone, more lets it come back.
        entropy_penalty: weight of the masks' entropy in the loss.
        virtual_batch_size: rows of a part of the batch that is normalised by itself.
        momentum: of the norms' statistics.
        category_width: size of a category's embedding.
        outputs: size of the output's last axis.
        objective: "binary", "multiclass" or "regression".
        learning_rate: a rate or a schedule.
        name: the model's name.

    Shapes: {"numeric": (B, numeric) float32, "categories": (B, K) int32}, or the only one of them -> float32 logits
        or values, (B, outputs).

    Raises:
        ValueError: no column, an unknown objective, outputs that do not fit it, no step, no gated layer, or a
            relaxation below 1.

    Example:

    >>> import kerazoo
    >>> kerazoo.build("tabnet", numeric=4, cardinalities=(3,), steps=2).output_shape
    (None, 1)
    """
    check_objective(objective, outputs)
    if steps < 1 or min(shared, independent) < 0 or shared + independent < 1 or relaxation < 1:
        raise ValueError(
            f"`steps` and `shared` + `independent` must be at least 1, `relaxation` too. Received: {steps}, {shared} + "
            f"{independent}, {relaxation}."
        )
    inputs = row_inputs(numeric, cardinalities)
    row = embedded_row(inputs, cardinalities, category_width)
    row = BatchNormalization(momentum=0.99, epsilon=1e-5, name="norm")(row)
    norm = {"virtual_batch_size": virtual_batch_size, "momentum": momentum, "epsilon": 1e-5}
    width, columns = decision_width + attention_width, numeric + len(cardinalities)
    sizes = [row.shape[-1]] + [width] * shared
    layers_ = {
        "shared": [_dense(2 * width, sizes[i], scale=2, name=f"shared{i + 1}") for i in range(shared)],
        "independent": independent,
        "norm": norm,
    }
    x = _transform(row, width, name="start", **layers_)
    free, decisions = None, []  # free: how much of each column is still to be had, all of it at first.
    for index in range(1, steps + 1):
        name_ = f"step{index}"
        scores = _dense(columns, attention_width, scale=1, name=f"{name_}_scores")(x[:, decision_width:])
        scores = GhostBatchNormalization(name=f"{name_}_scores_norm", **norm)(scores)
        scores = scores if free is None else layers.Multiply(name=f"{name_}_free_scores")([scores, free])
        # In float32: a threshold among rounded sums would let columns in or out by chance.
        mask = SparseMask(entropy_penalty / steps, dtype="float32", name=f"{name_}_mask")(scores)
        free = (relaxation - mask) if free is None else free * (relaxation - mask)
        seen = layers.Multiply(name=f"{name_}_seen")([_spread(mask, numeric, category_width), row])
        x = _transform(seen, width, name=name_, **layers_)
        decisions.append(layers.ReLU(name=f"{name_}_decision")(x[:, :decision_width]))
    x = layers.Add(name="decision")(decisions) if steps > 1 else decisions[0]
    start = keras.initializers.RandomNormal(stddev=math.sqrt(1 / math.sqrt(decision_width)))
    head = layers.Dense(outputs, use_bias=False, kernel_initializer=start, dtype="float32", name="logits")(x)
    return compile_rows(keras.Model(only(inputs), head, name=name), objective, learning_rate, weight_decay=0.0)
