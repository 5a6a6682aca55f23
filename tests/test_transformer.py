"""The Transformer from one sequence to another: what is masked, stepping, its loss and schedule, beam search."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

import kerazoo
from kerazoo import catalog
from kerazoo.generation.beam import BeamSearch
from kerazoo.generation.stepper import Stepper
from kerazoo.losses.smoothed_entropy import SmoothedEntropy
from kerazoo.training.schedules import InverseSquareRoot


def smoke(**options):
    """The smoke model with weights large enough that its answers differ."""
    arguments = dict(catalog.entry("transformer_tiny").smoke) | {"length": None} | options
    model = kerazoo.build("transformer_tiny", seed=0, **arguments)
    rng = np.random.default_rng(0)
    for weight in model.weights:
        weight.assign(rng.normal(0, 0.3, weight.shape))
    return model


def texts(size=30):
    rng = np.random.default_rng(1)
    source, tokens = rng.integers(1, size, (3, 8)).astype("int32"), rng.integers(1, size, (3, 6)).astype("int32")
    source[1, 5:] = 0
    return source, tokens


@pytest.mark.parametrize("norm", ["after", "before"])
def test_padding_of_the_source_and_later_tokens_are_not_seen(norm):
    model, (source, tokens) = smoke(norm=norm), texts()
    answers = model({"source": source, "tokens": tokens}).numpy()
    longer = model({"source": np.pad(source, [(0, 0), (0, 5)]), "tokens": tokens}).numpy()
    np.testing.assert_allclose(longer, answers, atol=1e-4)
    later = tokens.copy()
    later[:, 4:] = 7
    after = model({"source": source, "tokens": later}).numpy()
    np.testing.assert_allclose(after[:, :4], answers[:, :4], atol=1e-4)
    other = source.copy()
    other[:, 0] = other[:, 0] % 28 + 1
    moved = np.abs(model({"source": other, "tokens": tokens}).numpy() - answers).max(axis=(1, 2))
    assert moved.min() > 1e-3


def test_steps_equal_the_whole_and_the_source_is_read_once():
    model, (source, tokens) = smoke(depth=2), texts()
    whole = model({"source": source, "tokens": tokens}).numpy()
    stepper = Stepper(model)
    encoded, state, parts = stepper.encode(source), stepper.initial_state(3, 8), []
    for first, last in ((0, 2), (2, 3), (3, 6)):
        logits, state = stepper(tokens[:, first:last], state, first, encoded)
        parts.append(logits)
    np.testing.assert_allclose(np.concatenate(parts, axis=1), whole, atol=1e-4 * np.abs(whole).max())
    read = {layer.name for layer in stepper.decoder.layers}
    assert "decoder1_memory_query" in read and not any("encoder1" in name or "keys_values" in name for name in read)


def test_one_embedding_serves_both_languages_and_the_output():
    model = smoke()
    names = [weight.path for weight in model.weights if "embedding" in weight.path]
    assert names == ["embedding/embeddings"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"heads": 3}, "`width` must be a multiple of `heads`"),
        ({"length": 300}, "`length` at most `context`"),
        ({"norm": "none"}, "`norm` one of"),
        ({"hidden": 0}, "`hidden` must be an integer of at least 1"),
    ],
)
def test_clear_errors(arguments, message):
    with pytest.raises(ValueError, match=message):
        kerazoo.build("transformer_tiny", **arguments)


# Loss and schedule.


def test_smoothing_spreads_the_label_and_padding_does_not_count():
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(size=(2, 5, 7)).astype("float32"), rng.integers(1, 7, (2, 5))
    labels[0, 2:] = 0
    spread = 0.9 * np.eye(7)[labels] + 0.1 / 7
    surprise = -(spread * np.array(tf.nn.log_softmax(logits))).sum(-1)
    wanted = surprise[labels != 0].mean()
    assert float(SmoothedEntropy(0.1)(labels, logits)) == pytest.approx(wanted, rel=1e-5)
    plain = keras.losses.SparseCategoricalCrossentropy(from_logits=True)(labels[1:], logits[1:])
    assert float(SmoothedEntropy(0.0)(labels[1:], logits[1:])) == pytest.approx(float(plain), rel=1e-5)
    assert np.isfinite(SmoothedEntropy()(np.zeros((2, 5), int), logits))


def test_the_schedule_is_the_papers():
    width, warm_up = 512, 4000
    schedule = InverseSquareRoot((width * warm_up) ** -0.5, warm_up=warm_up)
    for step in (1, 100, 4000, 100_000):
        wanted = width**-0.5 * min(step**-0.5, step * warm_up**-1.5)
        assert float(schedule(step)) == pytest.approx(wanted, rel=1e-5)
    with pytest.raises(ValueError, match="`warm_up` must be at least 1"):
        InverseSquareRoot(1.0, warm_up=0)


@pytest.mark.parametrize("jit_compile", [False, True])
def test_batches_of_any_lengths_train_one_model(jit_compile):
    model = kerazoo.build(
        "transformer_tiny",
        **(dict(catalog.entry("transformer_tiny").smoke) | {"length": None}),
        jit_compile=jit_compile,
        seed=0,
    )
    rng = np.random.default_rng(0)

    def batches():
        for length in (4, 7, 4, 9):
            inputs = {name: rng.integers(1, 30, (3, length)).astype("int32") for name in ("source", "tokens")}
            yield inputs, inputs["tokens"]

    shapes = tf.TensorSpec((None, None), tf.int32)
    data = tf.data.Dataset.from_generator(batches, output_signature=({"source": shapes, "tokens": shapes}, shapes))
    history = model.fit(data.repeat(8), verbose=0, shuffle=False)
    assert np.isfinite(history.history["loss"]).all()
    with pytest.raises(Exception, match="slice|Slice"):
        model.predict({"source": np.ones((1, 300), "int32"), "tokens": np.ones((1, 4), "int32")}, verbose=0)


# Beam search.


def brute(model, source, size, tokens, end, penalty):
    """The best of all sequences: (ids, score)."""
    best, score = None, -np.inf
    for ids in itertools.product(range(size), repeat=tokens):
        cut = ids[: ids.index(end) + 1] if end in ids else ids
        given = np.array([[1, *cut[:-1]]], "int32")
        chances = tf.nn.log_softmax(model({"source": source, "tokens": given}))[0].numpy()
        total = sum(chances[place, identity] for place, identity in enumerate(cut)) / len(cut) ** penalty
        if total > score:
            best, score = cut, total
    return [identity for identity in best if identity != end], score


@pytest.mark.parametrize("penalty", [0.0, 1.0])
def test_enough_beams_find_the_best_of_all(penalty):
    size, end = 4, 2
    model = smoke(vocabulary_size=size)
    source = np.array([[3, 1, 3], [1, 1, 0]], "int32")
    found, scores = BeamSearch(model, end=end)([[1], [1]], source, tokens=3, beams=24, length_penalty=penalty)
    for row in range(2):
        wanted, score = brute(model, source[row : row + 1], size, 3, end, penalty)
        assert found[row].tolist() == wanted and scores[row] == pytest.approx(score, abs=1e-4)


def test_a_text_alone_is_searched_as_among_others():
    model, (source, _) = smoke(), texts()
    together, _ = BeamSearch(model, end=2)([[1]] * 3, source, tokens=7, beams=3)
    for row in range(3):
        (alone,), _ = BeamSearch(model, end=2)([[1]], source[row : row + 1].astype("int64"), tokens=7, beams=3)
        assert alone.tolist() == together[row].tolist()


def followed(model, source, *, tokens, beams, end, penalty):
    """The same search over Python's lists."""
    begun, found = [([], 0.0)], []
    for length in range(1, tokens + 1):
        further = []
        for ids, total in begun:
            logits = model({"source": source, "tokens": np.array([[1, *ids]], "int32")})[0, -1]
            chances = tf.nn.log_softmax(logits).numpy()
            further += [([*ids, identity], total + chance) for identity, chance in enumerate(chances)]
        further = sorted(further, key=lambda pair: -pair[1])[: 2 * beams]
        ended = [ids[-1] == end or length == tokens for ids, _ in further]
        found += [(ids, total / length**penalty) for (ids, total), ends in zip(further[:beams], ended) if ends]
        found = sorted(found, key=lambda pair: -pair[1])[:beams]
        begun = [pair for pair, ends in zip(further, ended) if not ends][:beams]
        if not begun or (len(found) == beams and begun[0][1] / length**penalty <= found[-1][1]):
            break
    return found[0]


# The seed makes ends likely: in the first one they come second, in the other the beams change places besides.
@pytest.mark.parametrize(
    ("beams", "penalty", "seed"), [(1, -1.0, 2), (1, 3.0, 2), (2, -1.0, 2), (2, 3.0, 2), (4, 3.0, 1)]
)
def test_few_beams_find_what_the_same_search_over_lists_finds(beams, penalty, seed):
    size, end, model = 5, 2, smoke(vocabulary_size=5)
    model.get_layer("embedding").embeddings.assign(np.random.default_rng(seed).normal(0, 0.3, (5, 16)))
    if seed == 1:
        for kernel in (weight for weight in model.trainable_weights if weight.name == "kernel"):
            kernel.assign(8 * kernel)  # So that what came before decides.
    source = np.random.default_rng(2).integers(1, size, (12, 4)).astype("int32")
    found, scores = BeamSearch(model, end=end)([[1]] * 12, source, tokens=6, beams=beams, length_penalty=penalty)
    for row in range(12):
        ids, score = followed(model, source[row : row + 1], tokens=6, beams=beams, end=end, penalty=penalty)
        assert found[row].tolist() == [identity for identity in ids if identity != end]
        assert scores[row] == pytest.approx(score, abs=1e-4)


def test_one_beam_is_greedy():
    model, (source, _) = smoke(), texts()
    found, _ = BeamSearch(model, end=2)([[1]] * 3, source, tokens=7, beams=1)
    for row in range(3):
        ids = [1]
        while len(ids) < 8 and ids[-1] != 2:
            logits = model({"source": source[row : row + 1], "tokens": np.array([ids], "int32")})
            ids.append(int(np.argmax(logits[0, -1])))
        assert found[row].tolist() == [identity for identity in ids[1:] if identity != 2]


@pytest.mark.parametrize(
    ("prompts", "options", "message"),
    [
        ([[]], {}, r"`prompts` must be \(B, P\)"),
        ([[1]], {"tokens": 0}, "`tokens` must be a positive integer"),
        ([[1]], {"beams": 0}, "`beams` must be a positive integer"),
        ([[1]], {"tokens": 256}, "The model knows 256 positions. Received: 257"),
    ],
)
def test_searches_that_cannot_be(prompts, options, message):
    with pytest.raises(ValueError, match=message):
        BeamSearch(smoke(), end=2)(prompts, texts()[0][:1], **({"tokens": 3} | options))
