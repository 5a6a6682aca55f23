"""Face networks: equal to their public references, margins by hand, what training needs and what inference does."""

import keras
import numpy as np
import pytest

import kerazoo
from kerazoo.layers.class_centres import ClassCentres
from kerazoo.losses.angular_margin import ArcFace, CosFace
from kerazoo.weights import torch as from_torch

HALF = ((0.5,) * 3, (0.5,) * 3)
SMALL = {
    "arcface_iresnet18": {"depths": (1, 1, 1, 1), "width": 4, "dimension": 8, "input_shape": (32, 32, 3)},
    "mobilefacenet": {"blocks": (1, 1, 1, 1), "width": 4, "dimension": 8, "input_shape": (32, 32, 3)},
}


@pytest.fixture(scope="module")
def references():
    pytest.importorskip("torch")
    import face_references
    import torch_references

    return face_references, torch_references


@pytest.mark.parametrize(
    "name, changes",
    [
        ("arcface_iresnet18", {}),
        ("arcface_iresnet50", {"depths": (1, 2, 3, 1)}),
        ("mobilefacenet", {}),
        ("mobilefacenet_large", {"blocks": (2, 1, 2, 1)}),
    ],
)
def test_answers_as_arcface_torch(references, name, changes):
    faces, torch = references
    facts = kerazoo.info(name)["arguments"] | changes
    if "depths" in facts:
        net = faces.ImprovedResNet(facts["depths"], side=3)
    else:
        net = faces.MobileFaceNet(facts["blocks"], facts["scale_channels"], side=3)
    net = torch.randomized(net)
    images = torch.images(4, 48)
    answers = torch.logits(net, images, *HALF)
    wanted = answers / np.linalg.norm(answers, axis=1, keepdims=True)
    model = kerazoo.build(name, input_shape=(48, 48, 3), **changes)
    tensors = {key: value.numpy() for key, value in net.state_dict().items()}
    family = from_torch.family(kerazoo.catalog.entry(name))
    assert from_torch.load_tensors(model, tensors, family.names, path="random") == []
    received = keras.ops.convert_to_numpy(model(images))
    assert np.ptp(wanted, axis=0).max() > 0.01
    np.testing.assert_allclose(received, wanted, atol=1e-4 * np.abs(wanted).max())


@pytest.mark.parametrize(
    "name, depths",
    [("arcface_iresnet50", (3, 4, 14, 3)), ("arcface_iresnet100", (3, 13, 30, 3)), ("mobilefacenet", None)],
)
def test_as_many_parameters_as_published(references, name, depths):
    faces, _ = references
    net = faces.ImprovedResNet(depths) if depths else faces.MobileFaceNet((1, 4, 6, 2), 2)
    assert sum(p.numel() for p in net.parameters()) == kerazoo.catalog.entry(name).params


@pytest.mark.parametrize("loss", [ArcFace(0.5, scale=16.0), CosFace(0.35, scale=16.0), ArcFace(0.0, scale=16.0)])
def test_margins_by_hand(loss):
    rng = np.random.default_rng(0)
    angles, labels = rng.uniform(0.05, np.pi - 0.05, (64, 5)), rng.integers(0, 5, 64)
    rows = np.arange(64)
    cosines = np.cos(angles)
    if isinstance(loss, CosFace):
        cosines[rows, labels] -= loss.margin
    else:
        moved = np.cos(angles[rows, labels] + loss.margin)
        beyond = angles[rows, labels] + loss.margin >= np.pi
        straight = np.cos(angles[rows, labels]) - loss.margin * np.sin(loss.margin)
        cosines[rows, labels] = np.where(beyond, straight, moved)
        assert beyond.any() or not loss.margin
    logits = loss.scale * cosines
    wanted = np.log(np.exp(logits).sum(axis=1)) - logits[rows, labels]
    received = keras.ops.convert_to_numpy(loss(labels, np.cos(angles).astype("float32")))
    np.testing.assert_allclose(received, wanted.mean(), rtol=1e-4)


def test_a_margin_has_a_slope_everywhere():
    """At a cosine of one or minus one too, where the sine's slope has no end."""
    import tensorflow as tf

    cosines = tf.Variable([[1.0, -1.0], [-1.0, 1.0]])
    with tf.GradientTape() as tape:
        loss = ArcFace()(np.array([0, 0]), cosines)
    assert np.isfinite(tape.gradient(loss, cosines)).all()


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("head", ["arcface", "cosface"])
def test_learns_identities_and_answers_embeddings(name, head, tmp_path):
    entry = kerazoo.catalog.entry(name)
    images, identities = entry.sample(np.random.default_rng(0), 16)
    model = kerazoo.build(name, num_classes=4, head=head, scale=16.0, learning_rate=0.05, seed=0, **SMALL[name])
    history = model.fit(images, identities, epochs=8, batch_size=16, verbose=0).history
    assert history["loss"][-1] < 0.7 * history["loss"][0] and history["accuracy"][-1] > 0.7
    embeddings = model.predict(images, verbose=0)
    np.testing.assert_allclose(np.linalg.norm(embeddings, axis=1), 1.0, rtol=1e-5)
    loss, accuracy = model.evaluate(images, identities, verbose=0)
    cosines = keras.ops.convert_to_numpy(model.centres(embeddings))
    np.testing.assert_allclose(accuracy, (cosines.argmax(axis=1) == identities).mean())
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(again.evaluate(images, identities, verbose=0), [loss, accuracy], rtol=1e-5)
    plain = model.embedder()
    assert type(plain) is not type(model) and plain.count_params() < model.count_params()
    np.testing.assert_allclose(plain.predict(images, verbose=0), embeddings, atol=1e-6)


def test_weights_of_other_identities_fit_but_for_the_centres(tmp_path):
    name = "mobilefacenet"
    trained = kerazoo.build(name, num_classes=4, seed=1, **SMALL[name])
    trained.save_weights(tmp_path / "trained.weights.h5")
    images = np.random.default_rng(0).uniform(0, 255, (2, 32, 32, 3)).astype("float32")
    for num_classes in (0, 4, 6):
        model = kerazoo.build(name, num_classes=num_classes, weights=tmp_path / "trained.weights.h5", **SMALL[name])
        np.testing.assert_allclose(model(images), trained(images), atol=1e-6)
        same = bool(num_classes) and np.array_equal(model.centres.centres, trained.centres.centres)
        assert same == (num_classes == 4)


def test_centres_count_by_direction_alone():
    rng = np.random.default_rng(0)
    layer = ClassCentres(3)
    embeddings = rng.normal(size=(4, 5)).astype("float32")
    cosines = keras.ops.convert_to_numpy(layer(embeddings))
    layer.set_weights([layer.get_weights()[0] * [[2.0, 7.0, 0.1]]])
    np.testing.assert_allclose(layer(3 * embeddings), cosines, atol=1e-6)
    assert np.abs(cosines).max() <= 1


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"input_shape": (100, 112, 3)}, "multiples of 16"),
        ({"input_shape": (112, 112, 1)}, r"`input_shape` must be \(H, W, 3\)"),
        ({"head": "softmax"}, "`head` must be one of"),
        ({"num_classes": 1}, "`num_classes` must be 0 or at least 2"),
        ({"margin": -0.1}, "`margin` must not be negative"),
    ],
)
def test_clear_errors(arguments, message):
    with pytest.raises(ValueError, match=message):
        kerazoo.build("mobilefacenet", **arguments)


def test_a_network_without_identities_says_so_when_it_is_trained():
    model = kerazoo.build("mobilefacenet", **SMALL["mobilefacenet"])
    with pytest.raises(ValueError, match="build it with `num_classes`"):
        model.fit(np.zeros((2, 32, 32, 3)), np.zeros(2), verbose=0)
