"""AWD-LSTM: what each of its dropouts drops, its penalties, its count, beside PyTorch's LSTMs; NT-ASGD."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import kerazoo
from kerazoo import catalog
from kerazoo.generation.generator import Generator
from kerazoo.layers.weight_dropped_lstm import WeightDroppedLSTM
from kerazoo.layers.word_dropout import WordDropout
from kerazoo.training.triggered_average import TriggeredAverage

RNG = np.random.default_rng(0)
NOTHING_DROPPED = dict.fromkeys(
    ("weight_drop", "word_dropout", "embedding_dropout", "hidden_dropout", "output_dropout"), 0.0
)


def smoke(**options):
    return kerazoo.build("awd_lstm", seed=0, **(dict(catalog.entry("awd_lstm").smoke) | {"length": None} | options))


def ids_of(count, length, size=50):
    return RNG.integers(0, size, (count, length)).astype("int32")


# Dropped weights.


def test_the_dropped_weights_are_the_same_at_all_steps_and_in_all_texts():
    units = 6
    layer = WeightDroppedLSTM(units, weight_drop=0.5, return_sequences=True, return_state=True, seed=3)
    x = RNG.normal(size=(3, 9, 4)).astype("float32")
    layer(x)
    kernel, recurrent, bias = (weight + RNG.normal(0, 0.5, weight.shape) for weight in layer.get_weights())
    layer.set_weights([kernel, recurrent, bias])
    before = layer.weight_seed.state.numpy()
    received = layer(x, training=True)[0].numpy()
    layer.weight_seed.state.assign(before)
    dropped = keras.random.dropout(
        keras.ops.convert_to_tensor(recurrent, "float32"), 0.5, seed=layer.weight_seed
    ).numpy()
    gone = dropped == 0
    assert 0.2 < gone.mean() < 0.8
    np.testing.assert_allclose(dropped[~gone], 2 * recurrent[~gone], rtol=1e-5)  # What is left is larger by as much.

    def sigmoid(z):
        return 1 / (1 + np.exp(-z))

    h = c = np.zeros((3, units))
    for step in range(9):  # One matrix in all steps: another one in any of them gives another answer.
        i, f, g, o = np.split(x[:, step] @ kernel + h @ dropped + bias, 4, axis=1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        np.testing.assert_allclose(received[:, step], h, atol=1e-5)


def test_each_batch_has_weights_of_its_own_dropped_and_inference_none():
    layer = WeightDroppedLSTM(8, weight_drop=0.5, return_sequences=True)
    plain = keras.layers.LSTM(8, return_sequences=True)
    x = RNG.normal(size=(2, 5, 4)).astype("float32")
    layer(x), plain(x)
    plain.set_weights(layer.get_weights())
    np.testing.assert_allclose(layer(x), plain(x), atol=1e-6)
    np.testing.assert_allclose(layer(x, training=False), layer(x), atol=0)
    first, second = (layer(x, training=True).numpy() for _ in range(2))
    assert np.abs(first - second).max() > 1e-3 and np.abs(first - plain(x)).max() > 1e-3
    compiled = tf.function(lambda x: layer(x, training=True), jit_compile=True)
    assert np.abs(compiled(x).numpy() - compiled(x).numpy()).max() > 1e-3


def test_the_layers_refuse_what_is_no_chance():
    with pytest.raises(ValueError, match=r"`weight_drop` must be in \[0, 1\). Received: 1.0"):
        WeightDroppedLSTM(4, weight_drop=1.0)
    with pytest.raises(ValueError, match=r"`rate` must be in \[0, 1\). Received: -0.1"):
        WordDropout(4, -0.1)


# Dropped channels and words.


@pytest.mark.parametrize("name", ["embedding_dropout", "lstm1_dropout", "output_dropout"])
def test_channels_are_dropped_for_a_whole_text(name):
    model = smoke(embedding_dropout=0.5, hidden_dropout=0.5, output_dropout=0.5)
    layer = model.get_layer(name)
    x = np.ones((3, 7, 40), "float32")
    answer = layer(x, training=True).numpy()
    assert set(np.unique(answer)) == {0.0, 2.0}
    np.testing.assert_array_equal(answer, np.repeat(answer[:, :1], 7, axis=1))
    assert (answer[0] != answer[1]).any()  # Others in each text.
    np.testing.assert_array_equal(layer(x), x)


def test_words_are_dropped_wherever_they_stand():
    layer, tokens = WordDropout(50, 0.4), ids_of(6, 40)
    answer = layer(np.ones((6, 40, 3), "float32"), tokens, training=True).numpy()
    assert (answer == answer[:, :, :1]).all()
    of_word = {identity: set(answer[tokens == identity].ravel().round(3).tolist()) for identity in np.unique(tokens)}
    assert all(len(found) == 1 for found in of_word.values())  # The same wherever it stands.
    gone = np.mean([found == {0.0} for found in of_word.values()])
    assert answer.max() == pytest.approx(1 / 0.6)
    assert 0.15 < gone < 0.65


def test_what_is_dropped_is_not_dropped_from_the_output():
    model = smoke(**NOTHING_DROPPED | {"word_dropout": 0.9, "alpha": 0.0, "beta": 0.0})
    model.get_layer("logits").set_weights([np.zeros(50, "float32")])
    assert (model(ids_of(2, 5), training=True).numpy() != 0).all()


# Penalties.


def test_the_penalties_by_hand():
    model = smoke(**NOTHING_DROPPED | {"output_dropout": 0.5, "alpha": 2.0, "beta": 3.0})
    tokens = ids_of(4, 7)
    names = ("temporal_regularization", "output_dropout", "logits")
    parts = keras.Model(model.input, [model.get_layer(name).output for name in names])
    parts(tokens)
    assert not parts.losses
    states, dropped, _ = (x.numpy() for x in parts(tokens, training=True))
    assert 0.2 < (dropped == 0).mean() < 0.8 and (states != 0).all()
    wanted = [3.0 * np.square(states[:, 1:] - states[:, :-1]).mean(), 2.0 * np.square(dropped).mean()]
    np.testing.assert_allclose([float(loss) for loss in parts.losses], wanted, rtol=1e-5)


def test_the_loss_has_the_penalties_in_training_alone():
    model = smoke(**NOTHING_DROPPED | {"alpha": 5.0, "beta": 7.0})
    tokens, following = ids_of(4, 6), ids_of(4, 6)
    entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)(following, model(tokens))
    np.testing.assert_allclose(model.evaluate(tokens, following, verbose=0), entropy, rtol=1e-5)
    states = keras.Model(model.input, model.get_layer("temporal_regularization").output)(tokens).numpy()
    wanted = entropy + 5 * np.square(states).mean() + 7 * np.square(np.diff(states, axis=1)).mean()
    np.testing.assert_allclose(model.train_on_batch(tokens, following), wanted, rtol=1e-4)
    model(tokens[:, :1], training=True)  # A text of one token changes nowhere.
    assert np.isfinite(model.losses).all() and float(model.losses[0]) == 0.0


# The whole model.


def test_the_published_count():
    def lstm(inputs, units, biases):
        return 4 * units * (inputs + units + biases)

    def count(biases):
        return 10_000 * 400 + sum(lstm(*sizes, biases) for sizes in ((400, 1150), (1150, 1150), (1150, 400))) + 10_000

    model = kerazoo.build("awd_lstm")
    received = sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
    assert received == count(biases=1) == 24_210_800 == kerazoo.info("awd_lstm")["params"]
    assert count(biases=2) == 24_221_600  # What the paper's code prints: PyTorch's LSTMs have two biases each.
    assert count(biases=2) - received == 4 * (1150 + 1150 + 400)


def test_logits_are_those_of_a_stack_in_pytorch():
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    size, width, units = 40, 12, 20
    sizes = ((width, units), (units, units), (units, width))
    embedding = torch.nn.Embedding(size, width)
    stack = [torch.nn.LSTM(*each, batch_first=True) for each in sizes]
    output = torch.nn.Linear(width, size)
    output.weight = embedding.weight
    for module in stack:
        for weight in module.parameters():
            torch.nn.init.normal_(weight, 0.0, 0.4)
    ours = kerazoo.build("awd_lstm", vocabulary_size=size, units=units, embedding_size=width)
    with torch.no_grad():
        ours.get_layer("embedding").set_weights([embedding.weight.numpy()])
        ours.get_layer("logits").set_weights([output.bias.numpy()])
        for index, module in enumerate(stack, 1):
            biases = (module.bias_ih_l0 + module.bias_hh_l0).numpy()
            kernels = [module.weight_ih_l0.numpy().T, module.weight_hh_l0.numpy().T]
            ours.get_layer(f"lstm{index}").set_weights([*kernels, biases])  # Both order the gates alike.
        tokens = ids_of(3, 11, size)
        x = embedding(torch.tensor(tokens, dtype=torch.long))
        for module in stack:
            x, _ = module(x)
        wanted = output(x).numpy()
    assert np.ptp(wanted, axis=(0, 1)).max() > 1
    np.testing.assert_allclose(ours(tokens), wanted, atol=1e-4 * np.abs(wanted).max())


def test_gradients_reach_all_with_everything_dropped_in_part():
    model = smoke(weight_drop=0.5, word_dropout=0.1, embedding_dropout=0.4, hidden_dropout=0.3, output_dropout=0.4)
    tokens, following = ids_of(8, 12), ids_of(8, 12)

    @tf.function(jit_compile=True)
    def gradients():
        with tf.GradientTape() as tape:
            loss = model.compute_loss(x=tokens, y=following, y_pred=model(tokens, training=True))
        return [tf.convert_to_tensor(g) for g in tape.gradient(loss, [w.value for w in model.trainable_weights])]

    received = gradients()
    assert len(received) == 8
    for gradient, weight in zip(received, model.trainable_weights):
        assert np.isfinite(gradient).all() and np.any(gradient), weight.path
    share = [(g.numpy() == 0).mean() for g, w in zip(received, model.trainable_weights) if "recurrent" in w.path]
    assert all(0.4 < each < 0.6 for each in share)  # A dropped weight has none.


def test_it_writes_what_the_whole_model_would():
    model = smoke()
    for weight in model.trainable_weights:
        weight.assign(RNG.normal(0, 0.5, weight.shape))
    prompts = [[1, 2, 3, 4], [7]]
    answers = Generator(model, jit_compile=False).generate(prompts, tokens=8, temperature=0)
    for prompt, answer in zip(prompts, answers):
        ids = list(prompt)
        for _ in range(8):
            ids.append(int(np.argmax(model(np.array([ids], "int32"))[0, -1])))
        assert answer.tolist() == ids[len(prompt) :] and len(set(answer.tolist())) > 2


# NT-ASGD.

X, Y = RNG.normal(size=(24, 3)).astype("float32"), RNG.normal(size=(24, 1)).astype("float32")


def line(rate=0.35):
    """One dense layer that a high rate keeps from settling."""
    inputs = keras.Input((3,))
    model = keras.Model(inputs, keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")(inputs))
    model.compile(optimizer=keras.optimizers.SGD(rate), loss="mse")
    return model


def by_hand(epochs, checks, rate=0.35):
    """`(epoch in which it began or None, average, weights, what each check came to)`, as the paper's algorithm."""
    w, seen, began, total, count = np.zeros((3, 1)), [], None, None, 0
    for epoch in range(epochs):
        for first in range(0, 16, 4):
            x, y = X[first : first + 4].astype("float64"), Y[first : first + 4]
            w = w - rate * 2 * x.T @ (x @ w - y) / 4
            if began is not None:
                total, count = total + w, count + 1
        mean = w if began is None else total / count
        value = np.square(X[16:] @ mean - Y[16:]).mean()
        if began is None and len(seen) > checks and value > min(seen[:-checks]):
            began, total, count = epoch, w.copy(), 1
        seen.append(value)
    return began, (w if began is None else total / count), w, seen


@pytest.mark.parametrize("checks", [1, 3, 5])
def test_the_average_begins_when_checks_no_longer_get_better(checks):
    began, average, weights, seen = by_hand(12, checks)
    assert began is not None and checks < began < 11 and np.abs(average - weights).max() > 1e-3
    model = TriggeredAverage(line(), checks=checks)
    epochs = []
    watch = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: epochs.append(model.began))
    history = model.fit(
        X[:16],
        Y[:16],
        validation_data=(X[16:], Y[16:]),
        batch_size=4,
        epochs=12,
        shuffle=False,
        verbose=0,
        callbacks=[watch],
    ).history["val_loss"]
    assert epochs.index(True) == began
    np.testing.assert_allclose(history, seen, rtol=1e-4)
    np.testing.assert_allclose(model.average.get_weights()[0], average, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(model.model.get_weights()[0], weights, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(model.predict(X, verbose=0), X @ average, rtol=1e-4, atol=1e-4)


def test_what_still_gets_better_is_not_averaged():
    model = TriggeredAverage(line(0.01), checks=2)
    history = model.fit(X, Y, validation_data=(X, Y), epochs=9, verbose=0).history["val_loss"]
    assert sorted(history, reverse=True) == history and not model.began
    np.testing.assert_array_equal(model.average.get_weights()[0], model.model.get_weights()[0])


def test_a_training_that_was_stopped_goes_on_with_its_checks(tmp_path):
    data = {"validation_data": (X[16:], Y[16:]), "batch_size": 4, "shuffle": False, "verbose": 0}
    whole, first, second = (TriggeredAverage(line(), checks=3) for _ in range(3))
    whole.fit(X[:16], Y[:16], epochs=12, **data)
    began = by_hand(12, 3)[0]
    for stop in (began - 1, began + 2):
        first.fit(X[:16], Y[:16], epochs=stop, initial_epoch=int(first.optimizer.iterations) // 4, **data)
        first.save_weights(tmp_path / "stopped.weights.h5")
        second.optimizer.build(second.trainable_variables)
        second.load_weights(tmp_path / "stopped.weights.h5")
        second.fit(X[:16], Y[:16], epochs=12, initial_epoch=stop, **data)
        np.testing.assert_allclose(second.average.get_weights()[0], whole.average.get_weights()[0], rtol=1e-5)
        second = TriggeredAverage(line(), checks=3)


def test_nothing_to_check_is_refused():
    with pytest.raises(ValueError, match="`validation_data` must be given"):
        TriggeredAverage(line()).fit(X, Y, verbose=0)
    with pytest.raises(ValueError, match="`checks` must be a positive integer. Received: 0"):
        TriggeredAverage(line(), checks=0)


def test_a_language_model_learns_inside_it():
    model = TriggeredAverage(smoke(optimizer=keras.optimizers.Adam(5e-3)), checks=1)
    tokens = np.tile(np.arange(12, dtype="int32"), (8, 1))
    history = model.fit(
        tokens, (tokens + 1) % 50, validation_data=(tokens, (tokens + 1) % 50), epochs=25, batch_size=4, verbose=0
    ).history
    assert len(model.losses) <= 2 and history["val_loss"][-1] < 0.5 * history["val_loss"][0]
