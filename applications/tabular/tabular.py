"""Any table: rows of numbers and words -> a number or a class, by a network beside classical models.

    kerazoo run tabular                                                # diabetes: a number
    kerazoo run tabular --dataset wine                                 # three classes; also digits, ten
    kerazoo run tabular --data table.csv --target price
    kerazoo run tabular --data table.csv --target grade --task classification --model tabnet

The target decides the task: a column of numbers alone with more than 20 different ones is a regression (R², RMSE, MAE,
next to ridge regression, gradient boosting and the training mean), any other is a classification of two or more
classes (accuracy, macro-F1, log loss, next to logistic regression, gradient boosting and the shares of the classes);
--task overrides. All are compared on the same folds, then fitted on all rows but the test rows, and evaluated once on
those. The exported model takes the raw columns by their names. A run leaves `run.json` and `report.html`.

Data: diabetes (Efron et al., 2004), wine (Forina et al., 1991) and digits (Alpaydin and Kaynak, 1998; both CC BY 4.0),
in scikit-learn; 20% of the rows, at random, are the test. Scores: docs/tabular.md.
"""

from kerazoo.applications import running, table_options, tables
from kerazoo.quiet import import_tensorflow

TASK = "tabular"
NEEDS = tables.NEEDS
DATASETS = ("diabetes", "wine", "digits")
TASKS = ("classification", "regression")
DOTS = 1000  # Test rows, at most, on the picture of predicted and true numbers.


def parse_args(argv):
    """The options; those that a recipe can decide are None until they are settled."""
    parser = running.parser(TASK, __doc__)
    data, _ = table_options.add_options(parser, datasets=DATASETS)
    data.add_argument("--task", choices=TASKS, help="with --data; default: found from the target column")
    data.add_argument("--limit", type=int, help="rows of each split at most, for a smoke run")
    running.add_output(parser, TASK)
    return parser.parse_args(argv)


def baselines(table):
    """Names of the classical models for a `Table`."""
    from kerazoo.evaluate import classical

    return classical.CLASSIFIERS if table.classes else classical.REGRESSORS


def scores(answer, table):
    """Figures of probabilities, (N, classes), or of numbers, (N,)."""
    return tables.class_scores(answer, table) if table.classes else tables.number_scores(answer, table)


def judge(arguments, network, development, tests, answers, folder):
    """The application's part of the record: classes and their confusion, or predicted next to true numbers."""
    test, answer = tests["test"], answers["test"][arguments.model]
    if not test.classes:
        return {"predictions": {"true": test.target[:DOTS].tolist(), "predicted": answer[:DOTS].tolist()}}
    evaluation = tables.evaluation(answer, test)
    return {"per_class": evaluation.record(test.classes)["per_class"], "confusion": evaluation.confusion.tolist()}


def main(argv=None):
    """Runs the application; returns the record that `run.json` in the run's folder holds."""
    return running.main(parse_args(argv), _run, NEEDS)


def _run(arguments, start):
    import_tensorflow()
    from kerazoo.evaluate import tabular_report

    given = running.given(arguments, parse_args([]))
    if arguments.task and not arguments.data:
        raise ValueError(f"`--task` goes with `--data`; a named table has its own. Received: {arguments.task!r}.")
    running.check_positive(arguments, "limit")
    table_options.settle(arguments, TASK, dataset="diabetes")
    return tables.carry_out(
        TASK,
        arguments,
        given,
        start,
        baselines=baselines,
        scores=scores,
        judge=judge,
        report=tabular_report,
        two=False,
        own_settings="task limit",
    )
