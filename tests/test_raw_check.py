"""`export` holds the served `raw` endpoint, read back from disk, against the model behind its own pipeline."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import kerazoo
from kerazoo.exporters import (
    ExportError,
    raw,
    raw_language,
    raw_vectors,
)

CLASSES = ["red", "green", "blue"]


def images(**metadata):
    image = keras.Input((8, 8, 3), name="image")
    x = keras.layers.Flatten()(keras.layers.Rescaling(1 / 127.5, offset=-1.0)(image))
    model = keras.Model(image, keras.layers.Dense(3, kernel_initializer=keras.initializers.RandomNormal(seed=0))(x))
    return model, None, {"labels": CLASSES} | metadata


def texts():
    from kerazoo.layers.word_tokenizer import WordTokenizer

    tokenizer = WordTokenizer(["a", "bad", "good", "film", "very", "dull"], length=6)
    tokens = keras.Input((6,), dtype="int32", name="tokens")
    x = keras.layers.Flatten()(
        keras.layers.Embedding(tokenizer.size, 4, embeddings_initializer="glorot_normal")(tokens)
    )
    return keras.Model(tokens, keras.layers.Dense(3)(x)), tokenizer, {"labels": CLASSES}


def vectors():
    model, tokenizer, _ = texts()
    return model, tokenizer, {"output": "vectors"}


def language(**settings):
    from kerazoo.layers.character_tokenizer import CharacterTokenizer

    tokenizer = CharacterTokenizer("abcdefgh ")
    model = kerazoo.build("gpt_nano", vocabulary_size=tokenizer.size, seed=0, length=12)
    rng = np.random.default_rng(0)
    for weight in model.trainable_weights:
        weight.assign_add(rng.normal(0, 0.4, weight.shape).astype("float32"))
    return model, tokenizer, {"generate": {"tokens": 12} | settings}


MAKERS = {
    "images": (images, raw),
    "texts": (texts, raw),
    "vectors": (vectors, raw_vectors),
    "language": (lambda: language(temperature=0.0), raw_language),
    "seeded": (lambda: language(seed=3), raw_language),
    "drawn": (language, raw_language),
}


def export(made, folder):
    model, tokenizer, metadata = made
    return kerazoo.export(model, folder, formats="saved_model", signature="raw", tokenizer=tokenizer, metadata=metadata)


@pytest.mark.parametrize("kind", MAKERS)
def test_a_right_endpoint_is_exported(kind, tmp_path):
    assert not export(MAKERS[kind][0](), tmp_path).failures


def reversed_strings(outputs):
    """The endpoint's answers as another program would break them: labels or texts turned round, vectors moved."""
    other = dict(outputs)
    if "labels" in other:
        other["labels"] = tf.reverse(other["labels"], axis=[1])
    if "texts" in other:
        other["texts"] = tf.strings.join(["h", tf.strings.regex_replace(other["texts"], "[abc]", "g")])
    if "vectors" in other:
        other["vectors"] *= 1.001
    return other


@pytest.mark.parametrize("kind", ["images", "texts", "vectors", "language", "seeded"])
def test_a_wrong_endpoint_is_no_export(kind, tmp_path, monkeypatch):
    make, module = MAKERS[kind]
    name = "of_texts" if kind == "texts" else "endpoint"
    right = getattr(module, name)

    def wrong(*given):
        made = right(*given)
        return raw.Raw(lambda *files: reversed_strings(made.function(*files)), made.takes, made.resource)

    monkeypatch.setattr(module, name, wrong)
    with pytest.raises(ExportError, match="The endpoint `raw` does not answer as the model does"):
        export(make(), tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_labels_in_another_order_are_no_export(tmp_path, monkeypatch):
    right = raw.ranked

    def wrong(interface, inputs, metadata):
        return right(interface, inputs, metadata | {"labels": metadata["labels"][::-1]})

    monkeypatch.setattr(raw, "ranked", wrong)
    for number, make in enumerate((images, texts)):
        with pytest.raises(ExportError, match="The endpoint `raw` does not answer"):
            export(make(), tmp_path / str(number))


@pytest.mark.parametrize("fault", [lambda x: x / 255, lambda x: x[..., ::-1], lambda x: x / 127.5 - 1, tf.transpose])
def test_another_normalisation_is_no_export(fault, tmp_path, monkeypatch):
    right = raw._fit

    def wrong(image, *arguments):
        fitted = right(image, *arguments)
        return tf.transpose(fitted, (1, 0, 2)) if fault is tf.transpose else fault(fitted)

    monkeypatch.setattr(raw, "_fit", wrong)
    with pytest.raises(ExportError, match="The endpoint `raw` does not answer"):
        export(images(), tmp_path / "new")


def test_scores_that_are_no_probabilities_are_no_export(tmp_path, monkeypatch):
    right = raw.ranked

    def wrong(interface, inputs, metadata):
        return right(interface, inputs, metadata | {"output": "probabilities"})

    monkeypatch.setattr(raw, "ranked", wrong)
    with pytest.raises(ExportError, match="The endpoint `raw` does not answer"):
        export(images(), tmp_path / "new")


@pytest.mark.parametrize("fit", ["stretch", "crop", "pad"])
def test_every_way_to_fit_images_is_checked(fit, tmp_path):
    made = images(top_k=2, preprocessing={"fit": fit, "antialias": True, "resize": "bicubic"})
    assert not export(made, tmp_path).failures
