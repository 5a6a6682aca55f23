"""Presets of keras-hub's GPT-2 and Gemma into kerazoo's graphs of them."""

import numpy as np

from kerazoo.weights.keras_hub_layers import backbone, fill


def load_gpt2(model, preset):
    """Puts a preset of GPT-2 into a `kerazoo.models.text.gpt.gpt`.

    Args:
        model: of the preset's sizes.
        preset: a name that keras-hub knows, or a folder: what `save_to_preset` or transformers' `save_pretrained`
            wrote.

    Raises:
        ImportError: keras-hub is not installed.
        ConnectionError: the preset is neither in kagglehub's cache nor can it be downloaded.
        ValueError: a preset of another class or of other sizes; the model is left as it was.
    """
    core = backbone(preset, "GPT2Backbone")
    given = {
        "embedding": core.token_embedding.weights,
        "positions": core.position_embedding.weights,
        "norm": core.layer_norm.weights,
    }
    for index, layer in enumerate(core.transformer_layers, start=1):
        # keras-hub's public layers keep their parts to themselves; kerazoo's bounds on its version keep the names.
        block, attention = f"block{index}", layer._self_attention_layer
        parts = [attention.query_dense, attention.key_dense, attention.value_dense]
        kernels = [np.asarray(part.kernel).reshape(part.kernel.shape[0], -1) for part in parts]
        biases = [np.asarray(part.bias).reshape(-1) for part in parts]
        given[f"{block}_norm1"] = layer._self_attention_layer_norm.weights
        given[f"{block}_qkv"] = [np.concatenate(kernels, axis=1), np.concatenate(biases)]
        given[f"{block}_projection"] = attention.output_dense.weights
        given[f"{block}_norm2"] = layer._feedforward_layer_norm.weights
        given[f"{block}_mlp1"] = layer._feedforward_intermediate_dense.weights
        given[f"{block}_mlp2"] = layer._feedforward_output_dense.weights
    fill(model, given, preset, core, heads={"block1_attention": core.num_heads})


def load_gemma(model, preset):
    """Puts a preset of the first Gemma into a `kerazoo.models.text.gemma.gemma`.

    Args:
        model: of the preset's sizes.
        preset: a name that keras-hub knows, or a folder: what `save_to_preset` or transformers' `save_pretrained`
            wrote.

    Raises:
        ImportError: keras-hub is not installed.
        ConnectionError: the preset is neither in kagglehub's cache nor can it be downloaded.
        ValueError: a preset of another class, of other sizes or of the second Gemma; the model is left as it was.
    """
    core = backbone(preset, "GemmaBackbone")
    if core.use_post_ffw_norm or core.use_sliding_window_attention or core.final_logit_soft_cap:
        raise ValueError(f"The preset {preset!r} must be of the first Gemma. Received: {core.get_config()}.")

    def norm(layer):
        return [1 + np.asarray(layer.scale)]  # keras-hub keeps by how much a scale differs from one.

    def to_heads(layer):
        kernel = np.asarray(layer.kernel)  # (heads, C, D)
        return [kernel.transpose(1, 0, 2).reshape(kernel.shape[1], -1)]

    given = {"embedding": core.token_embedding.weights, "norm": norm(core.layer_norm)}
    for index, layer in enumerate(core.transformer_layers, start=1):
        block, attention = f"block{index}", layer.attention
        given[f"{block}_norm1"], given[f"{block}_norm2"] = norm(layer.pre_attention_norm), norm(layer.pre_ffw_norm)
        for part in ("query", "key", "value"):
            given[f"{block}_{part}"] = to_heads(getattr(attention, f"{part}_dense"))
        given[f"{block}_projection"] = attention.output_dense.weights
        given[f"{block}_gate"], given[f"{block}_up"] = layer.gating_ffw.weights, layer.gating_ffw_2.weights
        given[f"{block}_down"] = layer.ffw_linear.weights
    fill(model, given, preset, core, heads={"block1_attention": core.num_query_heads})
