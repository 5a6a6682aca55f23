"""YOLOv8 as its public checkpoints name it: model.0.conv, model.2.m.0.cv1.bn, model.22.cv2.0.2."""

import re

# Keras's part of the network -> its number in torch's list of modules.
MODULES = {"stem": 0, "pool": 9, "up1": 12, "up2": 15, "down1_down": 16, "down1": 18, "down2_down": 19, "down2": 21}
MODULES |= {f"stage{stage}_down": 2 * stage - 1 for stage in (1, 2, 3, 4)}
MODULES |= {f"stage{stage}": 2 * stage for stage in (1, 2, 3, 4)}
HEADS = 22
PLACE = re.compile(r"(?P<part>\w+?)(_(?P<place>enter|leave|block\d+_\d))?_(?P<kind>conv|bn)")
BLOCK = re.compile(r"block(\d+)_(\d)")
HEAD = re.compile(r"(?P<branch>box|class)(?P<level>\d)_((?P<index>\d)_(?P<kind>conv|bn)|logits)")


def names(model, received):
    """{Keras layer: torch module} of a `kerazoo.models.vision.yolov8.yolov8`."""
    table = {}
    for layer in model.layers:
        if found := HEAD.fullmatch(layer.name):
            branch = {"box": "cv2", "class": "cv3"}[found["branch"]]
            place = f"{int(found['index']) - 1}.{found['kind']}" if found["index"] else "2"
            table[layer.name] = f"model.{HEADS}.{branch}.{int(found['level']) - 1}.{place}"
        elif (found := PLACE.fullmatch(layer.name)) and found["part"] in MODULES:
            place = {"enter": "cv1.", "leave": "cv2.", None: ""}.get(found["place"])
            if place is None:
                block, index = BLOCK.fullmatch(found["place"]).groups()
                place = f"m.{int(block) - 1}.cv{index}."
            table[layer.name] = f"model.{MODULES[found['part']]}.{place}{found['kind']}"
    return table
