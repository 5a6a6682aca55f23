"""Muon for convolutions: Keras's own leaves their kernels to AdamW."""

import math
import re

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="kerazoo")
class ConvMuon(keras.optimizers.Muon):
    """Muon (Jordan et al., 2024, https://kellerjordan.github.io/posts/muon) that orthogonalises convolutions too.

    A kernel of any rank above 1 is taken as a matrix, (everything else, outputs); the update is scaled
    to a root mean square of 0.2 times the learning rate (Liu et al., 2025, https://arxiv.org/abs/2502.16982).
    Other variables (also embeddings of positions), and layers in `exclude_layers`, take AdamW's step. Weight
    decay is decoupled, multiplied by the learning rate, and only for kernels.

    Args:
        learning_rate: a rate or a schedule.
        weight_decay: of kernels, whichever step they take.
        adam_lr_ratio: AdamW's learning rate over Muon's.
        exclude_layers: regular expressions found in the paths of variables that take AdamW's step; the
            classifier belongs there.
        **options: as `keras.optimizers.Muon` takes them.

    Example:

    >>> from kerazoo.training.muon import ConvMuon
    >>> import kerazoo
    >>> model = kerazoo.build("lenet5", optimizer=ConvMuon(0.02, exclude_layers=["logits"]))
    >>> type(model.optimizer).__name__
    'ConvMuon'
    """

    def __init__(
        self, learning_rate=0.02, *, weight_decay=0.02, adam_lr_ratio=0.1, exclude_layers=("logits",), **options
    ):
        options["adam_weight_decay"] = weight_decay  # One decay for both steps, also when read from a configuration.
        super().__init__(
            learning_rate=learning_rate,
            weight_decay=weight_decay,
            adam_lr_ratio=adam_lr_ratio,
            exclude_layers=list(exclude_layers),
            **options,
        )

    def build(self, variables):
        if not self.built:
            self.exclude_from_weight_decay(var_list=[v for v in variables if len(v.shape) < 2])
        super().build(variables)

    # Keras's optimizer asks itself these two; kerazoo's bounds on Keras's version keep them.
    def _should_use_adamw(self, variable):
        kernel = len(variable.shape) > 1 and variable.name.endswith("kernel")
        return not kernel or any(re.search(pattern, variable.path) for pattern in self.exclude_layers)

    def _muon_update_step(self, gradient, variable, lr, m):
        self.assign(m, m * self.momentum + gradient)
        direction = gradient + self.momentum * m if self.nesterov else m
        matrix = ops.reshape(direction, (math.prod(variable.shape[:-1]), variable.shape[-1]))
        update = self.lr_adjust(lr * self.zeropower_via_newtonschulz5(matrix, self.ns_steps))
        self.assign_sub(variable, ops.reshape(update, variable.shape))
