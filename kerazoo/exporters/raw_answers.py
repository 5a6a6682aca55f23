"""The `raw` endpoint of a reader: questions and passages in, answers out as they stand in the passages."""

import tensorflow as tf

from kerazoo.exporters.raw import Raw

WORDS = {"question", "question_characters", "passage", "passage_characters"}
PIECES = {"tokens", "word"}


def reads(interface, tokenizer):
    """Whether a model and its tokenizer find answers to questions in passages."""
    return hasattr(tokenizer, "places") and set(interface.inputs) in (WORDS, PIECES)


def endpoint(interface, tokenizer):
    """A `Raw` from (B,) questions and (B,) passages to what was found.

    It gives {"answers": (B,) strings, empty for none; "places": (B, 2) int32, where the answer begins in the passage
    and the place behind it, in code points, (0, 0) for none; "scores": (B,), the logarithm of the best span's
    probability; "absence": (B,), by how much "no answer" scores above it}.

    Raises:
        ValueError: a model that gives logits, without `kerazoo.decoding.with_answers`, or a model and a tokenizer of
            other lengths.
    """
    outputs = getattr(interface.model, "output", None)
    if not isinstance(outputs, dict) or set(outputs) != {"span", "score", "absence"}:
        raise ValueError(
            "A reader is exported from texts as `kerazoo.decoding.with_answers` gives it. Received: logits."
        )
    pieces = set(interface.inputs) == PIECES
    lengths = {"tokens": None} if pieces else {"passage": tokenizer.length, "question": tokenizer.question_length}
    for name, length in lengths.items():
        wanted = interface.inputs[name].shape[1]
        if wanted is not None and wanted != length:
            raise ValueError(f"The tokenizer's length of `{name}` must be the model's, {wanted}. Received: {length!r}.")

    def raw(questions, passages):
        passages = tf.strings.unicode_transcode(passages, "UTF-8", "UTF-8", errors="replace")
        ids = tokenizer(questions, passages)
        if not pieces:  # A question without a word is asked as one of padding: there is no sequence without a place.
            lacking = tf.maximum(1 - tf.shape(ids["question"])[1], 0)
            ids |= {
                name: tf.pad(ids[name], [[0, 0], [0, lacking], *[[0, 0]] * (len(ids[name].shape) - 2)])
                for name in ("question", "question_characters")
            }
        found = interface.serve(**ids)
        span = tf.cast(found["span"], tf.int32)
        answered = span[:, 0] > 0
        # Before the first word is the passage's mark.
        places = tf.concat([tf.zeros((tf.shape(span)[0], 1, 2), tf.int32), tokenizer.places(passages).to_tensor(0)], 1)
        first, last = (tf.gather(places, span[:, side], batch_dims=1) for side in (0, 1))
        start, end = first[:, 0], last[:, 1]
        start, end = (tf.where(answered, side, 0) for side in (start, end))
        return {
            "answers": tf.strings.substr(passages, start, end - start, unit="UTF8_CHAR"),
            "places": tf.stack([start, end], axis=-1),
            "scores": found["score"],
            "absence": found["absence"],
        }

    return Raw(raw, ("questions", "passages"), tokenizer)
