"""The `raw` endpoint of a tagger: texts in, their words with a tag each out, split inside the graph."""

import tensorflow as tf

from kerazoo.exporters.raw import Raw


def tags_words(interface, tokenizer):
    """Whether a model and its tokenizer give each word a tag."""
    outputs = getattr(interface.model, "outputs", None) or []
    return hasattr(tokenizer, "split") and len(outputs) == 1 and len(outputs[0].shape) == 2


def endpoint(interface, metadata, tokenizer):
    """A `Raw` from (B,) texts to {"words": (B, T) strings, "tags": (B, T) strings}, empty after a text's end.

    Raises:
        ValueError: no names of tags in the metadata's "labels", or a model and a tokenizer of other lengths.
    """
    labels, length = metadata.get("labels"), interface.inputs["tokens"].shape[1]
    if not labels or not all(isinstance(label, str) for label in labels):
        raise ValueError(f'"labels" in the metadata must be the names of the tags. Received: {labels!r}.')
    if length is not None and tokenizer.length != length:
        raise ValueError(f"The tokenizer's `length` must be the model's, {length}. Received: {tokenizer.length!r}.")
    names = tf.constant(["", *labels])

    def raw(texts):
        words = tokenizer.split(texts).to_tensor("", shape=(None, length))
        # A text without a word is asked for as one of padding: there is no sequence without a place.
        ids = tokenizer(texts)
        lacking = tf.maximum(1 - tf.shape(words)[1], 0)
        ids = {name: tf.pad(x, [[0, 0], [0, lacking], *[[0, 0]] * (len(x.shape) - 2)]) for name, x in ids.items()}
        tags = next(iter(interface.serve(**ids).values()))
        return {"words": words, "tags": tf.gather(names, tags + 1)[:, : tf.shape(words)[1]]}

    return Raw(raw, "texts", tokenizer)
