"""Losses that Keras lacks, one a file, on keras.ops only."""

import keras  # noqa: F401  First, so that `kerazoo.serializable` finds no module of this package half imported.
