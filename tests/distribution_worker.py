"""One process of tests/test_distribution.py: `python distribution_worker.py JOB`, JSON; writes weights, prints JSON."""

import faulthandler
import json
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
faulthandler.dump_traceback_later(1000, exit=True)  # Outlives no test, even where the test itself was killed.

from kerazoo.training import distribution  # noqa: E402

EXAMPLES, BATCH, EPOCHS = 32, 8, 3


def say(**facts):
    print(json.dumps(facts), flush=True)


def examples(count=EXAMPLES):
    import numpy as np

    rng = np.random.default_rng(0)
    return rng.uniform(0, 255, (count, 8, 8, 3)).astype("float32"), rng.integers(0, 4, count)


def dataset(count=EXAMPLES):
    import tensorflow as tf

    pairs = tf.data.Dataset.from_tensor_slices(examples(count))
    return pairs.shuffle(count, seed=1, reshuffle_each_iteration=False).batch(BATCH)


def mlp(**arguments):
    import kerazoo

    return kerazoo.build("mlp", input_shape=(8, 8, 3), hidden=(16,), num_classes=4, seed=1, **arguments)


def train(job):
    """Trains, with the callbacks of an application, and says what came out."""
    with distribution.scope(job["strategy"], start_timeout=600):
        import keras
        import numpy as np

        folder = distribution.own_folder(job["folder"])
        model = mlp()
        data = distribution.distribute_dataset(dataset())

        class Stop(keras.callbacks.Callback):
            """Stands still in the middle of the second epoch until the test kills this process."""

            def on_train_batch_end(self, batch, logs=None):
                if job.get("stops") and self.epoch == 1 and batch == 1:
                    say(stopped=True)
                    sys.stdin.read()

            def on_epoch_begin(self, epoch, logs=None):
                self.epoch = epoch

        history = model.fit(
            data,
            epochs=EPOCHS,
            shuffle=False,
            verbose=0,
            validation_data=data,
            callbacks=[
                keras.callbacks.BackupAndRestore(folder / "backup"),
                keras.callbacks.ModelCheckpoint(folder / "best.keras", save_best_only=True),
                keras.callbacks.EarlyStopping(patience=5),
                Stop(),
            ],
        )
        evaluated = model.evaluate(data, verbose=0)
        predicted = model.predict(distribution.distribute_dataset(dataset()), verbose=0)
    np.savez(job["output"], *model.get_weights())
    say(
        chief=distribution.is_chief(),
        folder=str(folder),
        epochs=history.epoch,
        losses=history.history["val_loss"],
        evaluated=evaluated,
        predicted=predicted.tolist(),
        steps_per_execution=model.steps_per_execution,
        jit_compile=model.jit_compile,
    )
    if distribution.is_chief():
        alone = distribution.local_copy(model).evaluate(dataset(), verbose=0)
        say(alone=alone, saved=keras.models.load_model(folder / "best.keras").evaluate(dataset(), verbose=0))


def train_from_service(job):
    """One of several trainers that share the batches of a data service."""
    with distribution.scope("multi_worker", start_timeout=600):
        import numpy as np

        model = mlp()
        data = distribution.distribute_dataset(dataset(), job["address"], batch_size=BATCH, drop_remainder=True)
        losses = model.fit(data, epochs=EPOCHS, shuffle=False, verbose=0).history["loss"]
    np.savez(job["output"], *model.get_weights())
    say(losses=losses, steps=int(model.optimizer.iterations.numpy()))


def mirrored(job):
    """Weights after a few steps on one device and on two, without and with batch normalisation."""
    import tensorflow as tf

    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    import keras

    def normalised(synchronized):
        keras.utils.set_random_seed(1)
        return keras.Sequential(
            [
                keras.Input((8, 8, 3)),
                keras.layers.Rescaling(1 / 127.5, offset=-1.0),
                keras.layers.Flatten(),
                keras.layers.Dense(8),
                keras.layers.BatchNormalization(synchronized=synchronized),
                keras.layers.Dense(4),
            ]
        )

    def compiled(model):
        model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        return model

    makers = {
        "mlp": lambda: mlp(optimizer=keras.optimizers.SGD(0.05)),
        "batch_norm": lambda: compiled(normalised(synchronized=False)),
        "synchronized_batch_norm": lambda: compiled(normalised(synchronized=True)),
    }
    differences = {}
    for name, make in makers.items():
        weights = []
        for strategy in (None, "mirrored"):
            with distribution.scope(strategy) as scoped:
                model = make()
                model.fit(distribution.distribute_dataset(dataset()), epochs=1, shuffle=False, verbose=0)
                weights.append(model.get_weights())
        differences[name] = max(float(abs(one - two).max()) for one, two in zip(*weights))
    say(replicas=scoped.num_replicas_in_sync, differences=differences)


def convolutional():
    """Convolutions and batch normalisation, which TensorFlow cannot run on an empty batch."""
    import kerazoo

    return kerazoo.build("resnet20", depth=8, width=4, input_shape=(8, 8, 3), num_classes=4, seed=1)


def any_size(job):
    """What three devices answer and learn from data sets of any size, by what one does.

    Batches are of 8: a last one, or the only one, has fewer examples than there are replicas, or leaves one without.
    """
    import tensorflow as tf

    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 3)
    import numpy as np

    def difference(ours, theirs):
        return float(np.abs(np.subtract(ours, theirs)).max())

    def answers(model):
        return {
            size: {name: getattr(model, name)(dataset(size), verbose=0) for name in ("evaluate", "predict")}
            for size in (1, 4, 7, 9, 12)
        }

    alone = convolutional()
    expected = answers(alone)
    losses = alone.fit(dataset(1), verbose=0, epochs=2, shuffle=False).history["loss"]
    with distribution.scope("mirrored") as scoped:
        model = convolutional()
        ours = answers(model)
        one_example = difference(model.fit(dataset(1), verbose=0, epochs=2, shuffle=False).history["loss"], losses)
        model.fit(dataset(9), validation_data=dataset(9), verbose=0, epochs=2, shuffle=False)
        model.fit(*examples(10), batch_size=9, validation_split=0.1, verbose=0)
    say(
        replicas=scoped.num_replicas_in_sync,
        differences={
            size: {name: difference(ours[size][name], expected[size][name]) for name in ours[size]} for size in ours
        },
        finite=all(bool(np.isfinite(array).all()) for array in model.get_weights()),
        one_example=one_example,
    )


def any_size_of_workers(job):
    """What workers answer to data sets of any size, or one process where there is no cluster."""
    with distribution.scope("multi_worker" if "TF_CONFIG" in os.environ else None, start_timeout=600):
        import numpy as np

        model = convolutional()
        sets = [distribution.distribute_dataset(dataset(size)) for size in (1, 9, 12)]
        evaluated = [model.evaluate(data, verbose=0) for data in sets]
        predicted = [model.predict(data, verbose=0) for data in sets]
        model.fit(sets[1], validation_data=sets[0], epochs=2, shuffle=False, verbose=0)
    say(
        evaluated=evaluated,
        predicted=np.concatenate(predicted).tolist(),
        finite=all(bool(np.isfinite(array).all()) for array in model.get_weights()),
    )


def serve_and_fit(job):
    """A data service within this process: what arrives, and a training on it."""
    from tensorflow.data.experimental import service

    dispatcher = service.DispatchServer()
    address = dispatcher.target.partition("://")[2]
    try:
        distribution.distribute_dataset(dataset(), address, timeout=1)
    except TimeoutError as error:
        say(without_worker=str(error))
    servers = [service.WorkerServer(service.WorkerConfig(dispatcher_address=address)) for _ in range(2)]
    count = 50  # Not a multiple of the batch: each service worker ends on a smaller batch.
    data = distribution.distribute_dataset(dataset(count), address, batch_size=BATCH)
    arrived = [[(x.numpy().tobytes(), int(y)) for xs, ys in data for x, y in zip(xs, ys)] for _ in range(2)]
    sizes = [len(ys) for _, ys in data]
    local = sorted((x.tobytes(), int(y)) for x, y in zip(*examples(count)))
    history = mlp().fit(data, epochs=2, shuffle=False, verbose=0).history["loss"]
    say(same=[sorted(epoch) == local for epoch in arrived], sizes=sizes, losses=history, workers=len(servers))


JOBS = (train, train_from_service, mirrored, any_size, any_size_of_workers, serve_and_fit)

if __name__ == "__main__":
    job = json.loads(sys.argv[1])
    jobs = {one.__name__: one for one in JOBS}
    jobs[job["do"]](job)
