"""Intrusions among network connections: NSL-KDD, five classes or two -> a network beside classical models.

    kerazoo run intrusion_detection                       # normal, dos, probe, r2l, u2r
    kerazoo run intrusion_detection --binary              # normal or attack
    kerazoo run intrusion_detection --data flows.csv --target label

It trains on KDDTrain+_20Percent and is judged once on KDDTest+ and on KDDTest-21, its harder part. Both have attacks
that no training row shows: the report tells the known from the new. A service never seen in training is its own
value, "unknown", to the network and to the classical models. Accuracy, macro-F1, a table by class, confusion matrix;
logistic regression and gradient boosting on the same rows and folds. The exported model takes the raw columns.

Data: NSL-KDD (Tavallaee et al., 2009), for research. Published for classical models, two classes: about 77% to 83% on
KDDTest+. tab_mlp with seed 0: 79.1% (--binary --folds=0); five classes, seeds 0, 1, 2: 78.4%, 79.3%, 79.0% (--folds=0).
"""

import numpy as np

from kerazoo.applications import running, table_options, tables
from kerazoo.quiet import import_tensorflow

TASK = "intrusion_detection"
BASELINES = ("logistic regression", "gradient boosting")
RECIPE = {"batch_size": 256, "epochs": 30, "patience": 6}


def parse_args(argv):
    """The options; those that a recipe can decide are None until they are settled."""
    parser = running.parser(TASK, __doc__)
    data, _ = table_options.add_options(
        parser, datasets=("nsl_kdd", "nsl_kdd_binary"), model="tab_mlp", scaling="quantile"
    )
    data.add_argument("--binary", action="store_true", help="normal or attack, the same as --dataset nsl_kdd_binary")
    running.add_output(parser, TASK)
    return parser.parse_args(argv)


def judge(arguments, network, development, tests, answers, folder):
    """The application's part of the record: for each test the classes, the attacks known and new, the confusion."""
    own, parts = arguments.model, {}
    for part, test in tests.items():
        judged = {name: tables.evaluation(answer, test) for name, answer in answers[part].items()}
        parts[part] = {
            "classes": {name: j.record(test.classes)["per_class"] for name, j in judged.items()},
            "confusion": judged[own].confusion.tolist(),
            "unknown_words": unknown_words(network.encoder, test),
            "attacks": {name: attacks(development, test, answer) for name, answer in answers[part].items()},
        }
    return {"parts": parts}


def unknown_words(encoder, table):
    """{column: rows whose word no training row has}."""
    known = encoder.values.items()
    counts = {name: int((~np.isin(table.categories[name], [*words, ""])).sum()) for name, words in known}
    return {name: count for name, count in counts.items() if count}


def attacks(development, test, answer):
    """{"known" and "new": {"rows", "kinds", "right", "noticed"}} of the attacks by whether training rows show them.

    Right is the share with the right class, noticed the share that is not taken for normal. None where the rows do not
    say what attack they are.
    """
    if "attack" not in test.groups or "normal" not in test.classes:
        return None
    normal, chosen = test.classes.index("normal"), answer.argmax(axis=1)
    attack, seen = test.target != normal, np.isin(test.groups["attack"], development.groups["attack"])
    return {
        kind: {
            "rows": int(rows.sum()),
            "kinds": len(set(test.groups["attack"][rows].tolist())),
            "right": float((chosen == test.target)[rows].mean()),
            "noticed": float((chosen != normal)[rows].mean()),
        }
        for kind, rows in (("known", attack & seen), ("new", attack & ~seen))
        if rows.any()
    }


def main(argv=None):
    """Runs the application; returns the record that `run.json` in the run's folder holds."""
    return running.main(parse_args(argv), _run, tables.NEEDS)


def _run(arguments, start):
    import_tensorflow()
    from kerazoo.evaluate import intrusion_report

    given = running.given(arguments, parse_args([]))
    if arguments.binary and (arguments.data or arguments.dataset == "nsl_kdd"):
        raise ValueError("`--binary` goes with NSL-KDD alone; a file of two classes needs no option.")
    dataset = "nsl_kdd_binary" if arguments.binary else "nsl_kdd"
    table_options.settle(arguments, TASK, dataset=dataset, recipe=RECIPE)
    return tables.carry_out(
        TASK,
        arguments,
        given,
        start,
        baselines=BASELINES,
        scores=tables.class_scores,
        judge=judge,
        report=intrusion_report,
        two=False,
    )
