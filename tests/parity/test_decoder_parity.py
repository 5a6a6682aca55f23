"""GPT-2 and Gemma with presets against transformers and keras-hub: random weights, logits and generated ids."""

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
SIZE, NAMES = 61, ("gpt2_base", "gemma_2b")
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
}
NO_ENDS = {"bos_token_id": None, "eos_token_id": None, "pad_token_id": None}


def theirs_of(name):
    if name == "gpt2_base":
        return transformers.GPT2LMHeadModel(
            transformers.GPT2Config(vocab_size=SIZE, n_positions=32, n_embd=24, n_layer=2, n_head=4, **NO_ENDS)
        )
    configuration = transformers.GemmaConfig(
        vocab_size=SIZE,
        hidden_size=24,
        intermediate_size=40,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=10,
        max_position_embeddings=32,
        **NO_ENDS,
    )
    return transformers.GemmaForCausalLM(configuration)


@pytest.fixture(scope="module", params=NAMES)
def trio(request, tmp_path_factory):
    """(name, transformers' model with random weights, its folder as `save_pretrained` writes it)."""
    transformers.set_seed(0)
    theirs = theirs_of(request.param).eval()
    for name, weight in theirs.named_parameters():  # Away from the small initial ones, so that answers differ.
        centre = float(weight.ndim == 1 and ".ln_" in name and name.endswith("weight"))
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


def test_a_folder_of_transformers_and_a_preset_of_keras_hub_are_the_same(trio, ours, tmp_path):
    name, _, folder = trio
    kind = {"gpt2_base": keras_hub.models.GPT2CausalLM, "gemma_2b": keras_hub.models.GemmaCausalLM}[name]
    theirs = kind(backbone=keras_hub.models.Backbone.from_preset(str(folder)))
    theirs.backbone.save_to_preset(tmp_path / "preset")
    ids = np.random.default_rng(0).integers(0, SIZE, (2, 9)).astype("int32")
    wanted = keras.ops.convert_to_numpy(theirs({"token_ids": ids, "padding_mask": np.ones_like(ids)}))
    np.testing.assert_allclose(ours(ids), wanted, atol=1e-4 * np.abs(wanted).max())
    for source in (folder, tmp_path / "preset"):
        again = kerazoo.build(name, weights=str(source), **OURS[name])
        np.testing.assert_allclose(again(ids), ours(ids), atol=1e-5 * np.abs(wanted).max())
    for wrong in ({"depth": 1}, {"depth": 3}, {"heads": 2}):
        with pytest.raises(ValueError, match="does not fit.*Received other layers"):
            kerazoo.build(name, weights=str(folder), **OURS[name] | wrong)
    other = next(each for each in NAMES if each != name)
    with pytest.raises(ValueError, match="must be a G.*Backbone. Received: G"):
        kerazoo.build(other, weights=str(folder), **OURS[other])


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


@pytest.mark.parametrize("name", ["gpt2_base", "gpt2_medium", "gpt2_large", "gemma_2b", "gemma_7b"])
def test_published_counts(name):
    sizes = kerazoo.info(name)["arguments"]
    if name.startswith("gpt2"):
        configuration = transformers.GPT2Config(n_embd=sizes["width"], n_layer=sizes["depth"], n_head=sizes["heads"])
        kind = transformers.GPT2LMHeadModel
    else:
        kind = transformers.GemmaForCausalLM
        configuration = transformers.GemmaConfig(
            vocab_size=sizes["vocabulary_size"],
            hidden_size=sizes["width"],
            intermediate_size=sizes["hidden"],
            num_hidden_layers=sizes["depth"],
            num_attention_heads=sizes["heads"],
            num_key_value_heads=sizes["key_heads"],
            head_dim=sizes["head_size"],
        )
    with torch.device("meta"):
        theirs = kind(configuration)
    assert sum(weight.numel() for weight in theirs.parameters()) == kerazoo.info(name)["params"]


def test_our_graph_of_gemma_has_as_many_as_the_sizes_say():
    """The full sizes do not fit a small machine: the graph's count is held against the formula that gives theirs."""

    def count(*, depth, width, hidden, heads, key_heads, head_size, vocabulary_size, **_):
        attention = 2 * width * head_size * (heads + key_heads)
        return vocabulary_size * width + depth * (attention + 3 * width * hidden + 2 * width) + width

    assert kerazoo.build("gemma_2b", **OURS["gemma_2b"]).count_params() == count(**OURS["gemma_2b"])
    for name in ("gemma_2b", "gemma_7b"):
        assert count(**kerazoo.info(name)["arguments"]) == kerazoo.info(name)["params"]


def test_every_tag_is_a_preset_that_keras_hub_knows():
    catalog.import_all()
    known = keras_hub.models.GPT2Backbone.presets | keras_hub.models.GemmaBackbone.presets
    for name in ("gpt2_base", "gpt2_medium", "gpt2_large", "gemma_2b", "gemma_7b"):
        for facts in registered()[name].weights.values():
            assert known[facts["preset"]]["metadata"]["params"] == registered()[name].params


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
