"""Which anchors answer for which object, by how much they overlap (Ren et al., 2015, https://arxiv.org/abs/1506.01497)."""

from keras import ops

from kerazoo.layers.boxes import pairwise_iou


def padded(truth):
    """The objects of a batch and one more that is none, so that a batch without any has something to compare with.

    Args:
        truth: {"boxes": (B, M, 4), "classes": (B, M), -1 where there is none}; M may be 0.

    Shapes: boxes (B, M + 1, 4) and classes (B, M + 1), int32.
    """
    boxes, classes = truth["boxes"], ops.cast(truth["classes"], "int32")
    return ops.pad(boxes, ((0, 0), (0, 1), (0, 0))), ops.pad(classes, ((0, 0), (0, 1)), constant_values=-1)


def match(boxes, classes, anchors, *, low, high, claim):
    """Gives each anchor the object it overlaps most, where that is enough.

    Args:
        boxes, classes: the objects; classes of -1 are none.
        anchors: the anchors' boxes.
        low: anchors whose largest intersection over union is below are background.
        high: from here on an anchor belongs to its object; between the two it counts for nothing.
        claim: what happens to the anchor, of all, that overlaps an object most. True: it becomes that object's (of
            several the last one's). False: it belongs to the object it overlaps most itself, however little; so do
            its equals.

    Shapes: boxes (B, M, 4), classes (B, M) integers, anchors (N, 4) -> shares of objects in anchors, (B, N, M), of
        which at most one is 1 and all others are 0; and whether an anchor is background, (B, N).
    """
    real = (classes >= 0)[..., None]
    overlaps = ops.where(real, pairwise_iou(boxes, anchors), -1.0)
    best, owner = ops.max(overlaps, axis=1), ops.argmax(overlaps, axis=1)
    belongs = best >= high
    if claim:
        wanted = ops.one_hot(ops.argmax(overlaps, axis=-1), overlaps.shape[-1], dtype="bool") & real
        claimant = ops.max(ops.where(wanted, ops.arange(boxes.shape[1])[:, None], -1), axis=1)
        owner = ops.where(claimant >= 0, claimant, ops.cast(owner, claimant.dtype))
        belongs = belongs | (claimant >= 0)
    else:
        most = ops.max(overlaps, axis=-1, keepdims=True)
        belongs = belongs | ops.any((overlaps == most) & (overlaps > 0), axis=1)
    shares = ops.one_hot(owner, boxes.shape[1], dtype=boxes.dtype) * ops.cast(belongs, boxes.dtype)[..., None]
    return shares, ~belongs & (best < low)
