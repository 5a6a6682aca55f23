"""Translation: a Transformer trained on pairs of texts -> judged by BLEU, exported, and translating.

    kerazoo run translation                                         # Multi30k, from English to German
    kerazoo run translation --from en --to fr
    kerazoo run translation --translate "Two dogs run through the snow."
    kerazoo run translation --data corpus --from en --to nl          # corpus/train.en, corpus/train.nl, ...
    kerazoo run translation --data pairs.tsv --from question --to answer   # or any table of two columns

Both languages share one vocabulary of pieces of words, learned from the training pairs. The test part is translated
once, at the end, beside translating each word by itself. The exported SavedModel takes texts and gives texts (`raw`);
every file takes ids of pieces, which its tokenizer.json makes. A run leaves `run.json` and `report.html` in its folder.
"""

import sys
import time
from pathlib import Path

import numpy as np

import kerazoo
from kerazoo.applications import running
from kerazoo.quiet import import_tensorflow

TASK = KIND = "translation"
DEFAULTS = {"epochs": 16, "batch_size": 128, "optimizer": "own", "learning_rate": 1e-3, "vocabulary": 8000}
# By the first epochs' loss: docs/text.md. A short training underfits with the dropout of long ones, 0.3.
RECIPES = {"transformer_tiny": {"optimizer": "muon", "learning_rate": 0.005, "option": {"dropout": 0.1}}}
SETTINGS = (
    "dataset data source target limit model option vocabulary pieces length epochs batch_size learning_rate optimizer "
    "average beams length_penalty precision seed"
)
OPTIMIZERS = ("own", "muon")
# AdamW's rate over Muon's, for the norms and the embedding, which is the output too: it begins so large, as in the
# paper, that at a usual rate its first words take a whole epoch to be forgotten.
MUON_ADAM = 2.0
WARM_UP, LOWEST = 0.05, 0.05  # Of the steps; of the rate, where the cosine ends.
JUDGED = 256  # Pairs on which exported files foretell each token.


def parse_args(argv):
    """The options; those that a recipe can decide are None until `settle`."""
    parser = running.parser(TASK, __doc__)
    data = parser.add_argument_group("data")
    source = data.add_mutually_exclusive_group()
    source.add_argument("--dataset", help="multi30k (default)")
    source.add_argument("--data", type=Path, metavar="PATH", help="a table of pairs, or a folder of your own files")
    data.add_argument("--from", dest="source", default="en", help="language, or name of the column")
    data.add_argument("--to", dest="target", default="de", help="language, or name of the column")
    data.add_argument("--limit", type=int, help="pairs of each part at most, for a first look")
    training = parser.add_argument_group("model and training")
    training.add_argument("--model", default="transformer_tiny", help=f"one of `kerazoo list --task {KIND}`")
    running.add_model_option(training)
    training.add_argument("--vocabulary", type=int, help="pieces of words, of both languages together")
    training.add_argument("--pieces", choices=("bpe", "unigram"), default="bpe", help="how they are learned")
    training.add_argument("--length", type=int, default=64, help="pieces of either text that exported TFLite takes")
    training.add_argument("--optimizer", choices=OPTIMIZERS, help="the model's own, or Muon for its matrices")
    training.add_argument("--average", type=float, default=0.998, help="decay of the weights' average; 0 for none")
    running.add_training(
        training,
        precision="float32",
        learning_rate="the highest; it climbs for a twentieth of the steps, then falls",
        patience="epochs without a better validation loss, then it stops; default never",
    )
    running.add_jit_compile(training)
    translating = parser.add_argument_group("translating")
    translating.add_argument("--translate", action="append", metavar="TEXT", help="a text of your own; repeatable")
    translating.add_argument("--beams", type=int, default=4, help="translations that are followed at a time")
    translating.add_argument("--length-penalty", type=float, default=1.0, help="above 1 for longer ones")
    running.add_output(parser, TASK)
    return parser.parse_args(argv)


def settle(arguments):
    """Fills in what the recipe decides; checks what can be wrong before time is spent."""
    if not arguments.data:
        arguments.dataset = arguments.dataset or "multi30k"
    facts = kerazoo.info(arguments.model)
    if facts["task"] != KIND:
        raise ValueError(f"`--model` must be one for {KIND}. Received: {arguments.model!r}, for {facts['task']}.")
    if arguments.source == arguments.target:
        raise ValueError(f"`--from` and `--to` must differ. Received: {arguments.source!r} twice.")
    recipe = DEFAULTS | RECIPES.get(arguments.model, {})
    option = recipe.pop("option", {})
    running.fill_in(arguments, recipe)
    running.check_positive(arguments, "epochs", "batch_size", "limit", "patience", "vocabulary", "length", "beams")
    if not 0 <= arguments.average < 1:
        raise ValueError(f"`--average` must be at least 0 and below 1. Received: {arguments.average}.")
    context = facts["arguments"].get("context")
    if context and arguments.length > context:
        raise ValueError(f"`--length` must be at most {context}, as the model has it. Received: {arguments.length}.")
    arguments.option = option | running.options(arguments.option)
    arguments.export = arguments.export or Path("saved_models") / TASK / arguments.model
    return arguments


def load(arguments):
    """`(data, tokenizer, ids)`: ids are {part: (source, target)}, ragged."""
    from kerazoo.data.named_translations import load_translations
    from kerazoo.data.parallel_files import from_files
    from kerazoo.data.splits import limited
    from kerazoo.layers.sentencepiece_tokenizer import SentencePieceTokenizer

    languages = {"source": arguments.source, "target": arguments.target}
    if arguments.data:
        data = from_files(arguments.data, seed=arguments.seed, **languages)
    else:
        data = load_translations(arguments.dataset, **languages)
    if arguments.limit:
        data = limited(data, arguments.limit, seed=arguments.seed)
    print(
        f"{data.name} from {data.source_name} to {data.target_name}: {len(data.train):,} training, "
        f"{len(data.validation):,} validation, {len(data.test):,} test pairs."
    )
    print("".join(f"  {note}\n" for note in data.notes), end="")
    texts = data.train.source + data.train.target
    tokenizer = SentencePieceTokenizer.learn(texts, size=arguments.vocabulary, kind=arguments.pieces)
    parts = {part: getattr(data, part) for part in ("train", "validation", "test")}
    ids = {name: (tokenizer.ragged(part.source), tokenizer.ragged(part.target)) for name, part in parts.items()}
    print(f"{tokenizer.size:,} pieces are known, {_mean(ids['train'][0]):.1f} and {_mean(ids['train'][1]):.1f} a text.")
    return data, tokenizer, ids


def _mean(ids):
    return float(np.mean(ids.row_lengths()))


def build(arguments, tokenizer, **options):
    """The compiled model for the pieces of both languages."""
    return kerazoo.build(arguments.model, **({"vocabulary_size": tokenizer.size} | arguments.option | options))


def train(arguments, tokenizer, ids, folder):
    """Trains the network, saving every epoch.

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
    averaged = arguments.average > 0
    journal = Journal(
        folder,
        configuration=running.settings(arguments, SETTINGS),
        patience=arguments.patience,
        monitor="val_loss",
        mode="min",
        kept=(lambda model: model.average) if averaged else None,
        spacing=10.0,
    )
    model = build(
        arguments,
        tokenizer,
        **_optimizer(arguments, -(-int(ids["train"][0].nrows()) // arguments.batch_size)),
        precision=arguments.precision,
        jit_compile=running.JIT_COMPILE[arguments.jit_compile],
        seed=arguments.seed,
    )
    if averaged:
        model = Averaged(model, decay=arguments.average)
    first = journal.restore(model)

    def batches(seed):
        return pair_batches(*ids["train"], batch_size=arguments.batch_size, training=True, seed=seed)

    mean = _mean(ids["train"][1]) + 1
    speed = throughput(batches(arguments.seed), seconds=0.5) * mean
    if first < arguments.epochs:
        model.fit(
            batches(arguments.seed + first),  # A resumed run draws by another seed, or its first epochs came again.
            validation_data=pair_batches(*ids["validation"], batch_size=64),
            epochs=arguments.epochs,
            initial_epoch=first,
            callbacks=[journal],
            verbose="auto" if sys.stdout.isatty() else 2,
            shuffle=False,
        )
    return journal, speed, mean * int(ids["train"][0].nrows())


def _optimizer(arguments, steps):
    """The arguments of `kerazoo.build` that say how it learns; `steps` is those of an epoch."""
    import keras

    from kerazoo.training.muon import ConvMuon

    steps *= arguments.epochs
    warm_up = max(1, int(WARM_UP * steps))
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, max(1, steps - warm_up), LOWEST, warmup_target=arguments.learning_rate, warmup_steps=warm_up
    )
    if arguments.optimizer == "own":
        return {"learning_rate": rate}
    return {"optimizer": ConvMuon(rate, weight_decay=0.0, adam_lr_ratio=MUON_ADAM, global_clipnorm=1.0)}


def judge(arguments, data, tokenizer, ids, folder):
    """Exports the model, translates the test part with it, and judges every file.

    Returns:
        `(model, translations, exports, speed)`: a row for each exported file, and how fast it translates.
    """
    from kerazoo.data.pair_batches import pair_batches
    from kerazoo.evaluate.language import scores, surprises
    from kerazoo.evaluate.predict import compiled, difference
    from kerazoo.evaluate.translation import scores as translation_scores
    from kerazoo.generation.translator import Translator

    model = build(arguments, tokenizer, weights=folder / "best.weights.h5", precision="float32", jit_compile=False)
    shown, _ = next(pair_batches(*ids["validation"], batch_size=8, length=arguments.length).as_numpy_iterator())
    print("Exporting ...")
    generate = {"beams": arguments.beams, "length_penalty": arguments.length_penalty}
    report = kerazoo.export(
        model,
        arguments.export,
        formats=("saved_model", "tflite"),
        quantize="dynamic",
        representative_data=shown,
        signature="raw",
        tokenizer=tokenizer,
        metadata={"output": "logits", "dataset": data.name, "generate": generate},
    )
    print(f"Translating {len(data.test):,} test texts ...")
    translator, start = Translator(model, tokenizer), time.perf_counter()
    translations = translator(data.test.source, **generate, progress=sys.stdout.isatty())
    speed = {"texts_per_second": len(data.test) / (time.perf_counter() - start)}
    print("Judging the exported files ...")
    count = min(JUDGED, len(data.test))
    some = pair_batches(*(side[:count] for side in ids["test"]), batch_size=16, length=arguments.length)
    some, run = list(some.as_numpy_iterator()), compiled(model)
    exports = []
    for file in report.files:
        engine, answers = kerazoo.load(report.path, engine=file.engine), []
        nats, apart = [], 0.0
        for inputs, following in some:  # One batch after the other: logits of all of them would not fit into memory.
            answers = np.asarray(engine(inputs))
            apart = max(apart, difference(np.asarray(run(inputs)), answers))
            nats.append(surprises(lambda _, answers=answers: answers, [(inputs, following)], padding=0))
        bleu = None
        if file.engine == "saved_model":
            said = [engine.raw(data.test.source[first : first + 64])["texts"] for first in range(0, len(data.test), 64)]
            bleu = translation_scores(np.concatenate(said).tolist(), data.test.target)["bleu"]
        exports.append(
            {
                "form": file.engine,
                "folder": report.path,
                "file": file.path,
                "bytes": file.bytes,
                "bleu": bleu,
                **scores(np.concatenate(nats)),
                "difference": apart,
                "latency_ms": file.latency_ms,
            }
        )
    return translator, translations, exports, speed


def baselines(data):
    """Each word by itself, and the source as it is."""
    from kerazoo.evaluate.translation import scores
    from kerazoo.evaluate.word_by_word import WordByWord

    known = WordByWord(data.train.source, data.train.target)
    rows = (
        ("word by word (IBM's model 1)", known.translate(data.test.source)),
        ("the source as it is", data.test.source),
    )
    return [{"name": name, **scores(said, data.test.target)} for name, said in rows]


def samples(arguments, data, translator, translations, *, drawn=12, pictures=3):
    """`(samples, worst, own, shares)`: rows of texts for the report, and what the first ones looked at."""
    from kerazoo.evaluate.translation import sentence_bleu
    from kerazoo.generation.attention import looked_at
    from kerazoo.generation.translator import BEGIN, END

    texts = list(zip(data.test.source, translations, data.test.target))
    rows = [dict(zip(("source", "translation", "reference"), row)) for row in texts]
    order = np.random.default_rng(arguments.seed).permutation(len(rows))
    chosen = [rows[place] for place in order[:drawn]]
    worst = sorted(rows, key=lambda row: sentence_bleu(row["translation"], row["reference"]))[: drawn // 2]
    said = translator(arguments.translate or (), beams=arguments.beams, length_penalty=arguments.length_penalty)
    own = [{"source": text, "translation": other} for text, other in zip(arguments.translate or (), said)]
    shares = []
    for row in [*own, *chosen][:pictures]:
        source, target = translator.tokenizer.ragged([row["source"], row["translation"]]).to_list()
        looks = looked_at(translator.model, np.array([[*source, END]]), np.array([[BEGIN, *target]]))
        pieces = [translator.tokenizer.pieces(ids) for ids in ([*target, END], [*source, END])]
        shares.append(
            (looks[-1, 0].mean(axis=0), *([piece.replace("\u2581", "_") for piece in side] for side in pieces))
        )
    return chosen, worst, own, shares


def main(argv=None):
    """Runs the application; returns the record that `run.json` in the run's folder holds."""
    return running.main(parse_args(argv), _run)


def _run(arguments, start):
    import_tensorflow()
    from kerazoo.evaluate import translation_report
    from kerazoo.evaluate.translation import by_length, scores

    given = running.given(arguments, parse_args([]))
    settle(arguments)
    data, tokenizer, ids = load(arguments)
    folder = running.new_folder(TASK, f"{data.name}-{data.source_name}-{data.target_name}-{arguments.model}", arguments)
    again = running.command(TASK, given, "--resume", f"--out={folder}")
    with running.resumable(again):
        journal, speed, seen = train(arguments, tokenizer, ids, folder)
        translator, translations, exports, translating = judge(arguments, data, tokenizer, ids, folder)
    chosen, worst, own, shares = samples(arguments, data, translator, translations)
    record = running.record(
        TASK,
        given,
        running.settings(arguments, SETTINGS),
        start,
        dataset=data.record() | {"limited": arguments.limit},
        model={"name": arguments.model, "parameters": translator.model.count_params()},
        tokenizer={"pieces": tokenizer.size, "kind": arguments.pieces},
        training=journal.record("tokens", seen=seen, fed=speed),
        test=scores(translations, data.test.target),
        by_length=by_length(translations, data.test.target, data.test.source),
        baselines=baselines(data),
        translating=translating,
        samples=chosen,
        worst=worst,
        own=own,
        exports=exports,
    )
    return running.finish(record, translation_report.page(record, shares), translation_report.summary(record), folder)


if __name__ == "__main__":
    main()
