"""SegFormer as its authors and segmentation-models-pytorch name it: encoder.block1.0.attn.q, decoder.mlp_stage.0.

transformers' names (segformer.encoder.block.0.0.attention.self.query, decode_head.linear_c.0) are translated first.
"""

import re

import numpy as np

PLACE = re.compile(r"stage(\d)_(?:block(\d+)_)?(\w+)")
BLOCK = {
    "attention_norm": "norm1",
    "attention_query": "attn.q",
    "attention_key_value": "attn.kv",
    "attention_shrink": "attn.sr",
    "attention_shrink_norm": "attn.norm",
    "attention_out": "attn.proj",
    "mixing_norm": "norm2",
    "mixing_inner": "mlp.fc1",
    "mixing_depthwise": "mlp.dwconv.dwconv",
    "mixing_outer": "mlp.fc2",
}
STAGE = {"patches": "patch_embed{}.proj", "patches_norm": "patch_embed{}.norm", "norm": "norm{}"}


def names(model, received):
    """{Keras layer: torch module} of a `kerazoo.models.vision.segformer.segformer`."""
    table = {f"decoder{stage}": f"decoder.mlp_stage.{4 - stage}.linear" for stage in range(1, 5)}
    table |= {"fuse_conv": "decoder.fuse_stage.0", "fuse_bn": "decoder.fuse_stage.1", "classes": "segmentation_head.0"}
    for layer in model.layers:
        if found := PLACE.fullmatch(layer.name):
            stage, block, part = found.groups()
            if block and part in BLOCK:
                table[layer.name] = f"encoder.block{stage}.{int(block) - 1}.{BLOCK[part]}"
            elif not block and part in STAGE:
                table[layer.name] = f"encoder.{STAGE[part].format(stage)}"
    return table


# What transformers 5 calls what its files have under the names of transformers 4.
RENAMED = (
    (r"^segformer\.stages\.(\d)\.patch_embeddings\.", r"segformer.encoder.patch_embeddings.\1."),
    (r"^segformer\.stages\.(\d)\.blocks\.", r"segformer.encoder.block.\1."),
    (r"^segformer\.stages\.(\d)\.layer_norm\.", r"segformer.encoder.layer_norm.\1."),
    (r"\.attention\.q_proj\.", ".attention.self.query."),
    (r"\.attention\.k_proj\.", ".attention.self.key."),
    (r"\.attention\.v_proj\.", ".attention.self.value."),
    (r"\.attention\.sequence_reduction\.sequence_reduction\.", ".attention.self.sr."),
    (r"\.attention\.sequence_reduction\.layer_norm\.", ".attention.self.layer_norm."),
    (r"\.attention\.o_proj\.", ".attention.output.dense."),
    (r"\.mlp\.fc(\d)\.", r".mlp.dense\1."),
    (r"\.layernorm_before\.", ".layer_norm_1."),
    (r"\.layernorm_after\.", ".layer_norm_2."),
    (r"^decode_head\.linear_projections\.", "decode_head.linear_c."),
)
# transformers' names, in parts -> the authors'; stages count from 0 there and from 1 here.
TRANSFORMERS = (
    (r"segformer\.encoder\.patch_embeddings\.(\d)\.proj", "encoder.patch_embed{0}.proj"),
    (r"segformer\.encoder\.patch_embeddings\.(\d)\.layer_norm", "encoder.patch_embed{0}.norm"),
    (r"segformer\.encoder\.layer_norm\.(\d)", "encoder.norm{0}"),
    (r"segformer\.encoder\.block\.(\d)\.(\d+)\.(.+)", "encoder.block{0}.{1}.{2}"),
)
TRANSFORMERS_BLOCK = {
    "layer_norm_1": "norm1",
    "layer_norm_2": "norm2",
    "attention.self.query": "attn.q",
    "attention.self.sr": "attn.sr",
    "attention.self.layer_norm": "attn.norm",
    "attention.output.dense": "attn.proj",
    "mlp.dense1": "mlp.fc1",
    "mlp.dense2": "mlp.fc2",
    "mlp.dwconv.dwconv": "mlp.dwconv.dwconv",
}
TRANSFORMERS_HEAD = {
    **{f"decode_head.linear_c.{stage}.proj": f"decoder.mlp_stage.{3 - stage}.linear" for stage in range(4)},
    "decode_head.linear_fuse": "decoder.fuse_stage.0",
    "decode_head.batch_norm": "decoder.fuse_stage.1",
    "decode_head.classifier": "segmentation_head.0",
}


def translated(tensors):
    """The tensors under the authors' names where they came under transformers'; keys and values become one tensor.

    A name that is unknown stays as it is, and is refused as every tensor that no layer wants.
    """
    if not any(name.startswith(("segformer.encoder.", "segformer.stages.")) for name in tensors):
        return tensors
    tensors, found = {_older(name): tensor for name, tensor in tensors.items()}, {}
    for name, tensor in tensors.items():
        module, _, part = name.rpartition(".")
        if module.endswith("attention.self.value") and f"{module[: -len('value')]}key.{part}" in tensors:
            continue  # Taken with its key.
        if module.endswith("attention.self.key"):
            both = [tensor, tensors.get(f"{module[: -len('key')]}value.{part}")]
            module = _author_name(module[: -len("key")] + "query").removesuffix("q") + "kv"
            tensor = tensor if both[1] is None else np.concatenate(both)
        else:
            module = _author_name(module)
        found[f"{module}.{part}"] = tensor
    return found


def _older(name):
    for pattern, older in RENAMED:
        name = re.sub(pattern, older, name)
    return name


def _author_name(module):
    if module in TRANSFORMERS_HEAD:
        return TRANSFORMERS_HEAD[module]
    for pattern, target in TRANSFORMERS:
        if match := re.fullmatch(pattern, module):
            stage, *rest = match.groups()
            if rest and rest[-1] not in TRANSFORMERS_BLOCK:
                return module
            if rest:
                rest[-1] = TRANSFORMERS_BLOCK[rest[-1]]
            return target.format(int(stage) + 1, *rest)
    return module
