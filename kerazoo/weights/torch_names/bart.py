"""BART as transformers names it (model.encoder.layers.0.self_attn.q_proj)."""

import re

LAYER = re.compile(r"(encoder|decoder)(\d+)_(attention|memory|mlp)_(\w+)")
ATTENTION = {"query": "q_proj", "key": "k_proj", "value": "v_proj", "projection": "out_proj"}
MODULES = {"attention": "self_attn", "memory": "encoder_attn"}
UNUSED = 2  # Positions before the first.


def translated(tensors):
    """The tensors without "model." and without what is never used.

    Raises:
        ValueError: a bias of the output that is not zero.
    """
    tensors = {name.removeprefix("model."): tensor for name, tensor in tensors.items()}
    bias = tensors.pop("final_logits_bias", None)
    if bias is not None and bias.any():
        raise ValueError("The output's bias, final_logits_bias, must be zero: the model has none. Received another.")
    for side in ("encoder", "decoder"):
        name = f"{side}.embed_positions.weight"
        if name in tensors:
            tensors[name] = tensors[name][UNUSED:]
    return tensors


def names(model, received):
    """{Keras layer: torch module} of a `kerazoo.models.text.bart.bart`."""
    table = {"embedding/embeddings": ("shared.weight", "same")}
    for side in ("encoder", "decoder"):
        table[f"{side}_positions/positions"] = (f"{side}.embed_positions.weight", "same")
        table[f"{side}_embedding_norm"] = f"{side}.layernorm_embedding"
    for layer in model.layers:
        if not layer.weights or not (found := LAYER.fullmatch(layer.name)):
            continue
        side, index, part, own = found.groups()
        module = f"{side}.layers.{int(index) - 1}"
        if part == "mlp":
            table[layer.name] = f"{module}.{'final_layer_norm' if own == 'norm' else f'fc{own}'}"
        elif own == "norm":
            table[layer.name] = f"{module}.{MODULES[part]}_layer_norm"
        else:
            table[layer.name] = f"{module}.{MODULES[part]}.{ATTENTION[own]}"
    return table
