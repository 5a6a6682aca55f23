"""The `raw` endpoint of an encoder of sentences: texts in, their vectors out, split inside the graph."""

import tensorflow as tf

from kerazoo.exporters.raw import Raw

OUTPUT = "vectors"  # What the metadata says of the model's answers.


def embeds(metadata):
    """Whether the model's answers are vectors of texts."""
    return metadata.get("output") == OUTPUT


def endpoint(interface, tokenizer):
    """A `Raw` from (B,) texts to {"vectors": (B, C) float32}.

    Raises:
        ValueError: a model that does not take one row of ids for each text, or a tokenizer of another length.
    """
    facts = list(interface.inputs.values())
    if len(facts) != 1 or len(facts[0].shape) != 2 or not facts[0].dtype.startswith("int"):
        raise ValueError(f"An encoder of texts must take (B, length) integers alone. Received: inputs {facts}.")
    length = facts[0].shape[1]
    if length is not None and tokenizer.length != length:
        raise ValueError(f"The tokenizer's `length` must be the model's, {length}. Received: {tokenizer.length!r}.")
    (name,) = interface.inputs

    def raw(texts):
        return {OUTPUT: tf.cast(next(iter(interface.serve(**{name: tokenizer(texts)}).values())), tf.float32)}

    return Raw(raw, "texts", tokenizer)
