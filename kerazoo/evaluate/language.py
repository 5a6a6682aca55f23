"""How well a language model foretells a text."""

import numpy as np


def surprises(function, batches):
    """The negative log-probability of every next token.

    Args:
        function: from tokens (B, T) to logits (B, T, V).
        batches: iterable of (tokens, next tokens).

    Shapes: -> (windows, T) float64, nats.
    """
    rows = []
    for tokens, following in batches:
        logits = np.asarray(function(np.asarray(tokens)), "float64")
        following = np.asarray(following)
        chosen = np.take_along_axis(logits, following[..., None], axis=-1)[..., 0]
        top = logits.max(axis=-1)
        rows.append(top + np.log(np.exp(logits - top[..., None]).sum(axis=-1)) - chosen)
    return np.concatenate(rows)


def scores(nats):
    """{"nats", "bits", "perplexity", "nats_95"}: the mean, as what it is, in bits and as a number of choices.

    Args:
        nats: (windows, T) or (T,); the interval takes windows, or tokens, for independent.
    """
    nats = np.asarray(nats)
    mean = float(nats.mean())
    units = nats.mean(axis=-1) if nats.ndim > 1 else nats
    half = 1.96 * float(units.std(ddof=1)) / np.sqrt(len(units)) if len(units) > 1 else 0.0
    return {
        "nats": mean,
        "bits": mean / float(np.log(2)),
        "perplexity": float(np.exp(mean)),
        "nats_95": [mean - half, mean + half],
        "count": int(nats.size),
    }
