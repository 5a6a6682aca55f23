"""GPT-2 as transformers names it (h.0.attn.c_attn, kernels in Keras's order), or as nanoGPT does, in PyTorch's."""

import re

LAYER = re.compile(r"block(\d+)_(norm1|qkv|projection|norm2|mlp1|mlp2)")
PARTS = {
    "norm1": "ln_1",
    "qkv": "attn.c_attn",
    "projection": "attn.c_proj",
    "norm2": "ln_2",
    "mlp1": "mlp.c_fc",
    "mlp2": "mlp.c_proj",
}


def names(model, received):
    """{Keras layer: torch module} of a `kerazoo.models.text.gpt.gpt`."""
    prefix = "transformer." if "transformer.wte.weight" in received else ""
    table = {
        "embedding/embeddings": (f"{prefix}wte.weight", "same"),
        "positions/positions": (f"{prefix}wpe.weight", "same"),
        "norm": f"{prefix}ln_f",
    }
    first = received.get(f"{prefix}h.0.attn.c_attn.weight")
    # Transformers keeps (in, out), three times as wide as high; PyTorch's own layer (out, in).
    order = "same" if first is not None and first.shape[0] < first.shape[1] else "dense"
    for layer in model.layers:
        if not layer.weights or not (found := LAYER.fullmatch(layer.name)):
            continue
        module = f"{prefix}h.{int(found[1]) - 1}.{PARTS[found[2]]}"
        if found[2].startswith("norm"):
            table[layer.name] = module
        else:
            table[f"{layer.name}/kernel"] = (f"{module}.weight", order)
            table[f"{layer.name}/bias"] = (f"{module}.bias", "same")
    return table
