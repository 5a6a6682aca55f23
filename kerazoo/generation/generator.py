"""What a language model writes: ids drawn one after the other in a compiled loop, or streamed."""

import numpy as np
import tensorflow as tf

from kerazoo.generation.sampling import Sampling, draw
from kerazoo.generation.stepper import Stepper

ROOM = 64  # The room of a state is a multiple of it, so that few sizes are compiled.


class Generator:
    """Goes on with given ids.

    The loop runs on the device, compiled by XLA, over a state with room for all ids to come. Where a model knows a
    limited number of positions and they are full, the later half of the ids is read anew and the loop goes on.

    Args:
        model: a language model of kerazoo: ids (B, T) in, logits (B, T, V) out.
        jit_compile: compile the loop by XLA.

    Example:

    >>> import kerazoo
    >>> writer = Generator(kerazoo.build("gpt_nano", seed=0))
    >>> [len(ids) for ids in writer.generate([[1, 2, 3], [4]], tokens=5)]
    [5, 5]
    """

    def __init__(self, model, *, jit_compile=True):
        self.stepper = Stepper(model)
        self.size = model.outputs[0].shape[-1]
        self._read = tf.function(lambda ids, state: self.stepper(ids, state, 0)[1], reduce_retracing=True)
        self._loop = tf.function(self._looping, jit_compile=jit_compile)

    def generate(self, prompts, *, tokens, ends=(), seed=0, **sampling):
        """What follows each prompt.

        Args:
            prompts: lists of ids, none of them empty.
            tokens: ids to add to each, at most.
            ends: ids after which a text ends.
            seed: the same one draws the same.
            **sampling: as `kerazoo.generation.sampling.Sampling` takes them.

        Returns:
            A list of int32 arrays: the ids that were added, with the one that ended the text.

        Raises:
            ValueError: no prompt, an empty one or ids out of range; no tokens; sampling out of its range.
        """
        pieces = self._pieces(prompts, tokens, ends, seed, Sampling(**sampling), at_once=tokens)
        return [np.concatenate(row) for row in zip(*pieces)]

    def stream(self, prompt, *, tokens, ends=(), seed=0, **sampling):
        """The ids that follow one prompt, each as soon as it is drawn; the same ones that `generate` gives."""
        for (piece,) in self._pieces([prompt], tokens, ends, seed, Sampling(**sampling), at_once=1):
            yield from piece.tolist()

    def _pieces(self, prompts, tokens, ends, seed, sampling, *, at_once):
        """Lists of arrays, one for each prompt: the ids that were added since the last list."""
        prompts = self._checked(prompts, tokens)
        longest, context = max(map(len, prompts)), self.stepper.context
        room = -(-(longest + tokens) // ROOM) * ROOM
        room = min(room, context) if context else room
        prompts = [prompt[-(room - 1) :] for prompt in prompts]
        # In columns of `ids`: where each row's own ids begin, and where they must end.
        firsts = np.array([len(prompt) for prompt in prompts], "int32")
        limits, scrolled = firsts + np.int32(tokens), 0
        ids = np.zeros((len(prompts), room), "int32")
        for row, prompt in zip(ids, prompts):
            row[: len(prompt)] = prompt
        position, done = int(firsts.min()) - 1, np.zeros(len(prompts), bool)
        state, ends = self._state(ids[:, :position], room), tf.constant(sorted(ends), tf.int32)
        while not done.all():
            if position == room - 1:
                kept = room // 2
                gone = room - kept
                ids = np.concatenate([ids[:, gone:], np.zeros_like(ids[:, :gone])], axis=1)
                firsts, limits, scrolled = firsts - gone, limits - gone, scrolled + gone
                position = kept - 1
                state = self._state(ids[:, :position], room)
            until = min(position + at_once, room - 1)
            before, was_done = position, done
            numbers = tf.constant([position, until, seed, scrolled])  # Python's own would each be compiled anew.
            ids, state, position, done, lasts = self._loop(
                ids, state, numbers, firsts, limits, done, ends, sampling.values, kind=sampling.kind
            )
            ids, position, done, lasts = ids.numpy(), int(position), done.numpy(), lasts.numpy()
            yield [
                ids[row, max(before + 1, firsts[row]) : 0 if was_done[row] else lasts[row]] for row in range(len(ids))
            ]

    def _checked(self, prompts, tokens):
        prompts = [np.asarray(prompt, "int32").reshape(-1) for prompt in prompts]
        if not prompts or not all(map(len, prompts)):
            raise ValueError("There must be a prompt, and none of them may be empty; a line's end is one.")
        for prompt in prompts:
            if prompt.min() < 0 or prompt.max() >= self.size:
                raise ValueError(f"Ids must be in [0, {self.size}). Received: {prompt.min()} to {prompt.max()}.")
        if not isinstance(tokens, int) or tokens < 1:
            raise ValueError(f"`tokens` must be a positive integer. Received: {tokens!r}.")
        return prompts

    def _state(self, ids, room):
        """The state after some ids (B, S), which may be none."""
        state = self.stepper.initial_state(len(ids), room)
        return self._read(tf.constant(ids), state) if ids.shape[1] else state

    def _looping(self, ids, state, numbers, firsts, limits, done, ends, values, *, kind):
        """Feeds the ids from one position to another, and draws those that follow where no prompt has them.

        Returns:
            `(ids, state, position, done, lasts)`: with `lasts` one past the last column of each row's own ids.
        """
        position, until, seed, scrolled = tf.unstack(numbers)
        batch, room = ids.shape
        columns, rows = tf.range(room), tf.range(batch)
        penalized = kind[0]
        present = tf.zeros((batch, self.size if penalized else 0), tf.bool)
        if penalized:
            there = tf.where(columns <= position, ids, ids[:, :1])
            places = tf.stack([tf.repeat(rows, room), tf.reshape(there, (-1,))], axis=1)
            present = tf.tensor_scatter_nd_update(present, places, tf.ones((batch * room,), tf.bool))

        def going_on(position, ids, state, done, lasts, present):
            return (position < until) & ~tf.reduce_all(done)

        def step(position, ids, state, done, lasts, present):
            current = tf.gather(ids, position, axis=1)[:, None]
            logits, state = self.stepper(current, state, position)
            following = draw(logits[:, -1], kind, values, tf.stack([seed, scrolled + position]), present)
            position += 1
            known = tf.gather(ids, position, axis=1)
            own = position >= firsts
            following = tf.where(own & ~done, following, tf.where(own, 0, known))
            lasts = tf.where(done, lasts, position + 1)
            done |= own & (tf.reduce_any(following[:, None] == ends, axis=1) | (position + 1 >= limits))
            ids = tf.where(columns == position, following[:, None], ids)
            if penalized:
                present |= tf.one_hot(following, self.size, True, False)
            return position, ids, state, done, lasts, present

        loop = (position, ids, state, done, tf.fill((batch,), position + 1), present)
        position, ids, state, done, lasts, _ = tf.while_loop(going_on, step, loop)
        return ids, state, position, done, lasts
