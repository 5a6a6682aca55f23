"""What a network has to beat on labelled texts: the commonest class, and words that are counted."""

import time

import numpy as np

from kerazoo.extras import need

STRENGTHS = (0.3, 1.0, 3.0, 10.0)  # Of logistic regression; validation texts choose.


def text_baselines(data):
    """Scores of the commonest class and of logistic regression on weighted counts of words and pairs of words.

    Args:
        data: the `TextData`; its validation texts choose how strongly the regression is held back.

    Returns:
        [{"name", "accuracy", "macro_f1", "fitted_on", "seconds"}] on the test texts.

    Raises:
        ImportError: without scikit-learn.
    """
    need("sklearn")
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    train, test = data.train, data.test
    commonest = np.full(len(test), np.bincount(train.labels).argmax())
    start = time.perf_counter()
    # Marks of punctuation count as words, as they do for the networks.
    counts = TfidfVectorizer(ngram_range=(1, 2), token_pattern=r"(?u)\b\w+\b|[^\w\s]", sublinear_tf=True)
    x, held = counts.fit_transform(train.texts), counts.transform(data.validation.texts)
    fits = [LogisticRegression(C=strength, max_iter=1000).fit(x, train.labels) for strength in STRENGTHS]
    best = max(fits, key=lambda fit: scores(fit.predict(held), data.validation.labels, data.classes)[data.metric])
    answers = best.predict(counts.transform(test.texts))
    seconds = round(time.perf_counter() - start, 2)
    rows = (("most frequent class", commonest, 0.0), ("logistic regression on TF-IDF", answers, seconds))
    return [
        {"name": name, **scores(found, test.labels, data.classes), "fitted_on": len(train), "seconds": seconds}
        for name, found, seconds in rows
    ]


def scores(predicted, labels, classes):
    """{"accuracy", "macro_f1"}: the second is the mean of every class's F1, 0 for one that is never rightly found.

    Example:

    >>> import numpy as np
    >>> scores(np.array([0, 0, 1]), np.array([0, 1, 1]), ("a", "b"))
    {'accuracy': 0.6666666666666666, 'macro_f1': 0.6666666666666666}
    """
    predicted, labels = np.asarray(predicted), np.asarray(labels)
    each = []
    for index in range(len(classes)):
        found, there = predicted == index, labels == index
        right, either = (found & there).sum(), found.sum() + there.sum()
        each.append(2 * right / either if either else 0.0)
    return {"accuracy": float((predicted == labels).mean()), "macro_f1": float(np.mean(each))}
