"""Transfer learning: the parts of a pretrained model by depth, what of it learns, and how fast."""

import keras


def layer_groups(model, backbone):
    """The layers with weights in groups by depth, from the input to the head.

    Args:
        model: a functional classifier of images.
        backbone: `kerazoo.backbone` of the same name and arguments; its outputs end the groups.

    Returns:
        {"stride_2": [layer names], ..., "head": [...]}: each group has the layers that its feature map needs beyond
        the groups before it; the head has the rest.

    Example:

    >>> import kerazoo
    >>> from kerazoo.training.transfer import layer_groups
    >>> arguments = {"depth": 8, "num_classes": 3}
    >>> model, backbone = kerazoo.build("resnet20", **arguments), kerazoo.backbone("resnet20", **arguments)
    >>> groups = layer_groups(model, backbone)
    >>> list(groups), groups["head"]
    (['stride_1', 'stride_2', 'stride_4', 'head'], ['logits'])
    """
    ends = {name: tensor._keras_history.operation.name for name, tensor in backbone.output.items()}
    groups, left = {}, [layer.name for layer in model.layers if layer.weights]
    for group, end in ends.items():
        below = _ancestors(model.get_layer(end))
        groups[group] = [name for name in left if name in below]
        left = [name for name in left if name not in below]
    return {group: names for group, names in groups.items() if names} | {"head": left}


def multipliers(groups, *, decay):
    """{layer name: factor of the learning rate}: 1 for the last group, `decay` times less for each one before it.

    Args:
        groups: as `layer_groups` gives them.
        decay: between 0 and 1.

    Raises:
        ValueError: a decay outside (0, 1].

    Example:

    >>> multipliers({"stride_2": ["stem"], "stride_4": ["block"], "head": ["logits"]}, decay=0.5)
    {'stem': 0.25, 'block': 0.5, 'logits': 1.0}
    """
    if not 0 < decay <= 1:
        raise ValueError(f"`decay` must be above 0 and at most 1. Received: {decay!r}.")
    top = len(groups) - 1
    return {name: decay ** (top - depth) for depth, names in enumerate(groups.values()) for name in names}


def learn_only(model, names):
    """Freezes every layer but those of these names, and keeps all batch normalisation in inference mode.

    A batch norm that is frozen normalises by the statistics it was pretrained with, also in training: those of a few
    small batches would be worse, and every layer behind it was learnt with the old ones. `thaw` undoes it. A model
    must be compiled after either.

    Args:
        model: a model whose layers are frozen and thawed in place.
        names: of layers.

    Raises:
        ValueError: a name that the model does not have.

    Example:

    >>> import kerazoo
    >>> from kerazoo.training.transfer import learn_only
    >>> model = kerazoo.build("resnet20", depth=8)
    >>> learn_only(model, ["logits", "stem_bn"])
    >>> [variable.path for variable in model.trainable_variables]
    ['logits/kernel', 'logits/bias']
    """
    names = set(names)
    unknown = sorted(names - {layer.name for layer in model.layers})
    if unknown:
        raise ValueError(f"`names` must be layers of {model.name!r}. Received also: {unknown[:5]}.")
    for layer in model.layers:
        layer.trainable = layer.name in names
    for layer in model._flatten_layers(include_self=False):
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.trainable = False


def thaw(model):
    """Lets every layer learn again, batch normalisation from its batches."""
    for layer in model.layers:
        layer.trainable = True


def split_head(model):
    """`(body, head)`: the model up to its last layer with weights, and that layer with what surrounds it.

    The body answers features, (B, ...), that can be computed once while only the head learns; the head is made of the
    model's own layers, so that what it learns the model has learnt. Dropout before the last layer is the head's.

    Raises:
        ValueError: a model with several inputs or outputs, or whose last layer takes several tensors.

    Example:

    >>> import kerazoo
    >>> from kerazoo.training.transfer import split_head
    >>> body, head = split_head(kerazoo.build("resnet20", depth=8))
    >>> body.output_shape, head.output_shape
    ((None, 64), (None, 10))
    """
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise ValueError(f"A head is split off a model of one input and one output. Received: {model.name!r}.")
    tail, tensor, learns = [], model.outputs[0], False
    while True:
        operation = tensor._keras_history.operation
        if learns and not isinstance(operation, keras.layers.Dropout):
            break
        arguments = operation._inbound_nodes[0].input_tensors
        if len(arguments) != 1:
            raise ValueError(f"The head must be a row of layers. Received: {operation.name!r} of {model.name!r}.")
        tail.insert(0, operation)
        learns = learns or bool(getattr(operation, "weights", None))
        tensor = arguments[0]
    body = keras.Model(model.inputs[0], tensor, name=f"{model.name}_body")
    features = x = keras.Input(tensor.shape[1:], name="features")
    for operation in tail:
        x = operation(x)
    return body, keras.Model(features, x, name=f"{model.name}_head")


def _ancestors(operation):
    """Names of the operations that an operation's output needs, and its own."""
    found, waiting = set(), [operation]
    while waiting:
        operation = waiting.pop()
        if operation.name in found:
            continue
        found.add(operation.name)
        if operation._inbound_nodes:
            waiting += [tensor._keras_history.operation for tensor in operation._inbound_nodes[0].input_tensors]
    return found
