"""The tf.data service: the input pipeline on machines of its own.

Imports TensorFlow inside functions, so that a parser with these options starts fast.
"""

import socket
import threading
import uuid

from kerazoo.training.distribution.workers import from_chief

_RULE = "`data_service_address` must be HOST:PORT of a running tf.data service dispatcher"
_START = "start one with `python -m kerazoo.training.distribution.serve_data dispatcher`"


def distribute_dataset(dataset, data_service_address=None, *, batch_size=None, drop_remainder=False, timeout=15.0):
    """Prepares a dataset of global batches for training under the current strategy.

    Without an address, each worker of a multi-worker training takes its part of every batch (data
    sharding): the steps are those of one process. The order must not depend on the process: give
    `shuffle` a seed.

    With an address, everything in `dataset` runs on the service's workers. The source's elements are
    handed out as the workers ask for them (dynamic sharding): each goes to one worker and arrives once an
    epoch, in an order that differs from run to run. The trainers of a multi-worker training share one job,
    so that each takes other batches. A service worker that dies takes the elements it held with it.

    Args:
        dataset: a `tf.data.Dataset` of batches, made of TensorFlow operations only (no `from_generator`,
            no `py_function`) where there is an address.
        data_service_address: "host:port" of the dispatcher, or None.
        batch_size: with an address, joins and cuts what arrives to this size: each service worker ends its
            share with a smaller batch. None leaves the batches as they come.
        drop_remainder: with an address and `batch_size`, leave out the one smaller batch at the end.
        timeout: seconds to wait for the dispatcher, and for its first worker.

    Returns:
        A `tf.data.Dataset`.

    Raises:
        ValueError: an address that is no HOST:PORT.
        ConnectionError: nothing answers there.
        TimeoutError: a dispatcher that has no worker.

    Example:

    >>> dataset = distribute_dataset(dataset, "data-host:5050", batch_size=256)  # doctest: +SKIP
    >>> model.fit(dataset, shuffle=False)  # doctest: +SKIP
    """
    import tensorflow as tf

    policies = tf.data.experimental.AutoShardPolicy
    options = tf.data.Options()
    if data_service_address is None:
        options.experimental_distribute.auto_shard_policy = policies.DATA
        return dataset.with_options(options)
    address = _checked_address(data_service_address)
    _require_answer(address, timeout)
    _require_worker(tf, address, timeout)
    # A name of this start's own: under an earlier one, the service would go on in the middle of an epoch.
    job = from_chief(uuid.uuid4().hex.encode()).decode()
    dataset = dataset.apply(_service(tf, address, job))
    if batch_size is not None:
        dataset = dataset.rebatch(batch_size, drop_remainder=drop_remainder)
    options.experimental_distribute.auto_shard_policy = policies.OFF
    return dataset.with_options(options)


def _service(tf, address, job):
    return tf.data.experimental.service.distribute(
        processing_mode=tf.data.experimental.service.ShardingPolicy.DYNAMIC,
        service=f"grpc://{address}",
        job_name=job,
    )


def _checked_address(address):
    bare = str(address).removeprefix("grpc://")
    host, _, port = bare.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise ValueError(f"{_RULE}, for example 'data-host:5050'. Received: {address!r}.")
    return bare


def _require_answer(address, timeout):
    """TensorFlow's own client tries again and again for a dispatcher that is not there."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=timeout).close()
    except OSError as error:
        raise ConnectionError(f"{_RULE}; {_START}. Received: {address!r}, where nothing answers ({error}).") from error


def _require_worker(tf, address, timeout):
    """A dispatcher without workers lets a trainer wait for ever: sends one number through the service."""
    arrived = threading.Event()
    failures = []

    def send():
        try:
            dataset = tf.data.Dataset.range(1).apply(_service(tf, address, uuid.uuid4().hex))
            list(dataset)
        except tf.errors.OpError as error:
            failures.append(error)
        arrived.set()

    threading.Thread(target=send, daemon=True).start()
    if not arrived.wait(timeout):
        raise TimeoutError(
            f"{_RULE} with at least one worker; start one with `python -m kerazoo.training.distribution."
            f"serve_data worker --dispatcher {address}`. Received: {address!r}, no data within {timeout:g} s."
        )
    if failures:
        raise ConnectionError(f"{_RULE}. Received: {address!r}, which failed: {failures[0].message}") from failures[0]
