"""AdamW with a learning rate of its own for each layer: what was learnt elsewhere moves less than what is new."""

import keras

from kerazoo.training.adamw import SelectiveAdamW


@keras.saving.register_keras_serializable(package="kerazoo")
class DiscriminativeAdamW(SelectiveAdamW):
    """AdamW that multiplies the learning rate, and so the decay, of some layers (Howard and Ruder, 2018,
    https://arxiv.org/abs/1801.06146).

    Args:
        learning_rate: a rate or a schedule, of the layers without a multiplier.
        multipliers: {layer name: factor of the rate}, at least 0. `kerazoo.training.transfer.multipliers` makes one.
        weight_decay: each step takes `rate of the layer * weight_decay` of a decayed variable away.
        decayed: names of the variables that decay.
        **options: as `keras.optimizers.AdamW` takes them.

    Raises:
        ValueError: a negative factor.

    Example:

    >>> import kerazoo
    >>> from kerazoo.training.discriminative import DiscriminativeAdamW
    >>> optimizer = DiscriminativeAdamW(1e-3, multipliers={"hidden1": 0.1})
    >>> model = kerazoo.build("mlp", input_shape=(4, 4, 3), hidden=(8,), optimizer=optimizer)
    >>> optimizer.build(model.trainable_variables)
    >>> [optimizer.factor(variable) for variable in model.trainable_variables]
    [0.1, 0.1, 1.0, 1.0]
    """

    def __init__(self, learning_rate=1e-3, *, multipliers=None, weight_decay=0.01, decayed=("kernel",), **options):
        super().__init__(learning_rate, weight_decay=weight_decay, decayed=decayed, **options)
        self.multipliers = dict(multipliers or {})
        if any(factor < 0 for factor in self.multipliers.values()):
            raise ValueError(f"`multipliers` must be at least 0. Received: {self.multipliers!r}.")

    def build(self, variables):
        if not self.built:
            # Steps are given TensorFlow's variables, which do not know the layer's path: their place tells.
            self._factors = [self.multipliers.get(v.path.partition("/")[0], 1.0) for v in variables]
        super().build(variables)

    def factor(self, variable):
        """What the learning rate of a variable is multiplied by."""
        return self._factors[self._get_variable_index(variable)]

    def update_step(self, gradient, variable, learning_rate):
        rate = learning_rate * self.factor(variable)
        if self._use_weight_decay(variable):
            self.assign_sub(variable, variable * keras.ops.cast(rate * self.weight_decay, variable.dtype))
        super().update_step(gradient, variable, rate)

    def _apply_weight_decay(self, variables):
        """Keras's own decay knows one rate; the steps decay instead."""

    def get_config(self):
        return super().get_config() | {"multipliers": self.multipliers}
