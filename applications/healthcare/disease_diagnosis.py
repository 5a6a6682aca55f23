"""Diagnosis from a table: rows of measurements -> a network beside logistic regression and gradient boosting.

    kerazoo run disease_diagnosis                                          # breast cancer, 569 tumours
    kerazoo run disease_diagnosis --data patients.csv --target ill --positive yes --drop patient_id

All three are judged on the same folds; then each is fitted on all rows but the test rows, and judged once on those.
A miss costs --miss times a false alarm, which sets the threshold on the validation rows. The exported model takes
the raw columns. A run leaves `run.json` and `report.html` in its folder. It shows how well a table tells two classes
apart; it is no medical device.

Data: Breast Cancer Wisconsin (Diagnostic), in scikit-learn, CC BY 4.0. Rows are split at random by class: it has no
upstream split, no dates and one row a patient.
"""

from kerazoo.applications import running, table_options, tables
from kerazoo.quiet import import_tensorflow

TASK = "disease_diagnosis"
BASELINES = ("logistic regression", "gradient boosting")


def parse_args(argv):
    """The options; those that a recipe can decide are None until they are settled."""
    parser = running.parser(TASK, __doc__)
    _, training = table_options.add_options(parser, datasets=("breast_cancer",))
    table_options.add_miss(training, default=5.0)
    running.add_output(parser, TASK)
    return parser.parse_args(argv)


def judge(arguments, network, development, tests, answers, folder):
    """The application's part of the record: the threshold, and what decisions cost."""
    return tables.decide(arguments, network, development, tests["test"], answers["test"])


def main(argv=None):
    """Runs the application; returns the record that `run.json` in the run's folder holds."""
    return running.main(parse_args(argv), _run, tables.NEEDS)


def _run(arguments, start):
    import_tensorflow()
    from kerazoo.evaluate import diagnosis_report

    given = running.given(arguments, parse_args([]))
    table_options.settle(arguments, TASK, dataset="breast_cancer")
    return tables.carry_out(
        TASK,
        arguments,
        given,
        start,
        baselines=BASELINES,
        scores=tables.two_class_scores,
        judge=judge,
        report=diagnosis_report,
        own_settings="miss",
    )
