"""Which points of a detector's grids answer for which object (Feng et al., 2021, https://arxiv.org/abs/2108.07755)."""

from keras import ops

from kerazoo.losses.ciou import complete_iou


def align(boxes, classes, predicted, scores, points, *, alpha=0.5, beta=6.0, most=10):
    """Gives each object the points inside it whose answers fit best: score ** alpha * overlap ** beta.

    A point wanted by several objects goes to the one it overlaps most. The best point of an object is to score as
    much as any of its points overlaps it, the others less, in proportion to how they fit. Equals of the last one
    chosen are chosen too.

    Args:
        boxes, classes: the objects, in pixels; classes of -1 are none.
        predicted, scores: what the points answer: boxes in pixels and scores in [0, 1].
        points: their places, x and y in pixels.
        alpha, beta: weights of score and overlap.
        most: points an object has.

    Shapes: boxes (B, M, 4), classes (B, M) integers, predicted (B, N, 4), scores (B, N, C), points (N, 2)
        -> boxes (B, N, 4), zeros where there is none, and the scores to reach, (B, N, C).
    """
    objects = ops.one_hot(classes, scores.shape[-1], dtype=scores.dtype)  # Zeros for -1.
    low, high = boxes[:, :, None, :2], boxes[:, :, None, 2:]
    inside = ops.all((points > low) & (points < high), axis=-1) & (classes >= 0)[..., None]
    overlaps = ops.relu(complete_iou(boxes[:, :, None], predicted[:, None]))
    fits = ops.matmul(objects, ops.transpose(scores, (0, 2, 1))) ** alpha * overlaps**beta
    fits = ops.where(inside, fits, 0.0)
    last = ops.top_k(fits, min(most, fits.shape[-1]))[0][..., -1:]
    chosen = (fits >= last) & (fits > 0)
    owner = ops.argmax(ops.where(chosen, overlaps, -1.0), axis=1)
    owned = ops.transpose(ops.one_hot(owner, boxes.shape[1], dtype=scores.dtype), (0, 2, 1))
    chosen = ops.cast(chosen, scores.dtype) * owned
    fits, overlaps = fits * chosen, overlaps * chosen
    best = ops.max(fits, axis=-1, keepdims=True)
    shares = fits / ops.where(best > 0, best, 1.0) * ops.max(overlaps, axis=-1, keepdims=True)
    by_point = ops.transpose(chosen, (0, 2, 1))
    wanted = ops.matmul(ops.transpose(shares, (0, 2, 1)), objects)
    return ops.matmul(by_point, boxes), wanted
