"""Every model, by domain. Importing this package imports none of them."""

import keras  # noqa: F401  First, so that `kerazoo.serializable` finds no module of this package half imported.
