"""Llama against transformers' LlamaForCausalLM: random weights ported, logits and generated ids compared."""

import numpy as np
import pytest

import kerazoo
from kerazoo.generation.beam import BeamSearch
from kerazoo.generation.generator import Generator

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
SIZES = {
    "vocab_size": 97,
    "hidden_size": 24,
    "intermediate_size": 40,
    "num_hidden_layers": 3,
    "num_attention_heads": 6,
    "num_key_value_heads": 2,
    "max_position_embeddings": 40,
    "rms_norm_eps": 1e-5,
    "rope_parameters": {"rope_type": "default", "rope_theta": 5000.0},
    "bos_token_id": None,
    "eos_token_id": None,
}
OURS = {"vocabulary_size": 97, "width": 24, "hidden": 40, "depth": 3, "heads": 6, "key_heads": 2, "context": 40}


@pytest.fixture(scope="module", params=[True, False], ids=["tied", "untied"])
def pair(request, tmp_path_factory):
    """(transformers' model with random weights, kerazoo's with the same)."""
    torch.manual_seed(0)
    configuration = transformers.LlamaConfig(**SIZES, tie_word_embeddings=request.param)
    theirs = transformers.LlamaForCausalLM(configuration).eval()
    for weight in theirs.parameters():  # Away from the small initial ones, so that answers differ.
        torch.nn.init.normal_(weight, float(weight.ndim == 1), 0.4 if weight.ndim == 2 else 0.2)
    path = tmp_path_factory.mktemp("llama") / "llama.pt"
    torch.save(theirs.state_dict(), path)
    ours = kerazoo.weights.from_torch("smollm2_135m", path, **OURS, base=5000.0, tied=request.param)
    return theirs, ours


def test_logits(pair):
    theirs, ours = pair
    ids = np.random.default_rng(0).integers(0, 97, (4, 23)).astype("int32")
    with torch.no_grad():
        wanted = theirs(torch.tensor(ids, dtype=torch.long)).logits.numpy()
    assert np.ptp(wanted, axis=(0, 1)).max() > 1
    np.testing.assert_allclose(ours(ids), wanted, atol=1e-4 * np.abs(wanted).max())


def test_greedy_ids(pair):
    theirs, ours = pair
    prompt = [5, 17, 3, 60]
    with torch.no_grad():
        wanted = theirs.generate(torch.tensor([prompt]), max_new_tokens=30, do_sample=False, pad_token_id=0)
    (received,) = Generator(ours).generate([prompt], tokens=30, temperature=0)
    assert received.tolist() == wanted[0, 4:].tolist() and len(set(received.tolist())) > 5


def test_beams(pair):
    theirs, ours = pair
    prompts, end = [[5, 17, 3, 60], [1, 2, 3, 4], [90, 7, 7, 31]], 11
    with torch.no_grad():
        wanted = theirs.generate(
            torch.tensor(prompts),
            attention_mask=torch.ones(3, 4, dtype=torch.long),
            max_new_tokens=20,
            do_sample=False,
            num_beams=3,
            eos_token_id=end,
            pad_token_id=end,
        )[:, 4:].tolist()
    wanted = [row[: row.index(end)] if end in row else row for row in wanted]
    received, _ = BeamSearch(ours, end=end)(prompts, tokens=20, beams=3, length_penalty=1.0)
    assert [row.tolist() for row in received] == wanted


@pytest.mark.parametrize("name", ["smollm2_135m", "smollm2_360m"])
def test_published_count(name):
    sizes = kerazoo.info(name)["arguments"]
    with torch.device("meta"):
        theirs = transformers.LlamaForCausalLM(
            transformers.LlamaConfig(
                vocab_size=sizes["vocabulary_size"],
                hidden_size=sizes["width"],
                intermediate_size=sizes["hidden"],
                num_hidden_layers=sizes["depth"],
                num_attention_heads=sizes["heads"],
                num_key_value_heads=sizes["key_heads"],
                tie_word_embeddings=True,
            )
        )
    assert sum(weight.numel() for weight in theirs.parameters()) == kerazoo.info(name)["params"]
