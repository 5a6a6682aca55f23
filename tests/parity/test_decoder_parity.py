"""GPT-2, Gemma, Llama and SmolLM3 with presets against transformers and keras-hub: random weights, logits, ids."""

import keras
import numpy as np
import pytest

import kerazoo
from kerazoo import catalog
from kerazoo.generation.beam import BeamSearch
from kerazoo.generation.generator import Generator
from kerazoo.registry import registered

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
keras_hub = pytest.importorskip("keras_hub")
SIZE = 61
STRETCH = {"factor": 8.0, "low": 1.0, "high": 4.0, "positions": 24}
LLAMA = {"vocabulary_size": SIZE, "context": 32, "width": 48, "hidden": 40, "heads": 4, "key_heads": 2, "base": 300.0}
OURS = {
    "gpt2_base": {"vocabulary_size": SIZE, "context": 32, "width": 24, "depth": 2, "heads": 4},
    "gemma_2b": {
        "vocabulary_size": SIZE,
        "context": 32,
        "width": 24,
        "hidden": 40,
        "depth": 2,
        "heads": 4,
        "key_heads": 2,
        "head_size": 10,
    },
    "llama2_7b": LLAMA | {"depth": 2},
    "llama3_2_1b": LLAMA | {"depth": 2, "stretch": STRETCH},
    "smollm3_3b": LLAMA | {"depth": 4},
}
NAMES = tuple(OURS)
KINDS = {"gpt2": "GPT2", "gemm": "Gemma", "llam": "Llama3", "smol": "SmolLM3"}
NO_ENDS = {"bos_token_id": None, "eos_token_id": None, "pad_token_id": None}


def theirs_of(name):
    if name == "gpt2_base":
        return transformers.GPT2LMHeadModel(
            transformers.GPT2Config(vocab_size=SIZE, n_positions=32, n_embd=24, n_layer=2, n_head=4, **NO_ENDS)
        )
    sizes = {
        "vocab_size": SIZE,
        "hidden_size": OURS[name]["width"],
        "intermediate_size": 40,
        "num_hidden_layers": OURS[name]["depth"],
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 32,
        **NO_ENDS,
    }
    if name == "gemma_2b":
        return transformers.GemmaForCausalLM(transformers.GemmaConfig(**sizes, head_dim=10))
    turns = {"rope_type": "default", "rope_theta": 300.0}
    if name == "llama3_2_1b":
        turns |= {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0}
        turns |= {"original_max_position_embeddings": 24}
    if name == "smollm3_3b":
        return transformers.SmolLM3ForCausalLM(
            transformers.SmolLM3Config(**sizes, rope_parameters=turns, rms_norm_eps=1e-6)
        )
    configuration = transformers.LlamaConfig(
        **sizes, rope_parameters=turns, rms_norm_eps=1e-5, tie_word_embeddings=name != "llama2_7b"
    )
    return transformers.LlamaForCausalLM(configuration)


@pytest.fixture(scope="module", params=NAMES)
def trio(request, tmp_path_factory):
    """(name, transformers' model with random weights, its folder as `save_pretrained` writes it)."""
    transformers.set_seed(0)
    theirs = theirs_of(request.param).eval()
    for name, weight in theirs.named_parameters():  # Away from the small initial ones, so that answers differ.
        centre = float(weight.ndim == 1 and name.endswith("weight") and request.param != "gemma_2b")
        torch.nn.init.normal_(weight, centre, 0.6 if "wpe" in name else 0.3 if weight.ndim == 2 else 0.2)
    folder = tmp_path_factory.mktemp(request.param)
    theirs.save_pretrained(folder)
    return request.param, theirs, folder


@pytest.fixture(scope="module")
def ours(trio):
    name, _, folder = trio
    return kerazoo.build(name, weights=folder / "model.safetensors", **OURS[name])


def test_logits(trio, ours):
    _, theirs, _ = trio
    ids = np.random.default_rng(0).integers(0, SIZE, (4, 23)).astype("int32")
    with torch.no_grad():
        wanted = theirs(torch.tensor(ids, dtype=torch.long)).logits.numpy()
    assert np.ptp(wanted, axis=(0, 1)).max() > 1
    np.testing.assert_allclose(ours(ids), wanted, atol=1e-4 * np.abs(wanted).max())


def test_greedy_ids(trio, ours):
    _, theirs, _ = trio
    prompt = [5, 17, 3, 60]
    with torch.no_grad():
        wanted = theirs.generate(torch.tensor([prompt]), max_new_tokens=24, do_sample=False, pad_token_id=0)
    (received,) = Generator(ours).generate([prompt], tokens=24, temperature=0)
    assert received.tolist() == wanted[0, 4:].tolist() and len(set(received.tolist())) > 3


def test_beams(trio, ours):
    _, theirs, _ = trio
    prompts, end = [[5, 17, 3, 60], [1, 2, 3, 4]], 11
    with torch.no_grad():
        wanted = theirs.generate(
            torch.tensor(prompts),
            attention_mask=torch.ones(2, 4, dtype=torch.long),
            max_new_tokens=15,
            do_sample=False,
            num_beams=3,
            eos_token_id=end,
            pad_token_id=end,
        )[:, 4:].tolist()
    wanted = [row[: row.index(end)] if end in row else row for row in wanted]
    received, _ = BeamSearch(ours, end=end, jit_compile=False)(prompts, tokens=15, beams=3, length_penalty=1.0)
    assert [row.tolist() for row in received] == wanted


def core_of(name, folder):
    """keras-hub's model of a folder of transformers."""
    core = keras_hub.models.Backbone.from_preset(str(folder))
    if name == "llama3_2_1b":  # keras-hub does not read the stretch of what transformers 5 writes.
        sizes = core.get_config() | {"rope_frequency_adjustment_factor": 8.0, "rope_pretraining_sequence_length": 24}
        sizes |= {"rope_low_freq_factor": 1.0, "rope_high_freq_factor": 4.0, "tie_word_embeddings": False}
        own, core = core, type(core)(**sizes)
        matrix = own.token_embedding.get_weights()[0]
        core.token_embedding.set_weights([matrix, matrix.T])  # As keras-hub publishes Llama 3.2.
        for theirs, layer in zip(own.layers, core.layers):
            if layer.weights and layer is not core.token_embedding:
                layer.set_weights(theirs.get_weights())
    return core


def test_a_folder_of_transformers_and_a_preset_of_keras_hub_are_the_same(trio, ours, tmp_path):
    name, _, folder = trio
    core = core_of(name, folder)
    theirs = getattr(keras_hub.models, f"{KINDS[name[:4]]}CausalLM")(backbone=core, preprocessor=None)
    core.save_to_preset(tmp_path / "preset")
    ids = np.random.default_rng(0).integers(0, SIZE, (2, 9)).astype("int32")
    wanted = keras.ops.convert_to_numpy(theirs({"token_ids": ids, "padding_mask": np.ones_like(ids)}))
    if name.startswith("llama"):  # keras-hub does not read the norms' epsilon of a folder, 1e-5, and has 1e-6.
        like_theirs = OURS[name] | {"epsilon": core.layer_norm_epsilon}
        like_theirs = kerazoo.build(name, weights=folder / "model.safetensors", **like_theirs)
    else:
        like_theirs = ours
    np.testing.assert_allclose(like_theirs(ids), wanted, atol=1e-4 * np.abs(wanted).max())
    for source in (folder, tmp_path / "preset"):
        if (name, source) == ("llama3_2_1b", folder):
            with pytest.raises(ValueError, match="Positions must turn.*None\\).*give its file model.saf"):
                kerazoo.build(name, weights=str(source), **OURS[name])
            continue
        again = kerazoo.build(name, weights=str(source), **OURS[name])
        np.testing.assert_allclose(again(ids), ours(ids), atol=1e-5 * np.abs(wanted).max())
    for wrong in ({"depth": 1}, {"depth": 5}, {"heads": 2}):
        with pytest.raises(ValueError, match="does not fit.*Received other layers|Positions must turn"):
            kerazoo.build(name, weights=str(tmp_path / "preset"), **OURS[name] | wrong)
    other = next(each for each in NAMES if each[:4] != name[:4])
    with pytest.raises(ValueError, match="must be a [GL].*Backbone. Received: [GLS]"):
        kerazoo.build(other, weights=str(tmp_path / "preset"), **OURS[other])


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("llama2_7b", {"base": 10_000.0}),
        ("llama2_7b", {"stretch": STRETCH}),
        ("llama3_2_1b", {"stretch": None}),
        ("llama3_2_1b", {"stretch": STRETCH | {"factor": 32.0}}),
        ("smollm3_3b", {"unturned": None}),
        ("smollm3_3b", {"unturned": 2}),
    ],
)
def test_a_preset_whose_positions_turn_otherwise_is_refused(name, wrong, tmp_path):
    sizes = {"vocabulary_size": SIZE, "num_layers": OURS[name]["depth"], "num_key_value_heads": 2}
    sizes |= {"hidden_dim": 48, "intermediate_dim": 40}
    if name == "smollm3_3b":
        sizes |= {"num_attention_heads": 4, "attention_bias": False, "attention_dropout": 0.0, "mlp_bias": False}
        sizes |= {"layer_norm_epsilon": 1e-6, "max_position_embeddings": 32, "rope_theta": 300.0}
        sizes |= {"rope_layer_enabled_list": [True, True, True, False], "layer_types": ["full_attention"] * 4}
        core = keras_hub.models.SmolLM3Backbone(**sizes, partial_rotary_factor=1.0)
    else:
        sizes |= {"num_query_heads": 4, "rope_max_wavelength": 300.0}
        if name == "llama3_2_1b":
            sizes |= {"rope_frequency_adjustment_factor": 8.0, "rope_pretraining_sequence_length": 24}
            sizes |= {"rope_low_freq_factor": 1.0, "rope_high_freq_factor": 4.0}
        core = keras_hub.models.Llama3Backbone(**sizes)
    core.save_to_preset(tmp_path / "preset")
    with pytest.raises(ValueError, match="Positions must turn as in the preset"):
        kerazoo.build(name, weights=str(tmp_path / "preset"), **OURS[name] | wrong)
    if name == "llama3_2_1b":  # Its output's matrix is not the embedding's.
        with pytest.raises(ValueError, match="has an output's matrix of its own.*`tied=True`"):
            kerazoo.build(name, weights=str(tmp_path / "preset"), **OURS[name])
        kerazoo.build(name, weights=str(tmp_path / "preset"), tied=False, **OURS[name])
        with pytest.raises(ValueError, match="does not fit"):
            kerazoo.build(name, weights=str(tmp_path / "preset"), **OURS[name] | {"tied": False, "hidden": 41})


def test_the_second_gemma_is_refused(tmp_path):
    backbone = keras_hub.models.GemmaBackbone(
        vocabulary_size=SIZE,
        num_layers=2,
        num_query_heads=4,
        num_key_value_heads=2,
        hidden_dim=24,
        intermediate_dim=80,
        head_dim=10,
        use_post_ffw_norm=True,
        use_post_attention_norm=True,
        final_logit_soft_cap=30,
        attention_logit_soft_cap=50,
    )
    backbone.save_to_preset(tmp_path / "preset")
    with pytest.raises(ValueError, match="must be of the first Gemma"):
        kerazoo.build("gemma_2b", weights=str(tmp_path / "preset"), **OURS["gemma_2b"])


LLAMAS = ("llama2_7b", "llama3_8b", "llama3_1_8b", "llama3_2_1b", "llama3_2_3b", "smollm3_3b")
LARGE = ("gemma_2b", "gemma_7b", *LLAMAS)


@pytest.mark.parametrize("name", ["gpt2_base", "gpt2_medium", "gpt2_large", *LARGE])
def test_published_counts(name):
    sizes = kerazoo.info(name)["arguments"]
    if name.startswith("gpt2"):
        configuration = transformers.GPT2Config(n_embd=sizes["width"], n_layer=sizes["depth"], n_head=sizes["heads"])
        kind = transformers.GPT2LMHeadModel
    else:
        theirs = {
            "vocab_size": sizes["vocabulary_size"],
            "hidden_size": sizes["width"],
            "intermediate_size": sizes["hidden"],
            "num_hidden_layers": sizes["depth"],
            "num_attention_heads": sizes["heads"],
            "num_key_value_heads": sizes["key_heads"],
        }
        family = {"gemm": "Gemma", "llam": "Llama", "smol": "SmolLM3"}[name[:4]]
        kind = getattr(transformers, f"{family}ForCausalLM")
        theirs |= {"head_dim": sizes["head_size"]} if family == "Gemma" else {"tie_word_embeddings": sizes["tied"]}
        configuration = getattr(transformers, f"{family}Config")(**theirs)
    with torch.device("meta"):
        theirs = kind(configuration)
    assert sum(weight.numel() for weight in theirs.parameters()) == kerazoo.info(name)["params"]


def test_our_graphs_have_as_many_as_the_sizes_say():
    """The full sizes do not fit a small machine: the graphs' counts are held against the formula that gives theirs."""

    def count(*, depth, width, hidden, heads, key_heads, vocabulary_size, head_size=None, tied=True, **_):
        attention = 2 * width * (head_size or width // heads) * (heads + key_heads)
        return (2 - tied) * vocabulary_size * width + depth * (attention + 3 * width * hidden + 2 * width) + width

    for name in NAMES[1:]:
        sizes = kerazoo.info(name)["arguments"] | OURS[name]
        assert kerazoo.build(name, **OURS[name]).count_params() == count(**sizes)
    for name in LARGE:
        assert count(**kerazoo.info(name)["arguments"]) == kerazoo.info(name)["params"]


def test_every_tag_is_a_preset_that_keras_hub_knows():
    catalog.import_all()
    models = keras_hub.models
    known = models.GPT2Backbone.presets | models.GemmaBackbone.presets | models.SmolLM3Backbone.presets
    known |= models.LlamaBackbone.presets | models.Llama3Backbone.presets
    for name in ("gpt2_base", "gpt2_medium", "gpt2_large", *LARGE):
        entry = registered()[name]
        more = {  # What keras-hub counts beside: an output's matrix of its own, and the rates by which positions turn.
            "llama3_2_1b": 128_256 * 2048,
            "llama3_2_3b": 128_256 * 3072,
            "smollm3_3b": 36 * 64,
        }
        for facts in entry.weights.values():
            assert known[facts["preset"]]["metadata"]["params"] == entry.params + more.get(name, 0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"head_size": 5}, "`head_size` must be even.*5, 4"),
        ({"key_heads": 3}, "`heads` a multiple of `key_heads`.*4, 3"),
        ({"length": 33}, "`length` at most `context`.*33, 32"),
    ],
)
def test_clear_errors(arguments, message):
    with pytest.raises(ValueError, match=message):
        kerazoo.build("gemma_2b", **OURS["gemma_2b"] | arguments)
