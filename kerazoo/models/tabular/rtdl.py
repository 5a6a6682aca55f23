"""Deep models for tables (Gorishniy et al., 2021, https://arxiv.org/abs/2106.11959): MLP, ResNet and FT-Transformer.

As in the authors' package rtdl, whose baselines these are. Every number comes in standardised; every category as
an index from 0.
"""

import keras
from keras import layers, ops

from kerazoo.layers.batch_normalization import BatchNormalization
from kerazoo.layers.class_token import ClassToken
from kerazoo.layers.variable_embedding import VariableEmbedding
from kerazoo.models.tabular.numeric_embeddings import embedded_numbers
from kerazoo.models.tabular.rows import check_objective, compile_rows, embedded_row, only, row_inputs, sample_of
from kerazoo.registry import register

SMOKE = {"numeric": 5, "cardinalities": (3, 4), "outputs": 4, "objective": "multiclass"}
TRANSFORMER = {"ft_transformer": {"params": 894_913}}  # rtdl's default with 8 numbers, no categories, one output.
# The MLP by what becomes of its numbers first (Gorishniy et al., 2022, https://arxiv.org/abs/2203.05556).
PERCEPTRONS = {
    "tab_mlp": {},
    "tab_mlp_periodic": {"numeric_embedding": "periodic", "smoke": {"embedding_width": 4, "frequencies": 6}},
    "tab_mlp_piecewise": {"numeric_embedding": "piecewise", "smoke": {"embedding_width": 4}},
}
_sample = sample_of(numeric=5, cardinalities=(3, 4), outputs=4)


@register(domain="tabular", task="tabular", variants=PERCEPTRONS, smoke=SMOKE | {"hidden": (16, 16)}, sample=_sample)
def tab_mlp(
    *,
    numeric=8,
    cardinalities=(),
    hidden=(256, 256, 256),
    dropout=0.1,
    category_width=8,
    numeric_embedding=None,
    embedding_width=24,
    frequencies=48,
    frequency_scale=0.01,
    bin_edges=None,
    outputs=1,
    objective="binary",
    learning_rate=1e-3,
    name="tab_mlp",
):
    """Perceptron on rows, compiled with AdamW and the loss of its objective.

    Args:
        numeric: columns of numbers.
        cardinalities: values of each category.
        hidden: units of each hidden layer.
        dropout: after each hidden layer.
        category_width: size of a category's embedding.
        numeric_embedding: None, "periodic" (learned waves) or "piecewise" (how far a number reaches into bins), each
            followed by a layer of each column's own.
        embedding_width: size of a number's embedding.
        frequencies: of the waves of each column.
        frequency_scale: deviation of the frequencies at the start; the paper searches from 0.01 to 100.
        bin_edges: of the bins, a list for each column; None takes 16 equally full ones of a normal distribution.
        outputs: size of the output's last axis.
        objective: "binary", "multiclass" or "regression".
        learning_rate: a rate or a schedule.
        name: the model's name.

    Shapes: {"numeric": (B, numeric) float32, "categories": (B, K) int32}, or the only one of them -> float32 logits
        or values, (B, outputs).

    Raises:
        ValueError: no column, an unknown objective or embedding, outputs or edges that do not fit it.

    Example:

    >>> import kerazoo
    >>> kerazoo.build("tab_mlp", numeric=4, cardinalities=(3,), outputs=3, objective="multiclass").output_shape
    (None, 3)
    """
    check_objective(objective, outputs)
    inputs = row_inputs(numeric, cardinalities)
    embedded = embedded_numbers(
        inputs,
        embedding=numeric_embedding,
        width=embedding_width,
        frequencies=frequencies,
        frequency_scale=frequency_scale,
        bin_edges=bin_edges,
    )
    x = embedded_row(embedded, cardinalities, category_width)
    for index, units in enumerate(hidden, start=1):
        x = layers.Dense(units, activation="relu", kernel_initializer="he_normal", name=f"hidden{index}")(x)
        x = layers.Dropout(dropout, name=f"dropout{index}")(x)
    head = layers.Dense(outputs, dtype="float32", name="logits")(x)  # float32 under any policy
    return compile_rows(keras.Model(only(inputs), head, name=name), objective, learning_rate)


@register(domain="tabular", task="tabular", smoke=SMOKE | {"width": 16, "hidden": 24, "blocks": 2}, sample=_sample)
def tab_resnet(
    *,
    numeric=8,
    cardinalities=(),
    blocks=4,
    width=192,
    hidden=256,
    dropout=0.2,
    residual_dropout=0.0,
    category_width=8,
    outputs=1,
    objective="binary",
    learning_rate=1e-3,
    name="tab_resnet",
):
    """ResNet on rows, compiled with AdamW and the loss of its objective.

    Args:
        numeric: columns of numbers.
        cardinalities: values of each category.
        blocks: residual blocks.
        width: units between blocks.
        hidden: units inside a block.
        dropout: inside a block.
        residual_dropout: at a block's end.
        category_width: size of a category's embedding.
        outputs: size of the output's last axis.
        objective: "binary", "multiclass" or "regression".
        learning_rate: a rate or a schedule.
        name: the model's name.

    Shapes: {"numeric": (B, numeric) float32, "categories": (B, K) int32}, or the only one of them -> float32 logits
        or values, (B, outputs).

    Raises:
        ValueError: no column, an unknown objective, or outputs that do not fit it.

    Example:

    >>> import kerazoo
    >>> kerazoo.build("tab_resnet", numeric=4, blocks=2).output_shape
    (None, 1)
    """
    check_objective(objective, outputs)
    inputs = row_inputs(numeric, cardinalities)
    x = layers.Dense(width, name="input")(embedded_row(inputs, cardinalities, category_width))
    for index in range(1, blocks + 1):
        name_ = f"block{index}"
        y = BatchNormalization(momentum=0.9, epsilon=1e-5, name=f"{name_}_norm")(x)
        y = layers.Dense(hidden, activation="relu", kernel_initializer="he_normal", name=f"{name_}_inner")(y)
        y = layers.Dense(width, name=f"{name_}_outer")(layers.Dropout(dropout, name=f"{name_}_dropout")(y))
        x = layers.Add(name=f"{name_}_add")([x, layers.Dropout(residual_dropout, name=f"{name_}_out")(y)])
    x = layers.ReLU(name="head_relu")(BatchNormalization(momentum=0.9, epsilon=1e-5, name="norm")(x))
    head = layers.Dense(outputs, dtype="float32", name="logits")(x)  # float32 under any policy
    return compile_rows(keras.Model(only(inputs), head, name=name), objective, learning_rate)


def _tokens(inputs, cardinalities, width):
    """(B, columns, width): a token for every number, then for every category."""
    parts = []
    if "numeric" in inputs:
        parts.append(VariableEmbedding(width, name="numeric_tokens")(inputs["numeric"]))
    for index, count in enumerate(cardinalities):
        # The authors add a bias to each column; an embedding of its own has none that it could not learn itself.
        category = inputs["categories"][:, index : index + 1]
        parts.append(layers.Embedding(count, width, name=f"category{index + 1}_tokens")(category))
    return layers.Concatenate(axis=1, name="tokens")(parts) if len(parts) > 1 else parts[0]


def _transformer_block(x, *, heads, hidden, dropouts, first, name):
    """(B, T, C) -> the same, norms before; the first block has none before its attention."""
    width = x.shape[-1]
    attention, inside, residual = dropouts
    y = x if first else layers.LayerNormalization(epsilon=1e-5, name=f"{name}_attention_norm")(x)
    y = layers.MultiHeadAttention(heads, width // heads, dropout=attention, name=f"{name}_attention")(y, y)
    x = layers.Add(name=f"{name}_attention_add")([x, layers.Dropout(residual, name=f"{name}_attention_out")(y)])
    y = layers.LayerNormalization(epsilon=1e-5, name=f"{name}_norm")(x)
    y = layers.Dense(2 * hidden, name=f"{name}_inner")(y)
    y = y[..., :hidden] * ops.relu(y[..., hidden:])  # ReGLU (Shazeer, 2020)
    y = layers.Dense(width, name=f"{name}_outer")(layers.Dropout(inside, name=f"{name}_dropout")(y))
    return layers.Add(name=f"{name}_add")([x, layers.Dropout(residual, name=f"{name}_out")(y)])


@register(
    domain="tabular",
    task="tabular",
    variants=TRANSFORMER,
    smoke=SMOKE | {"width": 16, "heads": 2, "hidden": 16, "blocks": 2},
    sample=_sample,
)
def ft_transformer(
    *,
    numeric=8,
    cardinalities=(),
    blocks=3,
    width=192,
    heads=8,
    hidden=256,
    attention_dropout=0.2,
    dropout=0.1,
    residual_dropout=0.0,
    outputs=1,
    objective="binary",
    learning_rate=1e-4,
    name="ft_transformer",
):
    """Feature tokenizer and transformer on rows, compiled with AdamW and the loss of its objective.

    Args:
        numeric: columns of numbers.
        cardinalities: values of each category.
        blocks: transformer blocks.
        width: size of a column's token.
        heads: attention heads; they divide the width.
        hidden: units inside a block.
        attention_dropout: of the attention's weights.
        dropout: inside a block.
        residual_dropout: at the end of attention and block.
        outputs: size of the output's last axis.
        objective: "binary", "multiclass" or "regression".
        learning_rate: a rate or a schedule.
        name: the model's name.

    Shapes: {"numeric": (B, numeric) float32, "categories": (B, K) int32}, or the only one of them -> float32 logits
        or values, (B, outputs).

    Raises:
        ValueError: no column, an unknown objective, outputs that do not fit it, or heads that do not divide the
            width.

    Example:

    >>> import kerazoo
    >>> kerazoo.build("ft_transformer", numeric=4, cardinalities=(3,), width=32, heads=4).output_shape
    (None, 1)
    """
    check_objective(objective, outputs)
    if width % heads:
        raise ValueError(f"`heads` must divide `width`. Received: {heads} and {width}.")
    inputs = row_inputs(numeric, cardinalities)
    x = ClassToken(name="class_token")(_tokens(inputs, cardinalities, width))
    dropouts = (attention_dropout, dropout, residual_dropout)
    for index in range(1, blocks + 1):
        x = _transformer_block(x, heads=heads, hidden=hidden, dropouts=dropouts, first=index == 1, name=f"block{index}")
    x = layers.ReLU(name="head_relu")(layers.LayerNormalization(epsilon=1e-5, name="norm")(x[:, 0]))
    head = layers.Dense(outputs, dtype="float32", name="logits")(x)  # float32 under any policy
    return compile_rows(keras.Model(only(inputs), head, name=name), objective, learning_rate)
