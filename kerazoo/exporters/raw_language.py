"""The `raw` endpoint of a language model: texts in, how they go on out, drawn inside the graph."""

import tensorflow as tf

from kerazoo.exporters.raw import Raw
from kerazoo.generation.generator import Generator
from kerazoo.generation.sampling import Sampling
from kerazoo.registry import unknown_choice

DEFAULTS = {"tokens": 200, "seed": None}
PROMPT = 256  # Ids of a prompt that are read at most, where the model does not know a largest number.


def writes(interface, tokenizer):
    """Whether a model and its tokenizer make a writer of texts: ids in, logits after each out, and back to texts."""
    outputs = getattr(interface.model, "outputs", None) or []
    return hasattr(tokenizer, "texts") and len(outputs) == 1 and len(outputs[0].shape) == 3


def endpoint(interface, metadata, tokenizer):
    """A `Raw` from (B,) texts to {"texts": (B,)}.

    A text without a known token begins with id 0. Without a seed every call draws anew.

    Raises:
        ValueError: settings of "generate" in the metadata that are unknown or out of range, or a model whose
            vocabulary is not the tokenizer's.
    """
    settings = generation_settings(metadata, DEFAULTS, Sampling.__dataclass_fields__)
    tokens, seed = settings.pop("tokens"), settings.pop("seed")
    sampling = Sampling(**settings)
    generator = Generator(interface.model)
    if generator.size != tokenizer.size or not isinstance(tokens, int) or tokens < 1:
        raise ValueError(
            "The model and the tokenizer must have the same number of ids, and `tokens` be a positive integer. "
            f"Received: {generator.size}, {tokenizer.size} and {tokens!r}."
        )
    room = generator.room(PROMPT + tokens)
    longest = room - 1 if room == generator.stepper.context else room - tokens

    def raw(texts):
        prompts = tokenizer.ragged(texts)[:, -longest:]
        firsts = tf.maximum(tf.cast(prompts.row_lengths(), tf.int32), 1)
        ids = prompts.to_tensor(0, shape=(None, room))
        shared = tf.reduce_min(firsts) - 1
        state = generator.stepper.initial_state(tf.shape(ids)[0], room)
        state = tf.cond(shared > 0, lambda: generator.stepper(ids[:, :shared], state, 0)[1], lambda: state)
        drawn = tf.random.uniform((), maxval=2**31 - 1, dtype=tf.int32) if seed is None else tf.constant(seed)
        carried = generator.looped(
            generator.begin(ids, state, shared, tokens, sampling.kind),
            tf.constant(2**30),
            drawn,
            firsts=firsts,
            ends=tf.zeros((0,), tf.int32),
            values=sampling.values,
            kind=sampling.kind,
        )
        return {"texts": tokenizer.texts(tf.RaggedTensor.from_tensor(carried["written"], carried["counts"]))}

    return Raw(raw, "texts", tokenizer)


def generation_settings(metadata, defaults, others):
    """What the metadata says of "generate", over the defaults.

    Args:
        metadata: of the export.
        defaults: {setting: value}.
        others: names of settings without a default.

    Raises:
        ValueError: no dictionary, or an unknown setting.
    """
    settings = metadata.get("generate", {})
    if not isinstance(settings, dict):
        raise ValueError(f'"generate" in the metadata must be a dictionary of settings. Received: {settings!r}.')
    choices = [*defaults, *others]
    for name in settings:
        if name not in choices:
            raise ValueError(unknown_choice('setting of "generate" in the metadata', name, choices))
    return defaults | settings
