"""Credit scoring: the risk of an applicant -> a network beside classical models; whom it refuses, and why.

    kerazoo run credit_scoring                                                   # German credit, 1,000 loans
    kerazoo run credit_scoring --dataset adult                                   # 48,842 people of a census
    kerazoo run credit_scoring --data loans.csv --target paid --positive no --groups sex,age:25,40,60

AUROC, AUPRC, Brier score, calibration; how bad those taken are, by the share that is taken; for every group of people
the shares approved of all, of those who were right to approve and of the others, and how far groups lie apart; for
every refused applicant the three columns that raise the risk most beside a typical value (`reasons.csv`). A bad risk
taken costs --miss times a good one refused, which sets the threshold on the validation rows. The exported model takes
the raw columns. It weighs no law: whether sex or age may be an input at all (--drop) is for whoever uses it to settle.

Data: German credit (Hofmann, 1994), split at random by class; its authors count a bad loan taken as five good ones
refused. Adult (Kohavi, 1996), upstream split: an income up to $50,000 stands in for the risk. Both CC BY 4.0 (UCI).
"""

import csv

import numpy as np

from kerazoo.applications import running, table_options, tables
from kerazoo.quiet import import_tensorflow

TASK = "credit_scoring"
BASELINES = ("logistic regression", "gradient boosting")
RECIPES = {
    "german_credit": {"miss": 5.0, "batch_size": 32, "epochs": 60, "patience": 10},
    "adult": {"miss": 1.0, "batch_size": 256, "epochs": 30, "patience": 5},
}
CALIBRATION_BINS = 10
EXPLAINED = 2_000  # Test rows, at most, whose answers are taken apart: a call of the network for each column.
SHOWN = 8  # Refused applicants on the report.


def parse_args(argv):
    """The options; those that a recipe can decide are None until they are settled."""
    parser = running.parser(TASK, __doc__)
    data, training = table_options.add_options(parser, datasets=tuple(RECIPES))
    data.add_argument(
        "--groups",
        metavar="COLUMNS",
        help="with --data, columns to judge fairness by, with commas; numbers are cut at their quartiles, or where "
        "you say: sex,age:25,40,60",
    )
    table_options.add_miss(training, default=None)
    running.add_output(parser, TASK)
    return parser.parse_args(argv)


def judge(arguments, network, development, tests, answers, folder):
    """The application's part of the record: threshold, calibration, reject curve, fairness, reasons."""
    from kerazoo.evaluate import binary
    from kerazoo.evaluate.classification import calibration

    (part, test), *_ = tests.items()
    bad = test.target == test.positive
    risks = {name: answer[:, test.positive] for name, answer in answers[part].items()}
    decided = tables.decide(arguments, network, development, test, answers[part])
    approved = risks[arguments.model] < decided["threshold"]["value"]
    shares = np.linspace(0.01, 1, 100)
    curves = {name: calibration(risk, bad, bins=CALIBRATION_BINS) for name, risk in risks.items()}
    return decided | {
        "calibration": {name: {"rows": rows.tolist(), "error": error} for name, (rows, error) in curves.items()},
        "rejects": {
            "shares": shares.tolist(),
            "curves": {name: binary.reject_curve(risk, bad, shares).tolist() for name, risk in risks.items()},
        },
        "fairness": fairness(test, approved, ~bad),
        "reasons": reasons(network, development, test, risks[arguments.model], approved, folder),
    }


def fairness(test, approved, worthy):
    """{name: {"rates", "differences"}} of every way in which the table puts people into groups."""
    from kerazoo.evaluate import fairness

    rates = {name: fairness.rates(approved, worthy, names) for name, names in test.groups.items()}
    return {name: {"rates": groups, "differences": fairness.differences(groups)} for name, groups in rates.items()}


def reasons(network, development, test, risk, approved, folder):
    """What moves the risk's log-odds, over the first test rows, and for each refused one; writes `reasons.csv`."""
    from kerazoo.evaluate.reasons import effects, strongest, typical_row

    def log_odds(table):
        answer = np.log(np.maximum(network.probabilities(table), 1e-12))
        return answer[:, table.positive] - answer[:, 1 - table.positive]

    rows = test.take(np.arange(min(len(test), EXPLAINED)))
    typical = typical_row(development)
    moved = effects(log_odds, rows, typical)
    cells = rows.numeric | rows.categories
    refused = [
        {
            "row": int(row),
            "risk": float(risk[row]),
            "was": test.classes[test.target[row]],
            "reasons": [
                {"column": name, "value": str(cells[name][row]), "typical": str(typical[name]), "effect": effect}
                for name, effect in strongest(moved, row)
            ],
        }
        for row in np.flatnonzero(~approved[: len(rows)])
    ]
    with (folder / "reasons.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["row", "risk", "was", *(f"reason {i}" for i in (1, 2, 3))])
        for one in refused:
            words = [f"{r['column']} = {r['value']} ({r['effect']:+.2f})" for r in one["reasons"]]
            writer.writerow([one["row"], f"{one['risk']:.4f}", one["was"], *words])
    return {
        "rows": len(rows),
        "refused": len(refused),
        "mean_effects": {name: float(np.abs(values).mean()) for name, values in moved.items()},
        "examples": refused[:SHOWN],
    }


def main(argv=None):
    """Runs the application; returns the record that `run.json` in the run's folder holds."""
    return running.main(parse_args(argv), _run, tables.NEEDS)


def _run(arguments, start):
    import_tensorflow()
    from kerazoo.evaluate import credit_report

    given = running.given(arguments, parse_args([]))
    recipe = RECIPES[arguments.dataset or "german_credit"]
    running.fill_in(arguments, {"miss": recipe["miss"]})
    table_options.settle(arguments, TASK, dataset="german_credit", recipe=recipe)
    return tables.carry_out(
        TASK,
        arguments,
        given,
        start,
        baselines=BASELINES,
        scores=tables.two_class_scores,
        judge=judge,
        report=credit_report,
        own_settings="miss",
    )
