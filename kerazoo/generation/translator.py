"""Texts from texts: a model from one sequence to another with its tokenizer, by beam search."""

import keras
import numpy as np
import tensorflow as tf

from kerazoo.generation.beam import BeamSearch

BEGIN, END = 1, 2  # Ids before a target and after either text, as the pairs have them that it was trained on.
STEP = 16  # Sources are filled up to a multiple of it, so that few shapes are compiled.


class Translator:
    """A translator, or whatever else the model has learned to make of a text.

    Args:
        model: a model of kerazoo from one sequence to another.
        tokenizer: its tokenizer, with `ragged(texts)` and `texts(ids, sources)`; ids that are never to be said are
            its `never`, if there are such.
        jit_compile: compile the search by XLA, once for each length of sources; worth it for many texts.

    Example:

    >>> import kerazoo
    >>> from kerazoo.layers.sentencepiece_tokenizer import SentencePieceTokenizer
    >>> pieces = SentencePieceTokenizer.learn(["a black dog runs", "a dog jumps", "dogs run and jump"] * 9, size=40)
    >>> model = kerazoo.build("transformer_tiny", vocabulary_size=pieces.size, seed=0)
    >>> len(Translator(model, pieces, jit_compile=False)(["a dog", "dogs run"], beams=2))
    2
    """

    def __init__(self, model, tokenizer, *, jit_compile=False):
        self.model, self.tokenizer = model, tokenizer
        self.search = BeamSearch(model, end=END, never=getattr(tokenizer, "never", ()), jit_compile=jit_compile)

    def __call__(self, texts, *, beams=4, length_penalty=1.0, tokens=None, batch_size=64, progress=False):
        """What becomes of each text.

        Args:
            texts: strings; what is longer than the positions that the model knows is cut.
            beams, length_penalty: as `BeamSearch` takes them.
            tokens: ids of an answer, at most; None is half as many again as the source has, and some.
            batch_size: texts that are searched at once.
            progress: show a bar.

        Returns:
            A list of strings, in the order of the texts.
        """
        texts = list(texts)
        context = self.search.stepper.context
        ids = [row[: (context or len(row) + 1) - 1] for row in self.tokenizer.ragged(texts).to_list()] if texts else []
        order = sorted(range(len(ids)), key=lambda place: len(ids[place]))
        answers = [""] * len(ids)
        bar = keras.utils.Progbar(len(ids), unit_name="text") if progress else None
        for first in range(0, len(order), batch_size):
            places = order[first : first + batch_size]
            longest = -(-(len(ids[places[-1]]) + 1) // STEP) * STEP
            longest = min(longest, context or longest)
            # A last batch that is smaller is filled up: another size would be compiled anew.
            source = np.full((batch_size if len(order) > batch_size else len(places), longest), 0, "int32")
            for row, place in zip(source, places):
                row[: len(ids[place]) + 1] = [*ids[place], END]
            found, _ = self.search(
                np.full((len(source), 1), BEGIN),
                source,
                tokens=tokens or longest_answer(longest, context),
                beams=beams,
                length_penalty=length_penalty,
            )
            found = tf.ragged.constant([row.tolist() for row in found], dtype=tf.int32, ragged_rank=1)
            told = self.tokenizer.texts(found[: len(places)], [texts[place] for place in places]).numpy()
            for place, text in zip(places, told, strict=True):
                answers[place] = text.decode()
            if bar is not None:
                bar.add(len(places))
        return answers


def longest_answer(source, context=None):
    """Ids that an answer may have: half as many again as the source, and some."""
    wanted = source * 3 // 2 + STEP
    return min(wanted, context - 1) if context else wanted
