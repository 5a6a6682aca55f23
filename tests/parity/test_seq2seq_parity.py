"""T5 and BART against transformers: random weights ported, logits and generated ids compared."""

import numpy as np
import pytest

import kerazoo
from kerazoo.generation.beam import BeamSearch
from kerazoo.layers.relative_position_bias import bucket_table

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
SIZE, END = 43, {"t5": 1, "bart": 2}
BEGIN, PADDING = {"t5": 0, "bart": 2}, {"t5": 0, "bart": 1}
T5 = {"vocab_size": SIZE, "d_model": 16, "d_kv": 6, "d_ff": 24, "num_layers": 2, "num_heads": 3, "dropout_rate": 0.0}
BART = {"vocab_size": SIZE, "d_model": 16, "max_position_embeddings": 64, "dropout": 0.0}
for _side in ("encoder", "decoder"):
    BART |= {f"{_side}_layers": 2, f"{_side}_ffn_dim": 24, f"{_side}_attention_heads": 4}
OURS = {
    "t5": {"vocabulary_size": SIZE, "width": 16, "head_size": 6, "hidden": 24, "depth": 2, "heads": 3},
    "bart": {"vocabulary_size": SIZE, "width": 16, "hidden": 24, "depth": 2, "heads": 4, "context": 64},
}


def theirs_of(kind):
    if kind == "bart":
        return transformers.BartForConditionalGeneration(transformers.BartConfig(**BART))
    options = {"feed_forward_proj": "gated-gelu", "tie_word_embeddings": False} if kind == "t5_v1_1" else {}
    theirs = transformers.T5ForConditionalGeneration(
        transformers.T5Config(**T5, **options, decoder_start_token_id=0, pad_token_id=0, eos_token_id=1)
    )
    return untied(theirs) if options else theirs


def untied(theirs):
    """With a matrix of the output's own, as published files of version 1.1 have it; a configuration alone ties both."""
    theirs.lm_head.weight = torch.nn.Parameter(torch.empty_like(theirs.lm_head.weight))
    return theirs


@pytest.fixture(scope="module", params=["t5", "t5_v1_1", "bart"])
def pair(request, tmp_path_factory):
    """(family, transformers' model with random weights, kerazoo's with the same)."""
    transformers.set_seed(0)
    kind, family = request.param, request.param.partition("_")[0]
    theirs = theirs_of(kind).eval()
    with torch.no_grad():
        for name, weight in theirs.named_parameters():  # Away from the small initial ones, so that answers differ.
            norm = weight.ndim == 1 and name.endswith("norm.weight") or "layernorm_embedding.weight" in name
            # T5 does not scale its scores: with larger queries and keys one position would get all attention.
            deviation = 0.25 if weight.ndim == 2 else 0.2
            deviation = 1.0 if "shared" in name or "relative" in name or "embed_positions" in name else deviation
            torch.nn.init.normal_(weight, float(norm), deviation)
    path = tmp_path_factory.mktemp(kind) / "model.pt"
    torch.save(theirs.state_dict(), path)
    name = {"t5": "t5_small", "t5_v1_1": "t5_v1_1_small", "bart": "bart_base"}[kind]
    return family, theirs, kerazoo.weights.from_torch(name, path, **OURS[family])


def texts(family, length=9):
    """(source (4, length), of several lengths; where it is)."""
    rng = np.random.default_rng(0)
    source = rng.integers(3, SIZE, (4, length)).astype("int32")
    there = np.arange(length) < np.array([length, 5, length - 1, 3])[:, None]
    return np.where(there, source, PADDING[family]).astype("int32"), there


def test_logits(pair):
    family, theirs, ours = pair
    source, there = texts(family, length=40)  # Far enough for distances that share a bucket.
    tokens = np.random.default_rng(1).integers(3, SIZE, (4, 30)).astype("int32")
    with torch.no_grad():
        wanted = theirs(
            input_ids=torch.tensor(source, dtype=torch.long),
            attention_mask=torch.tensor(there.astype("int64")),
            decoder_input_ids=torch.tensor(tokens, dtype=torch.long),
        ).logits.numpy()
    assert np.ptp(wanted, axis=(0, 1)).max() > 1
    received = ours({"source": source, "tokens": tokens}).numpy()
    np.testing.assert_allclose(received, wanted, atol=1e-4 * np.abs(wanted).max())


@pytest.mark.parametrize(("beams", "penalty"), [(1, 1.0), (4, 1.0), (3, 0.0)])
def test_generated_ids(pair, beams, penalty):
    family, theirs, ours = pair
    (source, there), end = texts(family), END[family]
    with torch.no_grad():
        wanted = theirs.generate(
            torch.tensor(source, dtype=torch.long),
            attention_mask=torch.tensor(there.astype("int64")),
            max_new_tokens=20,
            do_sample=False,
            num_beams=beams,
            length_penalty=penalty,
            forced_eos_token_id=None,
            decoder_start_token_id=BEGIN[family],
        )[:, 1:].tolist()
    wanted = [row[: row.index(end)] if end in row else row for row in wanted]
    search = BeamSearch(ours, end=end, jit_compile=False)
    received, _ = search(np.full((4, 1), BEGIN[family]), source, tokens=20, beams=beams, length_penalty=penalty)
    received = [row.tolist() for row in received]
    assert received == wanted and len({tuple(row) for row in wanted}) > 1 and max(map(len, wanted)) > 3


@pytest.mark.parametrize("both_ways", [True, False])
def test_every_distance_has_the_bucket_that_it_has_there(both_ways):
    distance = torch.arange(-300, 1)
    wanted = transformers.models.t5.modeling_t5.T5Attention._relative_position_bucket(
        distance, bidirectional=both_ways, num_buckets=32, max_distance=128
    ).numpy()
    table = bucket_table(16 if both_ways else 32, 128)
    np.testing.assert_array_equal(table[np.minimum(-distance.numpy(), 128)], wanted)


CONFIGURATIONS = {
    "t5_small": {"d_model": 512, "d_ff": 2048, "num_layers": 6, "num_heads": 8},
    "t5_base": {"d_model": 768, "d_ff": 3072, "num_layers": 12, "num_heads": 12},
    "t5_large": {"d_model": 1024, "d_ff": 4096, "num_layers": 24, "num_heads": 16},
    "t5_v1_1_small": {"d_model": 512, "d_ff": 1024, "num_layers": 8, "num_heads": 6},
    "t5_v1_1_base": {"d_model": 768, "d_ff": 2048, "num_layers": 12, "num_heads": 12},
    "t5_v1_1_large": {"d_model": 1024, "d_ff": 2816, "num_layers": 24, "num_heads": 16},
    "bart_base": {"d_model": 768, "encoder_ffn_dim": 3072, "decoder_ffn_dim": 3072, "layers": 6, "heads": 12},
    "bart_large": {"d_model": 1024, "encoder_ffn_dim": 4096, "decoder_ffn_dim": 4096, "layers": 12, "heads": 16},
}


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_the_counts_of_transformers(name):
    options = dict(CONFIGURATIONS[name])
    if name.startswith("bart"):
        for part, own in (("layers", "layers"), ("heads", "attention_heads")):
            count = options.pop(part)
            options |= {f"{side}_{own}": count for side in ("encoder", "decoder")}
        configuration, kind = transformers.BartConfig(**options), transformers.BartForConditionalGeneration
    else:
        gated = "v1_1" in name
        options |= {"vocab_size": 32_128, "tie_word_embeddings": not gated}
        options |= {"feed_forward_proj": "gated-gelu"} if gated else {}
        configuration, kind = transformers.T5Config(**options), transformers.T5ForConditionalGeneration
    with torch.device("meta"):
        theirs = untied(kind(configuration)) if "v1_1" in name else kind(configuration)
    count = sum(weight.numel() for weight in theirs.parameters())
    unused = 2 * 2 * options["d_model"] if name.startswith("bart") else 0  # Two positions of either side.
    assert kerazoo.info(name)["params"] == count - unused
