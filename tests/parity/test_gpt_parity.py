"""GPT against transformers' GPT2LMHeadModel: random weights ported, logits and generated ids compared."""

import numpy as np
import pytest

import kerazoo
from kerazoo.generation.beam import BeamSearch
from kerazoo.generation.generator import Generator

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
SIZES = {"vocab_size": 97, "n_positions": 40, "n_embd": 24, "n_layer": 3, "n_head": 4}
OURS = {"vocabulary_size": 97, "context": 40, "width": 24, "depth": 3, "heads": 4}


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """(transformers' model with random weights, kerazoo's with the same)."""
    torch.manual_seed(0)
    ends = {"bos_token_id": None, "eos_token_id": None}
    theirs = transformers.GPT2LMHeadModel(transformers.GPT2Config(**SIZES, **ends)).eval()
    for name, weight in theirs.named_parameters():  # Away from the small initial ones, so that answers differ.
        norm = ".ln_" in name and name.endswith("weight")
        torch.nn.init.normal_(weight, float(norm), 0.6 if "wpe" in name else 0.3 if weight.ndim == 2 else 0.2)
    path = tmp_path_factory.mktemp("gpt") / "gpt2.pt"
    torch.save(theirs.state_dict(), path)
    return theirs, kerazoo.weights.from_torch("gpt_2", path, **OURS)


def test_logits(pair):
    theirs, ours = pair
    ids = np.random.default_rng(0).integers(0, 97, (4, 23)).astype("int32")
    with torch.no_grad():
        wanted = theirs(torch.tensor(ids, dtype=torch.long)).logits.numpy()
    assert np.ptp(wanted, axis=(0, 1)).max() > 1
    np.testing.assert_allclose(ours(ids), wanted, atol=1e-4 * np.abs(wanted).max())


@pytest.mark.parametrize("penalty", [1.0, 1.7])
def test_greedy_ids(pair, penalty):
    theirs, ours = pair
    prompt = [5, 17, 3, 60]
    with torch.no_grad():
        wanted = theirs.generate(
            torch.tensor([prompt]), max_new_tokens=30, do_sample=False, repetition_penalty=penalty, pad_token_id=0
        )[0, 4:].tolist()
    (received,) = Generator(ours).generate([prompt], tokens=30, temperature=0, repetition_penalty=penalty)
    assert received.tolist() == wanted and len(set(wanted)) > 5


def test_published_count():
    theirs = transformers.GPT2LMHeadModel(transformers.GPT2Config())
    assert sum(weight.numel() for weight in theirs.parameters()) == kerazoo.info("gpt_2")["params"]


@pytest.mark.parametrize(("beams", "penalty"), [(1, 1.0), (4, 1.0), (4, 0.0), (3, 2.0)])
def test_beams(pair, beams, penalty):
    theirs, ours = pair
    prompts, end = [[5, 17, 3, 60], [1, 2, 3, 4], [90, 7, 7, 31]], 11
    with torch.no_grad():
        wanted = theirs.generate(
            torch.tensor(prompts),
            attention_mask=torch.ones(3, 4, dtype=torch.long),
            max_new_tokens=20,
            do_sample=False,
            num_beams=beams,
            length_penalty=penalty,
            eos_token_id=end,
            pad_token_id=end,
        )[:, 4:].tolist()
    wanted = [row[: row.index(end)] if end in row else row for row in wanted]
    received, _ = BeamSearch(ours, end=end)(prompts, tokens=20, beams=beams, length_penalty=penalty)
    assert [row.tolist() for row in received] == wanted
