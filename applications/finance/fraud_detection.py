"""Fraud in a table of payments: rare cases among many -> a network beside classical models, within alert budgets.

    kerazoo run fraud_detection                                                  # mammography, a public stand-in
    kerazoo run fraud_detection --data creditcard.csv --target Class --time Time # a user's card payments

Whoever looks into alerts has time for a share of the payments: the report says how much of the fraud lies in the most
suspicious 0.5%, 1%, 2% and 5% (--budgets), besides AUROC, AUPRC and costs. With --time the latest rows are the test,
and every fold is judged on what comes after it. Logistic regression, gradient boosting and an isolation forest, which
never sees a label, stand on the same folds; detectors of strange rows, too, with --detectors
deep_autoencoder,deep_svdd,dev_net. --weighting balanced lets each fraud weigh as much in training as all the payments
it hides among; the probabilities are put right again. The exported model takes the raw columns.

Data: no card payments may be passed on with this project. Mammography (Woods et al., 1993: 260 calcifications among
11,183 spots) stands in as a public table with rare cases: its scores say how the method works, nothing about fraud.
"""

from kerazoo.applications import running, table_detectors, table_options, tables
from kerazoo.quiet import import_tensorflow

TASK = "fraud_detection"
BASELINES = ("logistic regression", "gradient boosting", "isolation forest")
RECIPE = {"batch_size": 128, "epochs": 60, "patience": 10}
LARGEST_BUDGET = 0.1  # Where the curve of what is found ends.


def parse_args(argv):
    """The options; those that a recipe can decide are None until they are settled."""
    parser = running.parser(TASK, __doc__)
    _, training = table_options.add_options(parser, datasets=("mammography",))
    table_options.add_miss(training, default=20.0)
    training.add_argument(
        "--budgets", default="0.005,0.01,0.02,0.05", help="shares of the rows that can be looked into"
    )
    training.add_argument("--detectors", default="", help="of strange rows, beside the network, with commas")
    running.add_output(parser, TASK)
    return parser.parse_args(argv)


def budgets(words):
    """[0.01, ...] of "0.01,...".

    Raises:
        ValueError: one that is no number in (0, 1].
    """
    try:
        shares = [float(word) for word in words.split(",")]
    except ValueError:
        shares = []
    if not shares or not all(0 < share <= 1 for share in shares):
        raise ValueError(f"`--budgets` must be numbers in (0, 1] with commas. Received: {words!r}.")
    return shares


def scores(answer, table):
    """Figures for the class looked for, the area under precision and recall first: it is what rare cases need."""
    figures = tables.two_class_scores(answer, table)
    return {"auprc": figures.pop("auprc")} | figures


def judge(arguments, network, development, tests, answers, folder):
    """The application's part of the record: what is found within each budget, the threshold, the costs."""
    from kerazoo.evaluate import binary

    test, given = tests["test"], answers["test"]
    truth = test.target == test.positive
    suspicion = {name: answer if answer.ndim == 1 else answer[:, test.positive] for name, answer in given.items()}
    most = max(round(LARGEST_BUDGET * len(test)), 1)
    shares = [count / len(test) for count in range(1, most + 1)]
    curves = {name: [row["recall"] for row in binary.alerts(s, truth, shares)] for name, s in suspicion.items()}
    with_probabilities = {name: answer for name, answer in given.items() if answer.ndim == 2}
    return {
        "frauds": int(truth.sum()),
        "budgets": {name: binary.alerts(s, truth, budgets(arguments.budgets)) for name, s in suspicion.items()},
        "found": {"shares": shares, "curves": curves},
        "stand_in": arguments.dataset is not None,
    } | tables.decide(arguments, network, development, test, with_probabilities)


def main(argv=None):
    """Runs the application; returns the record that `run.json` in the run's folder holds."""
    return running.main(parse_args(argv), _run, tables.NEEDS)


def _run(arguments, start):
    import_tensorflow()
    from kerazoo.evaluate import fraud_report

    given = running.given(arguments, parse_args([]))
    table_options.settle(arguments, TASK, dataset="mammography", recipe=RECIPE)
    budgets(arguments.budgets)
    detectors = table_detectors.check([name for name in arguments.detectors.split(",") if name])
    return tables.carry_out(
        TASK,
        arguments,
        given,
        start,
        baselines=(*BASELINES, *detectors),
        scores=scores,
        judge=judge,
        report=fraud_report,
        own_settings="miss budgets detectors",
    )
