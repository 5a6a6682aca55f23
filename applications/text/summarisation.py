"""Summarisation: a pointer-generator trained on texts and their summaries -> judged by ROUGE, exported, summarising.

    kerazoo run summarisation                                       # packages' long descriptions to one line
    kerazoo run summarisation --summarise "A small tool that ..."   # and texts of your own at the end
    kerazoo run summarisation --data news.jsonl --source article --target highlights

The default data are the package descriptions of the Debian or Ubuntu that it runs on; without apt's lists, or
elsewhere, `--data` takes your own. A word of the source that the vocabulary has not can be copied. The test part is
summarised once, at the end, beside its first sentences and the summary of the most similar training text. The exported
SavedModel takes texts and gives texts (`raw`). A run leaves `run.json` and `report.html` in its folder.
"""

from pathlib import Path

import numpy as np

from kerazoo.applications import reading, running, text_pairs
from kerazoo.quiet import import_tensorflow

TASK = KIND = "summarisation"
NEEDS = ("matplotlib", "rouge_score", "sklearn")
DEFAULTS = {"epochs": 5, "batch_size": 64, "optimizer": "adam", "learning_rate": 2e-3, "vocabulary": 12_000}
DEFAULTS |= {"average": 0.998, "option": {"units": 128, "dropout": 0.2}}
SETTINGS = (
    f"{reading.SETTINGS} "
    "dataset data source target limit model option vocabulary extra source_words summary_words epochs batch_size "
    "learning_rate optimizer average beams length_penalty precision seed"
)
OPTIMIZERS = ("own", "adam")
WARM_UP = 0.02  # Of the steps.


def parse_args(argv):
    """The options; those that a recipe can decide are None until `settle`."""
    parser = running.parser(TASK, __doc__)
    data = parser.add_argument_group("data")
    source = data.add_mutually_exclusive_group()
    source.add_argument("--dataset", choices=("packages",), help="packages (default)")
    source.add_argument("--data", type=Path, metavar="PATH", help="a table of pairs, or a folder of your own files")
    data.add_argument("--source", default="text", help="name of the column of texts")
    data.add_argument("--target", default="summary", help="name of the column of summaries")
    text_pairs.add_former_names(data)
    reading.add_options(data, numbers=False)
    data.add_argument("--limit", type=int, help="pairs of each part at most, for a first look")
    training = parser.add_argument_group("model and training")
    training.add_argument("--model", default="pointer_generator", help=f"one of `kerazoo list --task {KIND}`")
    running.add_model_option(training)
    training.add_argument("--vocabulary", type=int, help="words that are known, at most")
    training.add_argument("--extra", type=int, default=64, help="unknown words of a text that can be copied")
    training.add_argument("--source-words", type=int, default=64, help="words of a text that are read")
    training.add_argument("--summary-words", type=int, default=32, help="words of a summary, at most")
    training.add_argument("--optimizer", choices=OPTIMIZERS, help="the model's own, or Adam")
    text_pairs.add_training(training)
    summarising = parser.add_argument_group("summarising")
    summarising.add_argument("--summarise", action="append", metavar="TEXT", help="a text of your own; repeatable")
    text_pairs.add_search(summarising)
    running.add_output(parser, TASK)
    return parser.parse_args(argv)


def settle(arguments):
    """Fills in what the recipe decides; checks what can be wrong before time is spent."""
    if not arguments.data:
        arguments.dataset = arguments.dataset or "packages"
    reading.check(arguments)
    text_pairs.settle_model(arguments, KIND)
    recipe = dict(DEFAULTS)
    option = recipe.pop("option")
    running.fill_in(arguments, recipe)
    text_pairs.check(arguments)
    running.check_positive(arguments, "source_words", "summary_words")
    if arguments.extra < 0:
        raise ValueError(f"`--extra` must be at least 0. Received: {arguments.extra}.")
    arguments.option = option | running.options(arguments.option)
    return arguments


def load(arguments):
    """`(data, tokenizer, ids)`: ids are {part: (source, target)}, ragged."""
    from kerazoo.data.package_summaries import package_summaries
    from kerazoo.data.parallel_files import from_files
    from kerazoo.data.splits import limited
    from kerazoo.layers.copying_tokenizer import CopyingTokenizer

    if arguments.data:
        columns = {"source": arguments.source, "target": arguments.target}
        data = from_files(arguments.data, seed=arguments.seed, dialect=reading.dialect(arguments), **columns)
    else:
        data = package_summaries(seed=arguments.seed)
    if arguments.limit:
        data = limited(data, arguments.limit, seed=arguments.seed)
    text_pairs.said(data)
    tokenizer = CopyingTokenizer.learn(
        data.train.source + data.train.target,
        size=arguments.vocabulary,
        extra=arguments.extra,
        length=arguments.source_words - 1,  # The end comes after them.
    )
    ids = {}
    for name in ("train", "validation", "test"):
        part = getattr(data, name)
        ids[name] = (tokenizer.ragged(part.source), tokenizer.targets(part.target, part.source))
    ids["train"] = (ids["train"][0], ids["train"][1][:, : arguments.summary_words - 1])  # A few are far longer.
    means = [text_pairs.mean_length(side) for side in ids["train"]]
    copied = np.mean(ids["train"][1].flat_values.numpy() >= tokenizer.vocabulary_size)
    print(
        f"{tokenizer.vocabulary_size:,} words are known, {means[0]:.1f} and {means[1]:.1f} a text; {copied:.1%} of the "
        "summaries' words are not, and can be copied."
    )
    return data, tokenizer, ids


def train(arguments, tokenizer, ids, folder):
    """Trains the network: `(journal, speed, seen)` as `text_pairs.train` has it."""

    def learns(steps):
        import keras

        rate = text_pairs.cosine(arguments, steps, WARM_UP)
        if arguments.optimizer == "own":
            return {"learning_rate": rate}
        return {"optimizer": keras.optimizers.Adam(rate, global_clipnorm=2.0)}

    return text_pairs.train(arguments, SETTINGS, tokenizer, ids, folder, learns)


def judge(arguments, data, tokenizer, ids, folder):
    """Exports the model and summarises the test part with it: as `text_pairs.judge` has it."""
    from kerazoo.evaluate.rouge import scores

    def score(texts, references):
        return {"rouge_l": scores(texts, references)["rouge_l"]}

    lengths = (arguments.source_words, arguments.summary_words)
    generate = {"tokens": arguments.summary_words - 1, "beams": arguments.beams}
    generate |= {"length_penalty": arguments.length_penalty}
    how = {"doing": "Summarising", "lengths": lengths, "generate": generate, "score": score}
    return text_pairs.judge(arguments, data, tokenizer, ids, folder, **how)


def baselines(data):
    """The first sentence, whole and as long as a summary, and what stands over the most similar training text."""
    from kerazoo.evaluate.rouge import novel, scores
    from kerazoo.evaluate.summary_baselines import lead, of_nearest

    words = round(np.mean([len(text.split()) for text in data.train.target]))
    rows = (
        ("lead-1, the first sentence", lead(data.test.source)),
        (f"its first {words} words", lead(data.test.source, words)),
        ("the nearest training text's summary", of_nearest(data.test.source, data.train.source, data.train.target)),
    )
    return [
        {"name": name, **scores(said, data.test.target), "novel": novel(said, data.test.source)} for name, said in rows
    ]


def samples(arguments, data, summariser, summaries, *, drawn=12, pictures=2):
    """Rows of texts for the report: drawn ones, the worst, a user's own, and what the first ones copied and looked at.

    Returns:
        {"samples", "worst", "own"}, and [(words of the summary, shares copied (T,), attention (T, S), words of the
        source)] of the user's own and the first drawn ones.
    """
    from kerazoo.evaluate.rouge import each
    from kerazoo.generation.attention import copied
    from kerazoo.generation.translator import BEGIN, END

    rows = [
        {"source": source, "summary": summary, "reference": reference}
        for source, summary, reference in zip(data.test.source, summaries, data.test.target)
    ]
    chosen = [rows[place] for place in np.random.default_rng(arguments.seed).permutation(len(rows))[:drawn]]
    worst = np.argsort(each(summaries, data.test.target)["rouge_l"], kind="stable")[: drawn // 2]
    search = {"beams": arguments.beams, "length_penalty": arguments.length_penalty}
    said = summariser(arguments.summarise or (), tokens=arguments.summary_words - 1, **search)
    own = [{"source": text, "summary": summary} for text, summary in zip(arguments.summarise or (), said)]
    looks, tokenizer = [], summariser.tokenizer
    for row in [*own, *chosen][: len(own) + pictures]:
        source = tokenizer.ragged([row["source"]])[0].numpy()
        target = tokenizer.targets([row["summary"]], [row["source"]])[0].numpy()
        shares, parts = copied(summariser.model, np.array([[*source, END]]), np.array([[BEGIN, *target]]))
        words = [tokenizer.words([text])[0] for text in (row["summary"], row["source"])]
        words[1] = words[1][: len(source)]
        looks.append(([*words[0], "END"], parts[0], shares[0], [*words[1], "END"]))
    return {"samples": chosen, "worst": [rows[place] for place in worst], "own": own}, looks


def main(argv=None):
    """Runs the application; returns the record that `run.json` in the run's folder holds."""
    return running.main(parse_args(argv), _run, NEEDS)


def _run(arguments, start):
    import_tensorflow()
    from kerazoo.evaluate import summary_report
    from kerazoo.evaluate.rouge import novel, scores

    given = running.given(arguments, parse_args([]))
    settle(arguments)
    data, tokenizer, ids = load(arguments)
    folder = running.new_folder(TASK, f"{data.name}-{arguments.model}", arguments)
    again = running.command(TASK, given, "--resume", f"--out={folder}")
    with running.resumable(again):
        journal, speed, seen = train(arguments, tokenizer, ids, folder)
        summariser, summaries, judged = judge(arguments, data, tokenizer, ids, folder)
    shown, looks = samples(arguments, data, summariser, summaries)
    record = running.record(
        TASK,
        given,
        running.settings(arguments, SETTINGS),
        start,
        dataset=data.record() | {"limited": arguments.limit},
        model={"name": arguments.model, "parameters": summariser.model.count_params()},
        tokenizer={"words": tokenizer.vocabulary_size, "extra": tokenizer.extra},
        training=journal.record("tokens", seen=seen, fed=speed),
        test=scores(summaries, data.test.target) | {"novel": novel(summaries, data.test.source)},
        reference={"novel": novel(data.test.target, data.test.source)},
        baselines=baselines(data),
        **shown,
        **judged,
    )
    return running.finish(arguments, record, summary_report.page(record, looks), summary_report.summary(record), folder)


if __name__ == "__main__":
    main()
