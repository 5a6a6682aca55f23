"""The classical models on tables that a network has to beat."""

import warnings

import numpy as np

from kerazoo.extras import need

# Those of classes give probabilities; the last never sees a class and says how unlike the others a row is.
CLASSIFIERS = ("logistic regression", "gradient boosting", "class shares")
REGRESSORS = ("ridge regression", "gradient boosting", "mean")
ANOMALY = "isolation forest"
PENALTIES = (0.01, 0.1, 1.0, 10.0, 100.0, 1000.0)  # Of ridge regression, chosen by leave-one-out errors.


def fitted(name, train, *, seed=0):
    """Fits a scikit-learn pipeline to a `Table`.

    Args:
        name: one of `CLASSIFIERS` or `ANOMALY`, or of `REGRESSORS` where the target is a number.
        train: the `Table`.
        seed: of the fit.

    Returns:
        A function from a `Table` to probabilities, (N, classes) float64, or to numbers or how unlike the others, (N,).

    Raises:
        ImportError: without scikit-learn or pandas.
    """
    model = _pipeline(name, seed, regression=not train.classes)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # A fit that stops early still answers; its score is counted.
        model.fit(_frame(train), train.target)
    if name == ANOMALY:
        return lambda table: -model.score_samples(_frame(table))

    if not train.classes:
        return lambda table: model.predict(_frame(table))

    def probabilities(table):
        answers = np.zeros((len(table), len(table.classes)))
        answers[:, model.classes_] = model.predict_proba(_frame(table))  # A class without a row is never answered.
        return answers

    return probabilities


def _pipeline(name, seed, *, regression):
    need("sklearn")
    from sklearn.compose import make_column_selector, make_column_transformer
    from sklearn.dummy import DummyClassifier, DummyRegressor
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor, IsolationForest
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression, RidgeCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

    numbers, words = make_column_selector(dtype_include="number"), make_column_selector(dtype_exclude="number")
    if name == "gradient boosting":
        encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan)
        columns = make_column_transformer(("passthrough", numbers), (encoder, words))
        boosting = HistGradientBoostingRegressor if regression else HistGradientBoostingClassifier
        return make_pipeline(columns, boosting(random_state=seed))
    columns = make_column_transformer(
        (make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), numbers),
        (OneHotEncoder(handle_unknown="ignore"), words),
    )
    last = {
        "logistic regression": LogisticRegression(max_iter=500),
        "ridge regression": RidgeCV(PENALTIES),
        "class shares": DummyClassifier(strategy="prior"),
        "mean": DummyRegressor(),
        ANOMALY: IsolationForest(random_state=seed),
    }
    return make_pipeline(columns, last[name])


def _frame(table):
    need("pandas")
    import pandas

    return pandas.DataFrame({**table.numeric, **table.categories})
