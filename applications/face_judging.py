"""How a network of faces is exported and judged: pairs, thresholds, a gallery, its files and the baselines."""

import numpy as np

import kerazoo
from kerazoo.applications import running

FALSE_ALARMS = 0.01  # Share of strangers who may be given a name, on the validation people.


def export(arguments, parts, folder):
    """Exports the best epoch's network in float32: `(model, report)`."""
    import keras

    from kerazoo.training.callbacks import best_weights

    embedder = kerazoo.build(
        arguments.model,
        input_shape=(*arguments.size, 3),
        dimension=arguments.dimension,
        weights=best_weights(folder),
        precision="float32",
        jit_compile=False,
        **arguments.builder,
    ).embedder()
    print("Exporting ...")
    pixels = parts["train"].pixels.astype("float32")
    report = running.export(
        arguments,
        embedder,
        formats=("saved_model", "tflite"),
        quantize="int8",
        representative_data=keras.ops.convert_to_numpy(pixels[:: max(len(pixels) // 256, 1)]),
        metadata={
            "preprocessing": {"resize": "bilinear", "fit": "stretch", "antialias": True},
            "output": "embedding",
            "dataset": parts["train"].name,
        },
    )
    return embedder, report


def judge(arguments, parts, pairs, folder):
    """Puts the test people to the network, its files and the baselines, once.

    Returns:
        `(facts, pairs, scores, embeddings)`: the record's part, the test pairs, {name: their scores} and the network's
        embeddings.
    """
    from kerazoo.evaluate.eigenfaces import face_baselines
    from kerazoo.evaluate.identification import cumulative_match, one_image_each, unknown_threshold
    from kerazoo.evaluate.predict import compiled, difference
    from kerazoo.evaluate.verification import (
        accepted,
        all_pairs,
        cosines,
        equal_error_rate,
        fold_accuracy,
        verification,
    )

    embedder, report = export(arguments, parts, folder)
    test, held = parts["test"], parts["validation"]
    network = compiled(embedder)
    known = network(held.pixels.astype("float32"))
    first, second, same = all_pairs(held.labels)
    _, threshold = equal_error_rate(cosines(known[first], known[second]), same)
    unknown = unknown_threshold(known @ known.T, held.labels, false_alarms=FALSE_ALARMS)
    print("Testing the network, its files and the baselines ...")
    first, second, same = (pairs.first, pairs.second, pairs.same) if pairs else all_pairs(test.labels)
    forms = {arguments.model: lambda pixels: network(pixels.astype("float32"))}
    forms |= dict(face_baselines(parts["train"], held))
    results, scores, embeddings = [], {}, {}
    for name, function in forms.items():
        found = embeddings[name] = np.asarray(function(test.pixels))
        scores[name] = cosines(found[first], found[second])
        unit = found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-12)
        ranks = one_image_each(unit @ unit.T, test.labels)
        results.append(
            {"name": name}
            | verification(scores[name], same)
            | {"cmc": cumulative_match(ranks, len(test.people)).tolist()}
        )
    own = embeddings[arguments.model]
    exports = []
    for file in report.files:
        answers = np.asarray(kerazoo.load(report.path, engine=file.engine)(test.pixels.astype("float32")))
        rate, _ = equal_error_rate(cosines(answers[first], answers[second]), same)
        facts = {"form": file.engine, "folder": report.path, "file": file.path, "bytes": file.bytes}
        exports.append(facts | {"eer": rate, "difference": difference(own, answers), "latency_ms": file.latency_ms})
    facts = {
        "results": results,
        "test": {
            "people": len(test.people),
            "images": len(test),
            "pairs": {"same": int(same.sum()), "different": int((~same).sum())},
            "folds": fold_accuracy(scores[arguments.model], same, pairs.fold) if pairs else None,
        },
        "threshold": {
            "score": threshold,
            "unknown": unknown,
            "test": accepted(scores[arguments.model], same, threshold),
        },
        "gallery": keep_gallery(own, test, unknown, folder),
        "exports": exports,
    }
    return facts, (first, second, same), scores, own


def keep_gallery(embeddings, faces, threshold, folder):
    """Enrols the first half of the people by their first picture, and asks for everybody else's.

    Returns:
        What was named rightly, wrongly and though it was a stranger's, or None with fewer than four people.
    """
    from kerazoo.faces.gallery import Gallery

    half = len(faces.people) // 2
    if half < 2:
        return None
    gallery = Gallery(threshold=max(min(threshold, 1.0), -1.0))
    first = [int(np.flatnonzero(faces.labels == person)[0]) for person in range(half)]
    for person, place in enumerate(first):
        gallery.enroll(faces.people[person], embeddings[place])
    gallery.save(folder / "gallery.npz")
    asked = [i for i in range(len(faces)) if i not in first]
    answers = [match.person for match in gallery.identify(embeddings[asked])]
    truth = [faces.people[faces.labels[i]] for i in asked]
    members = [(a, t) for a, t, i in zip(answers, truth, asked) if faces.labels[i] < half]
    others = [a for a, i in zip(answers, asked) if faces.labels[i] >= half]
    return {
        "enrolled": half,
        "strangers": len(faces.people) - half,
        "named_rightly": sum(a == t for a, t in members) / max(len(members), 1),
        "named_wrongly": sum(a not in (None, t) for a, t in members) / max(len(members), 1),
        "strangers_named": sum(a is not None for a in others) / max(len(others), 1),
    }
