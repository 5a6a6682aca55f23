"""Training a model beside the moving average of its weights, which answers for it."""

import keras
from keras import ops


class Averaged(keras.Model):
    """A model with a moving average of its weights (Polyak and Juditsky, 1992, https://doi.org/10.1137/0330046).

    The average does better than the weights of the moment while the learning rate is high. Compiled as the model is;
    outside training it answers as the average does: validation judges that, and `average` is what is used after it.

    Args:
        model: a compiled, functional model.
        decay: of the average, once there have been enough updates.

    Raises:
        ValueError: a decay outside [0, 1).

    Example:

    >>> import kerazoo, numpy as np
    >>> from kerazoo.training.averaged import Averaged
    >>> model = Averaged(kerazoo.build("mlp", input_shape=(2, 2, 3), hidden=(4,)), decay=0.9)
    >>> history = model.fit(np.zeros((8, 2, 2, 3)), np.zeros(8), epochs=2, verbose=0)
    >>> model.average.output_shape
    (None, 10)
    """

    def __init__(self, model, *, decay=0.998):
        super().__init__(name=model.name)
        if not 0 <= decay < 1:
            raise ValueError(f"`decay` must be in [0, 1). Received: {decay!r}.")
        self.model, self.average = model, keras.models.clone_model(model)
        self.average.set_weights(model.get_weights())
        self.decay = decay
        self.build(model.input_shape)
        configuration = {"optimizer": model.optimizer, "loss": model.loss, "metrics": self.judged_by}
        configuration |= {"jit_compile": model.jit_compile, "steps_per_execution": model.steps_per_execution}
        self.compile(**configuration)

    judged_by = ()  # Metrics beside the loss.

    def build(self, input_shape):
        """Both models are built."""
        self.built = True

    @property
    def trainable_variables(self):
        """The model's: the average follows."""
        return self.model.trainable_variables

    @property
    def trainable_weights(self):
        """The model's: the average follows."""
        return self.model.trainable_weights

    def call(self, inputs, training=False):
        """In training the model's answer, else the average's."""
        return self.model(inputs, training=True) if training else self.average(inputs, training=False)

    def train_step(self, data):
        """A step of the model, then one of the average."""
        logs = super().train_step(data)
        decay = self.kept()
        for mean, variable in zip(self.average.trainable_variables, self.model.trainable_variables):
            mean.assign(mean + (1 - decay) * (variable - mean))
        return logs

    def kept(self):
        """The share of the average that stays in the step that has just been taken."""
        # Early on the average is of few weights: it would else hold on to the first, random ones.
        return ops.minimum(self.decay, 1 - 1 / ops.cast(self.optimizer.iterations, "float32"))
