"""Fast-SCNN as Tramac's PyTorch version names it: learning_to_downsample.conv.conv.0, classifier.conv.1.

That version neither pads its first convolution nor dilates the fusion, as the paper's tables want it: weights trained
there fit, and answer otherwise.
"""

import re

from kerazoo.models.vision.fast_scnn import BINS

BOTTLENECK = re.compile(r"global_feature_extractor\.bottleneck(\d+)\.(\d+)\.")


def names(model, received):
    """{Keras layer: torch module} of a `kerazoo.models.vision.fast_scnn.fast_scnn`."""
    pairs = _pair("stem1", "learning_to_downsample.conv.conv", 0)
    for index in (1, 2):
        pairs |= _separable(f"stem{index + 1}", f"learning_to_downsample.dsconv{index}.conv")
        pairs |= _separable(f"classifier{index}", f"classifier.dsconv{index}.conv")
    places = sorted({tuple(map(int, found.groups())) for found in map(BOTTLENECK.match, received) if found})
    for block, (stage, index) in enumerate(places, start=1):
        module = f"global_feature_extractor.bottleneck{stage}.{index}.block"
        pairs |= _pair(f"block{block}_expand", f"{module}.0.conv", 0)
        pairs |= _pair(f"block{block}_depthwise", f"{module}.1.conv", 0) | _pair(f"block{block}_project", module, 2)
    for number, count in enumerate(BINS, start=1):
        pairs |= _pair(f"pyramid{count}", f"global_feature_extractor.ppm.conv{number}.conv", 0)
    pairs |= _pair("pyramid", "global_feature_extractor.ppm.out.conv", 0)
    pairs |= _pair("context_depthwise", "feature_fusion.dwconv.conv", 0)
    pairs |= _pair("context", "feature_fusion.conv_lower_res", 0)
    pairs |= _pair("details", "feature_fusion.conv_higher_res", 0)
    return pairs | {"classes": "classifier.conv.1"}


def _pair(layer, module, first):
    """A convolution and its norm, one behind the other."""
    return {f"{layer}_conv": f"{module}.{first}", f"{layer}_bn": f"{module}.{first + 1}"}


def _separable(layer, module):
    return _pair(f"{layer}_depthwise", module, 0) | _pair(f"{layer}_pointwise", module, 3)
