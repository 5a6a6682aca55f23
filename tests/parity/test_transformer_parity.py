"""The Transformer against torch's nn.Transformer: random weights ported, answers compared."""

import numpy as np
import pytest

import kerazoo

torch = pytest.importorskip("torch")
WIDTH, SIZE, DEPTH = 16, 40, 2


def numbers(module):
    return {name: tensor.detach().numpy() for name, tensor in module.state_dict().items()}


def attention(ours, theirs, prefix, name, *, memory):
    """Ports one nn.MultiheadAttention."""
    kernel, bias = theirs[f"{prefix}.in_proj_weight"].T, theirs[f"{prefix}.in_proj_bias"]
    if memory:
        ours.get_layer(f"{name}_query").set_weights([kernel[:, :WIDTH], bias[:WIDTH]])
        ours.get_layer(f"{name}_keys_values").set_weights([kernel[:, WIDTH:], bias[WIDTH:]])
    else:
        ours.get_layer(f"{name}_qkv").set_weights([kernel, bias])
    dense(ours, theirs, f"{prefix}.out_proj", f"{name}_projection")


def dense(ours, theirs, module, name):
    ours.get_layer(name).set_weights([theirs[f"{module}.weight"].T, theirs[f"{module}.bias"]])


def norm(ours, theirs, module, name):
    ours.get_layer(name).set_weights([theirs[f"{module}.weight"], theirs[f"{module}.bias"]])


@pytest.mark.parametrize("place", ["after", "before"])
def test_logits(place):
    torch.manual_seed(0)
    body = torch.nn.Transformer(
        WIDTH, 4, DEPTH, DEPTH, 24, dropout=0.0, batch_first=True, norm_first=place == "before"
    ).eval()
    embedding = torch.nn.Embedding(SIZE, WIDTH)
    for name, weight in body.named_parameters():
        torch.nn.init.normal_(weight, float("norm" in name and name.endswith("weight")), 0.3)
    ours = kerazoo.build(
        "transformer_base", vocabulary_size=SIZE, depth=DEPTH, width=WIDTH, hidden=24, heads=4, norm=place
    )
    theirs = numbers(body)
    ours.get_layer("embedding").set_weights([embedding.weight.detach().numpy()])
    for index in range(DEPTH):
        for side, parts in (("encoder", ("attention", "mlp")), ("decoder", ("attention", "memory", "mlp"))):
            module, name = f"{side}.layers.{index}", f"{side}{index + 1}"
            for order, part in enumerate(parts, 1):
                norm(ours, theirs, f"{module}.norm{order}", f"{name}_{part}_norm")
            if side == "encoder":  # There nn.Transformer's self-attention looks at everything.
                attention(ours, theirs, f"{module}.self_attn", f"{name}_attention", memory=True)
            else:
                attention(ours, theirs, f"{module}.self_attn", f"{name}_attention", memory=False)
                attention(ours, theirs, f"{module}.multihead_attn", f"{name}_memory", memory=True)
            dense(ours, theirs, f"{module}.linear1", f"{name}_mlp_1")
            dense(ours, theirs, f"{module}.linear2", f"{name}_mlp_2")
    for side in ("encoder", "decoder"):
        norm(ours, theirs, f"{side}.norm", f"{side}_norm")
    rng = np.random.default_rng(0)
    source, target = rng.integers(1, SIZE, (3, 9)), rng.integers(1, SIZE, (3, 7))
    source[1, 5:] = 0

    def positions(length):
        angle = np.arange(length)[:, None] / 10_000 ** (np.arange(0, WIDTH, 2) / WIDTH)
        return torch.tensor(np.stack([np.sin(angle), np.cos(angle)], -1).reshape(length, WIDTH), dtype=torch.float32)

    with torch.no_grad():
        padding = torch.tensor(source == 0)
        x, y = (embedding(torch.tensor(ids)) * WIDTH**0.5 + positions(ids.shape[1]) for ids in (source, target))
        answers = body(
            x,
            y,
            tgt_mask=torch.nn.Transformer.generate_square_subsequent_mask(7),
            src_key_padding_mask=padding,
            memory_key_padding_mask=padding,
        )
        wanted = (answers @ embedding.weight.T).numpy()
    received = ours({"source": source.astype("int32"), "tokens": target.astype("int32")}).numpy()
    assert np.ptp(wanted, axis=(0, 1)).max() > 1
    np.testing.assert_allclose(received, wanted, atol=1e-4 * np.abs(wanted).max())


def test_published_count():
    body = torch.nn.Transformer(1024, 16, 6, 6, 4096)
    count = sum(weight.numel() for weight in body.parameters())
    assert kerazoo.info("transformer_big")["params"] - 37_000 * 1024 == count
