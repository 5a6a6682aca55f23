"""Sentiment and other classes of texts: named sets or your own files -> a judged and exported classifier.

    kerazoo run sentiment                                          # SST-2's sentences, TextCNN
    kerazoo run sentiment --model bilstm_attention
    kerazoo run sentiment --model minilm_l6_classifier --weights all_v2    # a pretrained encoder, fine-tuned
    kerazoo run sentiment --dataset tweet_emotion                  # tweet_irony, tweet_offensive
    kerazoo run sentiment --data reviews.csv                       # columns text and label
    kerazoo run sentiment --data folder                            # train.tsv, dev.tsv, test.tsv

Words are counted in the training texts; the rest is learned from scratch, or of an encoder fine-tuned. Validation texts
choose the epoch; the test texts are looked at once, at the end, beside logistic regression on counts of words and pairs
of words. The exported SavedModel takes texts as they are (`raw`), every file takes ids of words, which its
tokenizer.json makes. A run leaves `run.json` and `report.html` in its folder.
"""

import sys
from pathlib import Path

import numpy as np

import kerazoo
from kerazoo.applications import encoders, reading, running
from kerazoo.json_files import dumps
from kerazoo.quiet import import_tensorflow

TASK, KIND = "sentiment", "text_classification"
NEEDS = ("matplotlib", "sklearn")
# Chosen on SST-2's validation sentences: docs/text.md.
DEFAULTS = {"epochs": 12, "batch_size": 50, "patience": 4, "unknown": 0.2}
RECIPES = {"textcnn": {"learning_rate": 4e-4, "option": {"embedding_dropout": 0.3}}}
SETTINGS = (
    f"{reading.SETTINGS} "
    "dataset data text_column label_column limit vocabulary at_least length keep_case unknown model weights option "
    "epochs batch_size learning_rate patience precision seed"
)


def parse_args(argv):
    """The options; those that a recipe can decide are None until `settle`."""
    parser = running.parser(TASK, __doc__)
    data = parser.add_argument_group("data")
    source = data.add_mutually_exclusive_group()
    source.add_argument("--dataset", help="sst2 (default), tweet_emotion, tweet_irony or tweet_offensive")
    source.add_argument("--data", type=Path, metavar="PATH", help="a CSV, TSV or JSONL file, or a folder with train.*")
    data.add_argument("--text-column", help="the column or key of texts; text, or recognised of two columns")
    data.add_argument("--label-column", help="the column or key of classes; label, or recognised of two columns")
    reading.add_options(data, numbers=False)
    data.add_argument("--limit", type=int, help="texts of each split at most, for a first look")
    data.add_argument("--vocabulary", type=int, default=30_000, help="words that are known, at most")
    data.add_argument("--at-least", type=int, default=1, help="times that a known word occurs in the training texts")
    data.add_argument("--length", type=int, default=64, help="words of a text at most; the rest is not read")
    data.add_argument("--keep-case", action="store_true", help="capitals make a difference")
    training = parser.add_argument_group("model and training")
    training.add_argument("--model", default="textcnn", help=f"one of `kerazoo list --task {KIND}`")
    running.add_model_option(training)
    encoders.add_option(training)
    training.add_argument("--unknown", type=float, help="share of the words that training hides, anew each epoch")
    running.add_training(training, precision="float32")
    running.add_jit_compile(training)
    running.add_output(parser, TASK)
    return parser.parse_args(argv)


def settle(arguments):
    """Fills in what the recipe decides; checks what can be wrong before time is spent."""
    if not arguments.data:
        arguments.dataset = arguments.dataset or "sst2"
    reading.check(arguments)
    facts = kerazoo.info(arguments.model)
    if facts["task"] != KIND:
        raise ValueError(f"`--model` must be one for {KIND}. Received: {arguments.model!r}, for {facts['task']}.")
    recipe = DEFAULTS | {"learning_rate": facts["arguments"]["learning_rate"]} | RECIPES.get(arguments.model, {})
    arguments.encoder = encoders.settle(arguments, facts)
    if arguments.encoder and arguments.keep_case:
        raise ValueError(f"`--keep-case` is for models of words. Received: it, for {arguments.model!r}.")
    recipe = encoders.RECIPE if arguments.encoder else recipe
    options = {f"{name}={dumps(value)}": name for name, value in recipe.pop("option", {}).items()}
    running.fill_in(arguments, recipe)
    running.check_positive(arguments, "epochs", "batch_size", "limit", "patience", "at_least", "length", "vocabulary")
    if not 0 <= arguments.unknown < 1:
        raise ValueError(f"`--unknown` must be at least 0 and below 1. Received: {arguments.unknown}.")
    arguments.option = running.options(options) | running.options(arguments.option)
    encoders.check_length(arguments, facts)
    return arguments


def load(arguments):
    """The `TextData`."""
    from kerazoo.data.labelled_text_files import from_files
    from kerazoo.data.named_texts import load_texts

    if arguments.data:
        columns = {"text": arguments.text_column, "label": arguments.label_column}
        data = from_files(arguments.data, seed=arguments.seed, dialect=reading.dialect(arguments), **columns)
    else:
        data = load_texts(arguments.dataset)
    if arguments.limit:
        data = data.limited(arguments.limit, seed=arguments.seed)
    print(
        f"{data.name}: {len(data.classes)} classes; {len(data.train):,} training, {len(data.validation):,} validation, "
        f"{len(data.test):,} test texts."
    )
    print("".join(f"  {note}\n" for note in data.notes), end="")
    return data


def tokenizer_of(arguments, data):
    """What has read the training texts, a `WordTokenizer`, or what the encoder's texts are split by."""
    from kerazoo.layers.word_piece_tokenizer import WordPieceTokenizer
    from kerazoo.layers.word_tokenizer import WordTokenizer

    if arguments.encoder:
        return encoders.tokenizer(arguments, WordPieceTokenizer, data.train.texts, length=arguments.length)
    tokenizer = WordTokenizer.learn(
        data.train.texts,
        size=arguments.vocabulary,
        at_least=arguments.at_least,
        length=arguments.length,
        lowercase=not arguments.keep_case,
    )
    print(f"{tokenizer.size:,} words are known.")
    return tokenizer


def build(arguments, data, tokenizer, *, length, **options):
    """The compiled model for the data's classes and words, and texts of `length` words or, with None, of any."""
    sizes = {"vocabulary_size": tokenizer.size, "length": length, "num_classes": len(data.classes)}
    if arguments.encoder:
        sizes |= encoders.sizes(arguments, tokenizer)
    return kerazoo.build(arguments.model, **(sizes | arguments.option | options))


def train(arguments, data, tokenizer, folder):
    """Trains the network, saving every epoch.

    Returns:
        `(journal, speed)`: the `Journal`, and the texts a second that the input pipeline gives alone.
    """
    import keras

    from kerazoo.data.pipeline import throughput
    from kerazoo.data.text_batches import text_batches
    from kerazoo.training.callbacks import Journal

    keras.utils.set_random_seed(arguments.seed)
    journal = Journal(
        folder,
        configuration=running.settings(arguments, SETTINGS),
        monitor="val_accuracy",
        mode="max",
        patience=arguments.patience,
        open_ended=not arguments.encoder,  # An encoder's rate falls over all epochs.
    )
    # A batch is padded to its longest text where the model takes any length.
    length = arguments.length if kerazoo.info(arguments.model)["arguments"]["length"] else None
    rate, begun = arguments.learning_rate, {}
    if arguments.encoder:
        steps = arguments.epochs * -(-len(data.train) // arguments.batch_size)
        rate, begun = encoders.schedule(rate, steps), {"weights": arguments.weights}
    model = build(
        arguments,
        data,
        tokenizer,
        length=length,
        learning_rate=rate,
        precision=arguments.precision,
        jit_compile=running.JIT_COMPILE[arguments.jit_compile],
        seed=arguments.seed,
        **begun,
    )
    first = journal.restore(model)
    ids = {part: tokenizer.ragged(getattr(data, part).texts) for part in ("train", "validation")}

    def batches(seed):
        return text_batches(
            ids["train"],
            data.train.labels,
            batch_size=arguments.batch_size,
            length=length,
            training=True,
            unknown=arguments.unknown,
            seed=seed,
        )

    speed = throughput(batches(arguments.seed), seconds=0.5)
    held = text_batches(ids["validation"], data.validation.labels, batch_size=256, length=length)
    journal.fit(
        model,
        batches(arguments.seed + first),  # A resumed run shuffles by another seed, or its first epochs came again.
        validation_data=held,
        epochs=arguments.epochs,
        verbose="auto" if sys.stdout.isatty() else 2,
        shuffle=False,
    )
    return journal, speed


def judge(arguments, data, tokenizer, folder):
    """Exports the model, and puts the test texts to it and to every file.

    Returns:
        `(evaluation, exports, explained)`: of the Keras model, a row for each exported file, and what drove some of
        the answers.
    """
    from kerazoo.data.splits import stratified_sample
    from kerazoo.evaluate import text_report
    from kerazoo.evaluate.classification import evaluate
    from kerazoo.evaluate.predict import compiled, difference
    from kerazoo.evaluate.text_baselines import scores
    from kerazoo.evaluate.word_influence import influence
    from kerazoo.training.callbacks import best_weights

    model = build(
        arguments,
        data,
        tokenizer,
        length=arguments.length,
        weights=best_weights(folder),
        precision="float32",
        jit_compile=False,
    )
    sample = stratified_sample(data.train.labels, 64, np.random.default_rng(arguments.seed))
    print("Exporting ...")
    report = running.export(
        arguments,
        model,
        formats=("saved_model", "tflite"),
        quantize="dynamic",
        representative_data=tokenizer(data.train.take(sample).texts).numpy(),
        signature="raw",
        tokenizer=tokenizer,
        metadata={"labels": list(data.classes), "output": "logits", "dataset": data.name},
    )
    print("Testing the model and its exported files ...")
    tokens = tokenizer(data.test.texts).numpy()
    run = compiled(model)
    forms = {"keras": run} | {f.engine: kerazoo.load(report.path, engine=f.engine) for f in report.files}
    answers = {form: in_batches(function, tokens) for form, function in forms.items()}
    evaluation = evaluate(answers["keras"], data.test.labels)
    exports = [
        {
            "form": file.engine,
            "folder": report.path,
            "file": file.path,
            "bytes": file.bytes,
            **scores(answers[file.engine].argmax(axis=1), data.test.labels, data.classes),
            "difference": difference(answers["keras"], answers[file.engine]),
            "same_answers": float((answers[file.engine].argmax(axis=1) == evaluation.predicted).mean()),
            "latency_ms": file.latency_ms,
        }
        for file in report.files
    ]
    explained = {}
    for kind, places in text_report.places(evaluation).items():
        texts = [data.test.texts[place] for place in places]
        words = tokenizer.words(texts) if texts else []
        found = [[at for _, at in row] for row in words]
        _, effects = influence(run, tokens[places], tokenizer.unknown, found) if texts else (None, [])
        explained[kind] = [
            ([(word, fall) for (word, _), fall in zip(row, effect.tolist())], place)
            for row, effect, place in zip(words, effects, places)
        ]
    return evaluation, exports, explained


def in_batches(function, tokens, size=256):
    """A function's answers on all rows, some at a time: (N, classes)."""
    return np.concatenate([np.asarray(function(tokens[i : i + size])) for i in range(0, len(tokens), size)])


def main(argv=None):
    """Runs the application; returns the record that `run.json` in the run's folder holds."""
    return running.main(parse_args(argv), _run, NEEDS)


def _run(arguments, start):
    import_tensorflow()
    from kerazoo.evaluate import text_report
    from kerazoo.evaluate.text_baselines import scores, text_baselines

    given = running.given(arguments, parse_args([]))
    settle(arguments)
    data = load(arguments)
    tokenizer = tokenizer_of(arguments, data)
    folder = running.new_folder(TASK, f"{data.name}-{arguments.model}", arguments)
    again = running.command(TASK, given, "--resume", f"--out={folder}")
    with running.resumable(again):
        journal, speed = train(arguments, data, tokenizer, folder)
        evaluation, exports, explained = judge(arguments, data, tokenizer, folder)
    unknown = tokenizer.ragged(data.test.texts).flat_values.numpy() == tokenizer.unknown
    record = running.record(
        TASK,
        given,
        running.settings(arguments, SETTINGS),
        start,
        dataset=data.record() | {"limited": arguments.limit},
        model={"name": arguments.model, "weights": arguments.weights},
        tokenizer={"vocabulary": tokenizer.size, "unknown_in_test": float(unknown.mean())},
        training=journal.record("texts", seen=len(data.train), fed=speed),
        test=evaluation.record(data.classes) | scores(evaluation.predicted, data.test.labels, data.classes),
        baselines=text_baselines(data),
        published=data.published,
        exports=exports,
    )
    page = text_report.page(record, evaluation, explained)
    return running.finish(arguments, record, page, text_report.summary(record), folder)


if __name__ == "__main__":
    main()
