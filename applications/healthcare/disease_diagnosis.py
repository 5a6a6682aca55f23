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

import sys
import time
from pathlib import Path

import numpy as np

import kerazoo
from kerazoo.applications import running
from kerazoo.quiet import import_tensorflow

TASK = "disease_diagnosis"
BASELINES = ("logistic regression", "gradient boosting")
TEST_SHARE, VALIDATION_SHARE = 0.2, 0.15
DEFAULTS = {"epochs": 100, "batch_size": 32, "patience": 15}
SETTINGS = (
    "dataset data target positive drop model option folds miss epochs batch_size learning_rate patience precision seed"
)


def parse_args(argv):
    """The options; those that a recipe can decide are None until `settle`."""
    parser = running.parser(TASK, __doc__)
    data = parser.add_argument_group("data")
    source = data.add_mutually_exclusive_group()
    source.add_argument("--dataset", help="breast_cancer (default)")
    source.add_argument("--data", type=Path, metavar="FILE", help="a .csv or .parquet with a column of two classes")
    data.add_argument("--target", help="the column of classes, with --data")
    data.add_argument("--positive", help="the class that is looked for; by default the rarer one")
    data.add_argument("--drop", help="columns to leave out, with commas")
    training = parser.add_argument_group("model and training")
    training.add_argument("--model", default="tab_resnet", help="one of `kerazoo list --task tabular`")
    running.add_model_option(training)
    training.add_argument("--folds", type=int, default=5, help="of the comparison; 0 leaves it out")
    training.add_argument("--miss", type=float, default=5.0, help="what a miss costs, in false alarms")
    training.add_argument("--epochs", type=int)
    training.add_argument("--batch-size", type=int)
    training.add_argument("--learning-rate", type=float)
    training.add_argument("--patience", type=int, help="epochs without a better validation loss, then it stops")
    training.add_argument("--precision", choices=("float32", "mixed_bfloat16", "mixed_float16"), default="float32")
    training.add_argument("--seed", type=int, default=0)
    running.add_output(parser, TASK)
    return parser.parse_args(argv)


def settle(arguments):
    """Fills in what the recipe decides; checks what can be wrong before time is spent."""
    facts = kerazoo.info(arguments.model)
    if facts["task"] != "tabular":
        raise ValueError(f"`--model` must be one for tables. Received: {arguments.model!r}, for {facts['task']}.")
    if arguments.data and not arguments.target:
        raise ValueError("`--data` needs `--target`, the column of classes. Received: none.")
    arguments.dataset = None if arguments.data else arguments.dataset or "breast_cancer"
    running.fill_in(arguments, DEFAULTS | {"learning_rate": facts["arguments"].get("learning_rate")})
    running.check_positive(arguments, "epochs", "batch_size", "patience")
    if arguments.folds < 0 or arguments.folds == 1 or arguments.miss <= 0:
        raise ValueError(
            f"`--folds` must be 0 or at least 2, `--miss` positive. Received: {arguments.folds}, {arguments.miss}."
        )
    arguments.option = running.options(arguments.option)
    arguments.drop = arguments.drop.split(",") if arguments.drop else []
    arguments.export = arguments.export or Path("saved_models") / TASK / arguments.model
    return arguments


def load(arguments):
    """The `Table`."""
    from kerazoo.data.tables import load_table, read_table

    if arguments.data:
        table = read_table(
            arguments.data, target=arguments.target, positive=arguments.positive, drop=tuple(arguments.drop)
        )
    else:
        table = load_table(arguments.dataset)
    if len(table.classes) != 2:
        raise ValueError(f"A diagnosis has two classes. Received: {list(table.classes)}.")
    columns = f"{len(table.numeric)} columns of numbers, {len(table.categories)} categories"
    print(f"{table.name}: {len(table):,} rows, {columns}; looked for: {table.classes[table.positive]!r}.")
    print("".join(f"  {note}\n" for note in table.notes), end="")
    return table


def split(table, fraction, seed):
    """(rest, part) of the rows, the classes' shares kept."""
    from kerazoo.data.splits import stratified_split

    rest, part = stratified_split(table.target, fraction, seed=seed)
    return table.take(rest), table.take(part)


def build(arguments, encoder, **options):
    """The compiled model for the encoder's inputs."""
    return kerazoo.build(
        arguments.model,
        numeric=len(encoder.numeric),
        cardinalities=encoder.cardinalities,
        outputs=1,
        objective="binary",
        **(arguments.option | options),
    )


def train(arguments, train_rows, validation_rows, folder, *, verbose):
    """(model with its best weights, encoder, journal), trained with early stopping on the validation rows."""
    import keras
    import tensorflow as tf

    from kerazoo.data.tables import Encoder
    from kerazoo.models.tabular.rows import only
    from kerazoo.training.callbacks import Journal

    keras.utils.set_random_seed(arguments.seed)
    encoder = Encoder(train_rows)
    options = {"learning_rate": arguments.learning_rate, "precision": arguments.precision, "seed": arguments.seed}
    model = build(arguments, encoder, **options)
    journal = Journal(
        folder,
        configuration=running.settings(arguments, SETTINGS),
        monitor="val_loss",
        mode="min",
        patience=arguments.patience,
    )
    first = journal.restore(model)

    def batches(rows, shuffle):
        targets = (rows.target == rows.positive).astype("float32")[:, None]
        data = tf.data.Dataset.from_tensor_slices((only(encoder(rows)), targets))
        if shuffle:
            data = data.shuffle(len(rows), seed=arguments.seed + first)
        return data.batch(arguments.batch_size if shuffle else 256).prefetch(tf.data.AUTOTUNE)

    model.fit(
        batches(train_rows, True),
        validation_data=batches(validation_rows, False),
        epochs=arguments.epochs,
        initial_epoch=first,
        callbacks=[journal],
        verbose=verbose,
        shuffle=False,
    )
    journal.load_best(model)
    return model, encoder, journal


def probabilities(model, encoder, rows):
    """The network's probability of the class looked for, (N,)."""
    from kerazoo.models.tabular.rows import only

    logits = np.asarray(model(only(encoder(rows)), training=False), "float64")[:, 0]
    return 1 / (1 + np.exp(-logits))


def compare(arguments, table, folder):
    """[{"name", "fold", ...scores}]: the network and the classical models on the same folds."""
    from sklearn.model_selection import StratifiedKFold

    from kerazoo.evaluate import binary

    rows = []
    folds = StratifiedKFold(arguments.folds, shuffle=True, random_state=arguments.seed)
    for number, (kept, judged) in enumerate(folds.split(np.zeros(len(table)), table.target), start=1):
        fitted, held_out = table.take(kept), table.take(judged)
        inner, validation = split(fitted, VALIDATION_SHARE, arguments.seed)
        model, encoder, _ = train(arguments, inner, validation, folder / f"fold-{number}", verbose=0)
        answers = {arguments.model: probabilities(model, encoder, held_out)}
        answers |= {n: binary.classical_probabilities(n, fitted, held_out, seed=arguments.seed) for n in BASELINES}
        truth = held_out.target == held_out.positive
        rows += [{"name": name, "fold": number} | binary.scores(answer, truth) for name, answer in answers.items()]
        print(f"fold {number}: " + ", ".join(f"{row['name']} {row['auroc']:.4f}" for row in rows[-len(answers) :]))
    return rows


def deployable(arguments, core, encoder):
    """The trained model behind its preprocessing: raw columns in, the probability of the class looked for out."""
    import keras

    from kerazoo.layers.standardize import Standardize
    from kerazoo.models.tabular.rows import only

    inputs, encoded = {}, {}
    if encoder.numeric:
        inputs["numeric"] = keras.Input((len(encoder.numeric),), name="numeric", dtype="float32")
        standardize = Standardize(encoder.median, encoder.mean, encoder.deviation, name="standardize")
        encoded["numeric"] = standardize(inputs["numeric"])
    if encoder.values:
        inputs["categories"] = keras.Input((len(encoder.values),), name="categories", dtype="string")
        columns = [
            keras.layers.StringLookup(vocabulary=known or ["\0"], name=f"lookup{i + 1}")(
                inputs["categories"][:, i : i + 1]
            )
            for i, known in enumerate(encoder.values.values())
        ]
        joined = keras.layers.Concatenate(name="codes")(columns) if len(columns) > 1 else columns[0]
        encoded["categories"] = keras.ops.cast(joined, "int32")
    probability = keras.layers.Activation("sigmoid", dtype="float32", name="probability")(core(only(encoded)))
    return keras.Model(only(inputs), probability, name=arguments.model)


def raw_rows(table, encoder):
    """What the exported model takes for these rows."""
    from kerazoo.models.tabular.rows import only

    inputs = {}
    if encoder.numeric:
        inputs["numeric"] = np.stack([table.numeric[name] for name in encoder.numeric], axis=1).astype("float32")
    if encoder.values:
        inputs["categories"] = np.stack([table.categories[name] for name in encoder.values], axis=1)
    return only(inputs)


def judge(arguments, development, test, model, encoder):
    """Exports the trained model, and puts the test rows to everything once.

    Returns:
        What the record and the report take from it, by their names.
    """
    from kerazoo.evaluate import binary

    rest, validation = split(development, VALIDATION_SHARE, arguments.seed)
    print("Exporting ...")
    core = build(arguments, encoder, precision="float32", jit_compile=False)
    core.set_weights(model.get_weights())
    raw = raw_rows(test, encoder)
    report = kerazoo.export(
        deployable(arguments, core, encoder),
        arguments.export,
        formats=("saved_model",) if encoder.values else ("saved_model", "tflite"),  # TFLite has no table of words.
        representative_data=raw_rows(rest.take(np.arange(min(len(rest), 64))), encoder),
        metadata={
            "numeric": list(encoder.numeric),
            "categories": list(encoder.values),
            "positive": test.classes[test.positive],
            "output": "probabilities",
            "dataset": test.name,
        },
    )
    truth = (test.target == test.positive).astype(int)
    answers = {arguments.model: probabilities(core, encoder, test)}
    answers |= {n: binary.classical_probabilities(n, development, test, seed=arguments.seed) for n in BASELINES}
    exports = []
    for file in report.files:
        exported = np.asarray(kerazoo.load(report.path, engine=file.engine)(raw))[:, 0]
        exports.append(
            {
                "form": file.engine,
                "folder": report.path,
                "file": file.path,
                "bytes": file.bytes,
                "auroc": binary.scores(exported, truth)["auroc"],
                "difference": float(np.abs(exported - answers[arguments.model]).max()),
                "latency_ms": file.latency_ms,
            }
        )
    on_validation = probabilities(core, encoder, validation)
    threshold = binary.cheapest_threshold(on_validation, validation.target == validation.positive, miss=arguments.miss)
    chosen = (answers[arguments.model] >= threshold).astype(int)
    thresholds = np.linspace(0.01, 0.99, 99)
    costs = {n: binary.costs(p, truth, miss=arguments.miss, thresholds=thresholds) for n, p in answers.items()}
    return {
        "scores": [{"name": name} | binary.scores(answer, truth) for name, answer in answers.items()],
        "exports": exports,
        "threshold": {
            "value": threshold,
            "miss_costs": arguments.miss,
            "confusion": [[int(((truth == t) & (chosen == c)).sum()) for c in (0, 1)] for t in (0, 1)],
        },
        "costs": {"thresholds": thresholds.tolist(), "curves": {n: curve.tolist() for n, curve in costs.items()}},
    }


def main(argv=None):
    """Runs the application; returns the record that `run.json` in the run's folder holds."""
    return running.main(parse_args(argv), _run)


def _run(arguments, start):
    import_tensorflow()
    from kerazoo.evaluate import diagnosis_report
    from kerazoo.evaluate.runs import environment, write_record

    given = running.given(arguments, parse_args([]))
    settle(arguments)
    table = load(arguments)
    folder = running.new_folder(TASK, f"{table.name}-{arguments.model}", arguments)
    with running.resumable(running.command(TASK, given, "--resume", f"--out={folder}")):
        development, test = split(table, TEST_SHARE, arguments.seed)
        rest, validation = split(development, VALIDATION_SHARE, arguments.seed)
        # Before the folds: --resume finds its way by this training's journal.
        verbose = "auto" if sys.stdout.isatty() else 2
        model, encoder, journal = train(arguments, rest, validation, folder, verbose=verbose)
        folds = compare(arguments, development, folder) if arguments.folds else []
        judged = judge(arguments, development, test, model, encoder)
    record = {
        "task": TASK,
        "command": running.command(TASK, given),
        "dataset": table.record() | {"development": len(development), "test": len(test)},
        "model": {"name": arguments.model},
        "settings": running.settings(arguments, SETTINGS),
        "training": {
            "epochs_run": len(journal.history),
            "best_epoch": journal.best_epoch + 1,
            "minutes": journal.seconds / 60,
            "history": journal.history,
        },
        "folds": folds,
        "environment": environment(),
        "minutes": (time.perf_counter() - start) / 60,
    } | judged
    diagnosis_report.page(record).write(folder / "report.html")
    write_record(record, folder / "run.json")  # Last: it marks the run as finished.
    print("\n" + diagnosis_report.summary(record))
    print(f"Report: {folder / 'report.html'}")
    return record


if __name__ == "__main__":
    main()
