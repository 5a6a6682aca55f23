"""Presets of keras-hub's T5 and BART into kerazoo's graphs of them."""

import keras
import numpy as np

from kerazoo.weights.keras_hub_layers import backbone, fill

_PROBE = np.linspace(-3, 3, 13, dtype="float32")


def load_t5(model, preset, *, gated):
    """Puts a preset of T5 into a `kerazoo.models.text.t5.t5`.

    Args:
        model: of the preset's sizes.
        preset: a name that keras-hub knows, or a folder that `save_to_preset` wrote.
        gated: whether the model's perceptrons have a gate.

    Raises:
        ImportError: keras-hub is not installed.
        ConnectionError: the preset is neither in kagglehub's cache nor can it be downloaded.
        ValueError: a preset of another class, other sizes or another activation; the model is left as it was.
    """
    core = backbone(preset, "T5Backbone")
    ours = keras.ops.gelu(_PROBE, approximate=True) if gated else keras.ops.relu(_PROBE)
    # Some presets name GELU itself, which is less than that away from its approximation.
    if (
        core.use_gated_activation != gated
        or np.abs(np.asarray(core.activation(_PROBE)) - np.asarray(ours)).max() > 1e-2
    ):
        raise ValueError(
            f"The preset {preset!r} does not fit {model.name!r}: its perceptrons must "
            f"{'be gated, with GELU' if gated else 'not be gated, with ReLU'}. Received: {core.get_config()}."
        )
    given = {"embedding": [core.token_embedding.embeddings]}
    if not core.tie_embedding_weights:
        given["logits"] = [core.token_embedding.reverse_embeddings]
    for side in ("encoder", "decoder"):
        stack = getattr(core, f"{side}_transformer_layers")
        given[f"{side}_bias"] = [stack[0].self_attention.relative_attention_bias]
        given[f"{side}_norm"] = getattr(core, f"{side}_layer_norm").weights
        for index, layer in enumerate(stack, start=1):
            parts = {"attention": "self_attention"} | ({"memory": "cross_attention"} if side == "decoder" else {})
            for part, theirs in parts.items():
                name, attention = f"{side}{index}_{part}", getattr(layer, theirs)
                for own in ("query", "key", "value"):
                    given[f"{name}_{own}"] = getattr(attention, f"{own}_projector").weights
                given[f"{name}_projection"] = attention.output_projector.weights
                given[f"{name}_norm"] = getattr(layer, f"{theirs}_layer_norm").weights
            name = f"{side}{index}_mlp"
            given[f"{name}_norm"] = layer.layer_norm.weights
            given[f"{name}_1"], given[f"{name}_2"] = layer.input_projector.weights, layer.output_projector.weights
            if gated:
                given[f"{name}_gate"] = layer.gate_projector.weights
    fill(model, given, preset, core, heads={"encoder1_attention": core.num_heads})


def load_bart(model, preset):
    """Puts a preset of BART into a `kerazoo.models.text.bart.bart`.

    Args:
        model: of the preset's sizes.
        preset: a name that keras-hub knows, or a folder that `save_to_preset` or transformers' `save_pretrained`
            wrote.

    Raises:
        ImportError: keras-hub is not installed.
        ConnectionError: the preset is neither in kagglehub's cache nor can it be downloaded.
        ValueError: a preset of another class or of other sizes; the model is left as it was.
    """
    core = backbone(preset, "BartBackbone")
    given = {"embedding": [core.token_embedding.embeddings]}
    for side in ("encoder", "decoder"):
        given[f"{side}_positions"] = getattr(core, f"{side}_position_embedding").weights
        given[f"{side}_embedding_norm"] = getattr(core, f"{side}_embeddings_layer_norm").weights
        for index, layer in enumerate(getattr(core, f"{side}_transformer_layers"), start=1):
            # keras-hub's public layers keep their parts to themselves; kerazoo's bounds on its version keep the names.
            parts = {"attention": "_self_attention"} | ({"memory": "_cross_attention"} if side == "decoder" else {})
            for part, theirs in parts.items():
                name, attention = f"{side}{index}_{part}", getattr(layer, f"{theirs}_layer")
                for own in ("query", "key", "value"):
                    given[f"{name}_{own}"] = getattr(attention, f"{own}_dense").weights
                given[f"{name}_projection"] = attention.output_dense.weights
                given[f"{name}_norm"] = getattr(layer, f"{theirs}_layer_norm").weights
            name = f"{side}{index}_mlp"
            given[f"{name}_norm"] = layer._feedforward_layer_norm.weights
            given[f"{name}_1"] = layer._feedforward_intermediate_dense.weights
            given[f"{name}_2"] = layer._feedforward_output_dense.weights
    fill(model, given, preset, core, heads={"encoder1_attention": core.num_heads})
