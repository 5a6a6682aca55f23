"""Question answering: a reader trained on SQuAD's format -> judged by exact match and F1, exported, reading files.

    kerazoo run question_answering                               # XQuAD's English questions, BiDAF
    kerazoo run question_answering --data squad                  # squad/train-v2.0.json, dev-v2.0.json, or one file
    kerazoo run question_answering --documents notes --ask "Who pays?" --from EXPORT
    kerazoo run question_answering --documents notes --from saved_models/question_answering/xquad_en-bidaf    # asks you

Files are of version 1.1 or 2.0, whose questions may have no answer: then how sure "no answer" must be is chosen on the
validation part. Parts that are lacking are drawn, whole articles together. The test part is answered once, at the end,
beside a sliding window. The exported SavedModel takes questions and passages and gives answers with their places
(`raw`); every file takes ids, which its tokenizer.json makes. A run leaves `run.json` and `report.html` in its folder.
"""

import sys
from pathlib import Path

import numpy as np

import kerazoo
from kerazoo.applications import asked_documents, encoders, readers, running
from kerazoo.applications.readers import answer
from kerazoo.quiet import import_tensorflow

TASK = "question_answering"
NEEDS = ("matplotlib",)
RECIPE = {
    "epochs": 14,
    "batch_size": 32,
    "patience": 6,
    "learning_rate": 2e-3,
    "unknown": 0.3,
    "length": 400,
    "question_length": 40,
    "longest": 15,
}
# Lengths of BERT's own reader of SQuAD; what it learns from is 87,599 questions, twice.
ENCODER = {
    "epochs": 10,
    "batch_size": 16,
    "patience": 4,
    "learning_rate": 1e-4,
    "unknown": 0.0,
    "length": 384,
    "question_length": 64,
    "longest": 30,
}
SETTINGS = "dataset data limit model weights option vocabulary length question_length longest unknown epochs"
SETTINGS += " batch_size learning_rate precision seed"
RAW = 32  # Test questions that the exported endpoint of texts is held against Keras with.


def parse_args(argv):
    """The options; those that a recipe can decide are None until `settle`."""
    parser = running.parser(TASK, __doc__)
    data = parser.add_argument_group("data")
    source = data.add_mutually_exclusive_group()
    source.add_argument("--dataset", help="xquad_en (default)")
    source.add_argument("--data", type=Path, metavar="PATH", help="a .json file in SQuAD's format, or a folder of them")
    data.add_argument("--limit", type=int, help="questions of each part at most, for a first look")
    training = parser.add_argument_group("model and training")
    training.add_argument("--model", default="bidaf", help="bidaf, or an encoder: names that end in _span")
    running.add_model_option(training)
    encoders.add_option(training)
    training.add_argument("--vocabulary", type=int, default=50_000, help="words that are known at most")
    training.add_argument(
        "--length", type=int, help="words of a passage, or an encoder's pieces, in training and in TFLite"
    )
    training.add_argument("--question-length", type=int, help="words of a question in TFLite, or pieces at most")
    training.add_argument("--longest", type=int, help="words or pieces of an answer at most")
    training.add_argument("--unknown", type=float, help="chance with which a rare word is told as unknown in a batch")
    running.add_training(
        training,
        precision="float32",
        learning_rate="it falls to a tenth along a cosine",
        patience="epochs without a better F1 on the validation part, then it stops",
    )
    running.add_jit_compile(training)
    asked_documents.add_options(parser)
    running.add_output(parser, TASK)
    return parser.parse_args(argv)


def settle(arguments):
    """Fills in what the recipe decides; checks what can be wrong before time is spent."""
    if not arguments.data:
        arguments.dataset = arguments.dataset or "xquad_en"
    asked_documents.refuse(arguments)
    facts = kerazoo.info(arguments.model)
    if facts["task"] != TASK:
        raise ValueError(f"`--model` must be one for {TASK}. Received: {arguments.model!r}, for {facts['task']}.")
    arguments.encoder = encoders.settle(arguments, facts)
    running.fill_in(arguments, ENCODER if arguments.encoder else RECIPE)
    running.check_positive(arguments, "epochs", "batch_size", "limit", "patience", "question_length", "longest")
    for name, least in (("vocabulary", 4), ("length", 2)):  # Three ids are marks; the first word of a passage too.
        if getattr(arguments, name) < least:
            raise ValueError(f"`--{name}` must be at least {least}. Received: {getattr(arguments, name)}.")
    if not 0 <= arguments.unknown < 1:
        raise ValueError(f"`--unknown` must be at least 0 and below 1. Received: {arguments.unknown}.")
    arguments.option = running.options(arguments.option)
    if arguments.question_length > arguments.length - 4 and arguments.encoder:
        raise ValueError(
            f"`--question-length` must leave the passage room in `--length`, {arguments.length}. "
            f"Received: {arguments.question_length}."
        )
    encoders.check_length(arguments, facts)
    return arguments


def load(arguments):
    """The `QuestionData`."""
    from kerazoo.data.named_questions import load_questions
    from kerazoo.data.splits import limited
    from kerazoo.data.squad_files import from_files

    if arguments.data:
        data = from_files(arguments.data, seed=arguments.seed)
    else:
        data = load_questions(arguments.dataset)
    if arguments.limit:
        data = limited(data, arguments.limit, seed=arguments.seed)
    print(
        f"{data.name}: {len(data.train):,} training, {len(data.validation):,} validation, {len(data.test):,} test "
        f"questions; {data.train.unanswerable:,} of the training questions have no answer."
    )
    print("".join(f"  {note}\n" for note in data.notes), end="")
    return data


def build(arguments, reading, **options):
    """The compiled model for the tokenizer's words."""
    return kerazoo.build(arguments.model, **(reading.sizes | arguments.option | options))


def train(arguments, data, reading, folder):
    """Trains the network, saving every epoch.

    Returns:
        `(journal, speed)`: the `Journal`, and the questions a second that the input pipeline gives alone.
    """
    import keras

    from kerazoo.data.pipeline import throughput
    from kerazoo.training.callbacks import Journal

    class AnswerScore(keras.callbacks.Callback):
        """Adds the exact match and F1 of the validation part's answers to what an epoch tells."""

        def set_model(self, model):
            super().set_model(model)
            self.run = reader(arguments, model)

        def on_epoch_end(self, epoch, logs=None):
            found = answer(self.run, reading, "validation", data.validation)
            _, exact, f1 = chosen_threshold(data, found)
            logs |= {"val_exact": exact, "val_f1": f1}
            print(f"Epoch {epoch + 1}: the validation part's exact match {exact:.1%}, F1 {f1:.1%}")

    keras.utils.set_random_seed(arguments.seed)
    learned = len(reading.learned)
    if not learned:
        raise ValueError(
            f"`--length` must leave some training answers in their passages. Received: {arguments.length}."
        )
    journal = Journal(
        folder,
        configuration=running.settings(arguments, SETTINGS),
        patience=arguments.patience,
        monitor="val_f1",
        mode="max",
        spacing=10.0,
    )
    steps = arguments.epochs * -(-learned // arguments.batch_size)
    begun = {"learning_rate": keras.optimizers.schedules.CosineDecay(arguments.learning_rate, steps, alpha=0.1)}
    if arguments.encoder:
        begun = {"learning_rate": encoders.schedule(arguments.learning_rate, steps), "weights": arguments.weights}
    model = build(
        arguments,
        reading,
        precision=arguments.precision,
        jit_compile=running.JIT_COMPILE[arguments.jit_compile],
        seed=arguments.seed,
        **begun,
    )
    first = journal.restore(model)

    def batches(seed):
        return reading.training(arguments.batch_size, seed)

    speed = throughput(batches(arguments.seed), seconds=0.5)
    journal.fit(
        model,
        batches(arguments.seed + first),  # A resumed run draws by another seed, or its first epochs came again.
        validation_data=reading.validation(),
        epochs=arguments.epochs,
        callbacks=[AnswerScore()],
        verbose="auto" if sys.stdout.isatty() else 2,
        shuffle=False,
    )
    return journal, speed


def reader(arguments, model, threshold=None):
    """The model's best spans as one compiled function."""
    from kerazoo.decoding import with_answers
    from kerazoo.evaluate.predict import compiled

    return compiled(with_answers(model, longest=arguments.longest, threshold=threshold))


def chosen_threshold(data, found):
    """`(threshold, exact, F1)` of the validation part; the threshold is None where every question has an answer."""
    from kerazoo.evaluate.answers import best_threshold, judged

    texts, truths = [row["text"] for row in found], data.validation.texts()
    threshold = None
    if data.train.unanswerable:
        absence = [row["absence"] for row in found]
        threshold, _ = best_threshold(texts, absence, truths)
        texts = ["" if absent > threshold else text for text, absent in zip(texts, absence)]
    exact, f1 = judged(texts, truths).mean(axis=0).tolist()
    return threshold, exact, f1


def judge(arguments, data, reading, folder):
    """Exports the model, answers the test part with it, and judges every file.

    Returns:
        `(answers, exports, threshold)`: what was found for each test question, a row for each exported file, and how
        much surer "no answer" must be than the best answer.
    """
    from kerazoo.decoding import with_answers
    from kerazoo.evaluate.answers import scores
    from kerazoo.training.callbacks import best_weights

    model = build(arguments, reading, weights=best_weights(folder), precision="float32", jit_compile=False)
    found = answer(reader(arguments, model), reading, "validation", data.validation)
    threshold, *_ = chosen_threshold(data, found)
    answers = answer(reader(arguments, model, threshold), reading, "test", data.test)
    shown = next(reading.asked("validation", short=True).unbatch().batch(8).as_numpy_iterator())
    print("Exporting ...")
    report = running.export(
        arguments,
        with_answers(model, longest=arguments.longest, threshold=threshold),
        formats=("saved_model", "tflite"),
        representative_data=shown,
        signature="raw",
        tokenizer=reading.tokenizer,
        metadata={"dataset": data.name},
    )
    print("Judging the exported files ...")
    exports = []
    for file in report.files:
        engine = kerazoo.load(report.path, engine=file.engine)
        found = answer(engine, reading, "test", data.test, short=file.engine != "saved_model")
        texts = [row["text"] for row in found]
        judged = scores(texts, data.test.texts(), data.test.questions)
        same = [one["text"] == other["text"] for one, other in zip(found, answers)]
        exports.append(
            {
                "form": file.engine,
                "folder": report.path,
                "file": file.path,
                "bytes": file.bytes,
                "exact": judged["exact"],
                "f1": judged["f1"],
                "same_answers": sum(same) / len(same),
                "count": len(found),
                "latency_ms": file.latency_ms,
            }
        )
        if file.engine == "saved_model":
            texts = {"questions": data.test.questions[:RAW], "passages": data.test.passages[:RAW]}
            told = engine.raw(texts)["answers"]
            exports[-1]["raw_same_answers"] = float(np.mean([a == row["text"] for a, row in zip(told, answers)]))
    return answers, exports, threshold


def samples(arguments, data, answers, count=8):
    """`(drawn, worst)`: questions drawn by the seed; and the surest of those whose answer is wholly wrong."""
    from kerazoo.evaluate.answers import judged

    measures = judged([row["text"] for row in answers], data.test.texts())
    rows = [
        {
            "question": data.test.questions[place],
            "passage": data.test.passages[place],
            "answers": [list(pair) for pair in data.test.answers[place]],
            "found": row,
            "exact": measures[place][0],
            "f1": measures[place][1],
        }
        for place, row in enumerate(answers)
    ]
    order = np.random.default_rng(arguments.seed).permutation(len(rows))
    wrong = sorted((row for row in rows if not row["f1"]), key=lambda row: -row["found"]["score"])
    return [rows[place] for place in order[:count]], wrong[: count // 2]


def main(argv=None):
    """Runs the application; returns the record that `run.json` in the run's folder holds."""
    arguments = parse_args(argv)
    if arguments.documents:
        return running.main(arguments, asked_documents.run)
    return running.main(arguments, _run, NEEDS)


def _run(arguments, start):
    import_tensorflow()
    from kerazoo.evaluate import answer_report
    from kerazoo.evaluate.answer_baselines import answer_baselines
    from kerazoo.evaluate.answers import scores

    given = running.given(arguments, parse_args([]))
    settle(arguments)
    data = load(arguments)
    reading = readers.reading(arguments, data)
    folder = running.new_folder(TASK, f"{data.name}-{arguments.model}", arguments)
    again = running.command(TASK, given, "--resume", f"--out={folder}")
    with running.resumable(again):
        journal, speed = train(arguments, data, reading, folder)
        answers, exports, threshold = judge(arguments, data, reading, folder)
    drawn, worst = samples(arguments, data, answers)
    record = running.record(
        TASK,
        given,
        running.settings(arguments, SETTINGS),
        start,
        dataset=data.record() | {"limited": arguments.limit, "cut": len(data.train) - len(reading.learned)},
        model={"name": arguments.model, "weights": arguments.weights},
        tokenizer=reading.counts,
        training=journal.record("questions", seen=len(reading.learned), fed=speed),
        threshold=threshold,
        test=scores([row["text"] for row in answers], data.test.texts(), data.test.questions),
        baselines=answer_baselines(data),
        samples=drawn,
        worst=worst,
        exports=exports,
    )
    return running.finish(arguments, record, answer_report.page(record), answer_report.summary(record), folder)


if __name__ == "__main__":
    main()
