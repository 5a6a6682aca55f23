"""How well a search finds the one document that is wanted, and a search by words to beat."""

import numpy as np

from kerazoo.extras import need

DEPTHS = (1, 10, 100)
CHUNK = 512  # Queries at a time: the scores of all of them for all documents would not fit into memory.


def ranks(score, queries):
    """At which place each query's own document comes, from 1; those of the same score come before it.

    Args:
        score: `(first, last) -> (last - first, documents)` scores of some queries; a query's own document is the one
            at its position.
        queries: how many there are.
    """
    places = np.zeros(queries, int)
    for first in range(0, queries, CHUNK):
        last = min(first + CHUNK, queries)
        scores = score(first, last)
        own = scores[np.arange(last - first), np.arange(first, last)]
        places[first:last] = (scores >= own[:, None]).sum(axis=1)
    return places


def scores(places):
    """{"recall_1", "recall_10", "recall_100", "mrr", "mrr_95", "count"} of the places of `ranks`."""
    reciprocal = 1 / places
    margin = 1.96 * reciprocal.std() / len(places) ** 0.5
    found = {f"recall_{depth}": float((places <= depth).mean()) for depth in DEPTHS}
    mean = float(reciprocal.mean())
    return found | {"mrr": mean, "mrr_95": [mean - margin, mean + margin], "count": len(places)}


class Words:
    """Search by the words that query and document share, each the more worth the rarer it is (TF-IDF, cosine).

    Args:
        texts: the documents.

    Raises:
        ImportError: scikit-learn is not installed.
    """

    def __init__(self, texts):
        need("sklearn")
        from sklearn.feature_extraction.text import TfidfVectorizer

        self.counter = TfidfVectorizer(sublinear_tf=True, dtype=np.float32, token_pattern=r"(?u)\b\w+\b")
        self.documents = self.counter.fit_transform(texts).T.tocsr()

    def __call__(self, queries):
        """(Q,) strings -> (Q, documents) cosines."""
        return (self.counter.transform(queries) @ self.documents).toarray()


def best(scores, depth):
    """The positions of the `depth` highest scores of each row, best first: (Q, depth)."""
    depth = min(depth, scores.shape[1])
    some = np.argpartition(-scores, depth - 1, axis=1)[:, :depth]
    return np.take_along_axis(
        some, np.argsort(-np.take_along_axis(scores, some, axis=1), axis=1, kind="stable"), axis=1
    )
