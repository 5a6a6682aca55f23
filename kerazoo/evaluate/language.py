"""How well a language model foretells a text."""

import numpy as np


def surprises(function, batches, padding=None):
    """The negative log-probability of every next token.

    Args:
        function: from a batch's inputs, tokens (B, T) or a dictionary with them, to logits (B, T, V).
        batches: iterable of (inputs, next tokens).
        padding: the token that is left out, or None.

    Shapes: -> (windows, T) float64, nats; with `padding` (tokens,).
    """
    rows = []
    for inputs, following in batches:
        logits = np.asarray(function(inputs if isinstance(inputs, dict) else np.asarray(inputs)), "float64")
        following = np.asarray(following)
        chosen = np.take_along_axis(logits, following[..., None], axis=-1)[..., 0]
        top = logits.max(axis=-1)
        nats = top + np.log(np.exp(logits - top[..., None]).sum(axis=-1)) - chosen
        rows.append(nats if padding is None else nats[following != padding])
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
