"""Presets of keras-hub's GPT-2, Gemma, Llama and SmolLM3 into kerazoo's graphs of them."""

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


def load_llama(model, preset):
    """Puts a preset of Llama or SmolLM3 into a `kerazoo.models.text.llama.llama`.

    Args:
        model: of the preset's sizes, where positions turn as the preset's do.
        preset: a name that keras-hub knows ("hf://..." too), or a folder: what `save_to_preset` or transformers'
            `save_pretrained` wrote.

    Raises:
        ImportError: keras-hub is not installed.
        ConnectionError: the preset is neither in kagglehub's cache nor can it be downloaded.
        ValueError: a preset of another class or of other sizes, one whose positions turn otherwise, or whose output's
            matrix is not the embedding's where the model's is; the model is left as it was.
    """
    core = backbone(preset, "Llama3Backbone", "LlamaBackbone", "SmolLM3Backbone")
    smollm3 = type(core).__name__ == "SmolLM3Backbone"
    count = core.num_attention_heads if smollm3 else core.num_query_heads
    _check_turns(model, preset, _turns_of_smollm3(core) if smollm3 else _turns_of_llama(core))
    given = {"embedding": _embedding(model, preset, core.token_embedding)}
    given["norm"] = (core.norm if smollm3 else core.layer_norm).weights
    for index, layer in enumerate(core.transformer_layers, start=1):
        given |= {f"block{index}_{part}": found for part, found in (_smollm3 if smollm3 else _llama)(layer).items()}
    fill(model, given, preset, core, heads={"block1_attention": count})


def _llama(layer):
    attention = layer._self_attention_layer
    return {
        "norm1": layer._self_attention_layernorm.weights,
        "query": attention._query_dense.weights,
        "key": attention._key_dense.weights,
        "value": attention._value_dense.weights,
        "projection": attention._output_dense.weights,
        "norm2": layer._feedforward_layernorm.weights,
        "gate": layer._feedforward_gate_dense.weights,
        "up": layer._feedforward_intermediate_dense.weights,
        "down": layer._feedforward_output_dense.weights,
    }


def _smollm3(layer):
    attention, mlp = layer.self_attn, layer.mlp
    return {
        "norm1": layer.input_layernorm.weights,
        "query": attention.q_proj.weights,
        "key": attention.k_proj.weights,
        "value": attention.v_proj.weights,
        "projection": attention.o_proj.weights,
        "norm2": layer.post_attention_layernorm.weights,
        "gate": mlp.gate_proj.weights,
        "up": mlp.up_proj.weights,
        "down": mlp.down_proj.weights,
    }


def _embedding(model, preset, layer):
    """The preset's matrices; the output's alone is not needed where it is the embedding's, as some presets have it."""
    matrices = layer.weights
    if len(matrices) == len(model.get_layer("embedding").weights) + 1:
        embedding, output = map(np.asarray, matrices)
        if not np.array_equal(embedding.T, output):
            raise ValueError(
                f"The preset {preset!r} has an output's matrix of its own. Received: {model.name!r} with `tied=True`."
            )
        return [embedding]
    return matrices


def _turns_of_llama(core):
    """(base, stretch) of each block, as `RotaryPositions` has them."""
    stretch = core.rope_frequency_adjustment_factor and {
        "factor": core.rope_frequency_adjustment_factor,
        "low": core.rope_low_freq_factor,
        "high": core.rope_high_freq_factor,
        "positions": core.rope_pretraining_sequence_length,
    }
    return [(core.rope_max_wavelength, stretch)] * core.num_layers


def _turns_of_smollm3(core):
    return [(core.rope_theta, None) if turned else None for turned in core.rope_layer_enabled_list]


def _check_turns(model, preset, wanted):
    """Refuses a model whose positions turn otherwise: no weight would tell."""
    layers = {layer.name: layer for layer in model.layers}
    turning = (layers.get(f"block{index}_query_positions") for index in range(1, len(wanted) + 1))
    received = [layer and (layer.base, layer.stretch) for layer in turning]
    for index, (theirs, ours) in enumerate(zip(wanted, received), start=1):
        if theirs != ours:
            raise ValueError(
                f"Positions must turn as in the preset {preset!r}: (base, stretch) {theirs} in block {index}. "
                f"Received: {ours}. keras-hub does not read the stretch of a folder that transformers 5 wrote; give "
                "its file model.safetensors."
            )
