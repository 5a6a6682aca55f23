"""Channels last: what all models here are made for. Keras has one setting for the whole program; another is refused."""


def check():
    """Refuses to make or open a model while Keras's setting is another one.

    Keras's layers ask for the setting when they are made, and some of them again when they are called (`Rescaling`),
    so that it cannot be pinned to a model.

    Raises:
        ValueError: `keras.config.image_data_format()` is "channels_first".
    """
    import keras

    found = keras.config.image_data_format()
    if found != "channels_last":
        raise ValueError(
            "Models of kerazoo have their channels last: Keras's `image_data_format` must be 'channels_last', in "
            f"keras.json or by `keras.config.set_image_data_format`. Received: {found!r}."
        )
