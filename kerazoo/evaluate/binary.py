"""Judging scores for two classes: ranking, calibration, costs; the classical models that a network has to beat."""

import warnings

import numpy as np

from kerazoo.extras import need


def scores(probabilities, truth):
    """Figures of probabilities for the positive class.

    Args:
        probabilities: (N,), in [0, 1].
        truth: (N,), 0 or 1, both present.

    Returns:
        {"auroc", "auprc", "brier", "log_loss", "accuracy"}; the accuracy is that of the threshold 0.5.

    Raises:
        ImportError: without scikit-learn.
        ValueError: one class alone, or values outside [0, 1].

    Example:

    >>> scores([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1])["auroc"]
    0.75
    """
    need("sklearn")
    from sklearn.metrics import average_precision_score, brier_score_loss, log_loss, roc_auc_score

    probabilities, truth = np.asarray(probabilities, "float64"), np.asarray(truth, int)
    if set(truth.tolist()) != {0, 1}:
        raise ValueError(f"Both classes must be present. Received: {sorted(set(truth.tolist()))}.")
    if not ((probabilities >= 0) & (probabilities <= 1)).all():
        raise ValueError("Probabilities must lie in [0, 1]. Received: others.")
    return {
        "auroc": float(roc_auc_score(truth, probabilities)),
        "auprc": float(average_precision_score(truth, probabilities)),
        "brier": float(brier_score_loss(truth, probabilities)),
        "log_loss": float(log_loss(truth, np.clip(probabilities, 1e-7, 1 - 1e-7))),
        "accuracy": float(((probabilities >= 0.5) == truth).mean()),
    }


def costs(probabilities, truth, *, miss, thresholds):
    """Mean cost of each threshold, where a false alarm costs 1 and a miss costs `miss`: (thresholds,)."""
    probabilities, truth = np.asarray(probabilities), np.asarray(truth, bool)
    alarm = probabilities[:, None] >= np.asarray(thresholds)
    return (alarm & ~truth[:, None]).mean(axis=0) + miss * (~alarm & truth[:, None]).mean(axis=0)


def cheapest_threshold(probabilities, truth, *, miss):
    """The threshold of least cost on these rows: in the middle between two probabilities that occur.

    Example:

    >>> cheapest_threshold([0.1, 0.2, 0.6, 0.9], [0, 1, 0, 1], miss=5)
    0.15000000000000002
    """
    values = np.unique(np.concatenate([[0.0], np.asarray(probabilities, "float64"), [1.0]]))
    thresholds = (values[1:] + values[:-1]) / 2
    return float(thresholds[costs(probabilities, truth, miss=miss, thresholds=thresholds).argmin()])


def classical(name, *, seed=0):
    """A scikit-learn pipeline on a data frame of a `Table`'s columns.

    Args:
        name: "logistic regression" or "gradient boosting".
        seed: of the fit.
    """
    need("sklearn")
    from sklearn.compose import make_column_selector, make_column_transformer
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

    numbers, words = make_column_selector(dtype_include="number"), make_column_selector(dtype_exclude="number")
    if name == "logistic regression":
        columns = make_column_transformer(
            (make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), numbers),
            (OneHotEncoder(handle_unknown="ignore"), words),
        )
        return make_pipeline(columns, LogisticRegression(max_iter=2000))
    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan)
    columns = make_column_transformer(("passthrough", numbers), (encoder, words))
    return make_pipeline(columns, HistGradientBoostingClassifier(random_state=seed))


def classical_probabilities(name, train, test, *, seed=0):
    """Probabilities of the positive class, (N,), by a classical model fitted on `train`, two `Table`s."""

    def frame(table):
        need("pandas")
        import pandas

        return pandas.DataFrame({**table.numeric, **table.categories})

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # A fit that stops early still answers; its score is counted.
        model = classical(name, seed=seed).fit(frame(train), train.target == train.positive)
        return model.predict_proba(frame(test))[:, 1]
