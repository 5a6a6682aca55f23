"""Training a classifier on the answers of its own moving average, beside the labels."""

import keras
from keras import ops


class MeanTeacher(keras.Model):
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

    def __init__(self, student, *, weight=0.5, ramp, decay=0.998, mirror=False):
        super().__init__(name=student.name)
        if not 0 <= weight < 1 or not 0 <= decay < 1:
            raise ValueError(f"`weight` and `decay` must be in [0, 1). Received: {weight!r} and {decay!r}.")
        if not 0 <= ramp[0] < ramp[1]:
            raise ValueError(f"`ramp` must be two counts of updates, ascending. Received: {ramp!r}.")
        self.student, self.teacher = student, keras.models.clone_model(student)
        self.teacher.set_weights(student.get_weights())
        self.weight, self.ramp, self.decay, self.mirror = weight, ramp, decay, mirror
        self.build(student.input_shape)
        configuration = {"optimizer": student.optimizer, "loss": student.loss, "metrics": ["accuracy"]}
        configuration |= {"jit_compile": student.jit_compile, "steps_per_execution": student.steps_per_execution}
        self.compile(**configuration)

    def build(self, input_shape):
        """Both models are built."""
        self.built = True

    @property
    def trainable_variables(self):
        """The student's: the teacher follows."""
        return self.student.trainable_variables

    @property
    def trainable_weights(self):
        """The student's: the teacher follows."""
        return self.student.trainable_weights

    def call(self, images, training=False):
        """(B, H, W, C) -> (B, classes), logits: in training the student's, else the teacher's."""
        return self.student(images, training=True) if training else self.teacher(images, training=False)

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

    def train_step(self, data):
        """A step of the student, then one of the teacher's average."""
        logs = super().train_step(data)
        # Early on the average is of few weights: it would else hold on to the first, random ones.
        decay = ops.minimum(self.decay, 1 - 1 / ops.cast(self.optimizer.iterations, "float32"))
        for mean, variable in zip(self.teacher.trainable_variables, self.student.trainable_variables):
            mean.assign(mean + (1 - decay) * (variable - mean))
        return logs
