"""AdamW whose weight decay leaves biases, norms and embeddings alone, also after saving and loading."""

import keras


@keras.saving.register_keras_serializable(package="kerazoo")
class SelectiveAdamW(keras.optimizers.AdamW):
    """AdamW that decays only variables of certain names.

    Keras's `exclude_from_weight_decay` is forgotten when an optimizer is saved or a model compiled
    again from its configuration; the names here are part of the configuration.

    Args:
        learning_rate: a rate or a schedule.
        weight_decay: each step takes `learning_rate * weight_decay` of a decayed variable away.
        decayed: names of the variables that decay.
        **options: as `keras.optimizers.AdamW` takes them.

    Example:

    >>> from kerazoo.training.adamw import SelectiveAdamW
    >>> SelectiveAdamW(1e-3, weight_decay=0.05).get_config()["decayed"]
    ['kernel']
    """

    def __init__(self, learning_rate=1e-3, *, weight_decay=0.01, decayed=("kernel",), **options):
        super().__init__(learning_rate=learning_rate, weight_decay=weight_decay, **options)
        self.decayed = tuple(decayed)

    def build(self, variables):
        if not self.built:
            self.exclude_from_weight_decay(var_list=[v for v in variables if v.name not in self.decayed])
        super().build(variables)

    def get_config(self):
        return super().get_config() | {"decayed": list(self.decayed)}
