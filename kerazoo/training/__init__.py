"""How models are trained: precision, XLA, distribution, callbacks."""

import keras  # noqa: F401  First, so that `kerazoo.serializable` finds no module of this package half imported.
