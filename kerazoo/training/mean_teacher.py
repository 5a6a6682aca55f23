"""Training a classifier on the answers of its own moving average, beside the labels."""

from keras import ops

from kerazoo.training.averaged import Averaged


class MeanTeacher(Averaged):
    """A classifier with its mean teacher (Tarvainen and Valpola, 2017, https://arxiv.org/abs/1703.01780).

    The teacher has the classifier's layers and a moving average of its weights, which classifies better than
    the weights of the moment while the learning rate is high. The classifier learns the labels and, the more
    the further the training has come, the teacher's probabilities; with `mirror` those of the mirrored image.
    Differs from the paper: every image has its label, and the consistency is a cross-entropy.

    Compiled as the classifier is. Outside training it answers as the teacher does: validation judges the
    teacher, and `teacher` is what is used after the training.

    Args:
        student: a compiled, functional model of logits, (B, H, W, C) -> (B, classes).
        weight: share of the teacher's answers in the loss, at its full size.
        ramp: updates between which the share grows from zero to its full size.
        decay: of the moving average, once there have been enough updates.
        mirror: the teacher sees the images mirrored, left for right.

    Raises:
        ValueError: a share or a decay outside [0, 1), or a ramp that does not climb.

    Example:

    >>> import kerazoo, numpy as np
    >>> from kerazoo.training.mean_teacher import MeanTeacher
    >>> student = kerazoo.build("mlp", input_shape=(2, 2, 3), hidden=(4,))
    >>> model = MeanTeacher(student, ramp=(0, 4))
    >>> history = model.fit(np.zeros((8, 2, 2, 3)), np.zeros(8), epochs=2, verbose=0)
    >>> model.student is student, model.teacher.output_shape
    (True, (None, 10))
    """

    judged_by = ("accuracy",)

    def __init__(self, student, *, weight=0.5, ramp, decay=0.998, mirror=False):
        super().__init__(student, decay=decay)
        if not 0 <= weight < 1:
            raise ValueError(f"`weight` must be in [0, 1). Received: {weight!r}.")
        if not 0 <= ramp[0] < ramp[1]:
            raise ValueError(f"`ramp` must be two counts of updates, ascending. Received: {ramp!r}.")
        self.weight, self.ramp, self.mirror = weight, ramp, mirror

    @property
    def student(self):
        """The classifier that learns."""
        return self.model

    @property
    def teacher(self):
        """Its average."""
        return self.average

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """The student's loss; in training mixed with the cross-entropy to the teacher's answers."""
        loss = super().compute_loss(x, y, y_pred, sample_weight, training)
        if not training:
            return loss
        # The teacher normalises by the batch, as the student does; so its moving statistics belong to its weights.
        answers = self.teacher(ops.flip(x, axis=2) if self.mirror else x, training=True)
        wanted = ops.stop_gradient(ops.softmax(answers, axis=-1))
        consistency = ops.mean(ops.categorical_crossentropy(wanted, y_pred, from_logits=True))
        first, last = self.ramp
        climbed = (ops.cast(self.optimizer.iterations, "float32") - first) / (last - first)
        share = self.weight * ops.clip(climbed, 0.0, 1.0)
        return (1 - share) * loss + share * consistency
