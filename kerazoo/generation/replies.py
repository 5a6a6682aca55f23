"""A conversation with a model from one sequence to another that was trained on dialogues."""

import numpy as np
import tensorflow as tf

from kerazoo.generation.sampling import Sampling, draw
from kerazoo.generation.stepper import Stepper
from kerazoo.generation.translator import BEGIN, END, STEP


class Replies:
    """Turns of a user and of a model, which is told the last ones.

    Args:
        model: a model of kerazoo from one sequence to another.
        tokenizer: its tokenizer, with `ragged` and `texts`.
        prompt: `(turns) -> text`, what the model is given of all that was said, the user's last turn at the end.

    Example:

    >>> import kerazoo
    >>> from kerazoo.layers.sentencepiece_tokenizer import SentencePieceTokenizer
    >>> pieces = SentencePieceTokenizer.learn(["hello there", "good day to you"] * 9, size=30)
    >>> model = kerazoo.build("seq2seq_luong", vocabulary_size=pieces.size, units=16, seed=0)
    >>> talk = Replies(model, pieces, lambda turns: turns[-1])
    >>> answer = "".join(talk.say("hello", tokens=4))
    >>> talk.turns == [("hello", answer)]
    True
    """

    def __init__(self, model, tokenizer, prompt):
        self.stepper, self.tokenizer, self.prompt, self.turns = Stepper(model), tokenizer, prompt, []
        self._step = tf.function(self._stepped, autograph=False, reduce_retracing=True)

    def say(self, text, *, tokens=64, seed=0, **sampling):
        """Yields the answer in strings, piece by piece; both are in `turns` when it is at its end.

        Args:
            text: what the user says.
            tokens: of the answer, at most.
            seed: the same one draws the same.
            **sampling: as `kerazoo.generation.sampling.Sampling` takes them.

        Raises:
            ValueError: no positive number of tokens, or sampling that cannot be.
        """
        if not isinstance(tokens, int) or tokens < 1:
            raise ValueError(f"`tokens` must be a positive integer. Received: {tokens!r}.")
        sampling = Sampling(**sampling)
        if sampling.kind[0]:
            raise ValueError("A reply's pieces are drawn without `repetition_penalty`. Received: another one than 1.")
        context = self.stepper.context
        tokens = min(tokens, context - 1) if context else tokens
        ids = self.tokenizer.ragged([self.prompt([*sum(self.turns, ()), text])]).to_list()[0]
        longest = (context or len(ids) + 1) - 1
        ids = [*ids[-longest:], END]  # What was said last counts.
        width = -(-len(ids) // STEP) * STEP
        source = np.zeros((1, min(width, context or width)), "int32")
        source[0, : len(ids)] = ids
        encoded = self.stepper.encode(source)
        state, written, told = self.stepper.initial_state(1, tokens + 1, encoded), [], ""
        last = BEGIN
        for position in range(tokens):
            given = (tf.constant([[last]]), state, tf.constant(position), encoded, tf.constant([seed, position]))
            following, state = self._step(*given, sampling.values, sampling.kind)
            last = int(following[0])
            if last == END:
                break
            written.append(last)
            answer = self._text(written)
            if len(answer) > len(told):
                yield answer[len(told) :]
                told = answer
        self.turns.append((text, told))

    def _stepped(self, last, state, position, encoded, seed, values, kind):
        logits, state = self.stepper(last, state, position, encoded)
        return draw(logits[:, -1], kind, values, seed), state

    def _text(self, ids):
        return self.tokenizer.texts(tf.constant([ids], tf.int32)).numpy()[0].decode(errors="replace")
