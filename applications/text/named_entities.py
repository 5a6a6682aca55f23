"""Named entities: a tagger of words trained on CoNLL's columns -> judged by whole entities, exported, tagging files.

    kerazoo run named_entities                                   # Spanish news, BiLSTM and CRF
    kerazoo run named_entities --dataset wnut17                  # emerging entities in posts
    kerazoo run named_entities --dataset wnut17 --model minilm_l6_tagger --weights all_v2    # an encoder, fine-tuned
    kerazoo run named_entities --data genes                      # genes/train.conll, or one file
    kerazoo run named_entities --predict news.txt --from saved_models/named_entities/conll2002_es-bilstm_crf

The test part is tagged once, at the end, beside each word's commonest tag and a CRF over features made by hand. The
exported SavedModel takes texts and gives words and tags (`raw`); every file takes ids, which its tokenizer.json makes.
A run leaves `run.json` and `report.html` in its folder.
"""

import sys
from pathlib import Path

import numpy as np

import kerazoo
from kerazoo.applications import encoders, running, tagged_files, taggers
from kerazoo.applications.taggers import tag
from kerazoo.quiet import import_tensorflow

TASK, KIND = "named_entities", "token_classification"
NEEDS = ("matplotlib", "pycrfsuite")
RECIPE = {"epochs": 20, "batch_size": 32, "patience": 5, "unknown": 0.5}
ENCODER = {"epochs": 12, "patience": 3}  # On WNUT 2017's validation part four are too few for the rarer kinds.
SETTINGS = "dataset data limit model weights option vocabulary length unknown epochs batch_size learning_rate precision"
SETTINGS += " seed"


def parse_args(argv):
    """The options; those that a recipe can decide are None until `settle`."""
    parser = running.parser(TASK, __doc__)
    data = parser.add_argument_group("data")
    source = data.add_mutually_exclusive_group()
    source.add_argument("--dataset", help="conll2002_es (default), conll2002_nl, wnut17")
    source.add_argument("--data", type=Path, metavar="PATH", help="a file in CoNLL's columns, or a folder of them")
    data.add_argument("--limit", type=int, help="texts of each part at most, for a first look")
    training = parser.add_argument_group("model and training")
    training.add_argument("--model", default="bilstm_crf", help=f"one of `kerazoo list --task {KIND}`")
    running.add_model_option(training)
    encoders.add_option(training)
    training.add_argument("--vocabulary", type=int, default=50_000, help="words that are known at most")
    training.add_argument("--length", type=int, default=100, help="words or pieces that exported TFLite takes")
    training.add_argument("--unknown", type=float, help="chance with which a word that occurs once is told as unknown")
    running.add_training(
        training,
        precision="float32",
        learning_rate="it falls to a tenth along a cosine",
        patience="epochs without a better F1 on the validation part, then it stops",
    )
    running.add_jit_compile(training)
    tagged_files.add_options(parser)
    running.add_output(parser, TASK)
    return parser.parse_args(argv)


def settle(arguments):
    """Fills in what the recipe decides; checks what can be wrong before time is spent."""
    if not arguments.data:
        arguments.dataset = arguments.dataset or "conll2002_es"
    tagged_files.refuse(arguments)
    facts = kerazoo.info(arguments.model)
    if facts["task"] != KIND:
        raise ValueError(f"`--model` must be one for {KIND}. Received: {arguments.model!r}, for {facts['task']}.")
    arguments.encoder = encoders.settle(arguments, facts)
    words = RECIPE | {"learning_rate": facts["arguments"]["learning_rate"]}
    running.fill_in(arguments, encoders.RECIPE | ENCODER if arguments.encoder else words)
    running.check_positive(arguments, "epochs", "batch_size", "limit", "patience", "vocabulary", "length")
    if not 0 <= arguments.unknown < 1:
        raise ValueError(f"`--unknown` must be at least 0 and below 1. Received: {arguments.unknown}.")
    arguments.option = running.options(arguments.option)
    encoders.check_length(arguments, facts)
    return arguments


def load(arguments):
    """The `TaggedData`."""
    from kerazoo.data.conll_files import from_files
    from kerazoo.data.named_tags import load_tagged
    from kerazoo.data.splits import limited

    data = from_files(arguments.data, seed=arguments.seed) if arguments.data else load_tagged(arguments.dataset)
    if arguments.limit:
        data = limited(data, arguments.limit, seed=arguments.seed)
    kinds = sorted({tag[2:] for tag in data.tags[1:]})
    print(
        f"{data.name}: {len(data.train):,} training, {len(data.validation):,} validation, {len(data.test):,} test "
        f"texts; entities: {', '.join(kinds)}."
    )
    print("".join(f"  {note}\n" for note in data.notes), end="")
    return data


def build(arguments, tagging, **options):
    """The compiled model for the data's tags and words."""
    return kerazoo.build(arguments.model, **(tagging.sizes | arguments.option | options))


def train(arguments, data, tagging, folder):
    """Trains the network, saving every epoch.

    Returns:
        `(journal, speed)`: the `Journal`, and the words a second that the input pipeline gives alone.
    """
    import keras

    from kerazoo.data.pipeline import throughput
    from kerazoo.evaluate.entities import scores
    from kerazoo.evaluate.predict import compiled
    from kerazoo.training.callbacks import Journal

    lengths = [len(words) for words in data.validation.words]

    class EntityScore(keras.callbacks.Callback):
        """Adds the F1 of the validation part's entities to what an epoch tells."""

        def set_model(self, model):
            super().set_model(model)
            self.run = compiled(tagging.served(model))

        def on_epoch_end(self, epoch, logs=None):
            answers = tag(self.run, tagging, "validation", lengths)
            logs["val_f1"] = scores(answers, data.validation.tags)["f1"]
            print(f"Epoch {epoch + 1}: F1 of the validation part's entities {logs['val_f1']:.1%}")

    keras.utils.set_random_seed(arguments.seed)
    journal = Journal(
        folder,
        configuration=running.settings(arguments, SETTINGS),
        patience=arguments.patience,
        monitor="val_f1",
        mode="max",
        spacing=10.0,
    )
    steps = arguments.epochs * -(-len(data.train) // arguments.batch_size)
    begun = {"learning_rate": keras.optimizers.schedules.CosineDecay(arguments.learning_rate, steps, alpha=0.1)}
    if arguments.encoder:
        begun = {"learning_rate": encoders.schedule(arguments.learning_rate, steps), "weights": arguments.weights}
    model = build(
        arguments,
        tagging,
        precision=arguments.precision,
        jit_compile=running.JIT_COMPILE[arguments.jit_compile],
        seed=arguments.seed,
        **begun,
    )
    first = journal.restore(model)

    def batches(seed):
        return tagging.training(arguments.batch_size, seed)

    words = sum(map(len, data.train.words)) / len(data.train)
    speed = throughput(batches(arguments.seed), seconds=0.5) * words
    journal.fit(
        model,
        batches(arguments.seed + first),  # A resumed run draws by another seed, or its first epochs came again.
        validation_data=tagging.validation(),
        epochs=arguments.epochs,
        callbacks=[EntityScore()],
        verbose="auto" if sys.stdout.isatty() else 2,
        shuffle=False,
    )
    return journal, speed


def judge(arguments, data, tagging, folder):
    """Exports the model, tags the test part with it, and judges every file.

    Returns:
        `(answers, exports)`: tags of each test text, and a row for each exported file.
    """
    from kerazoo.evaluate.entities import scores
    from kerazoo.evaluate.predict import compiled
    from kerazoo.training.callbacks import best_weights

    model = build(arguments, tagging, weights=best_weights(folder), precision="float32", jit_compile=False)
    served, lengths = tagging.served(model), [len(words) for words in data.test.words]
    answers = tag(compiled(served), tagging, "test", lengths)
    shown = next(tagging.asked("validation", arguments.length).unbatch().batch(8).as_numpy_iterator())
    print("Exporting ...")
    report = running.export(
        arguments,
        served,
        formats=("saved_model", "tflite"),
        representative_data=shown,
        signature="raw",
        tokenizer=tagging.tokenizer,
        metadata={"labels": list(data.tags), "dataset": data.name},
    )
    print("Judging the exported files ...")
    exports = []
    for file in report.files:
        engine = kerazoo.load(report.path, engine=file.engine)
        length = None if file.engine == "saved_model" else arguments.length
        found = tag(engine, tagging, "test", lengths, length)
        pairs = [(one, other) for mine, own in zip(found, answers) for one, other in zip(mine, own)]
        exports.append(
            {
                "form": file.engine,
                "folder": report.path,
                "file": file.path,
                "bytes": file.bytes,
                **scores(found, data.test.tags, data.test.words),
                "same_tags": sum(one == other for one, other in pairs) / len(pairs),
                "count": len(found),
                "latency_ms": file.latency_ms,
            }
        )
    return answers, exports


def samples(arguments, data, answers, count=12):
    """`(samples, worst)`: texts with entities, drawn; and those with most of them wrong or missed."""
    from kerazoo.evaluate.entities import entities

    rows = [
        {"words": list(words), "tags": list(tags), "answers": list(found)}
        for words, tags, found in zip(data.test.words, data.test.tags, answers)
    ]
    order = np.random.default_rng(arguments.seed).permutation(len(rows))
    drawn = [rows[place] for place in order if set(rows[place]["tags"]) != {"O"}][:count]

    def mistakes(row):
        return len(set(entities(row["tags"])) ^ set(entities(row["answers"])))

    return drawn or rows[:1], sorted(rows, key=mistakes, reverse=True)[: count // 2]


def main(argv=None):
    """Runs the application; returns the record that `run.json` in the run's folder holds."""
    arguments = parse_args(argv)
    if arguments.predict:
        return running.main(arguments, tagged_files.run)
    return running.main(arguments, _run, NEEDS)


def _run(arguments, start):
    import_tensorflow()
    from kerazoo.evaluate import entity_report
    from kerazoo.evaluate.entities import scores
    from kerazoo.evaluate.tag_baselines import tag_baselines

    given = running.given(arguments, parse_args([]))
    settle(arguments)
    data = load(arguments)
    tagging = taggers.tagging(arguments, data)
    folder = running.new_folder(TASK, f"{data.name}-{arguments.model}", arguments)
    again = running.command(TASK, given, "--resume", f"--out={folder}")
    with running.resumable(again):
        journal, speed = train(arguments, data, tagging, folder)
        answers, exports = judge(arguments, data, tagging, folder)
    drawn, worst = samples(arguments, data, answers)
    record = running.record(
        TASK,
        given,
        running.settings(arguments, SETTINGS),
        start,
        dataset=data.record() | {"limited": arguments.limit},
        model={"name": arguments.model, "weights": arguments.weights},
        tokenizer=tagging.counts,
        training=journal.record("words", seen=sum(map(len, data.train.words)), fed=speed),
        test=scores(answers, data.test.tags, data.test.words),
        baselines=tag_baselines(data),
        samples=drawn,
        worst=worst,
        exports=exports,
    )
    return running.finish(arguments, record, entity_report.page(record), entity_report.summary(record), folder)


if __name__ == "__main__":
    main()
