"""Models with several losses, each of which trains weights of its own, one after the other on every batch.

Imports TensorFlow (inside a function): a training step of one's own belongs to one backend.
"""

import keras


class AlternatingSteps:
    """For a `keras.Model` that has `phases`: its training step makes one update after another on the same batch.

    The answers are computed anew for every update, by the weights as the one before left them. One optimizer
    serves all: what it remembers of a weight is shared by the phases that train it, and its step counter counts
    every update.
    """

    def phases(self):
        """[(name of the loss, the weights it trains)], in order."""
        raise NotImplementedError(f"{type(self).__name__} must say what its phases are.")

    def phase_loss(self, name, x, y_pred, sample_weight):
        """The loss of a phase, by a Keras loss, which scales it under a distribution strategy."""
        raise NotImplementedError(f"{type(self).__name__} must compute the loss {name!r}.")

    def train_step(self, data):
        """One update by each phase; the loss that is shown is `compute_loss`, before them."""
        import tensorflow as tf

        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        if not self.optimizer.built:
            self.optimizer.build(self.trainable_variables)
        replicas = tf.distribute.get_strategy().num_replicas_in_sync
        for index, (name, variables) in enumerate(self.phases()):
            with tf.GradientTape() as tape:
                y_pred = self(x, training=True)
                loss = self.optimizer.scale_loss(self.phase_loss(name, x, y_pred, sample_weight))
            if not index:
                shown = self.compute_loss(x=x, y=y, y_pred=y_pred, sample_weight=sample_weight, training=True)
                count = tf.shape(keras.tree.flatten(x)[0])[0]
                self._loss_tracker.update_state(shown * replicas, sample_weight=count)
            gradients = tape.gradient(loss, [variable.value for variable in variables])
            self.optimizer.apply(gradients, variables)
        return self.compute_metrics(x, y, y_pred, sample_weight=sample_weight)
