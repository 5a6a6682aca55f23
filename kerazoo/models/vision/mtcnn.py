"""MTCNN's three networks (Zhang et al., 2016, https://arxiv.org/abs/1604.02878): propose, refine, and say where.

As the package mtcnn 1.0.0 has them, whose weights fit: the proposal network convolves a whole image, the other two look
at one window each. `kerazoo.faces.detector` runs the three after one another.
"""

import keras
import numpy as np
from keras import layers, ops

from kerazoo.losses.as_given import AsGiven
from kerazoo.registry import register

SIDES = {"pnet": 12, "rnet": 24, "onet": 48}  # Of the window that each looks at.
# Filters and kernel of each convolution, size and padding of the pool behind it; units of the dense layer.
STAGES = {
    "pnet": (((10, 3, 2, "same"), (16, 3, None, None), (32, 3, None, None)), None),
    "rnet": (((28, 3, 3, "same"), (48, 3, 3, "valid"), (64, 2, None, None)), 128),
    "onet": (((32, 3, 3, "same"), (64, 3, 3, "valid"), (64, 3, 2, "same"), (128, 2, None, None)), 256),
}
# `params`: as the package's networks have.
VARIANTS = {
    "mtcnn_pnet": {"stage": "pnet", "params": 6_632, "weights": {"mtcnn": {"arrays": "mtcnn_pnet"}}},
    "mtcnn_rnet": {"stage": "rnet", "params": 100_178, "weights": {"mtcnn": {"arrays": "mtcnn_rnet"}}},
    "mtcnn_onet": {"stage": "onet", "params": 389_040, "weights": {"mtcnn": {"arrays": "mtcnn_onet"}}},
}
SMOKE = {"side": 12}  # One window: an exported file wants one size.
FACE, NONE, PART, LANDMARKS = 1, 0, -1, -2  # What a window of the training shows.
LOSSES = {"pnet": (1.0, 0.5, 0.0), "rnet": (1.0, 0.5, 0.0), "onet": (1.0, 0.5, 1.0)}  # The paper's weights.


@keras.saving.register_keras_serializable(package="kerazoo")
class CascadeStage(keras.Model):
    """One of the three networks with the paper's loss: each window teaches what its kind can.

    Targets are rows (B, 15): the kind (1 a face, 0 none, -1 a part of one, -2 a face with landmarks), the offsets of
    the box's four sides in parts of the window, and the landmarks' five x and five y in parts of it. Faces and others
    teach what a face is, faces and parts the box, the last kind landmarks.

    Args:
        inputs, outputs, name: as of every functional `keras.Model`; the outputs are a dict.
        loss_weights_of: of what a face is, of the box and of the landmarks.
        **options: `trainable`.
    """

    def __init__(self, inputs, outputs, name=None, *, loss_weights_of=(1.0, 0.5, 0.0), **options):
        super().__init__(inputs=inputs, outputs=outputs, name=name, **options)
        self.loss_weights_of = tuple(loss_weights_of)
        self._mean = AsGiven(name="mean")

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        y = ops.cast(y, "float32")
        kind = y[:, 0]
        face = ops.clip(ops.reshape(y_pred["face"], (-1,)), 1e-7, 1 - 1e-7)
        right = ops.where(kind == FACE, face, 1.0 - face)
        losses = -ops.log(right) * ops.cast(kind >= NONE, "float32")
        box = ops.mean(ops.square(ops.reshape(y_pred["box"], (-1, 4)) - y[:, 1:5]), axis=-1)
        boxed = ops.cast(ops.logical_or(kind == FACE, kind == PART), "float32")
        weights = self.loss_weights_of
        losses = weights[0] * losses + weights[1] * box * boxed
        if "landmarks" in y_pred:
            places = ops.mean(ops.square(y_pred["landmarks"] - y[:, 5:]), axis=-1)
            losses = losses + weights[2] * places * ops.cast(kind == LANDMARKS, "float32")
        return self._mean(ops.zeros_like(losses), losses, sample_weight)

    def get_config(self):
        return super().get_config() | {"loss_weights_of": self.loss_weights_of}


def _sample(stage):
    """`(rng, batch) -> (windows, targets)`: bright and dark windows of every kind, for `register(sample=)`."""

    def sample(rng, batch):
        side = SIDES[stage]
        kinds = np.resize([FACE, NONE, PART, LANDMARKS], batch)
        windows = 127 + 60 * kinds[:, None, None, None] + rng.uniform(-40, 40, (batch, side, side, 3))
        targets = np.concatenate([kinds[:, None], rng.uniform(-0.3, 0.3, (batch, 4)), rng.random((batch, 10))], axis=1)
        return windows.astype("float32"), targets.astype("float32")

    return sample


def _slope(x, name):
    shared = [1, 2] if len(x.shape) == 4 else None
    return layers.PReLU(keras.initializers.Constant(0.25), shared_axes=shared, name=name)(x)


def _graph(stage, side, learning_rate, name):
    convolutions, units = STAGES[stage]
    image = keras.Input((side, side, 3), name="image")
    # Rescaled in float32: bfloat16 holds pixel values only coarsely.
    x = layers.Rescaling(1 / 128, offset=-127.5 / 128, dtype="float32", name="normalize")(image)
    for index, (filters, kernel, pool, padding) in enumerate(convolutions, start=1):
        x = layers.Conv2D(filters, kernel, kernel_initializer="he_normal", name=f"conv{index}")(x)
        x = _slope(x, f"slope{index}")
        if pool:
            x = layers.MaxPooling2D(pool, strides=2, padding=padding, name=f"pool{index}")(x)
    if units is None:  # Convolutions of 1x1 in place of dense layers: one answer for each place of the window.
        heads = {"box": layers.Conv2D(4, 1, dtype="float32", name="box")(x)}
        two = layers.Conv2D(2, 1, activation="softmax", dtype="float32", name="classes")(x)
    else:
        x = layers.Permute((2, 1, 3), name="columns_first")(x)  # As the weights were trained.
        x = layers.Dense(units, kernel_initializer="he_normal", name="dense")(layers.Flatten(name="flat")(x))
        x = _slope(x, "dense_slope")
        heads = {"box": layers.Dense(4, dtype="float32", name="box")(x)}
        if stage == "onet":
            heads["landmarks"] = layers.Dense(10, dtype="float32", name="landmarks")(x)
        two = layers.Dense(2, activation="softmax", dtype="float32", name="classes")(x)
    heads["face"] = two[..., 1]
    model = CascadeStage(image, heads, name=name, loss_weights_of=LOSSES[stage])
    model.compile(optimizer=keras.optimizers.Adam(learning_rate))
    return model


@register(
    domain="vision",
    task="face_detection",
    variants={"mtcnn_pnet": VARIANTS["mtcnn_pnet"]},
    smoke=SMOKE,
    sample=_sample("pnet"),
    preprocessing="(pixel - 127.5) / 128",
)
def proposal_network(*, stage="pnet", side=None, learning_rate=1e-3, name="mtcnn_pnet"):
    """MTCNN's proposal network, compiled with Adam and the paper's loss on windows of 12x12.

    Args:
        stage: "pnet".
        side: height and width of the images; None takes any.
        learning_rate: a rate or a schedule.
        name: the model's name.

    Shapes: RGB pixels in [0, 255], (B, H, W, 3) -> float32 {"face": (B, h, w), probabilities, "box": (B, h, w, 4),
        offsets of a window's left, top, right and bottom in parts of it}; window (i, j) begins at row 2 i and column
        2 j. Targets as `CascadeStage` says, for images of one window.

    Raises:
        ValueError: a `side` below 12.

    Example:

    >>> import kerazoo
    >>> model = kerazoo.build("mtcnn_pnet", side=64)
    >>> {name: model.output[name].shape for name in ("box", "face")}
    {'box': (None, 27, 27, 4), 'face': (None, 27, 27)}
    """
    if side is not None and side < SIDES["pnet"]:
        raise ValueError(f"`side` must be None or at least {SIDES['pnet']}. Received: {side!r}.")
    return _graph(stage, side, learning_rate, name)


@register(
    domain="vision",
    task="face_detection",
    variants={"mtcnn_rnet": VARIANTS["mtcnn_rnet"]},
    sample=_sample("rnet"),
    preprocessing="(pixel - 127.5) / 128",
)
def refinement_network(*, stage="rnet", learning_rate=1e-3, name="mtcnn_rnet"):
    """MTCNN's refinement network, compiled with Adam and the paper's loss.

    Args:
        stage: "rnet".
        learning_rate: a rate or a schedule.
        name: the model's name.

    Shapes: RGB pixels in [0, 255], (B, 24, 24, 3) -> float32 {"face": (B,), probabilities, "box": (B, 4), offsets of
        the window's left, top, right and bottom in parts of it}. Targets as `CascadeStage` says.

    Raises:
        ValueError: weights that do not fit.

    Example:

    >>> import kerazoo
    >>> model = kerazoo.build("mtcnn_rnet")
    >>> {name: model.output[name].shape for name in ("box", "face")}
    {'box': (None, 4), 'face': (None,)}
    """
    return _graph(stage, SIDES[stage], learning_rate, name)


@register(
    domain="vision",
    task="face_detection",
    variants={"mtcnn_onet": VARIANTS["mtcnn_onet"]},
    sample=_sample("onet"),
    preprocessing="(pixel - 127.5) / 128",
)
def output_network(*, stage="onet", learning_rate=1e-3, name="mtcnn_onet"):
    """MTCNN's output network, compiled with Adam and the paper's loss.

    Args:
        stage: "onet".
        learning_rate: a rate or a schedule.
        name: the model's name.

    Shapes: RGB pixels in [0, 255], (B, 48, 48, 3) -> float32 {"face": (B,), probabilities, "box": (B, 4), offsets of
        the window's left, top, right and bottom in parts of it, "landmarks": (B, 10), the x, then the y of eyes, nose
        and mouth's corners in parts of it}. Targets as `CascadeStage` says.

    Raises:
        ValueError: weights that do not fit.

    Example:

    >>> import kerazoo
    >>> model = kerazoo.build("mtcnn_onet")
    >>> {name: model.output[name].shape for name in ("box", "face", "landmarks")}
    {'box': (None, 4), 'face': (None,), 'landmarks': (None, 10)}
    """
    return _graph(stage, SIDES[stage], learning_rate, name)
