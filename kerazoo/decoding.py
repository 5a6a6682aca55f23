"""Models that answer with what is asked for instead of what is trained: `with_boxes`, `with_tags`, `with_answers`."""

import keras
from keras import ops

from kerazoo.layers.best_span import BestSpan
from kerazoo.layers.best_tags import BestTags
from kerazoo.layers.crf_potentials import CRFPotentials
from kerazoo.layers.decoded_boxes import DecodedBoxes
from kerazoo.layers.non_maximum_suppression import NonMaximumSuppression
from kerazoo.layers.original_pixels import OriginalPixels


def with_boxes(
    model, *, score_threshold=0.25, iou_threshold=0.5, max_detections=100, candidates=400, letterboxed=False
):
    """A `keras.Model` from images to detections, with the detector's own weights: what is exported and served.

    Suppression works class by class inside the graph, in sizes that are fixed, so that SavedModel, TFLite and XLA take
    it. Training goes on with `model` itself; the two share their weights.

    Args:
        model: a detector of `kerazoo.build`.
        score_threshold: boxes of a class that score no more are none; about 0.001 for mean average precision.
        iou_threshold: a box goes if its intersection over union with a better one of its class is larger.
        max_detections: boxes in the answer.
        candidates: the boxes, over all classes, with the highest scores, that suppression looks at.
        letterboxed: take a second input, "sizes", (B, 2), heights and widths of the images before they were put into
            the letterbox (`kerazoo.data.boxes.Letterbox`), and answer boxes in their pixels.

    Shapes: pixels in [0, 255], (B, H, W, 3) -> {"boxes": (B, max_detections, 4), [left, top, right, bottom] in pixels
        of that image, or of the original, "scores": (B, max_detections), "classes": (B, max_detections), int32}, best
        first; what is left over has boxes and scores of 0 and the class -1.

    Raises:
        ValueError: a model that is no detector, or thresholds and sizes that `NonMaximumSuppression` refuses.

    Example:

    >>> import kerazoo
    >>> from kerazoo.decoding import with_boxes
    >>> model = with_boxes(kerazoo.build("yolov8_n", num_classes=3, input_shape=(64, 64, 3)), max_detections=20)
    >>> {name: tensor.shape for name, tensor in model.output.items()}
    {'boxes': (None, 20, 4), 'scores': (None, 20), 'classes': (None, 20)}
    """
    heads = getattr(model, "heads", None)
    if not hasattr(heads, "decode"):
        raise ValueError(
            "`model` must be an object detector; `kerazoo.list_models(task='object_detection')` has them. "
            f"Received: {type(model).__name__} {getattr(model, 'name', model)!r}."
        )
    boxes, scores = DecodedBoxes(heads, dtype="float32", name="decoded")(model.output)
    suppression = NonMaximumSuppression(
        score_threshold, iou_threshold, max_detections, candidates, dtype="float32", name="suppression"
    )
    found, inputs = suppression(boxes, scores), model.input
    if letterboxed:
        sizes = keras.Input((2,), name="sizes", dtype="float32")
        back = OriginalPixels(heads.image_shape, dtype="float32", name="original_pixels")
        found, inputs = found | {"boxes": back(found["boxes"], sizes)}, {"image": model.input, "sizes": sizes}
    return keras.Model(inputs, found, name=model.name)


def with_tags(model, tags=None):
    """A `keras.Model` from words to the best sequence of tags, with the tagger's own weights: what is served.

    Args:
        model: a tagger of `kerazoo.build`: one that ends in a conditional random field, or an encoder that tags
            pieces of words.
        tags: of such an encoder, the names of its tags in their order: no answer has what cannot be, as an `I-PER`
            after neither `B-PER` nor `I-PER`.

    Shapes: the model's inputs -> {"tags": (B, T) int32, places in the tags, -1 after a text's end}. For an encoder the
        inputs are {"tokens": (B, P), "first": (B, T)} as `TaggerPieces` gives them.

    Raises:
        ValueError: a model that is no tagger, or an encoder without as many `tags`.

    Example:

    >>> import kerazoo
    >>> from kerazoo.decoding import with_tags
    >>> {name: tensor.shape for name, tensor in with_tags(kerazoo.build("bilstm_crf")).output.items()}
    {'tags': (None, None)}
    """
    if tags is not None:
        return _with_tags_of_pieces(model, tags)
    last = model.layers[-1] if getattr(model, "layers", None) else None
    if not isinstance(last, CRFPotentials):
        raise ValueError(
            "`model` must end in a conditional random field, or `tags` name those of an encoder; "
            "`kerazoo.list_models(task='token_classification')` has such models. "
            f"Received: {type(model).__name__} {getattr(model, 'name', model)!r}."
        )
    _, there = last.input
    return keras.Model(model.input, {"tags": BestTags(name="tags")(model.output, there)}, name=model.name)


def _with_tags_of_pieces(model, tags):
    """Each word's tag is that of its first piece, by the path with the largest sum of logits."""
    _one_input(model, "(B, T) pieces", len(tags))
    first = keras.Input((None,), name="first", dtype="int32")
    there = ops.greater(first, 0)
    scores = ops.take_along_axis(model.output, first[..., None], axis=1)
    potentials = CRFPotentials(tags, dtype="float32", name="potentials")(scores, there)
    found = BestTags(dtype="float32", name="tags")(potentials, there)
    return keras.Model({"tokens": model.inputs[0], "first": first}, {"tags": found}, name=model.name)


def _one_input(model, what, outputs):
    """Refuses a model that does not give each token of one text so many logits.

    Raises:
        ValueError: as said.
    """
    inputs, given = getattr(model, "inputs", None) or [], getattr(model, "outputs", None) or []
    if len(inputs) != 1 or len(given) != 1 or len(given[0].shape) != 3 or given[0].shape[-1] != outputs:
        shapes = [tuple(tensor.shape) for tensor in (*inputs, *given)]
        raise ValueError(f"`model` must give {outputs} logits for each of {what}. Received: {model!r}, {shapes}.")


def with_answers(model, *, longest=15, threshold=None):
    """A `keras.Model` from questions and passages to the best span, with the reader's own weights: what is served.

    Args:
        model: a reader of `kerazoo.build`.
        longest: tokens of an answer at most.
        threshold: as `BestSpan` takes it; None answers always.

    Shapes: the model's inputs -> what `BestSpan` gives: {"span": (B, 2) int32, "score": (B,), "absence": (B,)}. For an
        encoder the inputs are {"tokens": (B, T), "word": (B, T)} as `ReaderPieces` gives them, and a span's places are
        those of words, from 1.

    Raises:
        ValueError: a model whose answers are not the logits of an answer's first and last token.

    Example:

    >>> import kerazoo
    >>> from kerazoo.decoding import with_answers
    >>> sorted(with_answers(kerazoo.build("bidaf")).output)
    ['absence', 'score', 'span']
    """
    outputs = getattr(model, "outputs", None) or []
    if len(outputs) != 1 or len(outputs[0].shape) != 3 or outputs[0].shape[-1] != 2:
        raise ValueError(
            "`model` must give the logits of an answer's first and last token; "
            "`kerazoo.list_models(task='question_answering')` has such models. "
            f"Received: {type(model).__name__} {getattr(model, 'name', model)!r}."
        )
    best = BestSpan(longest, threshold, dtype="float32", name="best_span")
    if len(model.inputs) > 1:
        return keras.Model(model.input, best(model.output), name=model.name)
    word = keras.Input(model.inputs[0].shape[1:], name="word", dtype="int32")
    return keras.Model({"tokens": model.inputs[0], "word": word}, best(model.output, word), name=model.name)
