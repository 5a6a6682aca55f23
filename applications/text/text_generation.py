"""Text generation: a language model over characters -> judged, exported, and writing.

    kerazoo run text_generation                                      # tinyshakespeare, a GPT of 0.8 million parameters
    kerazoo run text_generation --steps 2000 --batch-size 12         # as long as nanoGPT on a CPU
    kerazoo run text_generation --model char_lstm
    kerazoo run text_generation --model gpt_mini --steps 5000 --batch-size 64   # nanoGPT's own; wants a GPU
    kerazoo run text_generation --data novels --prompt "It was"      # a .txt file, or a folder of them

The last tenth of the text is judged once, at the end, beside counting which character followed the last few. The
exported SavedModel takes a text and writes on (`raw`); every file takes ids of characters, which its tokenizer.json
makes. A run leaves `run.json` and `report.html` in its folder.
"""

import sys
import time
from pathlib import Path

import numpy as np

import kerazoo
from kerazoo.applications import running
from kerazoo.quiet import import_tensorflow

TASK, KIND = "text_generation", "language_modelling"
NEEDS = ("matplotlib",)
DEFAULTS = {"steps": 5000, "epochs": 10, "batch_size": 32, "optimizer": "own"}
# After nanoGPT's 2,000 steps 1.70 nats on the validation part, where AdamW comes to 1.92: docs/text.md.
_MUON = {"optimizer": "muon", "learning_rate": 0.01}
RECIPES = {"gpt_nano": _MUON, "gpt_mini": _MUON, "gpt_2": _MUON}
SETTINGS = "dataset data limit model option context steps epochs batch_size learning_rate optimizer precision seed"
OPTIMIZERS = ("own", "muon")
MUON_ADAM = 0.1  # AdamW's rate, for embeddings and norms, over Muon's.
ORDERS = range(1, 9)  # Of n-grams, among which the validation part chooses.
WARM_UP, LOWEST = 0.05, 0.1  # Of the steps; of the rate, where the cosine ends. nanoGPT's for characters.
JUDGED = 256  # Windows on which exported files are judged.


def parse_args(argv):
    """The options; those that a recipe can decide are None until `settle`."""
    parser = running.parser(TASK, __doc__)
    data = parser.add_argument_group("data")
    source = data.add_mutually_exclusive_group()
    source.add_argument("--dataset", help="tinyshakespeare (default)")
    source.add_argument("--data", type=Path, metavar="PATH", help="a .txt file, or a folder of them")
    data.add_argument("--limit", type=int, help="characters of each part at most, for a first look")
    training = parser.add_argument_group("model and training")
    training.add_argument("--model", default="gpt_nano", help=f"one of `kerazoo list --task {KIND}`")
    running.add_model_option(training)
    training.add_argument("--context", type=int, help="characters of a window; default as many as the model has")
    training.add_argument("--steps", type=int, help="of the whole training")
    training.add_argument("--optimizer", choices=OPTIMIZERS, help="the model's own, or Muon for its matrices")
    running.add_training(
        training,
        precision="float32",
        learning_rate="the highest; it climbs for a twentieth of the steps, then falls to a tenth",
        patience="epochs without a better validation loss, then it stops; default never",
    )
    running.add_jit_compile(training)
    writing = parser.add_argument_group("writing")
    writing.add_argument("--prompt", default="\n", help="what the samples go on with")
    writing.add_argument("--tokens", type=int, default=500, help="characters of a sample")
    writing.add_argument("--temperature", type=float, default=0.8)
    writing.add_argument("--top-k", type=int)
    writing.add_argument("--top-p", type=float)
    running.add_output(parser, TASK)
    return parser.parse_args(argv)


def settle(arguments):
    """Fills in what the recipe decides; checks what can be wrong before time is spent."""
    if not arguments.data:
        arguments.dataset = arguments.dataset or "tinyshakespeare"
    facts = kerazoo.info(arguments.model)
    if facts["task"] != KIND:
        raise ValueError(f"`--model` must be one for {KIND}. Received: {arguments.model!r}, for {facts['task']}.")
    own = facts["arguments"]
    recipe = DEFAULTS | {"learning_rate": own["learning_rate"], "context": own.get("context", 64)}
    recipe |= RECIPES.get(arguments.model, {})
    if arguments.optimizer == "own":
        recipe["learning_rate"] = own["learning_rate"]
    running.fill_in(arguments, recipe)
    running.check_positive(
        arguments, "epochs", "steps", "batch_size", "limit", "patience", "context", "tokens", "top_k"
    )
    if arguments.steps % arguments.epochs:
        raise ValueError(f"`--epochs` must divide `--steps`. Received: {arguments.epochs} and {arguments.steps}.")
    arguments.option = running.options(arguments.option)
    _sampling(arguments)  # Refuses what cannot be drawn from.
    return arguments


def _sampling(arguments):
    from kerazoo.generation.sampling import Sampling

    given = {name: getattr(arguments, name) for name in ("temperature", "top_k", "top_p")}
    Sampling(**given)
    return given


def load(arguments):
    """`(corpus, tokenizer, ids)`: ids are {part: (T,)}; characters that training does not have are left out, which the
    corpus notes."""
    from kerazoo.data.corpora import Corpus, corpus_of, load_corpus
    from kerazoo.layers.character_tokenizer import CharacterTokenizer

    parts = ("train", "validation", "test")
    corpus = corpus_of(arguments.data) if arguments.data else load_corpus(arguments.dataset)
    if arguments.limit:
        corpus = Corpus(**(vars(corpus) | {part: getattr(corpus, part)[: arguments.limit] for part in parts}))
    tokenizer = CharacterTokenizer.learn([corpus.train, corpus.validation])
    ids = {part: tokenizer.ragged([getattr(corpus, part)]).flat_values.numpy() for part in parts}
    unknown = len(corpus.test) - len(ids["test"])
    if unknown:
        corpus.notes.append(f"{unknown:,} characters of the test part do not occur before it and are left out.")
    print(
        f"{corpus.name}: {len(ids['train']):,} training, {len(ids['validation']):,} validation, {len(ids['test']):,} "
        f"test characters, {tokenizer.size} different ones."
    )
    return corpus, tokenizer, ids


def build(arguments, tokenizer, **options):
    """The compiled model for the corpus's characters."""
    sizes = {"vocabulary_size": tokenizer.size}
    if "context" in kerazoo.info(arguments.model)["arguments"]:
        sizes["context"] = arguments.context
    return kerazoo.build(arguments.model, **(sizes | arguments.option | options))


def train(arguments, tokenizer, ids, folder):
    """Trains the network, saving every epoch.

    Returns:
        `(journal, speed)`: the `Journal`, and the tokens a second that the input pipeline gives alone.
    """
    import keras

    from kerazoo.data.pipeline import throughput
    from kerazoo.data.token_windows import random_windows, windows_in_order
    from kerazoo.training.callbacks import Journal

    keras.utils.set_random_seed(arguments.seed)
    journal = Journal(
        folder,
        configuration=running.settings(arguments, SETTINGS),
        patience=arguments.patience,
        monitor="val_loss",
        mode="min",
        spacing=10.0,
    )
    model = build(
        arguments,
        tokenizer,
        **_optimizer(arguments),
        precision=arguments.precision,
        jit_compile=running.JIT_COMPILE[arguments.jit_compile],
        seed=arguments.seed,
    )
    first = journal.restore(model)
    steps = arguments.steps // arguments.epochs
    sizes = {"length": arguments.context, "batch_size": arguments.batch_size}

    def batches(seed):
        return random_windows(ids["train"], steps=steps, seed=seed, **sizes)

    speed = throughput(batches(arguments.seed), seconds=0.5) * arguments.context
    journal.fit(
        model,
        batches(arguments.seed + first),  # A resumed run draws by another seed, or its first epochs came again.
        validation_data=windows_in_order(ids["validation"], length=arguments.context, batch_size=64),
        epochs=arguments.epochs,
        verbose="auto" if sys.stdout.isatty() else 2,
        shuffle=False,
    )
    return journal, speed


def _optimizer(arguments):
    """The arguments of `kerazoo.build` that say how it learns."""
    import keras

    from kerazoo.training.muon import ConvMuon

    warm_up = max(1, int(WARM_UP * arguments.steps))
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, max(1, arguments.steps - warm_up), LOWEST, warmup_target=arguments.learning_rate, warmup_steps=warm_up
    )
    if arguments.optimizer == "own":
        return {"learning_rate": rate}
    return {"optimizer": ConvMuon(rate, weight_decay=0.1, adam_lr_ratio=MUON_ADAM, global_clipnorm=1.0)}


def judge(arguments, corpus, tokenizer, ids, folder):
    """Exports the model, puts the test part to it and to every file, and lets it write.

    Returns:
        `(nats, exports, samples, speed)`: surprises (windows, T), a row for each exported file, and how fast it
        writes.
    """
    from kerazoo.data.token_windows import windows_in_order
    from kerazoo.evaluate.language import scores, surprises
    from kerazoo.evaluate.predict import compiled, difference
    from kerazoo.training.callbacks import best_weights

    options = {"weights": best_weights(folder), "precision": "float32", "jit_compile": False}
    model = build(arguments, tokenizer, length=arguments.context, **options)
    length = arguments.context
    shown, _ = next(iter(windows_in_order(ids["validation"], length=length, batch_size=8)))
    print("Exporting ...")
    report = running.export(
        arguments,
        model,
        formats=("saved_model", "tflite"),
        quantize="dynamic",
        representative_data=shown.numpy(),
        signature="raw",
        tokenizer=tokenizer,
        metadata={"output": "logits", "dataset": corpus.name, "generate": {"tokens": 200, **_sampling(arguments)}},
    )
    print("Judging the model and its exported files ...")
    run = compiled(model)
    nats = surprises(run, windows_in_order(ids["test"], length=length, batch_size=64))
    some = list(windows_in_order(ids["test"], length=length, batch_size=32, most=JUDGED).as_numpy_iterator())
    own = np.concatenate([np.asarray(run(tokens)) for tokens, _ in some])
    exports = []
    for file in report.files:
        engine = kerazoo.load(report.path, engine=file.engine)
        answers = np.concatenate([np.asarray(engine(tokens)) for tokens, _ in some])
        held = iter(np.split(answers, np.cumsum([len(tokens) for tokens, _ in some])[:-1]))
        exports.append(
            {
                "form": file.engine,
                "folder": report.path,
                "file": file.path,
                "bytes": file.bytes,
                **scores(surprises(lambda _, held=held: next(held), some)),
                "difference": difference(own, answers),
                "latency_ms": file.latency_ms,
            }
        )
    samples, speed = write(arguments, model, tokenizer)
    return nats, exports, samples, speed


def write(arguments, model, tokenizer, batch=16):
    """`(samples, speed)`: what the model writes after the prompt, in three ways, and tokens a second."""
    from kerazoo.generation.texts import Writer

    writer, chosen = Writer(model, tokenizer), _sampling(arguments)
    samples = []
    for how, options in ((_words(chosen), chosen), ("temperature 1", {}), ("the likeliest always", {"temperature": 0})):
        (text,) = writer.write([arguments.prompt], tokens=arguments.tokens, seed=arguments.seed, **options)
        samples.append({"how": how, "prompt": arguments.prompt, "text": text})
    (prompt,) = tokenizer.ragged([arguments.prompt]).to_list()
    speeds = {}
    for name, count in (("tokens_per_second", 1), ("batch_tokens_per_second", batch)):
        for _ in range(2):  # The first call compiles.
            start = time.perf_counter()
            writer.generator.generate([prompt] * count, tokens=arguments.tokens, seed=arguments.seed)
            speeds[name] = count * arguments.tokens / (time.perf_counter() - start)
    return samples, speeds | {"batch": batch}


def _words(sampling):
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in sampling.items() if value is not None)


def baselines(ids, size):
    """Counting characters, and n-grams of the order that foretells the validation part best."""
    from kerazoo.evaluate.language import scores
    from kerazoo.evaluate.ngrams import witten_bell

    surprise = {o: witten_bell(ids["train"], ids["validation"], vocabulary=size, order=o).mean() for o in ORDERS}
    best = min(surprise, key=surprise.get)
    return [
        {"name": name, **scores(witten_bell(ids["train"], ids["test"], vocabulary=size, order=order)[1:])}
        for name, order in ((f"{best}-grams (Witten and Bell)", best), ("counts of characters", 1))
    ]


def main(argv=None):
    """Runs the application; returns the record that `run.json` in the run's folder holds."""
    return running.main(parse_args(argv), _run, NEEDS)


def _run(arguments, start):
    import_tensorflow()
    from kerazoo.evaluate import language_report
    from kerazoo.evaluate.language import scores

    given = running.given(arguments, parse_args([]))
    settle(arguments)
    corpus, tokenizer, ids = load(arguments)
    folder = running.new_folder(TASK, f"{corpus.name}-{arguments.model}", arguments)
    again = running.command(TASK, given, "--resume", f"--out={folder}")
    with running.resumable(again):
        journal, speed = train(arguments, tokenizer, ids, folder)
        nats, exports, samples, written = judge(arguments, corpus, tokenizer, ids, folder)
    seen = arguments.steps // arguments.epochs * arguments.batch_size * arguments.context
    record = running.record(
        TASK,
        given,
        running.settings(arguments, SETTINGS),
        start,
        dataset=corpus.record() | {"limited": arguments.limit, "published": corpus.published},
        model={"name": arguments.model},
        tokenizer={"vocabulary": tokenizer.size},
        training=journal.record("tokens", seen=seen, fed=speed),
        test=scores(nats),
        baselines=baselines(ids, tokenizer.size),
        generation=written,
        samples=samples,
        exports=exports,
    )
    return running.finish(
        arguments, record, language_report.page(record, nats), language_report.summary(record), folder
    )


if __name__ == "__main__":
    main()
