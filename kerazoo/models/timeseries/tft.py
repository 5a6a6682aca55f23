"""Temporal Fusion Transformer (Lim et al., 2019, https://arxiv.org/abs/1912.09363).

As in NeuralForecast: where nothing is known of the future, the last value of the past stands in for it. Its count
of 870,158 includes the second bias of PyTorch's two LSTMs (1,024) and three projections of a static context that
is zero without static variables (49,152); neither are weights here. Differs from both: quantiles cannot cross.
Every channel is forecast by itself, with the same weights.
"""

import keras
from keras import layers, ops

from kerazoo.layers.interpretable_attention import InterpretableAttention
from kerazoo.layers.ordered_quantiles import OrderedQuantiles
from kerazoo.layers.reversible_normalization import ReversibleNormalization
from kerazoo.layers.variable_embedding import VariableEmbedding
from kerazoo.losses.pinball import Pinball, check_quantiles
from kerazoo.models.timeseries.forecaster import NO_INT8, check_sizes, compile_point, past_input, sample_of
from kerazoo.registry import register

VARIANTS = {"tft": {"params": 819_982}}
SMOKE = {"lookback": 24, "horizon": 8, "channels": 2, "width": 8, "heads": 2, "known": 2, "observed": 1, "static": 3}
SMOKE |= {"quantiles": (0.1, 0.5, 0.9)}
CONTEXTS = ("selection", "enrichment", "hidden", "cell")  # What the static variables decide.
_waves = sample_of(lookback=24, horizon=8, channels=2)


def _sample(rng, batch):
    """Random (inputs, future) that fit SMOKE, every kind of variable among the inputs."""
    past, future = _waves(rng, batch)
    shapes = {"known": (batch, 32, 2), "observed": (batch, 24, 1), "static": (batch, 3)}
    return {"past": past} | {k: rng.normal(size=s).astype("float32") for k, s in shapes.items()}, future


def _norm(name):
    return layers.LayerNormalization(epsilon=1e-3, name=name)


def _gate(x, width, name):
    """Gated linear unit: (..., C) -> (..., width)."""
    x = layers.Dense(2 * width, name=f"{name}_gate")(x)
    return x[..., :width] * ops.sigmoid(x[..., width:])


def _grn(x, width, *, output=None, context=None, dropout=0.0, name):
    """Gated residual network: (..., C) -> (..., width or output); `context` is (B, 1, width)."""
    y = layers.Dense(width, name=f"{name}_input")(x)
    if context is not None:
        y = layers.Add(name=f"{name}_add_context")(
            [y, layers.Dense(width, use_bias=False, name=f"{name}_context")(context)]
        )
    y = layers.Dense(width, name=f"{name}_hidden")(layers.Activation("elu", name=f"{name}_elu")(y))
    y = _gate(layers.Dropout(dropout, name=f"{name}_dropout")(y), output or width, name)
    skip = layers.Dense(output, name=f"{name}_skip")(x) if output else x
    y = layers.Add(name=f"{name}_add")([y, skip])
    return y if output == 1 else _norm(f"{name}_norm")(y)


def _select(own, width, *, shared=None, channels=1, context=None, dropout, name):
    """Variable selection: (B, ..., variables, width) -> (B, ..., width).

    The `shared` ones, which come first, are those of whole windows, (B / channels, ...): their networks see them once.
    """
    groups = [own] if shared is None else [_by_channel(shared, channels), own]
    flat = [ops.reshape(x, (-1, *x.shape[1:-2], x.shape[-2] * width)) for x in groups]
    flat = flat[0] if len(flat) == 1 else layers.Concatenate(name=f"{name}_variables")(flat)
    first = 0 if shared is None else shared.shape[-2]
    count = first + own.shape[-2]
    scores = _grn(flat, width, output=count, context=context, name=f"{name}_weights")
    weights = ops.exp(scores - ops.logsumexp(scores, axis=-1, keepdims=True))  # A softmax, of one variable too.
    chosen = None
    for i in range(count):
        x = shared[..., i, :] if i < first else own[..., i - first, :]
        x = _grn(x, width, dropout=dropout, name=f"{name}_variable{i + 1}")
        part = (_by_channel(x, channels) if i < first else x) * weights[..., i : i + 1]
        chosen = part if chosen is None else chosen + part
    return chosen


def _by_channel(x, channels):
    """What belongs to a whole window, once for each of its channels."""
    return x if channels == 1 else ops.repeat(x, channels, axis=0)


def _together(x, name):
    """Variables of one kind as one tensor; None where there are none."""
    return layers.Concatenate(axis=-2, name=f"{name}_variables")(x) if len(x) > 1 else x[0] if x else None


@register(domain="timeseries", task="forecasting", variants=VARIANTS, smoke=SMOKE, sample=_sample, unsupported=NO_INT8)
def tft(
    *,
    width=128,
    heads=4,
    known=0,
    observed=0,
    static=0,
    quantiles=None,
    normalize=False,
    dropout=0.1,
    attention_dropout=0.0,
    lookback=168,
    horizon=24,
    channels=1,
    learning_rate=1e-3,
    name="tft",
):
    """Temporal Fusion Transformer, compiled with Adam and the squared error, or the pinball loss of its quantiles.

    Args:
        width: of every layer.
        heads: of the attention; they divide the width.
        known: variables known for the past and the future, for instance of the calendar.
        observed: variables known for the past alone.
        static: variables that do not change with time.
        quantiles: ascending, between 0 and 1; None forecasts one value.
        normalize: scale each window's past by its own mean and deviation, and the forecast back, for series whose
            level wanders; NeuralForecast takes median and absolute deviations by default.
        dropout: in the gated residual networks and after the attention.
        attention_dropout: of the attention's weights.
        lookback: time steps of the past.
        horizon: time steps to forecast.
        channels: series in a window; weights are shared by all.
        learning_rate: a rate or a schedule.
        name: the model's name.

    Shapes: past (B, lookback, channels); with covariates a dict of "past", "known" (B, lookback + horizon, known),
        "observed" (B, lookback, observed), "static" (B, static) -> float32 forecast, (B, horizon, channels) or
        (B, horizon, channels, quantiles).

    Raises:
        ValueError: a size that is no positive integer, heads that do not divide the width, or quantiles that
            are not ascending between 0 and 1.

    Example:

    >>> import kerazoo
    >>> kerazoo.build("tft", width=16, lookback=48, horizon=12, known=2, quantiles=(0.1, 0.5, 0.9)).output_shape
    (None, 12, 1, 3)
    """
    check_sizes(width=width, heads=heads, lookback=lookback, horizon=horizon, channels=channels)
    if quantiles is not None:
        quantiles = check_quantiles(quantiles)
    past = past_input(lookback, channels)
    shapes = {"known": (lookback + horizon, known), "observed": (lookback, observed), "static": (static,)}
    covariates = {k: keras.Input(s, name=k, dtype="float32") for k, s in shapes.items() if s[-1]}

    # Channels become examples: (B * channels, ...).
    target = past if channels == 1 else ops.reshape(ops.transpose(past, (0, 2, 1)), (-1, lookback, 1))
    if normalize:
        normalization = ReversibleNormalization(name="reversible_normalization")
        target, mean, deviation = normalization(target)
    # What all channels share goes through its layers once for a window, and is repeated where they meet.
    future = covariates["known"] if known else ops.repeat(target[:, -1:], lookback + horizon, 1)
    embedded = VariableEmbedding(width, name="known_embedding")(future)
    own, shared = [VariableEmbedding(width, name="target_embedding")(target)], []
    (shared if known else own).insert(0, embedded[:, :lookback])
    if observed:
        shared.insert(0, VariableEmbedding(width, name="observed_embedding")(covariates["observed"]))

    selection = enrichment = state = None
    if static:
        constants = VariableEmbedding(width, name="static_embedding")(covariates["static"])
        constants = _select(constants, width, dropout=dropout, name="static")
        contexts = [_grn(constants, width, dropout=dropout, name=f"context_{use}") for use in CONTEXTS]
        selection, enrichment = (layers.Reshape((1, width), name=f"step_{i}")(contexts[i]) for i in range(2))
        enrichment, *state = (_by_channel(x, channels) for x in (enrichment, *contexts[2:]))

    by_channel = selection if selection is None else _by_channel(selection, channels)
    own, shared = (_together(x, name) for x, name in ((own, "own"), (shared, "shared")))
    options = {"shared": shared, "channels": channels, "context": by_channel, "dropout": dropout}
    chosen = _select(own, width, name="history", **options)
    ahead = _select(
        embedded[:, lookback:], width, context=selection if known else by_channel, dropout=dropout, name="future"
    )
    ahead = _by_channel(ahead, channels) if known else ahead
    encoder = layers.LSTM(width, return_sequences=True, return_state=True, name="encoder")
    encoded, *state = encoder(chosen, initial_state=state)
    decoded = layers.LSTM(width, return_sequences=True, name="decoder")(ahead, initial_state=state)
    inputs = layers.Concatenate(axis=1, name="selected")([chosen, ahead])
    temporal = _gate(layers.Concatenate(axis=1, name="temporal")([encoded, decoded]), width, "temporal")
    temporal = _norm("temporal_norm")(layers.Add(name="temporal_add")([temporal, inputs]))

    enriched = _grn(temporal, width, context=enrichment, dropout=dropout, name="enrichment")
    attended, _ = InterpretableAttention(heads, attention_dropout, horizon, name="attention")(enriched)
    attended = layers.Dropout(dropout, name="attention_dropout")(attended)
    attended = layers.Add(name="attention_add")([_gate(attended, width, "attention"), enriched[:, lookback:]])
    x = _grn(_norm("attention_norm")(attended), width, dropout=dropout, name="positionwise")
    x = layers.Add(name="decoder_add")([_gate(x, width, "output"), temporal[:, lookback:]])
    x = layers.Dense(len(quantiles or (0,)), dtype="float32", name="head")(_norm("output_norm")(x))
    if quantiles:
        x = OrderedQuantiles(dtype="float32", name="quantiles")(x)
    if normalize:
        x = normalization(x, statistics=(mean, deviation))
    x = ops.transpose(ops.reshape(x, (-1, channels, horizon, x.shape[-1])), (0, 2, 1, 3))
    x = x if quantiles else ops.squeeze(x, axis=-1)
    forecast = layers.Identity(dtype="float32", name="forecast")(x)
    model = keras.Model({"past": past} | covariates if covariates else past, forecast, name=name)
    if not quantiles:
        return compile_point(model, learning_rate)
    model.compile(optimizer=keras.optimizers.Adam(learning_rate), loss=Pinball(quantiles))
    return model
