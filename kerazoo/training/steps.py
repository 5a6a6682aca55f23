"""How many batches go into one call of the compiled training step (`compile(steps_per_execution=)`)."""

import math
import re
import warnings

import keras

from kerazoo.errors import KerazooWarning

SMALL = 5_000_000  # multiply-adds an example; below, a step takes less time than calling it from Python
TOGETHER = 32


def resolve(model, wanted) -> int:
    """A value for `compile(steps_per_execution=)`.

    Above 1, Keras rounds `steps_per_epoch`, `validation_steps` and `steps` up to a multiple of it, and
    callbacks hear of every so many batches only. So it is 1 unless a caller that runs over whole, finite
    data asks for more. Keras cannot join steps under a distribution strategy: there it is 1, with a
    warning where a number above 1 was asked for.

    Args:
        model: a `keras.Model`, for "auto".
        wanted: a positive integer, None for 1, or "auto": 32 for a model so small that calling the step
            would cost more than the step itself, else 1.

    Raises:
        ValueError: another `wanted`.
    """
    counted = isinstance(wanted, int) and not isinstance(wanted, bool) and wanted > 0
    if not (counted or wanted is None or wanted == "auto"):
        raise ValueError(f"`steps_per_execution` must be a positive integer, 'auto' or None. Received: {wanted!r}.")
    if wanted is None or keras.backend.backend() != "tensorflow":
        return wanted if counted else 1
    import tensorflow as tf

    if tf.distribute.has_strategy():
        if wanted not in ("auto", 1):
            warnings.warn(
                f"steps_per_execution={wanted} is switched off under a strategy.", category=KerazooWarning, stacklevel=3
            )
        return 1
    if counted:
        return wanted
    # Every parameter is updated in every step, whatever the graph does with it.
    small = model.count_params() < SMALL and multiply_adds(model) < SMALL
    return TOGETHER if small else 1


def multiply_adds(model) -> float:
    """Multiply-adds of one example through all matrix products and convolutions of the traced graph.

    Infinite where they cannot be counted: an open size, a loop (recurrent layers), no functional model.
    """
    import tensorflow as tf

    if not isinstance(model, keras.Model) or getattr(model, "inputs", None) is None:
        return math.inf
    if any(size is None for tensor in keras.tree.flatten(model.input) for size in tensor.shape[1:]):
        return math.inf
    one = keras.tree.map_structure(lambda x: tf.TensorSpec((1, *x.shape[1:]), x.dtype, name=x.name), model.input)
    graph = tf.function(lambda inputs: model(inputs, training=False), autograph=False).get_concrete_function(one).graph
    return _of_graph(graph)


def _of_graph(graph):
    total = 0
    for operation in graph.get_operations():
        if operation.type in ("While", "StatelessWhile", "CudnnRNNV3"):
            return math.inf
        total += _COUNTS[operation.type](operation) if operation.type in _COUNTS else 0
        for attribute in operation.node_def.attr.values():
            if attribute.HasField("func") and attribute.func.name in graph._functions:
                total += _of_graph(graph._functions[attribute.func.name].graph)
    return total


def _size(shape):
    """Elements of a tensor of this shape; infinite where it is open."""
    return math.inf if shape.rank is None or None in shape.as_list() else math.prod(shape)


def _matrix_product(transposed):
    """Counts an operation whose attribute `transposed` says that its first argument's last axis is not summed."""

    def count(operation):
        first = operation.inputs[0].shape
        return _size(operation.outputs[0].shape) * _size(first[-2:-1] if operation.get_attr(transposed) else first[-1:])

    return count


def _einsum(operation):
    """The product of the sizes of all its labels."""
    sizes = {}
    for labels, tensor in zip(operation.get_attr("equation").decode().split("->")[0].split(","), operation.inputs):
        if tensor.shape.rank is None:
            return math.inf
        rest = tensor.shape.rank - len(labels.replace("...", ""))  # Axes that an ellipsis stands for.
        labels = re.sub(r"\.\.\.", "".join(str(axis) for axis in range(rest)), labels)
        for label, size in zip(labels, tensor.shape):
            sizes[label] = max(sizes.get(label, 1), math.inf if size is None else size)
    return math.prod(sizes.values())


def _convolution(operation):
    """(..., out) each from a kernel (..., in, out)."""
    return _size(operation.outputs[0].shape) * _size(operation.inputs[1].shape[:-1])


def _depthwise(operation):
    return _size(operation.outputs[0].shape) * _size(operation.inputs[1].shape[:-2])


def _transposed_convolution(operation):
    """Each element of the (..., in) argument goes through a kernel (..., out, in)."""
    return _size(operation.inputs[2].shape) * _size(operation.inputs[1].shape[:-1])


_COUNTS = {
    "MatMul": _matrix_product("transpose_a"),
    "BatchMatMul": _matrix_product("adj_x"),
    "BatchMatMulV2": _matrix_product("adj_x"),
    "BatchMatMulV3": _matrix_product("adj_x"),
    "Einsum": _einsum,
    "Conv2D": _convolution,
    "Conv3D": _convolution,
    "DepthwiseConv2dNative": _depthwise,
    "Conv2DBackpropInput": _transposed_convolution,
    "Conv3DBackpropInputV2": _transposed_convolution,
}
