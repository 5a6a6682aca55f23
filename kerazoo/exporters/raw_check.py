"""Whether the served `raw` endpoint answers as the model does behind its own pipeline.

The endpoints are graphs; here the same is done by hand, outside of them: small images of known pixels, or texts of the
tokenizer's own words, are given to the endpoint as it was read back from disk, and to the tokenizer and the model.
"""

import numpy as np
import tensorflow as tf

from kerazoo.exporters import raw, raw_answers, raw_language, raw_tags, raw_translation, raw_vectors
from kerazoo.exporters.parity import TOLERANCES
from kerazoo.generation.sampling import Sampling
from kerazoo.generation.texts import Writer
from kerazoo.generation.translator import Translator, longest_answer

COUNT = 4  # Texts that are asked for; of those that a search or a draw goes on with, two.
WORDS = ("the", "a", "and", "of", "to", "in", "is", "it")  # For a tokenizer that does not tell its own.
TOLERANCE = TOLERANCES["saved_model", None]


def problem(served, interface, metadata, tokenizer):
    """What is wrong with an endpoint, or None.

    Args:
        served: `kerazoo.engines.saved_model.SavedModelEngine.raw` of the reloaded file.
        interface: the model's.
        metadata, tokenizer: of the export.
    """
    if tokenizer is None:
        return _images(served, interface, metadata)
    texts = made_up(tokenizer)
    if raw_vectors.embeds(metadata):
        return _vectors(served, interface, tokenizer, texts)
    if raw_answers.reads(interface, tokenizer):
        return _answers(served, interface, tokenizer, texts)
    if raw_tags.tags_words(interface, tokenizer):
        return _tags(served, interface, metadata, tokenizer, texts)
    if raw_translation.translates(interface, tokenizer):
        return _translations(served, interface, metadata, tokenizer, texts[:2])
    if raw_language.writes(interface, tokenizer):
        return _continuations(served, interface, metadata, tokenizer, texts[:2])
    (name,) = interface.inputs
    return _ranking(served(texts), _only(interface.serve(**{name: tokenizer(texts)})), metadata)


def made_up(tokenizer, count=COUNT, seed=0):
    """Texts of up to eight of a tokenizer's own words, pieces or characters, by chance."""
    rng = np.random.default_rng(seed)
    words = [
        word for word in getattr(tokenizer, "vocabulary", ()) if isinstance(word, str) and not word.startswith("[")
    ]
    words = [word.replace("\u2581", "").removeprefix("##") for word in words]
    words = [word for word in words if word.strip()] or list(WORDS)
    between = "" if all(len(word) == 1 for word in words) else " "
    return [between.join(rng.choice(words, size=rng.integers(3, 9))) for _ in range(count)]


def _images(served, interface, metadata):
    """PNG and JPEG files of the model's own size, whose pixels are known, and one of one colour, twice as large."""
    ((name, facts),) = interface.inputs.items()
    sides, rng = facts.shape[1:], np.random.default_rng(0)
    noise = rng.integers(0, 256, (3, *sides), dtype="uint8")
    colour = np.broadcast_to(rng.integers(0, 256, (sides[-1],), dtype="uint8"), sides)
    large = np.broadcast_to(colour[:1, :1], (2 * sides[0], 2 * sides[1], sides[2]))
    jpeg = tf.io.encode_jpeg(noise[2], quality=95).numpy()
    files = [tf.io.encode_png(image).numpy() for image in (*noise[:2], large)] + [jpeg]
    decoded = tf.io.decode_jpeg(jpeg, channels=sides[-1], dct_method="INTEGER_ACCURATE").numpy()
    pixels = np.stack([*noise[:2], colour, decoded]).astype(facts.dtype)
    return _ranking(served(files), _only(interface.serve(**{name: pixels})), metadata)


def _ranking(found, scores, metadata):
    """The labels of the best classes with their probabilities, best first; classes of one probability in any order."""
    scores = scores.astype("float64")
    margin = TOLERANCE * max(np.ptp(scores, axis=-1).max(), 1.0)
    if metadata.get("output", "logits") == "logits":
        scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
        scores /= scores.sum(axis=-1, keepdims=True)
    names = np.array(metadata.get("labels") or [str(number) for number in range(scores.shape[-1])], object)
    top = min(metadata.get("top_k", raw.TOP_K), len(names))
    if found["labels"].shape != (len(scores), top) or found["scores"].shape != (len(scores), top):
        return f"it gives {found['labels'].shape} labels in place of {(len(scores), top)}"
    for labels, given, wanted in zip(found["labels"], found["scores"], scores):
        best = np.sort(wanted)[::-1][:top]
        named = all((np.abs(wanted[names == label] - score) <= margin).any() for label, score in zip(labels, given))
        if not named or len(set(labels)) < min(top, len(set(names))) or np.abs(given - best).max() > margin:
            order = [f"{names[place]} {wanted[place]:.4f}" for place in np.argsort(-wanted)[:top]]
            told = [f"{label} {score:.4f}" for label, score in zip(labels, given)]
            return f"it gives {', '.join(told)} where the model gives {', '.join(order)}"
    return None


def _vectors(served, interface, tokenizer, texts):
    (name,) = interface.inputs
    wanted = _only(interface.serve(**{name: tokenizer(texts)})).astype("float64")
    found = served(texts)[raw_vectors.OUTPUT]
    if found.shape != wanted.shape:
        return f"its vectors have shape {found.shape} in place of {wanted.shape}"
    error = np.abs(found - wanted).max() / max(np.abs(wanted).max(), 1e-6)
    return None if error <= TOLERANCE else f"its vectors have a relative error of {error:.2e} (at most {TOLERANCE:.0e})"


def _answers(served, interface, tokenizer, texts):
    questions, passages = texts, [" ".join(texts[place:] + texts[:place]) for place in range(len(texts))]
    outputs = interface.serve(**tokenizer(tf.constant(questions), tf.constant(passages)))
    outputs = {name: np.asarray(value) for name, value in outputs.items()}
    found = served({"questions": questions, "passages": passages})
    places = tokenizer.places(tf.constant(passages)).to_list()
    for row, (first, last) in enumerate(outputs["span"].astype(int)):
        start, end = (places[row][first - 1][0], places[row][last - 1][1]) if first > 0 else (0, 0)
        wanted = (passages[row][start:end], start, end)
        told = (found["answers"][row], *found["places"][row].tolist())
        if told != wanted:
            return f"it answers {told} where the model answers {wanted}"
    for name, output in (("scores", "score"), ("absence", "absence")):
        wanted = outputs[output]
        if np.abs(found[name] - wanted).max() > TOLERANCE * max(np.abs(wanted).max(), 1.0):
            return f"its {name} are {found[name].tolist()} where the model's are {wanted.tolist()}"
    return None


def _tags(served, interface, metadata, tokenizer, texts):
    tags, found = _only(interface.serve(**tokenizer(texts))), served(texts)
    for row, words in enumerate(tokenizer.split(tf.constant(texts)).to_list()):
        words = [word.decode() for word in words[: tags.shape[1]]]
        wanted = [(word, metadata["labels"][tag] if tag >= 0 else "") for word, tag in zip(words, tags[row])]
        told = list(zip(found["words"][row], found["tags"][row]))
        if told[: len(words)] != wanted or any(word or tag for word, tag in told[len(words) :]):
            return f"it gives {told} where the model gives {wanted}"
    return None


def _translations(served, interface, metadata, tokenizer, texts):
    settings = raw_translation.DEFAULTS | metadata.get("generate", {})
    translator = Translator(interface.model, tokenizer)
    context = translator.search.stepper.context or raw_translation.SOURCE
    length = interface.inputs["source"].shape[1] or context
    settings["tokens"] = settings["tokens"] or min(longest_answer(length, context), context - 1)
    return _same_texts(served(texts)["texts"], translator(texts, **settings))


def _continuations(served, interface, metadata, tokenizer, texts):
    settings = raw_language.DEFAULTS | metadata.get("generate", {})
    model, seed, tokens = interface.model, settings.pop("seed"), settings.pop("tokens")
    told = served(texts)["texts"]
    if seed is not None or Sampling(**settings).temperature == 0:
        written = Writer(model, tokenizer, jit_compile=False).write(texts, tokens=tokens, seed=seed or 0, **settings)
        return _same_texts(told, written)
    # Drawn anew with each call: what can be said is how likely the model finds it, beside what it draws itself.
    written = Writer(model, tokenizer, jit_compile=False).write(texts, tokens=tokens, seed=0, **settings)
    mine, theirs = (
        np.array([_surprise(model, tokenizer, text, more) for text, more in zip(texts, side)])
        for side in (written, told)
    )
    if theirs.mean() > mine.mean() + 1 + 3 * (mine.std() + theirs.std()):
        nats = f"{theirs.mean():.2f} nats a token, of what it draws itself {mine.mean():.2f}"
        return f"it answers {list(told)}, in which the model sees {nats}"
    return None


def _surprise(model, tokenizer, text, more):
    """Nats for each token of what follows a text, as far as the model's positions go."""
    before, row = len(tokenizer.ragged([text]).to_list()[0]), tokenizer.ragged([text + more]).to_list()[0]
    length = model.inputs[0].shape[1]
    row = row[: length or raw_language.PROMPT]
    padded = row + [0] * ((length or len(row)) - len(row))
    logits = np.asarray(model(np.array([padded], "int32"), training=False))[0].astype("float64")[: len(row)]
    logits -= logits.max(axis=-1, keepdims=True)
    chances = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
    nats = -chances[np.arange(len(row) - 1), row[1:]][max(before - 1, 0) :]
    return nats.mean() if len(nats) else 0.0


def _same_texts(told, wanted):
    """Half of them at least: rounding may choose otherwise once, and then all that follows is another."""
    same = [one == other for one, other in zip(told, wanted, strict=True)]
    return None if 2 * sum(same) >= len(same) else f"it answers {list(told)} where the model answers {wanted}"


def _only(outputs):
    (output,) = outputs.values()
    return np.asarray(output)
