"""With NeuralForecast's random weights, kerazoo's forecasters answer as NeuralForecast's (extra `kerazoo[parity]`)."""

from importlib.util import find_spec

import keras
import numpy as np
import pytest

import kerazoo

torch = pytest.importorskip("torch")
import torch_references  # noqa: E402

LOOKBACK, HORIZON, CHANNELS = 48, 12, 3
SIZES = {"lookback": LOOKBACK, "horizon": HORIZON, "channels": CHANNELS}


@pytest.fixture(scope="module")
def reference():
    """NeuralForecast's models; its lightning imports torchvision."""
    if find_spec("neuralforecast") is None:
        pytest.skip("neuralforecast is not installed")
    torch_references.torchvision()
    from neuralforecast import models

    return models


def past(seed=0):
    return np.random.default_rng(seed).normal(2, 3, (4, LOOKBACK, CHANNELS)).astype("float32")


def randomize(module):
    """Every weight random, statistics of batch norms too; positive where they must be."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, tensor in module.state_dict().items():
            if not tensor.dtype.is_floating_point or "basis" in name or "_mask" in name:
                continue
            drawn = torch.randn(tensor.shape, generator=generator)
            scale = tensor.shape[-1] ** -0.5 if tensor.ndim > 1 else 0.1
            tensor.copy_(drawn.abs() + 0.5 if "running_var" in name else drawn * scale)
    for name, parameter in module.named_parameters():
        if "norm" in name and name.endswith("weight"):
            parameter.data.abs_().add_(0.5)
    return module.eval()


def put(model, name, *tensors):
    """Gives a layer these weights."""
    model.get_layer(name).set_weights([tensor.detach().numpy() for tensor in tensors])


def dense(model, name, linear):
    """Gives a dense layer the weights of a torch linear layer, or of a convolution over single steps."""
    weight = linear.weight.squeeze(-1) if linear.weight.ndim == 3 else linear.weight
    put(model, name, weight.T, linear.bias)


def norm(model, name, layer):
    statistics = (layer.running_mean, layer.running_var) if hasattr(layer, "running_mean") else ()
    put(model, name, layer.weight, layer.bias, *statistics)


def univariate(module, series):
    """NeuralForecast's univariate models on every channel by itself: (B, T, C) -> (B, H, C)."""
    answers = []
    for channel in range(series.shape[-1]):
        y = torch.tensor(series[..., channel : channel + 1])
        batch = {"insample_y": y, "insample_mask": torch.ones_like(y), "futr_exog": None}
        answers.append(module(batch | {"hist_exog": None, "stat_exog": None}).detach().numpy())
    return np.concatenate(answers, axis=-1)


def assert_same(model, expected):
    received = np.asarray(model(past()))
    assert np.ptp(expected, axis=0).max() > 1e-2
    np.testing.assert_allclose(received, expected, atol=1e-4 * np.abs(expected).max(), rtol=0)


@pytest.mark.parametrize("name", ["nbeats", "nbeats_generic", "nbeats_interpretable", "nhits"])
def test_stacks_of_perceptrons(reference, name):
    model = kerazoo.build(name, units=16, **SIZES)
    options = {"h": HORIZON, "input_size": LOOKBACK, "mlp_units": 3 * [[16, 16]]}
    if name == "nhits":
        module = randomize(reference.NHITS(**options))
    else:
        stacks = list(kerazoo.info(name)["arguments"]["stacks"])
        module = randomize(reference.NBEATS(**options, stack_types=stacks, n_blocks=[1] * len(stacks)))
    for index, block in enumerate(module.blocks, start=1):
        linears = [layer for layer in block.layers if isinstance(layer, torch.nn.Linear)]
        parts = ["input", "hidden1", "hidden2", "hidden3", "theta"]
        for part, linear in zip(parts, linears, strict=True):
            dense(model, f"block{index}_{part}", linear)
    assert_same(model, univariate(module, past()))


def test_nhits_with_a_pool_that_does_not_divide_the_past(reference):
    model = kerazoo.build("nhits", units=16, pools=(5, 1), strides=(6, 1), **SIZES)
    module = randomize(
        reference.NHITS(
            h=HORIZON,
            input_size=LOOKBACK,
            mlp_units=3 * [[16, 16]],
            stack_types=2 * ["identity"],
            n_blocks=[1, 1],
            n_pool_kernel_size=[5, 1],
            n_freq_downsample=[6, 1],
        )
    )
    for index, block in enumerate(module.blocks, start=1):
        linears = [layer for layer in block.layers if isinstance(layer, torch.nn.Linear)]
        for part, linear in zip(["input", "hidden1", "hidden2", "hidden3", "theta"], linears, strict=True):
            dense(model, f"block{index}_{part}", linear)
    assert_same(model, univariate(module, past()))


def test_tsmixer(reference):
    model = kerazoo.build("tsmixer", hidden=8, **SIZES)
    module = randomize(reference.TSMixer(h=HORIZON, input_size=LOOKBACK, n_series=CHANNELS, ff_dim=8))
    module.norm.affine_weight.data.abs_().add_(0.5)
    put(model, "reversible_normalization", module.norm.affine_weight.flatten(), module.norm.affine_bias.flatten())

    def by_time(tensor):
        """NeuralForecast lays (channels, time) in a row for the norm along time, kerazoo (time, channels)."""
        return tensor.detach().reshape(CHANNELS, LOOKBACK).T.flatten()

    for index, layer in enumerate(module.mixing_layers, start=1):
        time, feature = layer.temporal_mixer, layer.feature_mixer
        first = time.temporal_norm
        values = (first.weight, first.bias, first.running_mean, first.running_var)
        put(model, f"block{index}_time_norm", *map(by_time, values))
        dense(model, f"block{index}_time", time.temporal_lin)
        norm(model, f"block{index}_channel_norm", feature.feature_norm)
        dense(model, f"block{index}_channel_inner", feature.feature_lin_1)
        dense(model, f"block{index}_channel_outer", feature.feature_lin_2)
    dense(model, "head", module.out)
    assert_same(model, module({"insample_y": torch.tensor(past())}).detach().numpy())


def test_itransformer(reference):
    sizes = {"hidden_size": 16, "n_heads": 2, "d_ff": 32}
    model = kerazoo.build("itransformer", width=16, heads=2, hidden=32, **SIZES)
    module = randomize(reference.iTransformer(h=HORIZON, input_size=LOOKBACK, n_series=CHANNELS, **sizes))
    dense(model, "embedding", module.enc_embedding.value_embedding)
    for index, layer in enumerate(module.encoder.attn_layers, start=1):
        attention = layer.attention
        tensors = []
        for projection in (attention.query_projection, attention.key_projection, attention.value_projection):
            tensors += [projection.weight.T.reshape(16, 2, 8), projection.bias.reshape(2, 8)]
        out = attention.out_projection
        put(model, f"block{index}_attention", *tensors, out.weight.T.reshape(2, 8, 16), out.bias)
        norm(model, f"block{index}_attention_norm", layer.norm1)
        dense(model, f"block{index}_inner", layer.conv1)
        dense(model, f"block{index}_outer", layer.conv2)
        norm(model, f"block{index}_norm", layer.norm2)
    norm(model, "norm", module.encoder.norm)
    dense(model, "head", module.projector)
    assert_same(model, module({"insample_y": torch.tensor(past())}).detach().numpy())


def test_patchtst(reference):
    """NeuralForecast's is the authors' code, its dropouts and batch norms included."""
    model = kerazoo.build("patchtst_small", patch=8, stride=4, depth=2, hidden=32, **SIZES)
    module = randomize(
        reference.PatchTST(
            h=HORIZON,
            input_size=LOOKBACK,
            encoder_layers=2,
            n_heads=4,
            hidden_size=16,
            linear_hidden_size=32,
            patch_len=8,
            stride=4,
            revin=True,
            revin_subtract_last=False,  # As in the paper and the authors' scripts.
            res_attention=True,
        )
    ).model
    for parameter in module.parameters():
        if parameter.ndim == 0:  # The attention's fixed scale, which was drawn over.
            parameter.data.fill_(4**-0.5)
    encoder = module.backbone
    dense(model, "embedding", encoder.W_P)
    put(model, "positions", encoder.W_pos[None])
    for index, layer in enumerate(encoder.encoder.layers, start=1):
        attention = layer.self_attn
        linears = (attention.W_Q, attention.W_K, attention.W_V, attention.to_out[0])
        layer_weights = [part for linear in linears for part in (linear.weight.T, linear.bias)]
        put(model, f"block{index}_attention", *layer_weights)
        norm(model, f"block{index}_attention_norm", layer.norm_attn[1])
        dense(model, f"block{index}_inner", layer.ff[0])
        dense(model, f"block{index}_outer", layer.ff[3])
        norm(model, f"block{index}_norm", layer.norm_ffn[1])
    count = model.get_layer("positions").weights[0].shape[1]
    head = module.head.linear
    # The authors lay (width, patches) in a row before the head, kerazoo (patches, width).
    kernel = head.weight.detach().reshape(HORIZON, 16, count).permute(2, 1, 0).reshape(-1, HORIZON)
    model.get_layer("head").set_weights([kernel.numpy(), head.bias.detach().numpy()])
    answers = [module(torch.tensor(past()[..., c : c + 1]).permute(0, 2, 1)) for c in range(CHANNELS)]
    expected = np.concatenate([answer.detach().numpy().reshape(4, HORIZON, 1) for answer in answers], axis=-1)
    assert_same(model, expected)


def test_tcn_block():
    """Against PyTorch's own weight normalisation, in the authors' block."""
    from torch import nn

    class Block(nn.Module):
        def __init__(self, inputs, filters, dilation):
            super().__init__()
            norm = nn.utils.parametrizations.weight_norm
            self.reach = 2 * dilation
            self.first = norm(nn.Conv1d(inputs, filters, 3, padding=self.reach, dilation=dilation))
            self.second = norm(nn.Conv1d(filters, filters, 3, padding=self.reach, dilation=dilation))
            self.shortcut = nn.Conv1d(inputs, filters, 1) if inputs != filters else nn.Identity()

        def forward(self, x):
            y = torch.relu(self.first(x)[..., : -self.reach])
            y = torch.relu(self.second(y)[..., : -self.reach])
            return torch.relu(y + self.shortcut(x))

    torch.manual_seed(0)
    blocks = [Block(CHANNELS, 8, 1), Block(8, 8, 2)]
    model = kerazoo.build("tcn", filters=8, blocks=2, **SIZES)
    for index, block in enumerate(blocks, start=1):
        for part, conv in enumerate((block.first, block.second), start=1):
            gain, direction = conv.parametrizations.weight.original0, conv.parametrizations.weight.original1
            put(model, f"block{index}_conv{part}", direction.permute(2, 1, 0), gain.flatten(), conv.bias)
    put(model, "block1_shortcut", blocks[0].shortcut.weight.permute(2, 1, 0), blocks[0].shortcut.bias)
    series = past()
    normalised = (series - series.mean(1, keepdims=True)) / np.sqrt(series.var(1, keepdims=True) + 1e-5)
    expected = torch.tensor(normalised).permute(0, 2, 1)
    for block in blocks:
        expected = block(expected)
    received = np.asarray(keras.Model(model.input, model.get_layer("block2_out").output)(series))
    np.testing.assert_allclose(received, expected.permute(0, 2, 1).detach().numpy(), atol=1e-5)


def grn(model, name, module):
    """Gives the layers of a gated residual network their weights."""
    dense(model, f"{name}_input", module.lin_a)
    dense(model, f"{name}_hidden", module.lin_i)
    dense(model, f"{name}_gate", module.glu.lin)
    if module.out_proj is not None:
        dense(model, f"{name}_skip", module.out_proj)
    if hasattr(module, "lin_c") and any(layer.name == f"{name}_context" for layer in model.layers):
        put(model, f"{name}_context", module.lin_c.weight.T)
    if isinstance(module.layer_norm.ln, torch.nn.LayerNorm):
        norm(model, f"{name}_norm", module.layer_norm.ln)


def select(model, name, module):
    grn(model, f"{name}_weights", module.joint_grn)
    for index, variable in enumerate(module.var_grns, start=1):
        grn(model, f"{name}_variable{index}", variable)


def lstm(model, name, module):
    put(
        model, name, module.weight_ih_l0.T, module.weight_hh_l0.T, module.bias_ih_l0 + module.bias_hh_l0
    )  # Both order the gates alike; Keras has one bias.


@pytest.mark.parametrize("covariates", [False, True])
def test_temporal_fusion_transformer(reference, covariates):
    rng = np.random.default_rng(1)
    sizes = {"known": 2, "observed": 1, "static": 3} if covariates else {}
    model = kerazoo.build("tft", width=16, heads=2, **{**SIZES, "channels": 1}, **sizes)
    lists = {"futr_exog_list": ["a", "b"], "hist_exog_list": ["c"], "stat_exog_list": ["d", "e", "f"]}
    module = randomize(
        reference.TFT(h=HORIZON, input_size=LOOKBACK, hidden_size=16, n_head=2, **(lists if covariates else {}))
    )
    parts = {"known": "futr_exog", "target": "tgt"}
    if covariates:
        parts |= {"observed": "hist_exog", "static": "stat_exog"}
    for ours, theirs in parts.items():
        embedding = [getattr(module.embedding, f"{theirs}_embedding_{part}") for part in ("vectors", "bias")]
        put(model, f"{ours}_embedding", *embedding)
    if covariates:
        select(model, "static", module.static_encoder.vsn)
        for use, context in zip(("selection", "enrichment", "hidden", "cell"), module.static_encoder.context_grns):
            grn(model, f"context_{use}", context)
    temporal, decoder = module.temporal_encoder, module.temporal_fusion_decoder
    select(model, "history", temporal.history_vsn)
    select(model, "future", temporal.future_vsn)
    lstm(model, "encoder", temporal.history_encoder)
    lstm(model, "decoder", temporal.future_encoder)
    dense(model, "temporal_gate", temporal.input_gate.lin)
    norm(model, "temporal_norm", temporal.input_gate_ln)
    grn(model, "enrichment", decoder.enrichment_grn)
    attention = decoder.attention
    put(model, "attention", attention.qkv_linears.weight.T, attention.out_proj.weight.T)
    dense(model, "attention_gate", decoder.attention_gate.lin)
    norm(model, "attention_norm", decoder.attention_ln)
    grn(model, "positionwise", decoder.positionwise_grn)
    dense(model, "output_gate", decoder.decoder_gate.lin)
    norm(model, "output_norm", decoder.decoder_ln)
    dense(model, "head", module.output_adapter)

    inputs = {"past": past()[..., :1]}
    if covariates:
        shapes = {"known": (4, LOOKBACK + HORIZON, 2), "observed": (4, LOOKBACK, 1), "static": (4, 3)}
        inputs |= {name: rng.normal(size=shape).astype("float32") for name, shape in shapes.items()}
    names = {"insample_y": "past", "futr_exog": "known", "hist_exog": "observed", "stat_exog": "static"}
    batch = {name: torch.tensor(inputs[ours]) if ours in inputs else None for name, ours in names.items()}
    expected = module(batch).detach().numpy()
    received = np.asarray(model(inputs if covariates else inputs["past"]))
    assert np.ptp(expected, axis=0).max() > 1e-2
    np.testing.assert_allclose(received, expected, atol=1e-4 * np.abs(expected).max(), rtol=0)
