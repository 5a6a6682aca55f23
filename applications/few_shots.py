"""Three ways from a few labelled images to a classifier: a head on frozen features, fine-tuning, and from scratch.

Each takes a compiled model as `kerazoo.build` makes it, trains it in place and returns its history, a list of
{"loss", "accuracy", ...}, one for each part of the steps; with `validation` also "val_loss" and "val_accuracy".
"""

import time

import numpy as np


def train_head(model, images, recipe, *, validation=None):
    """Trains the last layer alone, on features that the frozen rest gives once for several views of each image."""
    from kerazoo.training.adamw import SelectiveAdamW
    from kerazoo.training.epochs import RequireFiniteLoss
    from kerazoo.training.schedules import OneCycle
    from kerazoo.training.transfer import split_head

    body, head = split_head(model)
    steps, size = recipe["head_steps"], model.input_shape[1:3]
    features, labels = _features(body, images, recipe, size=size)
    # Adam moves every weight by the rate: what that moves a logit by is the same for features of any size and number.
    rate = recipe["head_rate"] / float(np.abs(features).reshape(len(features), -1).sum(axis=1).mean())
    head.compile(
        optimizer=SelectiveAdamW(OneCycle(rate, steps=steps), weight_decay=recipe["weight_decay"]),
        loss=model.loss,
        metrics=["accuracy"],
        jit_compile=False,
    )
    if validation is not None:
        validation = _features(body, validation, recipe | {"views": 0}, size=size)
    rng = np.random.default_rng(recipe["seed"])
    history = []
    for part in range(recipe["parts"]):
        count = steps * (part + 1) // recipe["parts"] - steps * part // recipe["parts"]
        chosen = rng.integers(0, len(labels), count * recipe["batch_size"])
        fitted = head.fit(
            features[chosen],
            labels[chosen],
            batch_size=recipe["batch_size"],
            validation_data=validation,
            callbacks=[RequireFiniteLoss()],
            verbose=0,
        )
        history.append({key: values[0] for key, values in fitted.history.items()})
    return history


def fine_tune(model, images, recipe, *, backbone, validation=None):
    """Trains the last group of layers, then the last two, and so on; deeper ones more slowly, batch norms frozen.

    Args:
        backbone: `kerazoo.backbone` of the same name and input, whose outputs part the groups.
    """
    from kerazoo.training.discriminative import DiscriminativeAdamW
    from kerazoo.training.schedules import OneCycle
    from kerazoo.training.transfer import layer_groups, learn_only, multipliers

    groups = layer_groups(model, backbone)
    factors = multipliers(groups, decay=recipe["layer_decay"])
    history = []
    for stage in range(1, min(recipe["stages"], len(groups)) + 1):
        learning = [name for group in list(groups)[-stage:] for name in groups[group]]
        learn_only(model, learning)
        optimizer = DiscriminativeAdamW(
            OneCycle(recipe["learning_rate"], steps=recipe["steps"]),
            multipliers=factors,
            weight_decay=recipe["weight_decay"],
        )
        model.compile(optimizer=optimizer, loss=model.loss, metrics=["accuracy"], jit_compile=model.jit_compile)
        history += _fit(model, images, recipe, steps=recipe["steps"], seed=stage, validation=validation)
    return history


def train_from_scratch(model, images, recipe, *, validation=None):
    """Trains all of a fresh model."""
    from kerazoo.training.adamw import SelectiveAdamW
    from kerazoo.training.schedules import OneCycle

    steps = recipe["scratch_steps"]
    optimizer = SelectiveAdamW(OneCycle(recipe["scratch_rate"], steps=steps), weight_decay=recipe["scratch_decay"])
    model.compile(optimizer=optimizer, loss=model.loss, metrics=["accuracy"], jit_compile=model.jit_compile)
    return _fit(model, images, recipe, steps=steps, seed=0, validation=validation)


def accuracy(model, images, *, batch_size=50):
    """Share of the images that the model names rightly."""
    from kerazoo.data.pipeline import batches
    from kerazoo.evaluate.predict import collect, compiled

    answers, labels = collect(
        {"model": compiled(model)}, batches(images, size=model.input_shape[1:3], batch_size=batch_size)
    )
    return float((answers["model"].argmax(axis=1) == labels).mean())


def _fit(model, images, recipe, *, steps, seed, validation):
    """Trains for a number of steps, in `recipe["parts"]` parts, whatever the number of images is."""
    from kerazoo.data.pipeline import batches
    from kerazoo.training.epochs import RequireFiniteLoss

    size, batch_size = model.input_shape[1:3], recipe["batch_size"]
    parts = min(recipe["parts"], steps)
    data = batches(
        images,
        size=size,
        batch_size=batch_size,
        training=True,
        augment=recipe["augment"],
        seed=recipe["seed"] * 100 + seed,
    )
    clock = _clock()
    fitted = model.fit(
        data.repeat(),
        epochs=parts,
        steps_per_epoch=steps // parts,
        validation_data=None if validation is None else batches(validation, size=size, batch_size=50),
        callbacks=[clock, RequireFiniteLoss()],
        verbose=0,
        shuffle=False,
    )
    speeds = [steps // parts * min(batch_size, len(images)) / seconds for seconds in clock.seconds]
    return [
        {key: values[part] for key, values in fitted.history.items()} | {"images_per_second": speeds[part]}
        for part in range(parts)
    ]


def _clock():
    """A callback whose `seconds` are those of each part's training steps, without its validation."""
    import keras

    class Clock(keras.callbacks.Callback):
        seconds = ()

        def on_epoch_begin(self, epoch, logs=None):
            self.began = time.perf_counter()

        def on_train_batch_end(self, batch, logs=None):
            self.ended = time.perf_counter()

        def on_epoch_end(self, epoch, logs=None):
            self.seconds = (*self.seconds, self.ended - self.began)

    return Clock()


def _features(body, images, recipe, *, size):
    """(features, labels) of the images as they are, then of `views` augmented views of all of them."""
    from kerazoo.data.pipeline import batches
    from kerazoo.evaluate.predict import collect, compiled

    run, found = compiled(body), []
    for view in range(recipe["views"] + 1):
        options = {"training": True, "keep_remainder": True, "augment": recipe["augment"]} if view else {}
        seed = recipe["seed"] * 100 + view
        answers, labels = collect({"body": run}, batches(images, size=size, batch_size=50, seed=seed, **options))
        found.append((answers["body"], labels))
    return tuple(np.concatenate(parts) for parts in zip(*found))
