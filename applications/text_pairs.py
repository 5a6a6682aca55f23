"""What the applications share that train a model from one text to another: its options, its training, its export."""

import dataclasses
import sys
import time

import numpy as np

import kerazoo
from kerazoo.applications import running
from kerazoo.arguments import add_former_name

OPTIMIZERS = ("own", "muon")
LOWEST = 0.05  # Of the rate, where the cosine ends.
JUDGED = 256  # Pairs on which exported files foretell each token.
FORMATS = ("saved_model", "tflite")


def add_former_names(group):
    """--from and --to, as --source and --target were called: elsewhere --from is an export."""
    add_former_name(group, "--from", now="--source")
    add_former_name(group, "--to", now="--target")


def add_training(group):
    """The options of training that all of them have."""
    group.add_argument("--average", type=float, help="decay of the weights' average; 0 for none")
    running.add_training(
        group,
        precision="float32",
        learning_rate="the highest; it climbs at first, then falls",
        patience="epochs without a better validation loss, then it stops; default never",
    )
    running.add_jit_compile(group)


def add_search(group):
    """The options of the beam search."""
    group.add_argument("--beams", type=int, default=4, help="answers that are followed at a time")
    group.add_argument("--length-penalty", type=float, default=1.0, help="above 1 for longer ones")


def settle_model(arguments, *tasks):
    """Checks the model's task and what is shared of the options; returns what `kerazoo.info` says of the model.

    Raises:
        ValueError: another task's model, or an average outside [0, 1).
    """
    facts = kerazoo.info(arguments.model)
    if facts["task"] not in tasks:
        raise ValueError(
            f"`--model` must be one for {' or '.join(tasks)}. Received: {arguments.model!r}, for {facts['task']}."
        )
    return facts


def check(arguments):
    """Refuses settings of training and search that cannot be.

    Raises:
        ValueError: a count below 1, or an average outside [0, 1).
    """
    running.check_positive(arguments, "epochs", "batch_size", "limit", "patience", "vocabulary", "beams")
    if not 0 <= arguments.average < 1:
        raise ValueError(f"`--average` must be at least 0 and below 1. Received: {arguments.average}.")


def said(data):
    """Tells what the data are."""
    print(
        f"{data.name} from {data.source_name} to {data.target_name}: {len(data.train):,} training, "
        f"{len(data.validation):,} validation, {len(data.test):,} test pairs."
    )
    print("".join(f"  {note}\n" for note in data.notes), end="")


def learn_pieces(arguments, data, kind="bpe"):
    """A tokenizer of the training pairs' pieces, `arguments.vocabulary` of them or as many as the texts give.

    Returns:
        `(tokenizer, data)`: the data with a note where there are fewer.

    Raises:
        ValueError: a vocabulary that does not hold every sign of the texts.
    """
    from kerazoo.layers.sentencepiece_tokenizer import SentencePieceTokenizer

    asked = arguments.vocabulary
    tokenizer = SentencePieceTokenizer.learn(data.train.source + data.train.target, size=asked, kind=kind)
    if tokenizer.size < asked:
        note = f"The training texts give {tokenizer.size:,} pieces, fewer than the {asked:,} of --vocabulary."
        print(f"  {note}")
        data = dataclasses.replace(data, notes=(*data.notes, note))
    return tokenizer, data


def mean_length(ids):
    """Ids of a text in the mean, of ragged ones."""
    return float(np.mean(ids.row_lengths()))


def build(arguments, tokenizer, **options):
    """The compiled model for the tokenizer's ids."""
    sizes = {"vocabulary_size": tokenizer.vocabulary_size}
    if hasattr(tokenizer, "extra"):
        sizes["extra"] = tokenizer.extra
    if "padding" in kerazoo.info(arguments.model)["arguments"]:  # The tokenizers' is 0, BART's own is 1.
        sizes["padding"] = 0
    return kerazoo.build(arguments.model, **(sizes | arguments.option | options))


def cosine(arguments, steps, warm_up):
    """A rate that climbs for a share `warm_up` of all steps, then falls; `steps` is those of an epoch."""
    import keras

    steps *= arguments.epochs
    warm_up = max(1, int(warm_up * steps))
    return keras.optimizers.schedules.CosineDecay(
        0.0, max(1, steps - warm_up), LOWEST, warmup_target=arguments.learning_rate, warmup_steps=warm_up
    )


def train(arguments, names, tokenizer, ids, folder, learns, *, monitor="val_loss"):
    """Trains the network, saving every epoch.

    Args:
        arguments: of the command line, settled.
        names: of the settings that decide the outcome.
        tokenizer: with the sizes of the model.
        ids: {part: (source, target)}, ragged.
        folder: the run's.
        learns: `(steps of an epoch) -> arguments of kerazoo.build` that say how it learns.
        monitor: the loss whose best epoch is kept.

    Returns:
        `(journal, speed, seen)`: the `Journal`, the target tokens a second that the input pipeline gives alone, and
        those of an epoch.
    """
    import keras

    from kerazoo.data.pair_batches import pair_batches
    from kerazoo.data.pipeline import throughput
    from kerazoo.training.averaged import Averaged
    from kerazoo.training.callbacks import Journal

    keras.utils.set_random_seed(arguments.seed)
    averaged, count = arguments.average > 0, int(ids["train"][0].nrows())
    journal = Journal(
        folder,
        configuration=running.settings(arguments, names),
        patience=arguments.patience,
        monitor=monitor,
        mode="min",
        kept=(lambda model: model.average) if averaged else None,
        spacing=10.0,
    )
    model = build(
        arguments,
        tokenizer,
        **learns(-(-count // arguments.batch_size)),
        precision=arguments.precision,
        jit_compile=running.JIT_COMPILE[arguments.jit_compile],
        seed=arguments.seed,
    )
    if averaged:
        model = Averaged(model, decay=arguments.average)
    first = journal.restore(model)

    def batches(seed):
        return pair_batches(*ids["train"], batch_size=arguments.batch_size, training=True, seed=seed)

    mean = mean_length(ids["train"][1]) + 1
    speed = throughput(batches(arguments.seed), seconds=0.5) * mean
    journal.fit(
        model,
        batches(arguments.seed + first),  # A resumed run draws by another seed, or its first epochs came again.
        validation_data=pair_batches(*ids["validation"], batch_size=64),
        epochs=arguments.epochs,
        verbose="auto" if sys.stdout.isatty() else 2,
        shuffle=False,
    )
    return journal, speed, mean * count


def judge(arguments, data, tokenizer, ids, folder, *, doing, lengths, generate, score):
    """Exports the trained model, lets it answer the test part, and judges every file.

    Args:
        arguments, tokenizer, ids, folder: as in `train`.
        data: the `ParallelData`.
        doing: what it does with a text, as a word to print: "Translating".
        lengths: tokens of source and target that TFLite takes.
        generate: settings of the search, which the SavedModel's `raw` keeps.
        score: `(texts, references) -> {name: number}` of what `raw` says of the whole test part.

    Returns:
        `(translator, answers, parts)`: a `Translator`, its answers to the test part, and of the record {"exports": a
        row for each exported file, "answering": how fast it answers}.
    """
    from kerazoo.generation.translator import Translator

    model, report = _exported(arguments, data, tokenizer, ids, folder, lengths=lengths, generate=generate)
    print(f"{doing} {len(data.test):,} test texts ...")
    translator, start = Translator(model, tokenizer), time.perf_counter()
    answers = translator(data.test.source, **generate, progress=sys.stdout.isatty())
    speed = {"texts_per_second": len(data.test) / (time.perf_counter() - start)}
    exports = _judged(report, model, data, ids, lengths=lengths, score=score)
    return translator, answers, {"exports": exports, "answering": speed}


def _exported(arguments, data, tokenizer, ids, folder, *, lengths, generate):
    """`(model, report)`; a file that does not answer as the model does is left out, with its reason in the report."""
    from kerazoo.data.pair_batches import pair_batches
    from kerazoo.training.callbacks import best_weights

    model = build(arguments, tokenizer, weights=best_weights(folder), precision="float32", jit_compile=False)
    sides = {"length": lengths[0], "target_length": lengths[1]}
    shown, _ = next(pair_batches(*ids["validation"], batch_size=8, **sides).as_numpy_iterator())
    print("Exporting ...")
    report = running.export(
        arguments,
        model,
        formats=FORMATS,
        quantize="dynamic",
        representative_data=shown,
        signature="raw",
        tokenizer=tokenizer,
        metadata={"output": "logits", "dataset": data.name, "generate": generate},
    )
    return model, report


def _judged(report, model, data, ids, *, lengths, score):
    """A row for each file, loaded again and judged on the test part; only the one with `raw` has a score."""
    from kerazoo.data.pair_batches import pair_batches
    from kerazoo.evaluate.language import scores, surprises
    from kerazoo.evaluate.predict import compiled, difference

    print("Judging the exported files ...")
    count, sides = min(JUDGED, len(data.test)), {"length": lengths[0], "target_length": lengths[1]}
    some = pair_batches(*(side[:count] for side in ids["test"]), batch_size=16, **sides)
    batches, run = list(some.as_numpy_iterator()), compiled(model)
    exports, raw = [], {}
    for file in report.files:
        engine = kerazoo.load(report.path, engine=file.engine)
        nats, apart = [], 0.0
        for inputs, following in batches:  # One batch after the other: logits of all of them would not fit into memory.
            answers = np.asarray(engine(inputs))
            apart = max(apart, difference(np.asarray(run(inputs)), answers))
            nats.append(surprises(lambda _, answers=answers: answers, [(inputs, following)], padding=0))
        if file.engine == "saved_model":
            texts = [
                engine.raw(data.test.source[first : first + 64])["texts"] for first in range(0, len(data.test), 64)
            ]
            raw = score(np.concatenate(texts).tolist(), data.test.target)
        exports.append(
            {
                "form": file.engine,
                "folder": report.path,
                "file": file.path,
                "bytes": file.bytes,
                **(raw if file.engine == "saved_model" else dict.fromkeys(raw)),
                **scores(np.concatenate(nats)),
                "difference": apart,
                "latency_ms": file.latency_ms,
            }
        )
    return exports
