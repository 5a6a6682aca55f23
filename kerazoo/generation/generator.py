"""What a language model writes: ids drawn one after the other in a compiled loop, or streamed."""

import numpy as np
import tensorflow as tf

from kerazoo.generation.sampling import Sampling, draw
from kerazoo.generation.stepper import Stepper

ROOM = 64  # Columns of a state that come at a time, unless a caller says otherwise.


class Generator:
    """Goes on with given ids.

    The loop runs on the device, compiled by XLA, over a state with room for all ids to come. Where a model knows a
    limited number of positions and they are full, the later half of the ids is read anew and the loop goes on.

    Args:
        model: a language model of kerazoo: ids (B, T) in, logits (B, T, V) out.
        jit_compile: compile the loop by XLA.
        room: the columns of a state, and of what is written, are a multiple of it, as few sizes are compiled.

    Example:

    >>> import kerazoo
    >>> writer = Generator(kerazoo.build("gpt_nano", seed=0))
    >>> [len(ids) for ids in writer.generate([[1, 2, 3], [4]], tokens=5)]
    [5, 5]
    """

    def __init__(self, model, *, jit_compile=True, room=ROOM):
        self.stepper, self.step_of_room = Stepper(model), room
        self.size = model.outputs[0].shape[-1]
        self._readers = {}
        self._loop = tf.function(self.looped, jit_compile=jit_compile, autograph=False)

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
        longest = max(map(len, prompts))
        room = self.room(longest + tokens)
        prompts = [prompt[-(room - 1) :] for prompt in prompts]
        ids = np.zeros((len(prompts), room), "int32")
        for row, prompt in zip(ids, prompts):
            row[: len(prompt)] = prompt
        firsts = np.array([len(prompt) for prompt in prompts], "int32")
        shared = int(firsts.min()) - 1  # All rows have so many ids before the one that is fed first.
        carried = self.begin(tf.constant(ids), self._read(ids[:, :shared], room), shared, tokens, sampling.kind)
        chosen = {"firsts": tf.constant(firsts), "ends": tf.constant(sorted(ends), tf.int32), "values": sampling.values}
        told = np.zeros(len(prompts), int)
        while not carried["done"].numpy().all():
            # As tensors: Python's own numbers would each be compiled anew.
            carried = self._loop(carried, tf.constant(at_once), tf.constant(seed), **chosen, kind=sampling.kind)
            written, counts = carried["written"].numpy(), carried["counts"].numpy()
            yield [row[first:last] for row, first, last in zip(written, told, counts)]
            told = counts

    def room(self, wanted):
        """Columns of a state for so many ids: not more than the model knows positions."""
        return min(self._rounded(wanted), self.stepper.context or self._rounded(wanted))

    def _rounded(self, wanted):
        """So many columns, and some more: what is compiled for them serves other numbers too."""
        return -(-wanted // self.step_of_room) * self.step_of_room

    def _read(self, ids, room):
        """The state after some ids (B, S), which may be none."""
        batch, length = ids.shape
        if not length:
            return self.stepper.initial_state(batch, room)
        if (batch, room) not in self._readers:  # One for all lengths; not by XLA, which would compile each.
            specs = [tf.TensorSpec((batch, None), tf.int32)]
            self._readers[batch, room] = tf.function(
                lambda ids: self.stepper(ids, self.stepper.initial_state(batch, room), 0)[1],
                input_signature=specs,
                autograph=False,
            )
        return self._readers[batch, room](tf.constant(ids))

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

    def begin(self, ids, state, position, tokens, kind):
        """What the loop carries, before it has drawn anything.

        Args:
            ids: (B, room) int32, the prompts from the first column on.
            state: after the ids before `position`.
            position: the column that is fed first.
            tokens: to draw for each row, at most.
            kind: of the `Sampling`.
        """
        none = tf.zeros_like(ids[:, 0])
        return {
            "ids": ids,
            "state": state,
            "position": tf.convert_to_tensor(position),
            "scrolled": tf.constant(0),
            "present": self._present(ids, position) if kind[0] else none > 0,
            "written": tf.tile(none[:, None], (1, self._rounded(tokens))),
            "limit": tf.constant(tokens),
            "counts": none,
            "done": none > 0,
        }

    def looped(self, carried, steps, seed, *, firsts, ends, values, kind):
        """Draws the id that follows `position`, `steps` times; ids that the prompts still have are fed as they are.

        Args:
            carried: of `begin`, or of this function.
            steps: (), at most; it ends as soon as every row is done.
            seed: (), int32.
            firsts: (B,) int32, ids that each prompt has.
            ends: (E,) int32, ids after which a row is done.
            values, kind: of the `Sampling`.

        Returns:
            What was carried, further on.
        """
        room = carried["ids"].shape[1]
        limited = room == self.stepper.context
        places, columns = tf.range(room), tf.range(carried["written"].shape[1])
        last = carried["position"] + carried["scrolled"] + steps

        def going_on(carried):
            return (carried["position"] + carried["scrolled"] < last) & ~tf.reduce_all(carried["done"])

        def step(carried):
            if limited:
                full = carried["position"] == room - 1
                carried = carried | tf.cond(full, lambda: self._slide(carried, kind), lambda: _slid(carried))
            ids, position, scrolled = carried["ids"], carried["position"], carried["scrolled"]
            current = tf.gather(ids, position, axis=1)[:, None]
            logits, state = self.stepper(current, carried["state"], position)
            chance = tf.stack([seed, scrolled + position])
            following = draw(logits[:, -1], kind, values, chance, carried["present"])
            position += 1
            own = (position + scrolled >= firsts) & ~carried["done"]
            following = tf.where(own, following, tf.gather(ids, position, axis=1))  # Where a row is done, 0.
            counts = carried["counts"]
            there = own[:, None] & (columns == counts[:, None])
            counts += tf.cast(own, tf.int32)
            ended = own & tf.reduce_any(following[:, None] == ends, axis=1)
            changed = {
                "ids": tf.where(places == position, following[:, None], ids),
                "state": state,
                "position": position,
                "written": tf.where(there, following[:, None], carried["written"]),
                "counts": counts,
                "done": carried["done"] | ended | (counts >= carried["limit"]),
            }
            if kind[0]:
                changed["present"] = carried["present"] | tf.one_hot(following, self.size, True, False)
            return (carried | changed,)

        return tf.while_loop(going_on, step, (carried,))[0]

    def _slide(self, carried, kind):
        """The later half of the ids, read anew from the first position on."""
        ids = carried["ids"]
        kept = ids.shape[1] // 2
        gone = ids.shape[1] - kept
        ids = tf.concat([ids[:, gone:], tf.zeros_like(ids[:, :gone])], axis=1)
        fresh = tf.nest.map_structure(tf.zeros_like, carried["state"])
        _, state = self.stepper(ids[:, : kept - 1], fresh, 0)
        position = tf.constant(kept - 1)
        present = self._present(ids, position) if kind[0] else carried["present"]
        slid = {"ids": ids, "state": state, "position": position, "present": present}
        return _slid(slid | {"scrolled": carried["scrolled"] + gone})

    def _present(self, ids, position):
        """(B, V) bool: the ids that stand in a row up to its position."""
        batch, room = tf.shape(ids)[0], ids.shape[1]
        there = tf.where(tf.range(room) <= position, ids, ids[:, :1])
        pairs = tf.stack([tf.repeat(tf.range(batch), room), tf.reshape(there, (-1,))], axis=1)
        none = tf.zeros((batch, self.size), tf.bool)
        return tf.tensor_scatter_nd_update(none, pairs, tf.ones((batch * room,), tf.bool))


def _slid(carried):
    """The part of what is carried that sliding changes."""
    return {name: carried[name] for name in ("ids", "state", "position", "scrolled", "present")}
