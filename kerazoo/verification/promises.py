"""The promises every model is held to, one function each: it returns a figure, or raises why not.

This module needs TensorFlow: XLA and the exports are its business.
"""

import contextlib
import inspect
import re

import keras
import numpy as np
import tensorflow as tf

from kerazoo.builder import build
from kerazoo.verification.subject import (
    LEARNT,
    Broken,
    NotApplicable,
    flat,
    relative_error,
    relative_step_error,
    within,
)

# float32 sums taken in another order.
FORWARD_TOLERANCE = 1e-4
# Beyond rounding, a unit of a rectifier may be on in one step and off in the other, where its input is zero but for
# rounding. Over a batch of 8 that is 1.5% of a weight's change in Xception. In InceptionV3, whose last maps are a pixel
# wide, it is 18%, or so much of all weights that nothing is left to compare: known failures.
STEP_TOLERANCE = 2e-2


def compiled(subject):
    """`build` returns a compiled model under the name it was asked for."""
    model = subject.build()
    if not (model.compiled and model.optimizer and model.name == subject.name):
        raise Broken(f"compiled={model.compiled}, optimizer={model.optimizer}, name={model.name!r}")


def arguments(subject):
    """Every builder argument is keyword-only and documented; shapes and the source stand in the docstrings."""
    text = inspect.getdoc(subject.entry.builder) or ""
    absent = [
        p.name
        for p in inspect.signature(subject.entry.builder).parameters.values()
        if p.kind is not p.KEYWORD_ONLY or not re.search(rf"^ +{p.name}: ", text, re.MULTILINE)
    ]
    absent += [heading for heading in ("Shapes:", "Raises:", "Example:") if heading not in text]
    if not re.search(r"https?://", inspect.getmodule(subject.entry.builder).__doc__ or ""):
        absent.append("a source in the module's docstring")
    if absent:
        raise Broken(f"not documented: {', '.join(absent)}")


def parameters(subject):
    """As many trainable parameters at the default arguments as were published."""
    if subject.entry.params is None:
        raise NotApplicable("no published count: its sizes are the user's to choose")
    model = build(subject.name)
    count = sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
    if count != subject.entry.params:
        raise Broken(f"{count:,} in place of {subject.entry.params:,}")
    return count


def forward(subject):
    """Finite float32 outputs, one row for each input."""
    for y in keras.tree.flatten(subject.build()(subject.inputs)):
        y = keras.ops.convert_to_numpy(y)
        if y.dtype != "float32" or len(y) != subject.examples or not np.isfinite(y).all():
            raise Broken(f"dtype {y.dtype}, shape {y.shape}, finite: {np.isfinite(y).all()}")


def gradients(subject):
    """Every trainable weight receives a finite gradient that is not all zero."""
    model = subject.build()
    _away_from_zeros(model)
    with tf.GradientTape() as tape:
        outputs = model(subject.inputs, training=True)
        loss = model.compute_loss(x=subject.inputs, y=subject.targets, y_pred=outputs)
    received = tape.gradient(loss, [weight.value for weight in model.trainable_weights])
    # Embeddings give the rows that occurred alone.
    received = [gradient if gradient is None else tf.convert_to_tensor(gradient) for gradient in received]
    none = [
        weight.path
        for weight, gradient in zip(model.trainable_weights, received)
        if gradient is None or not np.isfinite(gradient).all() or not np.any(gradient)
    ]
    if none:
        raise Broken(f"no gradient for {len(none)} of {len(received)} weights: {', '.join(none[:5])}")
    return len(received)


def learns(subject):
    """The loss on one batch of 8 examples falls below half of its first value within 80 steps."""
    _, first, last, left = subject.trained
    if not left < LEARNT:
        raise Broken(f"the loss goes from {first:.3g} only to {last:.3g}")
    return left


def responds(subject):
    """The trained output moves when the input does, so that no comparison below is vacuous."""
    model, *_ = subject.trained
    moved = min(float(np.ptp(y, axis=0).max() / max(np.abs(y).max(), 1e-12)) for y in flat(model(subject.inputs)))
    if not moved > 1e-3:
        raise Broken(f"outputs differ by {moved:.1e} of their size over the batch")
    return moved


def inference_mode(subject):
    """`model(x)` is inference: equal to `model(x, training=False)`, after the statistics have moved."""
    model, *_ = subject.trained
    return within(relative_error(model(subject.inputs), model(subject.inputs, training=False)), 1e-6)


def keras_roundtrip(subject):
    """`.keras` in safe mode, without custom objects: the same outputs and optimizer state, loss, metrics, optimizer."""
    model, *_ = subject.trained
    loaded = _saved_and_loaded(subject, model)
    state, expected = flat(loaded.optimizer.variables), flat(model.optimizer.variables)
    if len(state) != len(expected) or not all(map(np.array_equal, state, expected)):
        raise Broken("the optimizer's state is another one")
    error = within(relative_error(loaded(subject.inputs), model(subject.inputs)), 1e-6)
    return max(error, _same_compilation(subject))


def _same_compilation(subject):
    """Compares what the builder compiled, before and after a round trip: the optimizer, each loss and metric."""
    model = subject.build()
    loaded = _saved_and_loaded(subject, model)
    if not loaded.compiled or loaded.name != model.name:
        raise Broken(f"compiled={loaded.compiled}, name={loaded.name!r}")
    received, expected = (keras.optimizers.serialize(m.optimizer) for m in (loaded, model))
    if received != expected:
        raise Broken(f"optimizer {received} in place of {expected}")
    logs, expected = ({}, {})
    for one, into in ((loaded, logs), (model, expected)):
        one.run_eagerly = True  # Tracing takes longer than one batch.
        into.update(one.test_on_batch(subject.inputs, subject.targets, return_dict=True))
    if logs.keys() != expected.keys():
        raise Broken(f"losses and metrics {sorted(logs)} in place of {sorted(expected)}")
    return within(relative_error(logs, expected), 1e-5)


def _saved_and_loaded(subject, model):
    path = f"{subject.folder.name}/model.keras"
    model.save(path)
    return keras.saving.load_model(path, safe_mode=True)


def xla(subject):
    """XLA equals eager: forward, and each weight's change in one training step."""
    model, *_ = subject.trained
    error = relative_error(tf.function(model, jit_compile=True)(subject.inputs), model(subject.inputs))
    within(error, FORWARD_TOLERANCE)
    return max(error, within(_step_error(subject, {"jit_compile": True}), STEP_TOLERANCE))


def _step_error(subject, options, inputs=None, targets=None):
    """Error of a training step under `options`, beside eager steps from the same weights and from nearly the same."""
    inputs = subject.inputs if inputs is None else inputs
    targets = subject.targets if targets is None else targets
    epsilons = _epsilons(subject, inputs)
    expected, *rounded = (
        _step(subject, inputs, targets, epsilons, rounding=rounding, run_eagerly=True)
        for rounding in (0.0, 2.0**-23, 2.0**-21)
    )
    return relative_step_error(_step(subject, inputs, targets, epsilons, **options), expected, rounded)


# Far above the weights, so that adding a change to its weight rounds nothing away; a power of two rounds nothing.
STEP_RATE = 2.0**20
# Of the mean square of what a batch norm gets, its epsilon in the steps compared; and what keeps it above zero.
EPSILON, TINY = 0.01, 1e-5


def _epsilons(subject, inputs) -> list:
    """An epsilon for each batch norm of the moved model, with which it magnifies no rounding and fades no signal.

    Over a few nearly equal values the usual one would turn rounding into signal, and one for all would make the signal
    of a deep network fade before it comes to the first layers.
    """
    model = _moved(subject)
    for layer in _batch_norms(model):

        def call(x, *arguments, layer=layer, of_class=layer.call, **options):
            layer.epsilon = EPSILON * float(np.square(flat(x)[0]).mean()) + TINY
            return of_class(x, *arguments, **options)

        layer.call = call
    model(inputs, training=True)
    return [layer.epsilon for layer in _batch_norms(model)]


def _batch_norms(model):
    return [layer for layer in model._flatten_layers() if isinstance(layer, keras.layers.BatchNormalization)]


def _moved(subject, rounding=0.0):
    """A fresh model without dropout, moved away from zeros, which would hide what lies behind them."""
    model = subject.without_chance(subject.build(optimizer=keras.optimizers.SGD(STEP_RATE), metrics=[]))
    _away_from_zeros(model, rounding)
    return model


def _step(subject, inputs, targets, epsilons, *, strategy=None, rounding=0.0, **options):
    """The change of each trainable weight in one step of plain descent, a list of arrays.

    Plain, because Adam's division would turn rounding into full steps. `rounding` moves the weights by that share of
    each.
    """
    with strategy.scope() if strategy else contextlib.nullcontext():
        model = _moved(subject, rounding)
        for layer, epsilon in zip(_batch_norms(model), epsilons, strict=True):
            layer.epsilon = epsilon
        model.compile(optimizer=model.optimizer, loss=model.loss, **options)
        before = flat(model.trainable_weights)
        model.fit(tf.data.Dataset.from_tensors((inputs, targets)), shuffle=False, verbose=0)
        return [after - b for after, b in zip(flat(model.trainable_weights), before)]


def _away_from_zeros(model, rounding=0.0):
    """Adds the same small random numbers to all trainable weights of a fresh model."""
    rng = np.random.default_rng(0)
    for weight in model.trainable_weights:
        moved = keras.ops.convert_to_numpy(weight) + rng.normal(0, 0.02, weight.shape)
        weight.assign((moved * (1 + rounding * rng.choice((-1.0, 1.0), weight.shape))).astype("float32"))


def mixed_float16(subject):
    """A finite step with a loss scaler, float32 outputs, and Keras's global policy untouched."""
    model = _mixed_step(subject, "mixed_float16")
    if type(model.optimizer).__name__ != "LossScaleOptimizer":
        raise Broken(f"no loss scaler but {type(model.optimizer).__name__}")


def mixed_bfloat16(subject):
    """A finite step, float32 outputs, and Keras's global policy untouched."""
    _mixed_step(subject, "mixed_bfloat16")


def _mixed_step(subject, precision):
    before = keras.config.dtype_policy().name
    model = subject.build(precision=precision)
    if keras.config.dtype_policy().name != before or model.dtype_policy.name != precision:
        raise Broken(f"global {keras.config.dtype_policy().name}, the model's {model.dtype_policy.name}")
    wrong = [y.dtype for y in keras.tree.flatten(model.output) if y.dtype != "float32"]
    model.run_eagerly = True  # Tracing a large graph for a single step takes longer than the step.
    logs = model.train_on_batch(subject.inputs, subject.targets, return_dict=True)
    finite = all(np.isfinite(weight).all() for weight in flat(model.trainable_weights))
    if wrong or not finite or not np.isfinite(list(logs.values())).all():
        raise Broken(f"outputs {wrong or 'float32'}, weights finite: {finite}, {logs}")
    return model


def data_parallel(subject):
    """One step on two devices under MirroredStrategy equals the step on one, weight by weight.

    Batch normalisation takes each replica's own statistics, and a loss that divides by the objects of a batch those of
    each replica, so models that have either see the same half of the batch on both devices.
    """
    devices = [device.name for device in tf.config.list_logical_devices("CPU")]
    if len(devices) < 2:
        raise NotApplicable("needs a process that has two logical CPU devices")
    strategy = tf.distribute.MirroredStrategy(devices[:2])
    inputs, targets = subject.inputs, subject.targets
    single = subject.build()
    if _batch_norms(single) or getattr(single.loss, "divides_by_batch", False):
        half = subject.examples // 2
        inputs, targets = keras.tree.map_structure(lambda array: np.concatenate([array[:half]] * 2), (inputs, targets))
    options = {"strategy": strategy, "jit_compile": False}
    return within(_step_error(subject, options, inputs, targets), STEP_TOLERANCE)
