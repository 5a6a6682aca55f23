"""How many examples a second training takes in, by precision, XLA and steps per execution."""

import gc
import math
import time

import keras
import numpy as np

PRECISIONS = ("float32", "mixed_bfloat16")
STEPS_PER_EXECUTION = (1, 8, 32)


def measure(name, *, batch, build_arguments=None, steps=32, rounds=3, seconds=0.0):
    """Trains on one random batch, held in memory, and counts examples a second.

    Args:
        name: the model's registered name.
        batch: examples in a step.
        build_arguments: for `kerazoo.build`.
        steps: steps of one timed epoch; a multiple of 32, so that every combination runs whole.
        rounds: timed epochs of each combination, taken in turns, at least; the median counts.
        seconds: that the turns last together, at least: the epochs of a small model are too short to trust three.

    Returns:
        A list of rows: {"loop": "fit" or "hand-written", "precision", "xla", "steps_per_execution",
        "examples_per_second"}, or "error" in place of the last.

    Raises:
        ValueError: `steps` that a combination would not run whole.
    """
    whole = math.lcm(*STEPS_PER_EXECUTION)
    if steps < 1 or steps % whole:
        raise ValueError(f"`steps` must be a multiple of {whole}. Received: {steps!r}.")
    combinations = [
        {"loop": "fit", "precision": precision, "xla": xla, "steps_per_execution": count}
        for precision in PRECISIONS
        for xla in (False, True)
        for count in STEPS_PER_EXECUTION
    ]
    combinations += [{"loop": "hand-written", "precision": precision, "xla": False} for precision in PRECISIONS]
    epochs = []
    for row in combinations:
        try:
            epoch = (_fit if row["loop"] == "fit" else _by_hand)(name, row, batch, dict(build_arguments or {}), steps)
            epoch()  # Traces and compiles.
            epochs.append(epoch)
        except Exception as error:  # A combination that cannot run is a row, not the end of the others.
            row["error"] = f"{type(error).__name__}: {str(error).splitlines()[0][:300]}"
            epochs.append(None)
    times = [[] for _ in combinations]
    gc.collect()
    begun = time.perf_counter()
    while any(epochs) and (rounds > 0 or time.perf_counter() - begun < seconds):
        rounds -= 1
        for epoch, taken in zip(epochs, times):
            if epoch:
                started = time.perf_counter()
                epoch()
                taken.append(time.perf_counter() - started)
    for row, taken in zip(combinations, times):
        if taken:
            row["examples_per_second"] = round(steps * batch / float(np.median(taken)), 2)
    return combinations


def random_batch(model, batch, seed=0):
    """(inputs, targets): random ones that the model's own loss takes."""
    from kerazoo.engines.interface import Interface

    interface = Interface(model)
    rng = np.random.default_rng(seed)
    sparse = "sparse" in type(model.loss).__name__.lower() or "sparse" in str(model.loss).lower()

    def target(output):
        shape = tuple(output.shape)
        return rng.integers(0, shape[-1], shape[:-1]) if sparse else rng.random(shape).astype("float32")

    inputs = interface.pack(interface.random(batch))
    # Answers, and not the graph's output: their sizes are known where the model takes any length.
    return inputs, keras.tree.map_structure(target, model(inputs))


def _model_and_data(name, row, batch, build_arguments):
    import tensorflow as tf

    from kerazoo.builder import build

    arguments = build_arguments | {"precision": row["precision"], "jit_compile": row["xla"]}
    model = build(name, steps_per_execution=row.get("steps_per_execution"), **arguments)
    data = tf.data.Dataset.from_tensors(random_batch(model, batch)).cache().repeat().prefetch(tf.data.AUTOTUNE)
    return model, data


def _fit(name, row, batch, build_arguments, steps):
    model, data = _model_and_data(name, row, batch, build_arguments)
    return lambda: model.fit(data, steps_per_epoch=steps, epochs=1, verbose=0, shuffle=False)


def _by_hand(name, row, batch, build_arguments, steps):
    """The loop one would write oneself: a whole epoch in one compiled function, no metrics but the loss."""
    import tensorflow as tf

    model, data = _model_and_data(name, row, batch, build_arguments)
    optimizer, iterator = model.optimizer, iter(data)
    optimizer.build(model.trainable_variables)

    @tf.function
    def epoch():
        total = tf.constant(0.0)
        for _ in tf.range(steps):
            inputs, targets = next(iterator)
            with tf.GradientTape() as tape:
                loss = model.compute_loss(inputs, targets, model(inputs, training=True))
            optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)
            total += tf.cast(loss, tf.float32)
        return total / tf.cast(steps, tf.float32)

    return lambda: float(epoch())
