"""SegFormer as its authors and segmentation-models-pytorch name it: encoder.block1.0.attn.q, decoder.mlp_stage.0."""

import re

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
