"""What a face network has to beat: the cosine of plain pixels, and eigenfaces (Turk and Pentland, 1991)."""

import numpy as np

from kerazoo.evaluate.verification import all_pairs, cosines, equal_error_rate
from kerazoo.extras import need

COMPONENTS = (25, 50, 100, 150)


def face_baselines(train, validation):
    """Embeddings of faces without a network.

    Eigenfaces are the main directions of the training faces; how many of them, and whether each is divided by its
    deviation, is what does best on the validation people.

    Args:
        train, validation: `kerazoo.data.faces.Faces` of different people.

    Returns:
        [(name, function from uint8 (N, H, W, 3) to (N, D))].

    Raises:
        ImportError: without scikit-learn.
    """
    need("sklearn")
    from sklearn.decomposition import PCA

    known = _grey(train.pixels)
    first, second, same = all_pairs(validation.labels)
    best = None
    for count in (count for count in COMPONENTS if count <= min(known.shape)):
        for whiten in (False, True):
            faces = PCA(count, whiten=whiten, random_state=0).fit(known)
            embeddings = faces.transform(_grey(validation.pixels))
            rate, _ = equal_error_rate(cosines(embeddings[first], embeddings[second]), same)
            if best is None or rate < best[0]:
                best = rate, f"eigenfaces, {count}{' whitened' if whiten else ''}", faces
    found = [("pixels, each picture less its mean", _centred)]
    if best:
        found.append((best[1], lambda pixels: best[2].transform(_grey(pixels))))
    return found


def _grey(pixels):
    """(N, H, W, 3) -> (N, H * W), in [0, 1]."""
    return np.asarray(pixels, "float32").mean(axis=-1).reshape(len(pixels), -1) / 255.0


def _centred(pixels):
    grey = _grey(pixels)
    return grey - grey.mean(axis=1, keepdims=True)
