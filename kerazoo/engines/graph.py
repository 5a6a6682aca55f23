"""TensorFlow functions as served: variables frozen into the graph where that is possible.

Grappler folds batch normalisation into convolutions only when weights are constants.
"""

import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from kerazoo.engines.base import TensorFacts

# A graph is one protocol buffer, which ends at 2 GB; beyond this size the variables stay variables.
FREEZE_LIMIT = 1_500_000_000


def served(concrete):
    """A concrete function from a dict to a dict of tensors -> `run({name: array}) -> {name: array}`.

    `concrete` has to stay referenced while `run` is used: a loaded SavedModel owns its variables.
    """
    names = sorted(concrete.structured_input_signature[1])  # Flat inputs and outputs follow the sorted keys.
    output_names = sorted(concrete.structured_outputs)
    if not _freezable(concrete):

        def run_with_variables(arrays):
            outputs = concrete(**{name: tf.constant(arrays[name]) for name in names})
            return {name: outputs[name].numpy() for name in output_names}

        return run_with_variables
    frozen = convert_variables_to_constants_v2(concrete, lower_control_flow=False)
    by_placeholder = {tensor.name: name for tensor, name in zip(concrete.inputs, names)}
    order = [by_placeholder[tensor.name] for tensor in frozen.inputs]
    # A frozen function called as it is optimises its graph anew each time: milliseconds a call.
    compiled = tf.function(lambda *tensors: frozen(*tensors), autograph=False).get_concrete_function(
        *[tf.TensorSpec(tensor.shape, tensor.dtype) for tensor in frozen.inputs]
    )

    def run(arrays):
        outputs = compiled(*[tf.constant(arrays[name]) for name in order])
        return {name: output.numpy() for name, output in zip(output_names, outputs)}

    return run


def facts(specs):
    """{name: TensorSpec} -> {name: TensorFacts}, sorted by name."""
    return {name: TensorFacts(tuple(specs[name].shape), specs[name].dtype.name) for name in sorted(specs)}


def _freezable(concrete):
    """Whether everything that the function captures is a variable (no table), and small enough."""
    handles = {id(variable.handle) for variable in concrete.variables}
    size = sum(variable.dtype.size * variable.shape.num_elements() for variable in concrete.variables)
    return all(id(tensor) in handles for tensor in concrete.captured_inputs) and size < FREEZE_LIMIT
