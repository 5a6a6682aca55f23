"""What all face networks share: embeddings out, identities in while they learn, their checks."""

import keras
from keras import layers

from kerazoo.layers.batch_normalization import BatchNormalization
from kerazoo.layers.class_centres import ClassCentres
from kerazoo.losses.angular_margin import ArcFace, CosFace

HEADS = {"arcface": ArcFace, "cosface": CosFace}
HALVINGS = 4  # Both families look at a face at a sixteenth of its size last.


@keras.saving.register_keras_serializable(package="kerazoo")
class FaceEmbedder(keras.Model):
    """A model that answers embeddings of length one, and is trained on the identities of its images.

    `fit(images, identities)` takes integers below `num_classes`: the loss and the metrics are given the cosines
    between embeddings and one learnt centre for each identity. Nothing but training needs the centres. Keras computes
    the metrics of a training step after its update: of centres that have just moved towards the embeddings.

    Args:
        inputs, outputs, name: as of every functional `keras.Model`.
        num_classes: identities; 0 makes a model that cannot be trained, without centres.
        **options: `trainable`.
    """

    training_only = ("centres",)  # Weights of other identities fit as well.

    def __init__(self, inputs, outputs, name=None, *, num_classes=0, **options):
        super().__init__(inputs=inputs, outputs=outputs, name=name, **options)
        self.num_classes = num_classes
        if num_classes:
            self.centres = ClassCentres(num_classes, name="centres")
            self.centres.build(self.output_shape)

    def embedder(self):
        """The plain `keras.Model` from images to embeddings, with this one's weights: what is exported."""
        return keras.Model(self.input, self.output, name=self.name)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        return super().compute_loss(x, y, self._cosines(y_pred), sample_weight, training)

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        return super().compute_metrics(x, y, self._cosines(y_pred), sample_weight)

    def get_config(self):
        return super().get_config() | {"num_classes": self.num_classes}

    def _cosines(self, embeddings):
        if not self.num_classes:
            raise ValueError(
                "A face network is trained on identities: build it with `num_classes`, how many there are. Received: 0."
            )
        return self.centres(embeddings)


def prelu(x, name):
    """A leaky slope of each channel's own, 0.25 at first as in PyTorch."""
    slope = keras.initializers.Constant(0.25)
    return layers.PReLU(slope, shared_axes=[1, 2] if len(x.shape) == 4 else None, name=name)(x)


def embed(x, dimension, *, use_bias, name):
    """(B, ...) -> (B, dimension): a dense layer and a batch norm, then the direction alone, in float32."""
    x = layers.Flatten(name=f"{name}_flat")(x)
    x = layers.Dense(dimension, use_bias=use_bias, name=f"{name}_dense")(x)
    x = BatchNormalization(momentum=0.9, epsilon=1e-5, dtype="float32", name=f"{name}_bn")(x)
    return layers.UnitNormalization(dtype="float32", name=name)(x)


def check(input_shape, *, num_classes, head):
    """Refuses what no face network takes.

    Raises:
        ValueError: images that are not RGB or have sides that are no multiples of 16, an unknown `head`, or a
            `num_classes` that is neither 0 nor at least 2.
    """
    multiple = 2**HALVINGS
    if len(input_shape) != 3 or input_shape[2] != 3 or any(not s or s % multiple for s in input_shape[:2]):
        raise ValueError(
            f"`input_shape` must be (H, W, 3), H and W multiples of {multiple}. Received: {tuple(input_shape)}."
        )
    if head not in HEADS:
        raise ValueError(f"`head` must be one of {sorted(HEADS)}. Received: {head!r}.")
    if not isinstance(num_classes, int) or num_classes == 1 or num_classes < 0:
        raise ValueError(f"`num_classes` must be 0 or at least 2. Received: {num_classes!r}.")


def compile_embedder(image, embedding, *, num_classes, head, margin, scale, learning_rate, name):
    """The compiled model: momentum SGD as arcface_torch has it, the head's loss, accuracy by the nearest centre."""
    model = FaceEmbedder(image, embedding, name=name, num_classes=num_classes)
    options = {"scale": scale} | ({} if margin is None else {"margin": margin})
    model.compile(
        optimizer=keras.optimizers.SGD(learning_rate, momentum=0.9, global_clipnorm=5.0),
        loss=HEADS[head](**options),
        metrics=["accuracy"],
    )
    return model


def sample_of(*, input_shape, num_classes):
    """`(rng, batch) -> (images, identities)`: noise around a colour of each identity's, for `register(sample=)`."""

    def sample(rng, batch):
        identities = rng.integers(0, num_classes, batch)
        colours = rng.uniform(60, 195, (num_classes, 1, 1, 3))[identities]
        return (colours + rng.uniform(-60, 60, (batch, *input_shape))).astype("float32"), identities

    return sample
