"""The program's global state: random generators, Keras's settings. What kerazoo calls for a user leaves it alone."""

import contextlib
import random
import sys

_KERAS_SEEDS = ("global_random_seed", "global_seed_generator")


@contextlib.contextmanager
def preserved():
    """Puts the state of `random`, NumPy, TensorFlow and Keras back at the end, also after an error; a decorator too.

    Keras's are its dtype policy, float type, image data format, fuzz factor and seeds. Where Keras was not imported
    before, nothing of a user's can be lost: only its seeds are taken back.

    Example:

    >>> import keras
    >>> with preserved():
    ...     keras.utils.set_random_seed(0)
    ...     keras.config.set_floatx("float64")
    >>> keras.config.floatx()
    'float32'
    """
    import numpy as np

    before = random.getstate(), np.random.get_state()
    settings, seeds = _keras_settings(), _keras_seeds()
    tensorflow = _tensorflow_seed()
    try:
        yield
    finally:
        random.setstate(before[0])
        np.random.set_state(before[1])
        _restore_keras(settings, seeds)
        _restore_tensorflow(tensorflow)


def _keras_settings():
    """{name: value}, the setter of each being `keras.config.set_<name>`; None where Keras is not imported."""
    if "keras" not in sys.modules:
        return None
    config = sys.modules["keras"].config
    names = ("floatx", "image_data_format", "epsilon", "dtype_policy")
    return {name: getattr(config, name)() for name in names}


def _keras_seeds():
    if "keras" not in sys.modules:
        return dict.fromkeys(_KERAS_SEEDS)
    from keras.src.backend.common import global_state

    return {name: global_state.get_global_attribute(name) for name in _KERAS_SEEDS}


def _restore_keras(settings, seeds):
    if "keras" not in sys.modules:
        return
    from keras.src.backend.common import global_state

    for name, value in seeds.items():
        global_state.set_global_attribute(name, value)
    for name, value in (settings or {}).items():
        getattr(sys.modules["keras"].config, f"set_{name}")(value)


def _tensorflow_context():
    if "tensorflow" not in sys.modules:
        return None
    from tensorflow.python.eager import context

    return context.context()


def _tensorflow_seed():
    """(seed, state of the generator that operations without one of their own are seeded from)."""
    context = _tensorflow_context()
    return context and (context._seed, context._rng.getstate() if getattr(context, "_rng", None) else None)


def _restore_tensorflow(before):
    context = _tensorflow_context()
    if context is None or (before is None and context._seed is None):
        return
    seed, state = before or (None, None)
    if context._seed != seed:
        context._set_global_seed(seed)
    if state and context._rng:
        context._rng.setstate(state)
