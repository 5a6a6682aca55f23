"""COCO's own evaluation, by pycocotools: its twelve figures, also by the size of objects."""

import contextlib
import io

from kerazoo.data.detection_coco import as_coco, as_coco_results
from kerazoo.extras import need

SIZES = ("small", "medium", "large")
FIGURES = ("map", "map50", "map75", *(f"map_{size}" for size in SIZES))
FIGURES += (*(f"recall_{most}" for most in (1, 10, 100)), *(f"recall_{size}" for size in SIZES))


def coco_figures(predictions, annotations, classes):
    """The figures of COCO's benchmark.

    Args:
        predictions: a dict for each image: "boxes" (n, 4) xyxy in its pixels, "scores" (n,), "classes" (n,).
        annotations: `kerazoo.data.detection.Annotations`.
        classes: names.

    Returns:
        {name of `FIGURES`: figure, or None where no object is of that size}.

    Raises:
        ImportError: without pycocotools.
    """
    need("pycocotools")
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    ids = tuple(range(1, len(classes) + 1))
    with contextlib.redirect_stdout(io.StringIO()):  # It prints as it goes.
        truth = COCO()
        truth.dataset = as_coco(annotations, classes) | {"info": {}}
        truth.createIndex()
        rows = as_coco_results(predictions, annotations.ids, category_ids=ids)
        if not rows:
            return dict.fromkeys(FIGURES, 0.0)
        judged = COCOeval(truth, truth.loadRes(rows), "bbox")
        judged.evaluate()
        judged.accumulate()
        judged.summarize()
    return {name: None if value < 0 else round(float(value), 6) for name, value in zip(FIGURES, judged.stats)}
