"""Question answering: a reader trained on SQuAD's format -> judged by exact match and F1, exported, reading files.

    kerazoo run question_answering                               # XQuAD's English questions, BiDAF
    kerazoo run question_answering --data squad                  # squad/train-v2.0.json, dev-v2.0.json, or one file
    kerazoo run question_answering --documents notes --ask "Who pays?" --from saved_models/question_answering/bidaf
    kerazoo run question_answering --documents notes --from saved_models/question_answering/bidaf    # asks what to ask

Files are of version 1.1 or 2.0, whose questions may have no answer: then how sure "no answer" must be is chosen on the
validation part. Parts that are lacking are drawn, whole articles together. The test part is answered once, at the end,
beside a sliding window. The exported SavedModel takes questions and passages and gives answers with their places
(`raw`); every file takes ids, which its tokenizer.json makes. A run leaves `run.json` and `report.html` in its folder.
"""

import sys
from pathlib import Path

import numpy as np

import kerazoo
from kerazoo.applications import asked_documents, running
from kerazoo.quiet import import_tensorflow

TASK, INPUTS = "question_answering", {"question", "question_characters", "passage", "passage_characters"}
RECIPE = {"epochs": 14, "batch_size": 32, "patience": 6, "learning_rate": 2e-3}
SETTINGS = "dataset data limit model option vocabulary length question_length longest unknown epochs batch_size"
SETTINGS += " learning_rate precision seed"
BATCH = 32  # Questions that are answered at a time.
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
    training.add_argument("--model", default="bidaf", help="a reader of words: bidaf")
    running.add_model_option(training)
    training.add_argument("--vocabulary", type=int, default=50_000, help="words that are known at most")
    training.add_argument(
        "--length", type=int, default=400, help="words of a passage in training and in TFLite; the rest is not read"
    )
    training.add_argument("--question-length", type=int, default=40, help="words of a question that TFLite takes")
    training.add_argument("--longest", type=int, default=15, help="words of an answer at most")
    training.add_argument(
        "--unknown", type=float, default=0.3, help="chance with which a rare word is told as unknown in a batch"
    )
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
    if facts["task"] != TASK or "word_length" not in facts["arguments"]:
        raise ValueError(f"`--model` must be a reader of words and their characters. Received: {arguments.model!r}.")
    running.fill_in(arguments, RECIPE)
    running.check_positive(arguments, "epochs", "batch_size", "limit", "patience", "question_length", "longest")
    for name, least in (("vocabulary", 4), ("length", 2)):  # Three ids are marks; the first word of a passage too.
        if getattr(arguments, name) < least:
            raise ValueError(f"`--{name}` must be at least {least}. Received: {getattr(arguments, name)}.")
    if not 0 <= arguments.unknown < 1:
        raise ValueError(f"`--unknown` must be at least 0 and below 1. Received: {arguments.unknown}.")
    arguments.option = running.options(arguments.option)
    arguments.export = arguments.export or Path("saved_models") / TASK / arguments.model
    return arguments


def load(arguments):
    """`(data, tokenizer, readings)`: readings are {part: (`Readings`, places of each passage's words)}."""
    from kerazoo.data.named_questions import load_questions
    from kerazoo.data.splits import limited
    from kerazoo.data.squad_files import from_files
    from kerazoo.layers.reader_tokenizer import ReaderTokenizer

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
    plain = ReaderTokenizer.learn([])
    known = [*data.train.questions, *dict.fromkeys(data.train.passages)]
    words = [[word.decode() for word in row] for row in plain.words_of(known).to_list()]
    tokenizer = ReaderTokenizer.learn(words, size=arguments.vocabulary)
    readings = {part: read(getattr(data, part), tokenizer) for part in ("train", "validation", "test")}
    print(f"{tokenizer.size:,} words and {tokenizer.characters:,} characters are known.")
    return data, tokenizer, readings


def read(questions, tokenizer):
    """`(readings, places)`: `Readings` of some `Questions`, and for each passage where its words are."""
    from kerazoo.data.question_batches import Readings, span_of

    passages = list(dict.fromkeys(questions.passages))
    index = {passage: place for place, passage in enumerate(passages)}
    passage_of = np.array([index[passage] for passage in questions.passages], int)
    found = tokenizer.places(passages)
    places = np.split(found.flat_values.numpy(), found.row_splits.numpy()[1:-1])
    spans = np.zeros((len(questions), 2), int)
    for row, answers in enumerate(questions.answers):
        if answers:
            start, text = answers[0]
            # Behind the passage's mark; the files' reader has refused answers without a sign.
            spans[row] = np.array(span_of(places[passage_of[row]], start, start + len(text)) or (-1, -1)) + 1
    asked = tokenizer.ragged(tokenizer.words_of(list(questions.questions)))
    return Readings(asked, tokenizer.ragged_passages(tokenizer.words_of(passages)), passage_of, spans), places


def build(arguments, tokenizer, **options):
    """The compiled model for the tokenizer's words."""
    sizes = {
        "vocabulary_size": tokenizer.size,
        "characters": tokenizer.characters,
        "word_length": tokenizer.word_length,
    }
    return kerazoo.build(arguments.model, **(sizes | arguments.option | options))


def train(arguments, data, tokenizer, readings, folder):
    """Trains the network, saving every epoch.

    Returns:
        `(journal, training, speed)`: the `Journal`, the `Readings` it has learned from, and the questions a second
        that the input pipeline gives alone.
    """
    import keras

    from kerazoo.data.pipeline import throughput
    from kerazoo.data.question_batches import question_batches
    from kerazoo.training.callbacks import Journal

    class AnswerScore(keras.callbacks.Callback):
        """Adds the exact match and F1 of the validation part's answers to what an epoch tells."""

        def set_model(self, model):
            super().set_model(model)
            self.run = reader(arguments, model)

        def on_epoch_end(self, epoch, logs=None):
            found = answer(self.run, data.validation, *readings["validation"])
            _, exact, f1 = chosen_threshold(data, found)
            logs |= {"val_exact": exact, "val_f1": f1}
            print(f"Epoch {epoch + 1}: the validation part's exact match {exact:.1%}, F1 {f1:.1%}")

    keras.utils.set_random_seed(arguments.seed)
    training = readings["train"][0].cut(arguments.length)
    if not len(training):
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
    steps = arguments.epochs * -(-len(training) // arguments.batch_size)
    model = build(
        arguments,
        tokenizer,
        learning_rate=keras.optimizers.schedules.CosineDecay(arguments.learning_rate, steps, alpha=0.1),
        precision=arguments.precision,
        jit_compile=running.JIT_COMPILE[arguments.jit_compile],
        seed=arguments.seed,
    )
    first = journal.restore(model)

    def batches(seed):
        options = {"training": True, "unknown": arguments.unknown, "seed": seed}
        return question_batches(training, batch_size=arguments.batch_size, **options)

    speed = throughput(batches(arguments.seed), seconds=0.5)
    if first < arguments.epochs:
        model.fit(
            batches(arguments.seed + first),  # A resumed run draws by another seed, or its first epochs came again.
            validation_data=question_batches(readings["validation"][0], batch_size=BATCH),
            epochs=arguments.epochs,
            initial_epoch=first,
            callbacks=[AnswerScore(), journal],
            verbose="auto" if sys.stdout.isatty() else 2,
            shuffle=False,
        )
    return journal, training, speed


def reader(arguments, model, threshold=None):
    """The model's best spans as one compiled function."""
    from kerazoo.decoding import with_answers
    from kerazoo.evaluate.predict import compiled

    return compiled(with_answers(model, longest=arguments.longest, threshold=threshold))


def answer(run, questions, readings, places, lengths=None):
    """[{"text", "start", "end", "score", "absence"}] of some questions; `lengths` cuts the texts."""
    from kerazoo.data.question_batches import question_batches

    found = []
    for inputs, _ in question_batches(readings, batch_size=BATCH, lengths=lengths).as_numpy_iterator():
        answers = run(inputs)
        for span, score, absence in zip(answers["span"], answers["score"], answers["absence"]):
            row = len(found)
            start = end = 0
            if span[0]:
                words = places[readings.passage_of[row]]
                start, end = int(words[span[0] - 1][0]), int(words[span[1] - 1][1])
            text = questions.passages[row][start:end]
            found.append({"text": text, "start": start, "end": end, "score": float(score), "absence": float(absence)})
    return found


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


def judge(arguments, data, tokenizer, readings, folder):
    """Exports the model, answers the test part with it, and judges every file.

    Returns:
        `(answers, exports, threshold)`: what was found for each test question, a row for each exported file, and how
        much surer "no answer" must be than the best answer.
    """
    from kerazoo.data.question_batches import question_batches
    from kerazoo.decoding import with_answers
    from kerazoo.evaluate.answers import scores

    model = build(arguments, tokenizer, weights=folder / "best.weights.h5", precision="float32", jit_compile=False)
    found = answer(reader(arguments, model), data.validation, *readings["validation"])
    threshold, *_ = chosen_threshold(data, found)
    answers = answer(reader(arguments, model, threshold), data.test, *readings["test"])
    lengths = {"question": arguments.question_length, "passage": arguments.length}
    shown, _ = next(question_batches(readings["validation"][0], batch_size=8, lengths=lengths).as_numpy_iterator())
    print("Exporting ...")
    report = kerazoo.export(
        with_answers(model, longest=arguments.longest, threshold=threshold),
        arguments.export,
        formats=("saved_model", "tflite"),
        representative_data=shown,
        signature="raw",
        tokenizer=tokenizer,
        metadata={"dataset": data.name},
    )
    print("Judging the exported files ...")
    exports = []
    for file in report.files:
        engine = kerazoo.load(report.path, engine=file.engine)
        found = answer(engine, data.test, *readings["test"], None if file.engine == "saved_model" else lengths)
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
    return running.main(arguments, asked_documents.run if arguments.documents else _run)


def _run(arguments, start):
    import_tensorflow()
    from kerazoo.evaluate import answer_report
    from kerazoo.evaluate.answer_baselines import answer_baselines
    from kerazoo.evaluate.answers import scores

    given = running.given(arguments, parse_args([]))
    settle(arguments)
    data, tokenizer, readings = load(arguments)
    folder = running.new_folder(TASK, f"{data.name}-{arguments.model}", arguments)
    again = running.command(TASK, given, "--resume", f"--out={folder}")
    with running.resumable(again):
        journal, training, speed = train(arguments, data, tokenizer, readings, folder)
        answers, exports, threshold = judge(arguments, data, tokenizer, readings, folder)
    drawn, worst = samples(arguments, data, answers)
    record = running.record(
        TASK,
        given,
        running.settings(arguments, SETTINGS),
        start,
        dataset=data.record() | {"limited": arguments.limit, "cut": len(data.train) - len(training)},
        model={"name": arguments.model},
        tokenizer={"words": tokenizer.size, "characters": tokenizer.characters},
        training=journal.record("questions", seen=len(training), fed=speed),
        threshold=threshold,
        test=scores([row["text"] for row in answers], data.test.texts(), data.test.questions),
        baselines=answer_baselines(data),
        samples=drawn,
        worst=worst,
        exports=exports,
    )
    return running.finish(record, answer_report.page(record), answer_report.summary(record), folder)


if __name__ == "__main__":
    main()
