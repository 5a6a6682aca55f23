"""How classifiers of sequences are compiled."""

import keras


def compile_classes(model, learning_rate):
    """Compiles a classifier with Adam and cross-entropy on integer labels; returns the model."""
    model.compile(
        optimizer=keras.optimizers.Adam(learning_rate),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    return model
