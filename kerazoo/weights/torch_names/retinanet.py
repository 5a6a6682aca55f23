"""RetinaNet as torchvision names it: backbone.body.conv1, backbone.fpn.inner_blocks.0.0, head.regression_head."""

from kerazoo.weights.torch_names import resnet

HEADS = {"box": ("regression_head", "bbox_reg"), "class": ("classification_head", "cls_logits")}


def names(model, received):
    """{Keras layer: torch module} of a `kerazoo.models.vision.retinanet.retinanet`."""
    table = {layer: f"backbone.body.{module}" for layer, module in resnet.names(model, received).items()}
    for level in (1, 2, 3):
        table[f"lateral{level}"] = f"backbone.fpn.inner_blocks.{level - 1}.0"
        table[f"smooth{level}"] = f"backbone.fpn.layer_blocks.{level - 1}.0"
    table |= {f"coarse{level}": f"backbone.fpn.extra_blocks.p{level + 2}" for level in (4, 5)}
    for branch, (head, last) in HEADS.items():
        table |= {f"{branch}_{index}": f"head.{head}.conv.{index - 1}.0" for index in (1, 2, 3, 4)}
        table[f"{branch}_logits"] = f"head.{head}.{last}"
    return table
