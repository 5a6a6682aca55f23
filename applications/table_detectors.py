"""Detectors of strange rows beside a table's classifiers: trained on the same rows, one figure for each row.

They see the columns of numbers alone. An autoencoder and a sphere learn the rows of the other class, whatever they
are called; a deviation network learns the labels too.
"""

import numpy as np

import kerazoo

EPOCHS, BATCH = 50, 128
LABELLED_STEPS, LABELLED_BATCH = 20, 512  # In each epoch: as the deviation network's authors.
LARGEST_CALL = 4096  # Rows that a detector is asked about together.


def check(names):
    """The names themselves.

    Raises:
        ValueError: one that is no detector of rows.
    """
    known = kerazoo.list_models(task="row_anomaly")
    for name in names:
        if name not in known:
            raise ValueError(f"`--detectors` must be some of {known}, with commas. Received: {name!r}.")
    return names


def fitted(name, train, *, seed=0):
    """Trains a detector on the rows of a `Table` of two classes.

    Returns:
        A function from a `Table` to how strange its rows are, (N,).

    Raises:
        ValueError: a table without numbers.
    """
    import keras

    from kerazoo.data.encoder import Encoder
    from kerazoo.evaluate.predict import compiled
    from kerazoo.models.anomaly.dev_net import balanced_batches
    from kerazoo.training.epochs import RequireFiniteLoss

    keras.utils.set_random_seed(seed)
    encoder = Encoder(train)
    if not encoder.numeric:
        raise ValueError("A detector of strange rows needs a column of numbers. Received: categories alone.")
    rows, looked_for = encoder.scaled(train), train.target == train.positive
    counted = name == "dev_net"  # Its epochs are of so many steps; the others' are whole passes over the rows.
    together = None if counted else "auto"
    model = kerazoo.build(name, numeric=len(encoder.numeric), seed=seed, steps_per_execution=together)
    if counted:
        batches = balanced_batches(rows, looked_for, batch_size=LABELLED_BATCH, seed=seed)
        options = {"steps_per_epoch": LABELLED_STEPS, "shuffle": False}
        model.fit(batches, epochs=EPOCHS, callbacks=[RequireFiniteLoss()], verbose=0, **options)
    else:
        model.fit(rows[~looked_for], batch_size=BATCH, epochs=EPOCHS, callbacks=[RequireFiniteLoss()], verbose=0)
    score = compiled(model.scorer())

    def strangeness(table):
        asked = encoder.scaled(table)
        parts = [np.asarray(score(asked[i : i + LARGEST_CALL])) for i in range(0, len(asked), LARGEST_CALL)]
        return np.concatenate(parts).astype("float64")

    return strangeness
