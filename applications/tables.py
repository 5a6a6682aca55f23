"""What the applications on tables do alike: data, splits, folds, judging beside classical models, the record.

An application says which tables it knows, what it makes of the answers and how its report looks; `carry_out` does
the rest. The options are in table_options.py, the networks in table_networks.py.
"""

import sys

import numpy as np

import kerazoo
from kerazoo.applications import reading, running, table_detectors
from kerazoo.applications.table_networks import export, float32, train
from kerazoo.applications.table_options import SETTINGS

NEEDS = ("matplotlib", "pandas", "sklearn")
TEST_SHARE, VALIDATION_SHARE = 0.2, 0.15


def load(arguments, *, two):
    """(table to develop on, {name: test table}); a table without an upstream test part gives up a share of its rows.

    `arguments.task` and `arguments.limit` count where an application has them.

    Args:
        two: whether there must be two classes.
    """
    from kerazoo.data.bands import grouping
    from kerazoo.data.named_tables import load_table
    from kerazoo.data.tables import read_table

    if arguments.data:
        kinds = {name: getattr(arguments, name) for name in ("target", "positive", "time", "date_format")}
        groups = grouping(arguments.groups)
        kinds["task"] = getattr(arguments, "task", "classification")
        kinds |= {"drop": tuple(arguments.drop), "groups": groups, "dialect": reading.dialect(arguments)}
        table, tests = read_table(arguments.data, **kinds), {}
    else:
        table, tests = load_table(arguments.dataset)
        if arguments.drop:
            tests = {name: test.without(arguments.drop) for name, test in tests.items()}
            table = table.without(arguments.drop)
    if not table.classes and arguments.weighting != "none":
        raise ValueError(f"`--weighting` weighs classes; this target has numbers. Received: {arguments.weighting!r}.")
    if two and len(table.classes) != 2:
        raise ValueError(f"There must be two classes. Received: {list(table.classes)}.")
    columns = f"{len(table.numeric)} columns of numbers, {len(table.categories)} categories"
    looked_for = f"looked for: {table.classes[table.positive]!r}" if len(table.classes) == 2 else "all classes alike"
    if not table.classes:
        looked_for = f"target: numbers from {table.target.min():g} to {table.target.max():g}"
    print(f"{table.name}: {len(table):,} rows, {columns}; {looked_for}.")
    print("".join(f"  {note}\n" for note in table.notes), end="")
    if not tests:
        table, test = split(table, TEST_SHARE, arguments.seed)
        tests = {"test": test}
    if limit := getattr(arguments, "limit", None):
        table, tests = sample(table, limit), {name: sample(test, limit) for name, test in tests.items()}
    return table, tests


def sample(table, count):
    """`count` rows at most, as even over the classes as can be, always the same."""
    from kerazoo.data.splits import stratified_sample

    return table.take(stratified_sample(table.strata, count, np.random.default_rng(0)))


def split(table, fraction, seed):
    """(rest, part) of the rows: the latest, where rows have a time, or else drawn with the classes' shares kept."""
    from kerazoo.data.splits import stratified_split

    if table.time is None:
        rest, part = stratified_split(table.strata, fraction, seed=seed)
    else:
        rest, part = np.split(np.arange(len(table)), [len(table) - round(fraction * len(table))])
    return table.take(rest), table.take(part)


def fold_rows(table, count, seed):
    """[(rows to fit on, rows to judge on)]: with a time every fold is judged on what comes after its rows."""
    from sklearn.model_selection import StratifiedKFold, TimeSeriesSplit

    if table.time is None:
        return list(StratifiedKFold(count, shuffle=True, random_state=seed).split(table.strata, table.strata))
    return list(TimeSeriesSplit(count).split(table.target))


def beside(name, table, seed):
    """A model beside the network, fitted to a table: a classical one, or a detector of strange rows by its name."""
    from kerazoo.evaluate import classical

    of = table_detectors if name in kerazoo.list_models(task="row_anomaly") else classical
    return of.fitted(name, table, seed=seed)


def compare(arguments, table, folder, settings, baselines, scores):
    """[{"name", "fold", ...scores}]: the network and the models beside it on the same folds."""
    rows = []
    for number, (kept, judged) in enumerate(fold_rows(table, arguments.folds, arguments.seed), start=1):
        fitted, held_out = table.take(kept), table.take(judged)
        inner, validation = split(fitted, VALIDATION_SHARE, arguments.seed)
        network = train(arguments, inner, validation, folder / f"fold-{number}", settings, verbose=0)
        answers = {arguments.model: network.answers(held_out)}
        answers |= {n: beside(n, fitted, arguments.seed)(held_out) for n in baselines}
        rows += [{"name": name, "fold": number} | scores(answer, held_out) for name, answer in answers.items()]
        lead = list(rows[-1])[2]
        print(f"fold {number}, {lead}: " + ", ".join(f"{r['name']} {r[lead]:.4f}" for r in rows[-len(answers) :]))
    return rows


def two_class_scores(answer, table):
    """Figures of probabilities (N, 2), or of values that only rank, (N,), for the class looked for."""
    from kerazoo.evaluate import binary

    truth = table.target == table.positive
    return binary.ranking(answer, truth) if answer.ndim == 1 else binary.scores(answer[:, table.positive], truth)


def evaluation(answer, table):
    """The `Evaluation` of probabilities (N, classes)."""
    from kerazoo.evaluate.classification import evaluate

    return evaluate(np.log(np.maximum(answer, 1e-12)), table.target)


def class_scores(answer, table):
    """Accuracy, the mean of the classes' F1, where a class never answered counts as 0, and the cross-entropy."""
    judged = evaluation(answer, table)
    present = judged.support > 0
    macro_f1 = float(np.nan_to_num(judged.f1[present]).mean())
    return {"accuracy": judged.accuracy, "macro_f1": macro_f1, "log_loss": judged.loss}


def number_scores(answer, table):
    """R², RMSE and MAE of numbers, (N,)."""
    from kerazoo.evaluate.regression import scores

    return scores(answer, table.target)


def decide(arguments, network, development, test, answers):
    """Threshold of least cost on the validation rows, and what decisions cost at every threshold, for the record.

    Args:
        answers: {name: (N, 2)} for the test rows, the network's under its name.
    """
    from kerazoo.evaluate import binary

    _, validation = split(development, VALIDATION_SHARE, arguments.seed)
    positive, miss = test.positive, arguments.miss
    on_validation = network.probabilities(validation)[:, positive]
    threshold = binary.cheapest_threshold(on_validation, validation.target == positive, miss=miss)
    truth = (test.target == positive).astype(int)
    chosen = (answers[arguments.model][:, positive] >= threshold).astype(int)
    thresholds = np.linspace(0.01, 0.99, 99)
    curves = {n: binary.costs(a[:, positive], truth, miss=miss, thresholds=thresholds) for n, a in answers.items()}
    return {
        "threshold": {
            "value": threshold,
            "miss_costs": miss,
            "confusion": [[int(((truth == t) & (chosen == c)).sum()) for c in (0, 1)] for t in (0, 1)],
        },
        "costs": {"thresholds": thresholds.tolist(), "curves": {n: curve.tolist() for n, curve in curves.items()}},
    }


def carry_out(task, arguments, given, start, *, baselines, scores, judge, report, two=True, own_settings=""):
    """Loads, trains, compares, exports, judges and reports; returns the record that it writes.

    Args:
        task: the application's name.
        arguments: settled.
        given: of `running.given`.
        start: when the run began.
        baselines: names for `beside`, or a function from the table to them.
        scores: `(answer, table) -> {figure: value}`; the first figure leads: more of it is better.
        judge: `(arguments, network, development, tests, answers, folder) -> dict`, the application's part of the
            record; answers are {test: {model: answer}}.
        report: a module with `page(record)` and `summary(record)`.
        two: whether there must be two classes.
        own_settings: names of the application's own options that decide the outcome.
    """

    development, tests = load(arguments, two=two)
    folder = running.new_folder(task, f"{development.name}-{arguments.model}", arguments)
    settings = running.settings(arguments, f"{SETTINGS} {own_settings}")
    if callable(baselines):
        baselines = baselines(development)
    with running.resumable(running.command(task, given, "--resume", f"--out={folder}")):
        rest, validation = split(development, VALIDATION_SHARE, arguments.seed)
        # Before the folds: --resume finds its way by this training's journal.
        verbose = "auto" if sys.stdout.isatty() else 2
        network = train(arguments, rest, validation, folder, settings, verbose=verbose)
        folds = compare(arguments, development, folder, settings, baselines, scores) if arguments.folds else []
        print("Exporting, and putting the test rows to everything ...")
        network = float32(arguments, network, rest)
        exports = export(arguments, network, rest, next(iter(tests.values())), scores)
        asked = {arguments.model: network.answers}
        asked |= {name: beside(name, development, arguments.seed) for name in baselines}
        answers = {part: {name: ask(test) for name, ask in asked.items()} for part, test in tests.items()}
        judged = judge(arguments, network, development, tests, answers, folder)
    record = running.record(
        task,
        given,
        settings,
        start,
        dataset=development.record()
        | {"development": len(development), "tests": {part: len(test) for part, test in tests.items()}}
        | {"split": _split_said(development, tests)},
        model={"name": arguments.model},
        training=network.journal.record(),
        folds=folds,
        scores={
            part: [{"name": name} | scores(answer, tests[part]) for name, answer in rows.items()]
            for part, rows in answers.items()
        },
        exports=exports,
        **judged,
    )
    return running.finish(arguments, record, report.page(record), report.summary(record), folder)


def _split_said(development, tests):
    if list(tests) != ["test"]:
        return "as published"
    if development.time is not None:
        return "by time, the latest rows for the test"
    return "by class at random" if development.classes else "at random"
