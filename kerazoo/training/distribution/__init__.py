"""Training on more than one device or machine: tf.distribute's strategies and the tf.data service.

One process a machine, started with the same command; the environment variable TF_CONFIG tells each which
of them it is. What follows from that for a program is here: whose files count, how the others get at them.
docs/distributed.md is the guide.
"""

import contextlib

from kerazoo.registry import unknown_choice
from kerazoo.training.distribution import workers
from kerazoo.training.distribution.cluster import Cluster
from kerazoo.training.distribution.data_service import distribute_dataset
from kerazoo.training.distribution.workers import from_chief, is_chief, own_folder
from kerazoo.versions import require_supported

__all__ = [
    "STRATEGIES",
    "Cluster",
    "add_arguments",
    "create",
    "distribute_dataset",
    "from_chief",
    "is_chief",
    "local_copy",
    "own_folder",
    "scope",
]

STRATEGIES = ("mirrored", "multi_worker")

_created = {}  # By name; a process is in one cluster until it ends.


def add_arguments(parser):
    """Adds `--strategy` and `--data-service` to an `argparse` parser.

    Example:

    >>> import argparse
    >>> parser = argparse.ArgumentParser()
    >>> add_arguments(parser)
    >>> parser.parse_args(["--strategy", "mirrored"]).strategy
    'mirrored'
    """
    group = parser.add_argument_group("more than one device or machine")
    group.add_argument(
        "--strategy",
        choices=STRATEGIES,
        help="mirrored: all devices of this machine; multi_worker: the machines that TF_CONFIG names",
    )
    group.add_argument(
        "--data-service",
        metavar="HOST:PORT",
        help="dispatcher of a tf.data service that prepares the training data",
    )


def create(name, *, start_timeout=300.0):
    """The strategy of that name. It is made once in a process, the first call decides.

    Args:
        name: None, "mirrored" (every GPU of this machine, or every logical CPU device where there is
            none) or "multi_worker" (the machines that TF_CONFIG names).
        start_timeout: seconds that the workers wait for one another.

    Returns:
        A `tf.distribute.Strategy`, or None for None.

    Raises:
        ValueError: an unknown name, or a TF_CONFIG that is missing or malformed.
        TimeoutError: a worker that did not start in time; the message names it.
        RuntimeError: TensorFlow ran already (the cluster comes first), or a Keras version that multi-worker
            training was not tested with.

    Example:

    >>> create("mirrored").num_replicas_in_sync
    1
    """
    if name is None:
        return None
    if name not in STRATEGIES:
        raise ValueError(unknown_choice("strategy", name, STRATEGIES))
    if name not in _created:
        _created[name] = _mirrored() if name == "mirrored" else _multi_worker(start_timeout)
    return _created[name]


@contextlib.contextmanager
def scope(name, *, start_timeout=300.0):
    """Inside, `kerazoo.build` and `fit`, `evaluate`, `predict` use the strategy of that name.

    Some functions of Keras's trainer are exchanged until the scope ends, because those of Keras 3.15 fail
    with more than one worker, and where the replicas' parts of a batch differ in size or are empty. Call
    `fit`, `evaluate` and `predict` inside. A line says how many devices train, and that joined steps and
    XLA are off, which Keras cannot use here.

    Args:
        name: as for `create`; None changes nothing.
        start_timeout: as for `create`.

    Yields:
        The strategy, or None.

    Raises:
        ConnectionError: a worker was lost while training; the others raise this within seconds.
        ValueError, TimeoutError, RuntimeError: as `create`.

    Example:

    >>> import kerazoo
    >>> with scope("mirrored"):
    ...     model = kerazoo.build("resnet20")
    Strategy mirrored: ...
    """
    strategy = create(name, start_timeout=start_timeout)
    if strategy is None:
        yield None
        return
    from kerazoo.training.distribution import keras_fit

    if is_chief():
        replicas = strategy.num_replicas_in_sync
        print(f"Strategy {name}: {replicas} replicas train; steps_per_execution is 1 and XLA is off.", flush=True)
    with contextlib.ExitStack() as stack:
        if name == "multi_worker":
            stack.enter_context(_lost_workers_named())
        stack.enter_context(keras_fit.for_replicas())
        stack.enter_context(strategy.scope())
        yield strategy


def local_copy(model):
    """A copy of a model outside any strategy, compiled alike, without the optimizer's state.

    What comes after training (export, tests, pictures) runs on the chief alone, with this copy: a call of
    the trained model itself may wait for the other workers.

    Args:
        model: a compiled or uncompiled `keras.Model`, trained under a strategy or not.

    Raises:
        RuntimeError: called inside a strategy's scope.

    Example:

    >>> with scope("multi_worker"):  # doctest: +SKIP
    ...     model = kerazoo.build("resnet20")
    ...     model.fit(dataset)
    >>> if is_chief():  # doctest: +SKIP
    ...     kerazoo.export(local_copy(model), "saved_models/resnet20")
    """
    import keras
    import tensorflow as tf

    if tf.distribute.has_strategy():
        raise RuntimeError("A model is copied out of a strategy after its scope has ended. Received: a call inside.")
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(model))
    copy.set_weights(model.get_weights())
    return copy


@contextlib.contextmanager
def _lost_workers_named():
    import tensorflow as tf

    try:
        yield
    except (tf.errors.UnavailableError, tf.errors.AbortedError) as error:
        raise ConnectionError(
            "A multi-worker training needs every worker until its end: start all of them again, a run that keeps "
            "checkpoints goes on from its last. Received: the loss of a worker, or of its data service. "
            f"{error.message}"
        ) from error


def _mirrored():
    import tensorflow as tf

    # On CPU devices, a second MirroredStrategy in a process would reuse the first one's collective
    # keys and fail on other shapes: hence one.
    kind = "GPU" if tf.config.list_physical_devices("GPU") else "CPU"
    return tf.distribute.MirroredStrategy([device.name for device in tf.config.list_logical_devices(kind)])


def _multi_worker(start_timeout):
    import tensorflow as tf

    cluster = Cluster.from_environment()
    require_supported("keras", "training on several workers exchanges private functions of Keras's trainer")
    cluster.meet(start_timeout)
    ring = tf.distribute.experimental.CommunicationImplementation.RING
    auto = tf.distribute.experimental.CommunicationImplementation.AUTO
    has_gpu = bool(tf.config.list_physical_devices("GPU"))
    options = tf.distribute.experimental.CommunicationOptions(implementation=auto if has_gpu else ring)
    try:
        strategy = tf.distribute.MultiWorkerMirroredStrategy(communication_options=options)
    except RuntimeError as error:
        if "program startup" not in str(error):
            raise
        raise RuntimeError(
            "A multi-worker strategy must be created before TensorFlow runs anything: call `create` or enter "
            "`scope` first, then read data and build models. Received: a TensorFlow that has started."
        ) from error
    workers.join(cluster, strategy)
    return strategy
