"""Language models: causality, steps with what was computed before, sampling, writing, the endpoint that writes."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import kerazoo
from kerazoo import catalog
from kerazoo.generation import texts
from kerazoo.generation.generator import Generator
from kerazoo.generation.sampling import NEVER, Sampling, draw, filtered, uniform
from kerazoo.generation.stepper import Stepper
from kerazoo.generation.texts import Writer
from kerazoo.layers.causal_attention import CausalAttention
from kerazoo.layers.character_tokenizer import CharacterTokenizer

NAMES = sorted(kerazoo.list_models(task="language_modelling"))
QUICK = ["gpt_nano", "char_lstm"]
TOKENIZER = CharacterTokenizer("\nabcdefgh ")


def smoke(name, **options):
    """The smoke model with weights large enough that its answers differ."""
    model = kerazoo.build(name, seed=0, **(dict(catalog.entry(name).smoke) | {"length": None} | options))
    rng = np.random.default_rng(0)
    for weight in model.weights:
        weight.assign(rng.normal(0, 0.3, weight.shape))
    return model


@pytest.fixture(scope="module", params=QUICK)
def model(request):
    return smoke(request.param, vocabulary_size=TOKENIZER.size)


def ids_of(count, length, size, seed=0):
    return np.random.default_rng(seed).integers(0, size, (count, length)).astype("int32")


# Causality.


@pytest.mark.parametrize("name", NAMES)
def test_no_answer_depends_on_what_comes_later(name):
    model = smoke(name)
    ids = ids_of(3, 12, 50)
    other = ids.copy()
    other[:, 7:] = (other[:, 7:] + 1) % 50
    before, after = model(ids).numpy(), model(other).numpy()
    np.testing.assert_allclose(after[:, :7], before[:, :7], atol=1e-5)
    assert np.abs(after[:, 7:] - before[:, 7:]).max() > 0.01


@pytest.mark.parametrize("name", NAMES)
def test_steps_equal_the_whole(name):
    model = smoke(name)
    ids = ids_of(2, 13, 50)
    stepper, state, parts = Stepper(model), None, []
    state = stepper.initial_state(batch=2, length=16)
    for first, last in ((0, 5), (5, 6), (6, 7), (7, 11), (11, 13)):
        logits, state = stepper(ids[:, first:last], state, first)
        parts.append(logits)
    whole = model(ids).numpy()
    np.testing.assert_allclose(np.concatenate(parts, axis=1), whole, atol=1e-4 * np.abs(whole).max())


def test_keys_shared_by_heads_are_those_repeated():
    rng = np.random.default_rng(0)
    queries = rng.normal(size=(2, 7, 12)).astype("float32")
    keys, values = (rng.normal(size=(2, 7, 4)).astype("float32") for _ in range(2))

    def repeated(x):  # Two heads of two channels, each three times.
        return np.repeat(x.reshape(2, 7, 2, 2), 3, axis=2).reshape(2, 7, 12)

    shared = CausalAttention(6, key_heads=2)(queries, keys, values)
    whole = CausalAttention(6)(queries, repeated(keys), repeated(values))
    np.testing.assert_allclose(shared, whole, atol=1e-5)


def test_attention_is_the_textbooks():
    rng = np.random.default_rng(0)
    queries, keys, values = (rng.normal(size=(1, 5, 3)).astype("float32") for _ in range(3))
    for place in range(5):
        powers = np.exp(keys[0, : place + 1] @ queries[0, place] / 3**0.5)
        wanted = powers @ values[0, : place + 1] / powers.sum()
        np.testing.assert_allclose(CausalAttention(1)(queries, keys, values)[0, place], wanted, rtol=1e-4)


# Sampling.


def test_filters_leave_what_they_say():
    logits = np.log(np.array([[0.4, 0.3, 0.2, 0.05, 0.05]], "float32"))

    def left(**options):
        sampling = Sampling(**options)
        return (filtered(tf.constant(logits), sampling.kind, sampling.values).numpy()[0] > NEVER).tolist()

    assert left(top_k=2) == [True, True, False, False, False]
    assert left(top_k=9) == [True] * 5
    assert left(top_p=0.65) == [True, True, False, False, False]
    assert left(top_p=0.75) == [True, True, True, False, False]
    assert left(top_p=1e-6) == [True, False, False, False, False]
    assert left(min_p=0.4) == [True, True, True, False, False]
    assert left(min_p=0.55) == [True, True, False, False, False]


def test_draws_have_the_distribution_of_the_temperature():
    chances = np.array([0.5, 0.3, 0.2], "float32")
    logits = tf.constant(np.tile(np.log(chances), (4000, 1)))
    for temperature in (1.0, 0.5):
        sampling = Sampling(temperature=temperature)
        drawn = draw(logits, sampling.kind, sampling.values, tf.constant([3, 4])).numpy()
        wanted = chances ** (1 / temperature)
        np.testing.assert_allclose(np.bincount(drawn, minlength=3) / 4000, wanted / wanted.sum(), atol=0.03)
    greedy = Sampling(temperature=0)
    assert not draw(logits, greedy.kind, greedy.values, tf.constant([0, 0])).numpy().any()


def test_a_penalty_is_for_what_is_there():
    sampling = Sampling(temperature=0, repetition_penalty=2.0)
    logits, present = tf.constant([[3.0, 2.0, -1.0], [-1.0, -1.5, -3.0]]), tf.constant([[True, False, False]] * 2)
    assert draw(logits, sampling.kind, sampling.values, tf.constant([0, 0]), present).numpy().tolist() == [1, 1]


def test_chance_is_even_and_alike_under_xla():
    def numbers(step):
        return uniform((4, 1000), tf.stack([7, step]))

    xla = tf.function(numbers, jit_compile=True)
    drawn = np.stack([xla(tf.constant(step)).numpy() for step in range(50)])
    np.testing.assert_array_equal(drawn[3], numbers(tf.constant(3)))
    assert drawn.min() > 0 and drawn.max() < 1 and abs(drawn.mean() - 0.5) < 0.003
    assert abs(drawn.var() * 12 - 1) < 0.01
    for one, other in ((drawn[:-1], drawn[1:]), (drawn[:, :-1], drawn[:, 1:]), (drawn[..., :-1], drawn[..., 1:])):
        assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) < 0.01


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"temperature": -1}, "`temperature` must be at least 0"),
        ({"top_k": 0}, "`top_k` must be at least 1"),
        ({"top_p": 0.0}, "`top_p` must be above 0 and at most 1"),
        ({"min_p": 1.0}, "`min_p` must be at least 0 and below 1"),
        ({"repetition_penalty": 0}, "`repetition_penalty` must be above 0"),
    ],
)
def test_sampling_out_of_range(options, message):
    with pytest.raises(ValueError, match=message):
        Sampling(**options)


# Generation.


def test_greedy_ids_are_those_of_the_whole_model_for_prompts_of_any_length(model):
    prompts = [[1, 2, 3, 4, 5], [7], [9, 8, 7]]
    answers = Generator(model).generate(prompts, tokens=9, temperature=0)
    for prompt, answer in zip(prompts, answers):
        ids = list(prompt)
        for _ in range(9):
            ids.append(int(np.argmax(model(np.array([ids], "int32"))[0, -1])))
        assert answer.tolist() == ids[len(prompt) :]


def test_full_positions_go_on_from_the_later_half():
    model = smoke("gpt_nano", vocabulary_size=30)  # Knows 16 positions.
    (answer,) = Generator(model).generate([[1, 2, 3]], tokens=40, temperature=0)
    ids, context = [1, 2, 3], [1, 2, 3]
    for _ in range(40):
        if len(context) == 16:
            context = context[-8:]
        following = int(np.argmax(model(np.array([context], "int32"))[0, -1]))
        ids, context = [*ids, following], [*context, following]
    assert answer.tolist() == ids[3:] and len(set(answer.tolist())) > 3


def test_chance_goes_on_where_positions_begin_anew():
    model = smoke("gpt_nano", vocabulary_size=30)
    for weight in model.weights:  # Every id is as likely as any other: chance alone decides.
        weight.assign(np.zeros(weight.shape))
    (drawn,) = Generator(model).generate([[1]], tokens=60, seed=5)
    assert len(set(drawn.tolist())) > 10 and drawn[-8:].tolist() != drawn[-16:-8].tolist()


def test_few_numbers_of_tokens_are_compiled(model):
    """What is written has columns in steps, as the state: another number of tokens runs what is there."""
    writer = Generator(model, jit_compile=False, room=8)
    (longest,) = writer.generate([[1, 2]], tokens=6, temperature=0)
    for tokens in range(1, 6):
        (answer,) = writer.generate([[1, 2]], tokens=tokens, temperature=0)
        assert answer.tolist() == longest[:tokens].tolist()
    assert writer._loop.experimental_get_tracing_count() == 1


def test_a_stream_is_what_is_generated(model):
    options = {"tokens": 30, "seed": 3, "top_k": 5, "top_p": 0.95, "min_p": 0.01, "repetition_penalty": 1.2}
    generator = Generator(model)
    (whole,) = generator.generate([[1, 2, 3]], **options)
    assert list(generator.stream([1, 2, 3], **options)) == whole.tolist() and len(whole) == 30
    (again,) = generator.generate([[1, 2, 3]], **(options | {"seed": 4}))
    assert again.tolist() != whole.tolist()


def test_a_text_ends_after_its_end_and_others_go_on(model):
    generator = Generator(model)
    first, other = (ids.tolist() for ids in generator.generate([[1, 2], [3, 4]], tokens=12, seed=3))
    end = next(identity for identity in first if identity not in other)
    ended = generator.generate([[1, 2], [3, 4]], tokens=12, seed=3, ends=[end])
    assert ended[0].tolist() == first[: first.index(end) + 1] and len(ended[0]) < 12
    assert ended[1].tolist() == other


@pytest.mark.parametrize(
    ("prompts", "tokens", "message"),
    [
        ([], 3, "There must be a prompt"),
        ([[1], []], 3, "none of them may be empty"),
        ([[1, 10]], 3, r"Ids must be in \[0, 10\). Received: 1 to 10"),
        ([[-1]], 3, r"Ids must be in \[0, 10\)"),
        ([[1]], 0, "`tokens` must be a positive integer"),
    ],
)
def test_prompts_that_cannot_be(model, prompts, tokens, message):
    with pytest.raises(ValueError, match=message):
        Generator(model).generate(prompts, tokens=tokens)


def test_stop_strings_end_a_text_and_none_of_them_is_told(model):
    writer = Writer(model, TOKENIZER)
    (free,) = writer.write(["a bad egg"], tokens=60, seed=1)
    stop = free[20:23]
    wanted = free[: free.index(stop)]
    assert writer.write(["a bad egg"], tokens=60, seed=1, stop=["zz", stop]) == [wanted]
    pieces = list(writer.stream("a bad egg", tokens=60, seed=1, stop=stop))
    assert "".join(pieces) == wanted and len(pieces) > 3
    assert "".join(writer.stream("a bad egg", tokens=60, seed=1)) == free
    with pytest.raises(ValueError, match="must not be empty"):
        writer.write(["a"], tokens=3, stop="")
    with pytest.raises(ValueError, match="must have a token that the tokenizer knows. Received: 'xyz'"):
        writer.write(["xyz"], tokens=3)


def test_the_first_of_several_stop_strings_ends_a_text():
    assert texts._cut("abcdef", ("e", "c")) == ("ab", True)
    assert texts._cut("abcdef", ("x",)) == ("abcdef", False)


def test_models_that_cannot_be_stepped_through_are_refused():
    tokens = keras.Input((None,), name="tokens", dtype="int32")
    attention, x = CausalAttention(1), keras.layers.Embedding(5, 4)(tokens)
    x = attention(x, x, x)
    with pytest.raises(ValueError, match="must be called once"):
        Stepper(keras.Model(tokens, attention(x, x, x)))
    with pytest.raises(ValueError, match="must look at one position or keep a state. Received: conv"):
        Stepper(keras.Model(tokens, keras.layers.Conv1D(4, 2, padding="causal", name="conv")(x)))
    with pytest.raises(ValueError, match="must have an input 'tokens'"):
        Stepper(kerazoo.build("mlp", input_shape=(2, 2, 3), hidden=(4,)))


# Export.


@pytest.mark.parametrize("name", QUICK)
def test_an_export_writes_what_the_model_writes(tmp_path, name):
    model = smoke(name, vocabulary_size=TOKENIZER.size, length=12)
    chosen = {"tokens": 40, "temperature": 0.9, "seed": 3, "top_k": 5, "repetition_penalty": 1.1}
    report = kerazoo.export(
        model,
        tmp_path / "export",
        formats=("saved_model",),
        signature="raw",
        tokenizer=TOKENIZER,
        metadata={"generate": chosen},
    )
    loaded = kerazoo.load(report.path, engine="saved_model")
    prompts = ["a bad egg", "b"]
    assert loaded.raw(prompts)["texts"].tolist() == Writer(model, TOKENIZER).write(prompts, **chosen)
    assert [len(text) for text in loaded.raw(["", "zzz", "a" * 10_000])["texts"]] == [40, 40, 40]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"heat": 1}, 'Unknown setting of "generate"'),
        ({"tokens": 0}, "`tokens` be a positive integer"),
        ({"temperature": -1}, "`temperature` must be at least 0"),
        ("long ones", "must be a dictionary of settings. Received: 'long ones'"),
    ],
)
def test_settings_of_an_export_that_cannot_be(tmp_path, model, settings, message):
    with pytest.raises(ValueError, match=message):
        kerazoo.export(
            model,
            tmp_path / "export",
            formats=("saved_model",),
            signature="raw",
            tokenizer=TOKENIZER,
            metadata={"generate": settings},
        )
    assert not (tmp_path / "export").exists() or not list((tmp_path / "export").iterdir())


# Models and tokenizer.


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("gpt_nano", {"heads": 3}, "`width` must be a multiple of `heads`"),
        ("gpt_nano", {"length": 65}, "`length` at most `context`"),
        ("gpt_nano", {"gelu": "relu"}, "`gelu` must be one of"),
        ("gpt_nano", {"depth": 0}, "`depth` must be an integer of at least 1"),
        ("char_lstm", {"vocabulary_size": 1}, "`vocabulary_size` must be an integer of at least 2"),
        ("char_lstm", {"length": 0}, "`length` must be an integer of at least 1"),
    ],
)
def test_clear_errors(name, arguments, message):
    with pytest.raises(ValueError, match=message):
        kerazoo.build(name, **arguments)


def test_gpt_refuses_more_than_its_positions():
    with pytest.raises(ValueError, match="There are 64 positions"):
        kerazoo.build("gpt_nano")(np.zeros((1, 65), "int32"))


def test_characters_go_there_and_back():
    texts = ["a bad egg\n", "", "x\u00e9\U0001f600", b"\xffab", "head" * 25_000]
    ids = TOKENIZER.ragged(texts)
    assert ids.row_lengths().numpy().tolist() == [10, 0, 0, 2, 100_000]
    assert TOKENIZER.texts(ids).numpy().tolist() == [b"a bad egg\n", b"", b"", b"ab", b"head" * 25_000]
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(TOKENIZER))
    np.testing.assert_array_equal(again(["egg", "a"]), [[5, 7, 7], [1, 0, 0]])
    with pytest.raises(ValueError, match="single characters, each once"):
        CharacterTokenizer(["a", "bc"])
