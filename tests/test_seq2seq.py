"""Recurrent models from one sequence to another with attention."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import kerazoo
from kerazoo import catalog
from kerazoo.generation.attention import looked_at
from kerazoo.generation.beam import BeamSearch
from kerazoo.generation.stepper import Stepper


def smoke(**options):
    arguments = dict(catalog.entry("seq2seq_luong").smoke) | {"length": None, "depth": 2} | options
    model = kerazoo.build("seq2seq_luong", seed=0, **arguments)
    rng = np.random.default_rng(0)
    for weight in model.weights:
        weight.assign(rng.normal(0, 0.4, weight.shape))
    return model


def texts():
    rng = np.random.default_rng(1)
    source, tokens = rng.integers(1, 30, (3, 8)).astype("int32"), rng.integers(1, 30, (3, 6)).astype("int32")
    source[1, 5:] = 0
    return source, tokens


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_padding_and_later_tokens_are_not_seen_and_all_else_is(cell):
    model, (source, tokens) = smoke(cell=cell), texts()
    answers = model({"source": source, "tokens": tokens}).numpy()
    longer = model({"source": np.pad(source, [(0, 0), (0, 5)]), "tokens": tokens}).numpy()
    np.testing.assert_allclose(longer, answers, atol=1e-5)
    later = tokens.copy()
    later[:, 4:] = 7
    after = model({"source": source, "tokens": later}).numpy()
    np.testing.assert_allclose(after[:, :4], answers[:, :4], atol=1e-5)
    other = source.copy()
    other[:, 0] = other[:, 0] % 28 + 1
    moved = np.abs(model({"source": other, "tokens": tokens}).numpy() - answers).max(axis=2)
    assert moved.min() > 1e-4


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_steps_equal_the_whole_and_begin_where_the_encoder_ended(cell):
    model, (source, tokens) = smoke(cell=cell), texts()
    whole = model({"source": source, "tokens": tokens}).numpy()
    stepper = Stepper(model)
    encoded, state, parts = stepper.encode(source), stepper.initial_state(3, 8), []
    for first, last in ((0, 2), (2, 3), (3, 6)):
        logits, state = stepper(tokens[:, first:last], state, first, encoded)
        parts.append(logits)
    np.testing.assert_allclose(np.concatenate(parts, axis=1), whole, atol=1e-5)
    assert not any("encoder" in layer.name for layer in stepper.decoder.layers)


def test_attention_is_the_papers_general_one():
    model, (source, tokens) = smoke(), texts()
    shares = looked_at(model, source, tokens)[0, :, 0]
    parts = keras.Model(model.input, [model.get_layer(name).output[0] for name in ("encoder2", "decoder2")])
    memory, hidden = (np.asarray(x) for x in parts({"source": source, "tokens": tokens}))
    scores = hidden @ model.get_layer("queries").kernel.numpy() @ memory.transpose(0, 2, 1)
    scores = np.where(source[:, None] > 0, scores, -np.inf)
    wanted = np.exp(scores - scores.max(-1, keepdims=True))
    np.testing.assert_allclose(shares, wanted / wanted.sum(-1, keepdims=True), atol=1e-5)


def test_one_beam_is_greedy():
    model, (source, _) = smoke(), texts()
    found, _ = BeamSearch(model, end=2)([[1]] * 3, source, tokens=7, beams=1)
    for row in range(3):
        ids = [1]
        while len(ids) < 8 and ids[-1] != 2:
            logits = model({"source": source[row : row + 1], "tokens": np.array([ids], "int32")})
            ids.append(int(np.argmax(logits[0, -1])))
        assert found[row].tolist() == [identity for identity in ids[1:] if identity != 2]


@pytest.mark.parametrize("beams", [1, 3])
def test_few_numbers_of_tokens_are_searched_for(beams):
    """The columns come in steps: another number of tokens runs what is compiled, and finds what it alone would."""
    model, (source, _) = smoke(), texts()
    search = BeamSearch(model, end=2, jit_compile=False)
    for tokens in (3, 7, 5):
        found, scores = search([[1]] * 3, source, tokens=tokens, beams=beams)
        ids = tf.ones((3, 1), tf.int32)
        alone, wanted = search.searched(ids, search.stepper.encode(source), tf.constant(1.0), tokens, beams)
        for row, other in zip(found, alone.numpy()):
            assert row.tolist() == [*other[: [*other, 2].index(2)]]
        np.testing.assert_allclose(scores, wanted, atol=1e-5)
    assert search._search.experimental_get_tracing_count() == 1


@pytest.mark.parametrize(
    ("arguments", "message"), [({"cell": "rnn"}, "cell"), ({"units": 0}, "`units`"), ({"depth": 0}, "`depth`")]
)
def test_clear_errors(arguments, message):
    with pytest.raises(ValueError, match=message):
        kerazoo.build("seq2seq_luong", **arguments)
