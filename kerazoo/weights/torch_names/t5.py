"""T5 as transformers names it (encoder.block.0.layer.0.SelfAttention.q)."""

import re

LAYER = re.compile(r"(encoder|decoder)(\d+)_(attention|memory|mlp)_(\w+)")
ATTENTION = {"query": "q", "key": "k", "value": "v", "projection": "o"}


def names(model, received):
    """{Keras layer: torch tensor} of a `kerazoo.models.text.t5.t5`."""
    table = {"embedding/embeddings": ("shared.weight", "same"), "logits/kernel": ("lm_head.weight", "dense")}
    gated = any(layer.name == "encoder1_mlp_gate" for layer in model.layers)
    inner = {"1": "wi_0" if gated else "wi", "gate": "wi_1", "2": "wo"}
    for side in ("encoder", "decoder"):
        table[f"{side}_norm/scale"] = (f"{side}.final_layer_norm.weight", "same")
        first = f"{side}.block.0.layer.0.SelfAttention.relative_attention_bias.weight"
        table[f"{side}_bias/biases"] = (first, "same")
    for layer in model.layers:
        if not layer.weights or not (found := LAYER.fullmatch(layer.name)):
            continue
        side, index, part, own = found.groups()
        order = {"attention": 0, "memory": 1, "mlp": 1 if side == "encoder" else 2}[part]
        module = f"{side}.block.{int(index) - 1}.layer.{order}"
        if own == "norm":
            table[f"{layer.name}/scale"] = (f"{module}.layer_norm.weight", "same")
        elif part == "mlp":
            table[layer.name] = f"{module}.DenseReluDense.{inner[own]}"
        else:
            table[layer.name] = f"{module}.{'Self' if part == 'attention' else 'EncDec'}Attention.{ATTENTION[own]}"
    return table
