"""The `raw` endpoint of a classifier of images or texts: image files or strings in, labels and scores out."""

from collections.abc import Callable
from dataclasses import dataclass

import tensorflow as tf

from kerazoo.image_graph import decode
from kerazoo.registry import unknown_choice

RESIZES = ("bilinear", "bicubic", "nearest", "area", "lanczos3", "lanczos5")
FITS = ("stretch", "crop", "pad")
OUTPUTS = ("logits", "probabilities")
TOP_K = 5


@dataclass(frozen=True)
class Raw:
    """An endpoint.

    Attributes:
        function: (B,) strings -> {"labels": (B, K) strings, "scores": (B, K) float32}.
        takes: the argument's name, or several.
        resource: the layer whose tables it looks things up in, or None.
    """

    function: Callable
    takes: str | tuple
    resource: object = None

    def add_to(self, archive):
        """Adds the signature `raw` to a `keras.export.ExportArchive`."""
        if self.resource is not None:
            archive.track(self.resource)
        takes = (self.takes,) if isinstance(self.takes, str) else self.takes
        archive.add_endpoint("raw", self.function, [tf.TensorSpec((None,), tf.string, name=name) for name in takes])


def check(interface, metadata):
    """Refuses what the endpoint cannot serve, before anything is written.

    Raises:
        ValueError: no image classifier of known size, or metadata with unknown choices.
    """
    shapes = [facts.shape for facts in interface.inputs.values()]
    outputs = getattr(interface.model, "outputs", None) or []
    image = len(shapes) == 1 and len(shapes[0]) == 4 and None not in shapes[0][1:] and shapes[0][3] in (1, 3)
    if not image or len(outputs) != 1 or len(outputs[0].shape) != 2:
        raise ValueError(
            '`signature="raw"` needs one input (B, H, W, 3 or 1) of known size and one output (B, classes). '
            f"Received: inputs {shapes}, outputs {[tuple(output.shape) for output in outputs]}."
        )
    preprocessing = metadata.get("preprocessing") or {}
    if not isinstance(preprocessing, dict):
        preprocessing = {}
    for kind, received, choices in (
        ("`resize`", preprocessing.get("resize", "bilinear"), RESIZES),
        ("`fit`", preprocessing.get("fit", "stretch"), FITS),
    ):
        if received not in choices:
            raise ValueError(unknown_choice(f"{kind} in the metadata", received, choices))
    check_labels(metadata, outputs[0].shape[1])


def endpoint(interface, metadata):
    """A `Raw` from (B,) image files."""
    (name, facts), *_ = interface.inputs.items()
    _, height, width, channels = facts.shape
    preprocessing = metadata.get("preprocessing")
    preprocessing = preprocessing if isinstance(preprocessing, dict) else {}

    def one(file):
        image = _fit(decode(file, channels), height, width, preprocessing)
        return tf.cast(tf.clip_by_value(tf.cast(image, tf.float32), 0.0, 255.0), facts.dtype)

    def raw(images):
        # Each image is shrunk as soon as it is decoded: memory holds only a few at full size.
        spec = tf.TensorSpec((height, width, channels), facts.dtype)
        pixels = tf.map_fn(one, images, fn_output_signature=spec, parallel_iterations=4)
        return ranked(interface, {name: pixels}, metadata)

    return Raw(raw, "images")


def check_labels(metadata, classes):
    """Refuses labels that are not as many as the classes, an unknown kind of output, or a `top_k` below 1.

    Raises:
        ValueError: as said.
    """
    output = metadata.get("output", "logits")
    if output not in OUTPUTS:
        raise ValueError(unknown_choice("`output` in the metadata", output, OUTPUTS))
    labels, top = metadata.get("labels"), metadata.get("top_k", TOP_K)
    if labels is not None and len(labels) != classes:
        raise ValueError(f"`labels` must name each of the {classes} classes. Received: {len(labels)} labels.")
    if not isinstance(top, int) or top < 1:
        raise ValueError(f"`top_k` in the metadata must be a positive whole number. Received: {top!r}.")


def ranked(interface, inputs, metadata):
    """The classifier's likeliest classes for named tensors: {"labels": (B, K) strings, "scores": (B, K) float32}."""
    scores = tf.cast(next(iter(interface.serve(**inputs).values())), tf.float32)
    classes = scores.shape[1]
    labels = tf.constant([str(label) for label in metadata.get("labels") or range(classes)])
    if metadata.get("output", "logits") == "logits":
        scores = tf.nn.softmax(scores)
    best, indices = tf.math.top_k(scores, min(metadata.get("top_k", TOP_K), classes))
    return {"labels": tf.gather(labels, indices), "scores": best}


def check_texts(interface, metadata, tokenizer):
    """Refuses what the endpoint of texts cannot serve, before anything is written.

    Raises:
        ValueError: no classifier of one row of ids, or metadata with unknown choices.
    """
    facts = list(interface.inputs.values())
    outputs = getattr(interface.model, "outputs", None) or []
    ids = len(facts) == 1 and len(facts[0].shape) == 2 and facts[0].dtype.startswith("int")
    if not ids or len(outputs) != 1 or len(outputs[0].shape) != 2:
        raise ValueError(
            'With a `tokenizer`, `signature="raw"` needs one input (B, length) of integers and one output '
            f"(B, classes). Received: inputs {facts}, outputs {[tuple(output.shape) for output in outputs]}."
        )
    length = facts[0].shape[1]
    if length is not None and tokenizer.length != length:
        raise ValueError(f"The tokenizer's `length` must be the model's, {length}. Received: {tokenizer.length!r}.")
    check_labels(metadata, outputs[0].shape[1])


def of_texts(interface, metadata, tokenizer):
    """A `Raw` from (B,) texts."""
    (name,) = interface.inputs
    return Raw(lambda texts: ranked(interface, {name: tokenizer(texts)}, metadata), "texts", tokenizer)


def _fit(image, height, width, preprocessing):
    method, antialias = preprocessing.get("resize", "bilinear"), bool(preprocessing.get("antialias", False))
    fit = preprocessing.get("fit", "stretch")
    if fit == "pad":
        return tf.image.resize_with_pad(image, height, width, method=method, antialias=antialias)
    if fit == "crop":  # The largest centred part of the wanted proportions.
        shape = tf.shape(image)
        ratio = tf.minimum(shape[0] / height, shape[1] / width)
        sides = [tf.maximum(1, tf.cast(tf.round(ratio * side), tf.int32)) for side in (height, width)]
        start = [(shape[axis] - sides[axis]) // 2 for axis in (0, 1)]
        image = tf.slice(image, [*start, 0], [*sides, image.shape[2]])
    return tf.image.resize(image, (height, width), method=method, antialias=antialias)
