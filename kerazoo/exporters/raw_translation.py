"""The `raw` endpoint of a model from one sequence to another: texts in, texts out, searched inside the graph."""

import tensorflow as tf

from kerazoo.exporters.raw import Raw
from kerazoo.exporters.raw_language import generation_settings
from kerazoo.generation.beam import BeamSearch
from kerazoo.generation.translator import BEGIN, END, longest_answer

DEFAULTS = {"tokens": None, "beams": 4, "length_penalty": 1.0}
SOURCE = 256  # Ids of a source that are read at most, where the model does not know a largest number.


def translates(interface, tokenizer):
    """Whether a model and its tokenizer make texts from texts."""
    return set(interface.inputs) == {"source", "tokens"} and hasattr(tokenizer, "texts")


def endpoint(interface, metadata, tokenizer):
    """A `Raw` from (B,) texts to {"texts": (B,)}.

    Raises:
        ValueError: settings of "generate" in the metadata that are unknown or out of range, or a model whose
            vocabulary is not the tokenizer's.
    """
    settings = generation_settings(metadata, DEFAULTS, ())
    search = BeamSearch(interface.model, end=END, never=getattr(tokenizer, "never", ()))
    context = search.stepper.context or SOURCE
    length = interface.inputs["source"].shape[1]
    tokens = settings["tokens"] or min(longest_answer(length or context, context), context - 1)
    for name, value in (("tokens", tokens), ("beams", settings["beams"])):
        if not isinstance(value, int) or value < 1:
            raise ValueError(f'`{name}` of "generate" must be a positive integer. Received: {value!r}.')
    if search.size != tokenizer.size or tokens >= context:
        raise ValueError(
            "The model and the tokenizer must have the same number of ids, and `tokens` be fewer than the model's "
            f"positions. Received: {search.size} and {tokenizer.size}; {tokens} and {context}."
        )

    def raw(texts):
        ids = tf.cast(tokenizer.ragged(texts), tf.int32)[:, : (length or context) - 1]
        column = tf.ones_like(ids[:, :1].to_tensor(0, shape=(None, 1)))
        source = tf.concat([ids, END * column], axis=1).to_tensor(0, shape=(None, length))
        encoded = search.stepper.encode(source)
        penalty = tf.constant(float(settings["length_penalty"]))
        found, _ = search.searched(BEGIN * column, encoded, penalty, tokens, settings["beams"])
        there = tf.math.cumsum(tf.cast(found == END, tf.int32), axis=1) == 0  # Up to the end.
        return {"texts": tokenizer.texts(tf.ragged.boolean_mask(found, there), texts)}

    return Raw(raw, "texts", tokenizer)
