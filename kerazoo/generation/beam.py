"""Beam search: the likeliest sequences, several begun ones kept at a time."""

import numpy as np
import tensorflow as tf

from kerazoo.generation.stepper import Stepper

ROOM = 16  # Columns of what is searched come so many at a time.
LOW = -1e9


class BeamSearch:
    """Finds likely sequences in one compiled loop, as transformers' `generate(num_beams=)` does.

    Args:
        model: a language model, or a model from one sequence to another, of kerazoo.
        end: the id that ends a sequence.
        never: ids that no sequence has.
        jit_compile: compile the loop by XLA.

    Example:

    >>> import kerazoo, numpy
    >>> model = kerazoo.build("transformer_tiny", vocabulary_size=50, seed=0)
    >>> search = BeamSearch(model, end=2)
    >>> ids, scores = search(numpy.array([[1]]), numpy.array([[7, 8, 9, 2]]), tokens=5, beams=3)
    >>> len(ids[0]) <= 5
    True
    """

    def __init__(self, model, *, end, never=(), jit_compile=True):
        self.stepper, self.end = Stepper(model), end
        self.size = model.outputs[0].shape[-1]
        self.never = np.isin(np.arange(self.size), never)
        self._encode = tf.function(self.stepper.encode, reduce_retracing=True, autograph=False)
        self._search = tf.function(self.searched, jit_compile=jit_compile, autograph=False)

    def __call__(self, prompts, *inputs, tokens, beams=4, length_penalty=1.0):
        """The best sequence after each prompt.

        Args:
            prompts: (B, P) ids, none of them empty: the begin of a translation.
            *inputs: the model's others: (B, S) ids of the source.
            tokens: to add, at most.
            beams: sequences that are kept; 1 is greedy.
            length_penalty: a sequence's score is the sum of its log-probabilities over its length to this power: above
                0 favours long ones, below 0 short ones.

        Returns:
            `(ids, scores)`: a list of int32 arrays, what was added, without the end; (B,) float32.

        Raises:
            ValueError: no prompt, no tokens or beams, or more positions than the model knows.
        """
        prompts = np.asarray(prompts, "int32")
        if prompts.ndim != 2 or not prompts.size:
            raise ValueError(f"`prompts` must be (B, P), at least one id each. Received: shape {prompts.shape}.")
        for name, value in (("tokens", tokens), ("beams", beams)):
            if not isinstance(value, int) or value < 1:
                raise ValueError(f"`{name}` must be a positive integer. Received: {value!r}.")
        longest = prompts.shape[1] + tokens
        if self.stepper.context and longest > self.stepper.context:
            raise ValueError(f"The model knows {self.stepper.context} positions. Received: {longest} ids to come to.")
        encoded = self._encode(*map(tf.convert_to_tensor, inputs))
        # As few numbers of columns as can be are compiled.
        columns = -(-tokens // ROOM) * ROOM
        columns = min(columns, self.stepper.context - prompts.shape[1]) if self.stepper.context else columns
        penalty, limit = tf.constant(length_penalty, tf.float32), tf.constant(tokens)
        found, scores = self._search(tf.constant(prompts), encoded, penalty, columns, beams, limit)
        answers = []
        for row in found.numpy()[:, :tokens]:
            ends = np.flatnonzero(row == self.end)
            answers.append(row[: ends[0]] if len(ends) else row)
        return answers, scores.numpy()

    def searched(self, prompts, encoded, length_penalty, tokens, beams, limit=None):
        """The loop, on tensors: `(ids (B, tokens), filled up with the end, scores (B,))`.

        `limit`, (), is how many of these tokens are added at most; None is all.
        """
        limit = tokens if limit is None else limit
        batch, first = tf.shape(prompts)[0], prompts.shape[1]
        room = first + tokens

        def several(x):  # Each row once for each beam.
            return tf.repeat(x, beams, axis=0)

        state = self.stepper.initial_state(batch, room, encoded)
        if first > 1:
            _, state = self.stepper(prompts[:, :-1], state, 0, encoded)
        encoded = [several(x) for x in encoded]
        state = tf.nest.map_structure(several, state)
        none = tf.fill((batch, beams, tokens), self.end)
        scores = tf.tile(tf.constant([[0.0] + [LOW] * (beams - 1)]), (batch, 1))
        carried = {
            "length": tf.constant(0),
            "last": several(prompts[:, -1:]),
            "state": state,
            "ids": none,
            "scores": scores,
            "found": none,
            "found_scores": tf.fill((batch, beams), LOW),
            "done": tf.fill((batch,), False),
        }

        def going_on(carried):
            return (carried["length"] < limit) & ~tf.reduce_all(carried["done"])

        def step(carried):
            length = carried["length"]
            logits, state = self.stepper(carried["last"], carried["state"], first - 1 + length, encoded)
            chances = tf.nn.log_softmax(logits[:, -1])
            if self.never.any():
                chances = tf.where(self.never, LOW, chances)
            chances = tf.reshape(chances, (batch, beams, self.size))
            totals = tf.reshape(carried["scores"][:, :, None] + chances, (batch, beams * self.size))
            # Twice as many as beams: should all ends be among the best, there are enough to go on with.
            totals, places = tf.math.top_k(totals, 2 * beams)
            origins, drawn = places // self.size, places % self.size
            ids = tf.gather(carried["ids"], origins, batch_dims=1)
            ids = tf.where(tf.range(tokens) == length, drawn[..., None], ids)
            ended = (drawn == self.end) | (length + 1 >= limit)
            # Those that ended among the first count; later ones were worse than what is gone on with.
            best = tf.range(2 * beams) < beams
            now = totals / tf.cast(length + 1, tf.float32) ** length_penalty
            # A row that is done stays as it is while others go on: it answers as it would alone.
            now = tf.where(ended & best & ~carried["done"][:, None], now, LOW)
            found_scores, chosen = tf.math.top_k(tf.concat([carried["found_scores"], now], axis=1), beams)
            found = tf.gather(tf.concat([carried["found"], ids], axis=1), chosen, batch_dims=1)
            scores, kept = tf.math.top_k(tf.where(ended, LOW + totals, totals), beams)
            origins = tf.gather(origins, kept, batch_dims=1)
            rows = tf.reshape(tf.range(batch)[:, None] * beams + origins, (-1,))
            # The best that a begun sequence can still come to, were it to end now.
            hope = scores[:, 0] / tf.cast(length + 1, tf.float32) ** length_penalty
            changed = {
                "length": length + 1,
                "last": tf.reshape(tf.gather(drawn, kept, batch_dims=1), (-1, 1)),
                "state": state if beams == 1 else tf.nest.map_structure(lambda x: tf.gather(x, rows), state),
                "ids": tf.gather(ids, kept, batch_dims=1),
                "scores": scores,
                "found": found,
                "found_scores": found_scores,
                "done": carried["done"] | (hope <= tf.reduce_min(found_scores, axis=1)),
            }
            # Where the shapes were known they stay so.
            return (tf.nest.map_structure(lambda x, before: tf.ensure_shape(x, before.shape), changed, carried),)

        carried = tf.while_loop(going_on, step, (carried,))[0]
        return carried["found"][:, 0], carried["found_scores"][:, 0]
