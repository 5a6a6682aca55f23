"""Llama and SmolLM2 as transformers names them (model.layers.0.self_attn.q_proj)."""

import re

LAYER = re.compile(r"block(\d+)_(\w+)")
PARTS = {
    "norm1": "input_layernorm",
    "query": "self_attn.q_proj",
    "key": "self_attn.k_proj",
    "value": "self_attn.v_proj",
    "projection": "self_attn.o_proj",
    "norm2": "post_attention_layernorm",
    "gate": "mlp.gate_proj",
    "up": "mlp.up_proj",
    "down": "mlp.down_proj",
}


def names(model, received):
    """{Keras layer: torch module} of a `kerazoo.models.text.llama.llama`."""
    prefix = "model." if "model.embed_tokens.weight" in received else ""
    table = {
        "embedding/embeddings": (f"{prefix}embed_tokens.weight", "same"),
        "embedding/reverse_embeddings": ("lm_head.weight", "dense"),
        "norm/scale": (f"{prefix}norm.weight", "same"),
    }
    for layer in model.layers:
        if not layer.weights or not (found := LAYER.fullmatch(layer.name)):
            continue
        module = f"{prefix}layers.{int(found[1]) - 1}.{PARTS[found[2]]}"
        if found[2].startswith("norm"):
            table[f"{layer.name}/scale"] = (f"{module}.weight", "same")
        else:
            table[layer.name] = module
    return table
