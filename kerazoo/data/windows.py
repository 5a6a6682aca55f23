"""A series -> tf.data of (past, future) windows, cut batch by batch: the series is held once, windows never."""

import numpy as np
import tensorflow as tf

PIECE = 65_536  # Rows that are copied or summed at a time.


def window_starts(rows, *, lookback, horizon, first=0, last=None):
    """First rows of all windows whose future lies in [first, last): a range, which no memory is spent on.

    The past may reach before `first`: a test window looks back into the validation rows, as a forecaster in
    use would.

    Args:
        rows: of the series.
        lookback: rows of the past in a window.
        horizon: rows of the future.
        first: the first row that may be forecast.
        last: one past the last row that may be forecast; None is the series's end.

    Raises:
        ValueError: no window fits.

    Example:

    >>> window_starts(10, lookback=3, horizon=2)
    range(0, 6)
    >>> window_starts(10, lookback=3, horizon=2, first=7)
    range(4, 6)
    """
    last = rows if last is None else last
    if lookback < 1 or horizon < 1:
        raise ValueError(f"`lookback` and `horizon` must be at least 1. Received: {lookback!r} and {horizon!r}.")
    starts = range(max(first - lookback, 0), last - lookback - horizon + 1)
    if not starts or last > rows:
        raise ValueError(
            f"Rows {first} to {last} of {rows} must hold a window of {lookback} past and {horizon} future rows. "
            "Received: too few rows."
        )
    return starts


def windows(
    values,
    starts,
    *,
    lookback,
    horizon,
    batch_size,
    training=False,
    targets=None,
    known=None,
    observed=None,
    seed=0,
):
    """A `tf.data.Dataset` of (past, future) pairs.

    Args:
        values: (T, C), float32; a variable of `hold` is used as it is.
        starts: first rows of the windows: the range that `window_starts` gives, or any integers.
        lookback: rows of the past.
        horizon: rows of the future.
        batch_size: windows in a batch; the last one may be smaller, in training it is left out.
        training: shuffle anew every epoch.
        targets: positions of the channels to forecast; None is all.
        known: (T, K), what is known of every row in advance, for instance by the calendar.
        observed: (T, O), what is told of the past rows alone.
        seed: of the shuffling.

    Shapes: past (B, lookback, C), future (B, horizon, C or len(targets)), float32; with covariates, in place of past
        {"past": past, "known": (B, lookback + horizon, K), "observed": (B, lookback, O)}, those there are.

    Example:

    >>> import numpy as np
    >>> values = np.arange(10, dtype="float32")[:, None]
    >>> past, future = next(iter(windows(values, [0, 5], lookback=3, horizon=2, batch_size=2)))
    >>> past[1, :, 0].numpy().tolist(), future[1, :, 0].numpy().tolist()
    ([5.0, 6.0, 7.0], [8.0, 9.0])
    """
    tables = {"past": values} | {k: v for k, v in (("known", known), ("observed", observed)) if v is not None}
    tables = {name: table if isinstance(table, tf.Variable) else hold(table) for name, table in tables.items()}
    reach = tf.range(lookback + horizon, dtype="int64")

    def gather(name, rows):
        found = tf.gather(tables[name], rows)
        found.set_shape((None, lookback + horizon, tables[name].shape[1]))
        return found

    def cut(first):
        rows = first[:, None] + reach
        inputs = {name: gather(name, rows) for name in tables}
        past, future = inputs["past"][:, :lookback], inputs["past"][:, lookback:]
        inputs["past"] = past
        if observed is not None:
            inputs["observed"] = inputs["observed"][:, :lookback]
        future = future if targets is None else tf.gather(future, targets, axis=-1)
        return inputs if len(tables) > 1 else past, future

    order = _shuffled(len(starts), batch_size, seed) if training else _in_order(len(starts), batch_size)
    pairs = order.map(_picked_from(starts)).map(cut, tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)
    pairs.tables = tables  # tf.data itself does not keep a variable alive.
    return pairs


def hold(values, mean=0.0, deviation=1.0):
    """(values - mean) / deviation as TensorFlow holds it: a float32 variable that is filled piece by piece.

    A constant would cost twice the memory of the array it is made from, beside that array. So would `held[a:b].assign`,
    which reads what it is about to write: TensorFlow then writes into a copy.

    Args:
        values: (T, C).
        mean, deviation: numbers or (C,).
    """
    held = tf.Variable(lambda: tf.zeros(values.shape), trainable=False)
    for first in range(0, len(values), PIECE):
        piece = (np.asarray(values[first : first + PIECE], "float32") - mean) / deviation
        bounds = {"begin": [first], "end": [first + len(piece)], "strides": [1]}
        tf.raw_ops.ResourceStridedSliceAssign(ref=held.handle, value=tf.cast(piece, "float32"), **bounds)
    return held


def _picked_from(starts):
    """A function: places in `starts` -> the starts there. A range is computed and not held."""
    if isinstance(starts, range):
        return lambda places: starts.start + places * starts.step
    held = tf.constant(np.asarray(starts, "int64"))
    return lambda places: tf.gather(held, places)


def _in_order(count, batch_size):
    """Batches of the places 0 ... count - 1; the last one may be smaller."""
    return tf.data.Dataset.range(0, count, batch_size).map(
        lambda first: tf.range(first, tf.minimum(first + batch_size, count))
    )


def _shuffled(count, batch_size, seed):
    """The same in an order that is new every epoch; a last, smaller batch is left out, but not an only one.

    The order is computed number by number: tf.data's own shuffle holds a hundred bytes and more for each window,
    several times the row that it adds to the series.
    """
    used = count - count % batch_size or count

    def epoch(key):
        return _in_order(used, batch_size).map(
            lambda places: tf.random.experimental.index_shuffle(
                places, tf.stack([key, key]), tf.cast(count - 1, "int64")
            )
        )

    keys = tf.data.Dataset.random(seed=seed, rerandomize_each_iteration=True).take(1)
    return keys.flat_map(epoch).apply(tf.data.experimental.assert_cardinality(-(-used // batch_size)))
