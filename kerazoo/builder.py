"""`build`: from a name to a compiled Keras model, and `backbone`: the same without its head."""

import collections
import contextlib
import inspect
import numbers
import random

import keras

from kerazoo import catalog, data_format
from kerazoo import weights as pretrained
from kerazoo.layers.strided_pointwise_conv import replace_unsafe
from kerazoo.registry import unknown_choice
from kerazoo.training import precision as precisions
from kerazoo.training import steps, xla


def build(
    name,
    *,
    weights=None,
    precision=None,
    jit_compile="auto",
    steps_per_execution=None,
    optimizer=None,
    loss=None,
    metrics=None,
    learning_rate=None,
    seed=None,
    features_only=False,
    **arguments,
):
    """Builds a model by name, compiled, ready for `fit`, `evaluate` and `kerazoo.export`.

    Args:
        name: one of `kerazoo.list_models()`.
        weights: None, a tag from `kerazoo.info(name)["weights"]`, or the path of a `.keras` or
            `.weights.h5` file, or of a torchvision or timm state dict (`.safetensors`, `.pth`, `.pt`).
            Layers of the head whose size differs start fresh, which is said.
        precision: None (Keras's current policy), "float32", "mixed_bfloat16" or "mixed_float16".
            It becomes the model's own policy; Keras's global policy is left as it was.
        jit_compile: True, False, or "auto": what was measured as faster for this model on this model of
            device and in this precision, and Keras's own "auto" where nothing was measured. True raises where
            XLA cannot compile the model. Both this and `steps_per_execution` are switched off, with a
            warning, under a distribution strategy.
        steps_per_execution: batches in one call of the compiled step; None is 1. Above 1, Keras rounds
            `steps_per_epoch`, `validation_steps` and `predict(steps=)` up to a multiple of it, and callbacks
            hear of every so many batches only: ask for it where training runs over whole, finite data.
            "auto" takes 32 for a model so small that the call would cost more than the step, else 1.
        optimizer: replaces the model's own: a Keras name or instance.
        loss: replaces the model's own: a Keras name or instance.
        metrics: replaces the model's own: a list.
        learning_rate: a rate or a schedule for the model's own optimizer, or for one given by name.
        seed: makes the initial weights repeatable, without touching the program's random state.
        features_only: return `backbone(name, ...)` instead.
        **arguments: the builder's own, over the variant's; `kerazoo.info(name)["arguments"]` has them.

    Returns:
        A compiled `keras.Model` called `name`, serialisable in Keras's safe mode.

    Raises:
        ValueError: an unknown name, argument, tag or precision; too few classes; weights that do not fit; Keras's
            `image_data_format` is not "channels_last".
        FileNotFoundError: a `weights` path that is not there.

    Example:

    >>> import kerazoo
    >>> model = kerazoo.build("resnet20", num_classes=10, precision="mixed_bfloat16", learning_rate=0.05)
    >>> model.dtype_policy.name, model.output.dtype
    ('mixed_bfloat16', 'float32')
    """
    if features_only:
        _refuse_compile_arguments(
            optimizer=optimizer,
            loss=loss,
            metrics=metrics,
            learning_rate=learning_rate,
            steps_per_execution=steps_per_execution,
        )
        return backbone(name, weights=weights, precision=precision, seed=seed, **arguments)
    entry = catalog.entry(name)
    if jit_compile not in (True, False, "auto"):
        raise ValueError(f"`jit_compile` must be True, False or 'auto'. Received: {jit_compile!r}.")
    if "num_classes" in arguments:
        arguments["num_classes"] = _classes(entry.task, arguments["num_classes"])
    if learning_rate is not None and optimizer is None:
        arguments["learning_rate"] = learning_rate
    model = _construct(entry, arguments, weights=weights, precision=precision, seed=seed)
    overrides = {"loss": loss, "metrics": metrics}
    overrides["optimizer"] = _optimizer(optimizer, learning_rate)
    overrides["steps_per_execution"] = steps.resolve(model, steps_per_execution)
    overrides["jit_compile"] = xla.resolve(model, name, jit_compile)
    _recompile(model, {key: value for key, value in overrides.items() if value is not None})
    return model


def backbone(name, *, weights=None, precision=None, seed=None, **arguments):
    """The body of a model without its head: features at every stride, for detection and segmentation.

    Args:
        name: one of `kerazoo.list_models()`, of a model with image input.
        weights: as for `build`.
        precision: as for `build`.
        seed: as for `build`.
        **arguments: as for `build`; `num_classes` has no effect.

    Returns:
        A `keras.Model` (not compiled) with the outputs `{"stride_4": (B, H/4, W/4, C), ...}`, finest
        first.

    Raises:
        ValueError: as `build`, or a model that has no image features.

    Example:

    >>> import kerazoo
    >>> {k: v.shape for k, v in kerazoo.backbone("resnet20").output.items()}
    {'stride_1': (None, 32, 32, 16), 'stride_2': (None, 16, 16, 32), 'stride_4': (None, 8, 8, 64)}
    """
    entry = catalog.entry(name)
    model = _construct(entry, arguments, weights=weights, precision=precision, seed=seed)
    features = (entry.features or _last_of_each_stride)(model)
    if not features:
        raise ValueError(f"A backbone needs a model with feature maps. Received: {name!r}, which has none.")
    outputs = {f"stride_{stride}": features[stride] for stride in sorted(features)}
    with precisions.scope(model.dtype_policy.name):
        return keras.Model(model.input, outputs, name=f"{name}_backbone")


# Fewest classes of a task: a softmax over one class answers alike whatever it sees. A segmenter's or a detector's one
# class stands beside a background.
FEWEST_CLASSES = {
    "image_classification": 2,
    "series_classification": 2,
    "text_classification": 2,
    "token_classification": 2,
    "object_detection": 1,
    "semantic_segmentation": 1,
}


def _classes(task, num_classes):
    """The number as Python's own, refused where a task cannot have so few."""
    fewest = FEWEST_CLASSES.get(task)
    whole = isinstance(num_classes, numbers.Integral) and not isinstance(num_classes, bool)
    if fewest is not None and not (whole and num_classes >= fewest):
        raise ValueError(
            f"`num_classes` must be at least {fewest} for {task}, and a whole number"
            f"{'; labels of 0 and 1 are two classes' if fewest == 2 else ''}. Received: {num_classes!r}."
        )
    return int(num_classes) if whole else num_classes


def _construct(entry, arguments, *, weights, precision, seed):
    """Builds an entry's model under a policy and loads its weights; global state is left as it was."""
    data_format.check()
    known = inspect.signature(entry.builder).parameters
    for argument in arguments:
        if argument not in known or argument == "name":
            choices = sorted(set(known) - {"name"})
            raise ValueError(unknown_choice(f"argument for {entry.name!r}", argument, choices))
    if weights in entry.weights and arguments.get("input_shape"):
        _check_channels(entry, weights, arguments["input_shape"], known)
    source = pretrained.source(entry, weights)
    chosen = dict(entry.arguments) | source.arguments(arguments) | arguments | {"name": entry.name}
    with precisions.scope(precision), _seeded(seed):
        model = source.construct(entry.builder, chosen)
    replace_unsafe(model)
    source.load_into(model)
    return model


def _check_channels(entry, weights, shape, known):
    """Refuses published weights where the input has other channels than their first layer was trained on."""
    expected = entry.arguments.get("input_shape", known["input_shape"].default)
    if len(expected or ()) == len(shape) == 3 and shape[-1] != expected[-1]:
        raise ValueError(
            f"The weights {weights!r} of {entry.name!r} take images of {expected[-1]} channels, and so must "
            "`input_shape`: repeat grey images, keras.ops.repeat(images, 3, axis=-1), or choose three of the bands. "
            f"Received: input_shape={tuple(shape)}."
        )


@contextlib.contextmanager
def _seeded(seed):
    """Draws Keras's initial seeds from `seed`, then puts the program's random state back."""
    if seed is None:
        yield
        return
    state = random.getstate()
    random.seed(seed)  # Keras draws the seeds of initializers and dropout from Python's generator.
    try:
        yield
    finally:
        random.setstate(state)


def _optimizer(optimizer, learning_rate):
    if optimizer is None or learning_rate is None:
        return optimizer
    if not isinstance(optimizer, str):
        raise ValueError(
            "`learning_rate` goes with the model's own optimizer or with one given by name; set it on the "
            f"instance instead. Received: optimizer={optimizer!r} and learning_rate={learning_rate!r}."
        )
    return keras.optimizers.get({"class_name": optimizer, "config": {"learning_rate": learning_rate}})


def _recompile(model, overrides):
    """Compiles again as the builder did, but for `overrides`."""
    config = keras.saving.deserialize_keras_object(model.get_compile_config())
    model.compile(**(config | overrides))


def _refuse_compile_arguments(**given):
    received = sorted(key for key, value in given.items() if value is not None)
    if received:
        raise ValueError(f"A backbone is not compiled and takes no compile arguments. Received: {received}.")


def _last_of_each_stride(model):
    """{stride: tensor}: the last feature map of each size, (B, H/stride, W/stride, C).

    Only maps that all later computation passes through count, so that the inside of a residual
    branch is never taken for a stage's output.
    """
    height = model.input_shape[1]
    if len(model.input_shape) != 4 or not height:
        return {}
    taken = {operation: operation._inbound_nodes[0].input_tensors for operation in model.operations}
    uses = collections.Counter(id(tensor) for tensors in taken.values() for tensor in tensors)
    features, learned, waiting = {}, set(), 0  # waiting: uses, still to come, of the tensors made so far
    for operation, tensors in taken.items():
        waiting -= len(tensors)
        output = operation.output
        if getattr(operation, "weights", None) or any(id(tensor) in learned for tensor in tensors):
            learned.add(id(output))
        everything_passes = waiting == 0
        waiting += uses[id(output)]
        padding = isinstance(operation, keras.layers.ZeroPadding2D)
        if everything_passes and id(output) in learned and not padding and len(output.shape) == 4:
            features[round(height / output.shape[1])] = output
    return features
