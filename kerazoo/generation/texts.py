"""Texts that a language model writes, with stop strings, whole or in pieces as they come."""

import numpy as np

from kerazoo.generation.generator import Generator

BROKEN = "\N{REPLACEMENT CHARACTER}"  # What the first bytes of a character are until the last one has come.


class Writer:
    """A language model with its tokenizer.

    Args:
        model: a language model of kerazoo.
        tokenizer: its tokenizer, with `ragged` and `texts`.
        ends: ids after which a text ends; they are not part of it.
        jit_compile: compile the loop by XLA.

    Example:

    >>> import kerazoo
    >>> from kerazoo.layers.character_tokenizer import CharacterTokenizer
    >>> letters = CharacterTokenizer("abcdefgh ")
    >>> writer = Writer(kerazoo.build("gpt_nano", vocabulary_size=letters.size, seed=0), letters)
    >>> len(writer.write(["a bad egg "], tokens=20)[0])
    20
    """

    def __init__(self, model, tokenizer, *, ends=(), jit_compile=True):
        self.generator = Generator(model, jit_compile=jit_compile)
        self.tokenizer, self.ends = tokenizer, tuple(ends)

    def write(self, prompts, *, tokens, stop=(), seed=0, **sampling):
        """What follows each of some texts.

        Args:
            prompts: strings; what the tokenizer does not know in them is left out.
            tokens: to add to each, at most.
            stop: strings before which a text ends, or one.
            seed: the same one draws the same.
            **sampling: as `kerazoo.generation.sampling.Sampling` takes them.

        Returns:
            A list of strings.

        Raises:
            ValueError: a text without a known character, an empty stop string, or as `Generator.generate`.
        """
        stop = _stops(stop)
        ids = self._ids(prompts)
        answers = self.generator.generate(ids, tokens=tokens, ends=self.ends, seed=seed, **sampling)
        return [_cut(self._text(answer), stop)[0] for answer in answers]

    def stream(self, prompt, *, tokens, stop=(), seed=0, **sampling):
        """What follows a text, in strings as soon as they are certain; joined, they are what `write` gives."""
        stop, told, ids = _stops(stop), 0, []
        text = ""
        (prompt,) = self._ids([prompt])
        for identity in self.generator.stream(prompt, tokens=tokens, ends=self.ends, seed=seed, **sampling):
            ids.append(identity)
            text, found = _cut(self._text(ids), stop)
            # What may be the beginning of a stop string or of a character is held back.
            certain = len(text) if found else len(text.rstrip(BROKEN)) - _begun(text, stop)
            if certain > told:
                yield text[told:certain]
                told = certain
            if found:
                return
        if told < len(text):
            yield text[told:]

    def _ids(self, prompts):
        ids = [np.array(row, "int32") for row in self.tokenizer.ragged(list(prompts)).to_list()]
        for prompt, row in zip(prompts, ids):
            if not len(row):
                raise ValueError(f"A prompt must have a token that the tokenizer knows. Received: {prompt!r}.")
        return ids

    def _text(self, ids):
        ids = [identity for identity in ids if identity not in self.ends]
        return self.tokenizer.texts(np.array([ids], "int32")).numpy()[0].decode(errors="replace") if ids else ""


def _stops(stop):
    stop = (stop,) if isinstance(stop, str) else tuple(stop)
    if not all(stop):
        raise ValueError(f"A stop string must not be empty. Received: {stop!r}.")
    return stop


def _cut(text, stop):
    """(the text before the first stop string, whether there is one)."""
    places = [place for place in (text.find(word) for word in stop) if place >= 0]
    return (text[: min(places)], True) if places else (text, False)


def _begun(text, stop):
    """How many of the last characters begin a stop string."""
    return max(
        (size for word in stop for size in range(1, min(len(word), len(text) + 1)) if text.endswith(word[:size])),
        default=0,
    )
