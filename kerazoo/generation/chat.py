"""A conversation with a language model that was trained to answer, as ChatML writes it."""

import numpy as np

from kerazoo.generation.generator import Generator
from kerazoo.generation.texts import BROKEN

BEGIN, END = "<|im_start|>", "<|im_end|>"  # Of a turn.
ROOM = 1024  # Tokens of a conversation come in multiples of it: the loop is traced anew for each.


class Chat:
    """Turns of a user and of a model, each told all that was said before, as far as it fits.

    What a user says never gives one of the marks that part the turns: it is split apart from them.

    Args:
        model: a language model of kerazoo.
        pairs: a `BytePairs` whose `special` has the marks of ChatML.
        system: what the model is told before the first turn.
        window: tokens that a conversation may have with the answer to come; then its oldest turns are left out. None
            takes what the model knows, up to 4 times 1,024.
        jit_compile: compile the loop by XLA, which takes longer to begin.

    Raises:
        ValueError: no marks of ChatML.
    """

    def __init__(self, model, pairs, *, system="You are a helpful assistant.", window=None, jit_compile=False):
        if not {BEGIN, END} <= set(pairs.special):
            raise ValueError(f"The tokens must have the marks {BEGIN} and {END}. Received: {sorted(pairs.special)}.")
        self.generator = Generator(model, jit_compile=jit_compile, room=ROOM)
        self.window = window or min(self.generator.stepper.context or 4 * ROOM, 4 * ROOM)
        self.pairs, self.turns = pairs, []
        self.system = self._turn("system", system) if system else []

    def say(self, text, *, tokens=256, seed=0, **sampling):
        """Yields the answer in strings, as soon as they are certain; both are in `turns` when it is at its end.

        Args:
            text: what the user says.
            tokens: of the answer, at most.
            seed: the same one draws the same.
            **sampling: as `kerazoo.generation.sampling.Sampling` takes them.

        Raises:
            ValueError: a text that does not fit into the window with its answer, or as `Generator.stream`.
        """
        prompt, ids, told = self.prompt(text, tokens), [], ""
        end = self.pairs.special[END]
        for place in self.generator.stream(prompt, tokens=tokens, ends=(end,), seed=seed, **sampling):
            ids.append(place)
            answer = self._text(ids).rstrip(BROKEN)  # The first bytes of a character wait for its last.
            if len(answer) > len(told):
                yield answer[len(told) :]
                told = answer
        answer = self._text(ids)
        if len(answer) > len(told):
            yield answer[len(told) :]
        self.turns.append((text, answer))

    def prompt(self, text, tokens):
        """The ids that the model goes on from: the system's words, as many of the last turns as fit, the user's."""
        asked = self._turn("user", text) + [self.pairs.special[BEGIN], *self.pairs.ids("assistant\n")]
        left = self.window - tokens - len(self.system) - len(asked)
        if left < 0:
            raise ValueError(
                f"A text and an answer of {tokens} tokens must fit into {self.window}. Received: a text that is "
                f"{-left} too long."
            )
        kept = []
        for said, answer in reversed(self.turns):
            turn = self._turn("user", said) + self._turn("assistant", answer)
            if len(turn) > left:
                break
            left -= len(turn)
            kept = turn + kept
        return self.system + kept + asked

    def _turn(self, role, text):
        begin, end = (self.pairs.special[mark] for mark in (BEGIN, END))
        return [begin, *self.pairs.ids(f"{role}\n{text}"), end, *self.pairs.ids("\n")]

    def _text(self, ids):
        return self.pairs.texts(np.array([ids], "int32")).numpy()[0].decode(errors="replace") if ids else ""
