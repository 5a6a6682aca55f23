"""A classifier that learns from its own moving average: whose weights move how, and what the loss is."""

import keras
import numpy as np
import pytest

import kerazoo
from kerazoo.training.mean_teacher import MeanTeacher

rng = np.random.default_rng(0)
IMAGES, LABELS = rng.uniform(0, 255, (8, 4, 4, 3)).astype("float32"), np.arange(8) % 3


def student(**options):
    options = {"optimizer": keras.optimizers.SGD(0.1), "jit_compile": False, "steps_per_execution": 1} | options
    return kerazoo.build("mlp", input_shape=(4, 4, 3), hidden=(5,), num_classes=3, seed=0, **options)


def test_the_teacher_is_the_moving_average_of_the_student():
    model = MeanTeacher(student(), ramp=(1, 2), decay=0.6)
    expected = model.student.get_weights()
    for step in range(1, 6):
        model.train_on_batch(IMAGES, LABELS)
        decay = min(0.6, 1 - 1 / step)
        expected = [decay * mean + (1 - decay) * now for mean, now in zip(expected, model.student.get_weights())]
        for mean, received in zip(expected, model.teacher.get_weights()):
            np.testing.assert_allclose(received, mean, rtol=1e-5, atol=1e-6)
    assert not np.allclose(model.teacher.get_weights()[0], model.student.get_weights()[0])


@pytest.mark.parametrize("mirror", [False, True])
def test_the_loss_mixes_labels_and_answers_as_the_ramp_says(mirror):
    model = MeanTeacher(student(), weight=0.4, ramp=(0, 4), mirror=mirror)
    model.teacher.set_weights([rng.normal(size=w.shape).astype("float32") for w in model.teacher.get_weights()])
    model.optimizer.iterations.assign(3)
    logits = keras.ops.convert_to_numpy(model.student(IMAGES))
    seen = IMAGES[:, :, ::-1] if mirror else IMAGES
    wanted = keras.ops.convert_to_numpy(keras.ops.softmax(model.teacher(seen)))
    logs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    share = 0.4 * 3 / 4
    expected = (1 - share) * -logs[np.arange(8), LABELS].mean() + share * -(wanted * logs).sum(axis=1).mean()
    np.testing.assert_allclose(model.compute_loss(IMAGES, LABELS, logits, training=True), expected, rtol=1e-5)
    plain = model.compute_loss(IMAGES, LABELS, logits, training=False)
    np.testing.assert_allclose(plain, -logs[np.arange(8), LABELS].mean(), rtol=1e-5)


def test_before_the_ramp_the_student_learns_as_it_does_alone():
    alone, model = student(), MeanTeacher(student(), ramp=(100, 200))
    for _ in range(3):
        alone.train_on_batch(IMAGES, LABELS)
        model.train_on_batch(IMAGES, LABELS)
    for one, other in zip(alone.get_weights(), model.student.get_weights()):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-7)


def test_student_and_teacher_are_saved_together(tmp_path):
    first, second = (MeanTeacher(student(), ramp=(0, 1)) for _ in range(2))
    first.fit(IMAGES, LABELS, epochs=2, batch_size=4, verbose=0)
    first.save_weights(tmp_path / "both.weights.h5")
    second.optimizer.build(second.trainable_variables)
    second.load_weights(tmp_path / "both.weights.h5")
    for one, other in zip((first.student, first.teacher), (second.student, second.teacher)):
        np.testing.assert_array_equal(one(IMAGES), other(IMAGES))
    assert int(second.optimizer.iterations) == 4
    first.teacher.save_weights(tmp_path / "teacher.weights.h5")
    plain = student(weights=str(tmp_path / "teacher.weights.h5"))
    np.testing.assert_array_equal(plain(IMAGES), first(IMAGES))


def test_the_teacher_answers_and_is_judged():
    model = MeanTeacher(student(), ramp=(0, 1))
    model.fit(IMAGES, LABELS, epochs=3, batch_size=4, verbose=0)
    np.testing.assert_array_equal(model(IMAGES), model.teacher(IMAGES))
    assert not np.allclose(model(IMAGES), model.student(IMAGES))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)(LABELS, model.teacher(IMAGES))
    np.testing.assert_allclose(model.evaluate(IMAGES, LABELS, verbose=0)[0], loss, rtol=1e-5)


def test_mixed_precision_takes_a_finite_step():
    model = MeanTeacher(student(precision="mixed_float16"), ramp=(0, 1), mirror=True)
    history = model.fit(IMAGES, LABELS, epochs=2, batch_size=4, verbose=0)
    assert np.isfinite(history.history["loss"]).all()


@pytest.mark.parametrize("options", [{"weight": 1.0}, {"decay": 1.0}, {"ramp": (3, 3)}, {"ramp": (-1, 3)}])
def test_mistakes_are_said(options):
    with pytest.raises(ValueError, match="must be"):
        MeanTeacher(student(), **({"ramp": (0, 1)} | options))
