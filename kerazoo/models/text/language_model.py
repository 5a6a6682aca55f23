"""What all language models share: their input, how they are compiled, random texts to test with."""

import keras


def token_input(length, **sizes):
    """The model's input: (B, length) int32, ids of tokens.

    Args:
        length: tokens of a text, or None for any.
        **sizes: that must be positive integers; `vocabulary_size` one of at least 2.

    Raises:
        ValueError: one that is not.
    """
    for name, value in (sizes | {"length": 1 if length is None else length}).items():
        least = 2 if name == "vocabulary_size" else 1
        if not isinstance(value, int) or value < least:
            raise ValueError(f"`{name}` must be an integer of at least {least}. Received: {value!r}.")
    return keras.Input((length,), name="tokens", dtype="int32")


def compile_next_token(model, optimizer):
    """Compiles with cross-entropy on the token that follows each one, in nats; returns the model."""
    model.compile(optimizer=optimizer, loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


def sample_of(*, length, vocabulary_size):
    """`(rng, batch) -> (tokens, next tokens)`: random texts, for `register(sample=)`."""

    def sample(rng, batch):
        tokens = rng.integers(0, vocabulary_size, (batch, length + 1)).astype("int32")
        return tokens[:, :-1], tokens[:, 1:]

    return sample
