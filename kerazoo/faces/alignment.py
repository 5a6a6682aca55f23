"""Faces turned and scaled so that eyes, nose and mouth lie where a network learnt to expect them."""

import numpy as np

from kerazoo.extras import need

# (x, y) in an image of 112x112 of the eye and the mouth's corner on its left, the nose, and those on its right, as
# insightface aligns faces for ArcFace; in the order eye, eye, nose, corner, corner.
TEMPLATE = (
    (38.2946, 51.6963),
    (73.5318, 51.5014),
    (56.0252, 71.7366),
    (41.5493, 92.3655),
    (70.7299, 92.2041),
)
TEMPLATE_SIDE = 112


def template(size):
    """The five places in an image of `size`, (H, W): the template's, as high as the image, in its middle across."""
    height, width = size
    scale = height / TEMPLATE_SIDE
    return np.array(TEMPLATE) * scale + [(width - TEMPLATE_SIDE * scale) / 2, 0]


def similarity(source, target):
    """The turn, scale and shift that bring points nearest to others (Umeyama, 1991, https://doi.org/10.1109/34.88573).

    Args:
        source, target: (N, 2), at least two different points each.

    Returns:
        (2, 3): `target` is about `source @ matrix[:, :2].T + matrix[:, 2]`.

    Raises:
        ValueError: other shapes, points that are not finite, or all at one place.

    Example:

    >>> similarity([[0, 0], [1, 0], [0, 1]], [[3, 1], [3, 3], [1, 1]]).round(6).tolist()
    [[0.0, -2.0, 3.0], [2.0, 0.0, 1.0]]
    """
    source, target = np.asarray(source, "float64"), np.asarray(target, "float64")
    if source.shape != target.shape or source.ndim != 2 or source.shape[1] != 2 or not np.isfinite(source).all():
        raise ValueError(
            f"Points must be (N, 2), finite, and as many on both sides. Received: {source.shape} and {target.shape}."
        )
    middle, goal = source.mean(axis=0), target.mean(axis=0)
    x, y = (source - middle).T
    u, v = (target - goal).T
    spread = (x**2 + y**2).sum()
    if not spread:
        raise ValueError(f"Points must not all lie at one place. Received: {source.tolist()}.")
    # In the plane a turn and a scale are one complex factor, and the nearest is a plain quotient.
    cos, sin = (x * u + y * v).sum() / spread, (x * v - y * u).sum() / spread
    turn = np.array([[cos, -sin], [sin, cos]])
    return np.column_stack([turn, goal - turn @ middle])


def align(image, landmarks, *, size=(TEMPLATE_SIDE, TEMPLATE_SIDE)):
    """A face as a network takes it: landmarks at the template's places, bilinear, black outside the photograph.

    Args:
        image: uint8, (H, W, 3).
        landmarks: (5, 2), pixels (x, y): eye and eye, nose, mouth's corner and corner, each time the image's left
            first.
        size: (H, W) of the result.

    Returns:
        uint8, (H, W, 3).

    Raises:
        ImportError: without pillow.
        ValueError: landmarks of another shape, or all at one place.
    """
    need("PIL")
    from PIL import Image

    matrix = similarity(landmarks, template(size))
    turn = np.linalg.inv(matrix[:, :2])
    shift = -turn @ matrix[:, 2]
    # Pillow counts from a pixel's corner, landmarks from its middle.
    shift = shift + 0.5 - turn @ [0.5, 0.5]
    data = np.column_stack([turn, shift]).ravel().tolist()
    photograph = Image.fromarray(np.asarray(image, "uint8"))
    aligned = photograph.transform(size[::-1], Image.Transform.AFFINE, data, Image.Resampling.BILINEAR)
    return np.asarray(aligned)
