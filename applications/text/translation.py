"""Translation: a Transformer trained on pairs of texts -> judged by BLEU, exported, and translating.

    kerazoo run translation                                         # Multi30k, from English to German
    kerazoo run translation --source en --target fr
    kerazoo run translation --translate "Two dogs run through the snow."
    kerazoo run translation --data corpus --source en --target nl   # corpus/train.en, corpus/train.nl, ...
    kerazoo run translation --data pairs.tsv --source question --target answer   # or any table of two columns

Both languages share one vocabulary of pieces of words, learned from the training pairs. The test part is translated
once, at the end, beside translating each word by itself. The exported SavedModel takes texts and gives texts (`raw`);
every file takes ids of pieces, which its tokenizer.json makes. A run leaves `run.json` and `report.html` in its folder.
"""

from pathlib import Path

import numpy as np

from kerazoo.applications import reading, running, text_pairs
from kerazoo.quiet import import_tensorflow

TASK = KIND = "translation"
NEEDS = ("matplotlib", "sacrebleu")
DEFAULTS = {
    "epochs": 16,
    "batch_size": 128,
    "optimizer": "own",
    "learning_rate": 1e-3,
    "vocabulary": 8000,
    "average": 0.998,
}
# By the first epochs' loss: docs/text.md. A short training underfits with the dropout of long ones, 0.3.
RECIPES = {"transformer_tiny": {"optimizer": "muon", "learning_rate": 0.005, "option": {"dropout": 0.1}}}
SETTINGS = (
    f"{reading.SETTINGS} "
    "dataset data source target limit model option vocabulary pieces length epochs batch_size learning_rate optimizer "
    "average beams length_penalty precision seed"
)
# AdamW's rate over Muon's, for the norms and the embedding, which is the output too: it begins so large, as in the
# paper, that at a usual rate its first words take a whole epoch to be forgotten.
MUON_ADAM = 2.0
WARM_UP = 0.05  # Of the steps.


def parse_args(argv):
    """The options; those that a recipe can decide are None until `settle`."""
    parser = running.parser(TASK, __doc__)
    data = parser.add_argument_group("data")
    source = data.add_mutually_exclusive_group()
    source.add_argument("--dataset", help="multi30k (default)")
    source.add_argument("--data", type=Path, metavar="PATH", help="a table of pairs, or a folder of your own files")
    data.add_argument("--source", default="en", help="language, or name of the column")
    data.add_argument("--target", default="de", help="language, or name of the column")
    text_pairs.add_former_names(data)
    reading.add_options(data, numbers=False)
    data.add_argument("--limit", type=int, help="pairs of each part at most, for a first look")
    training = parser.add_argument_group("model and training")
    training.add_argument("--model", default="transformer_tiny", help=f"one of `kerazoo list --task {KIND}`")
    running.add_model_option(training)
    training.add_argument("--vocabulary", type=int, help="pieces of words, of both languages together")
    training.add_argument("--pieces", choices=("bpe", "unigram"), default="bpe", help="how they are learned")
    training.add_argument("--length", type=int, default=64, help="pieces of either text that exported TFLite takes")
    training.add_argument(
        "--optimizer", choices=text_pairs.OPTIMIZERS, help="the model's own, or Muon for its matrices"
    )
    text_pairs.add_training(training)
    translating = parser.add_argument_group("translating")
    translating.add_argument("--translate", action="append", metavar="TEXT", help="a text of your own; repeatable")
    text_pairs.add_search(translating)
    running.add_output(parser, TASK)
    return parser.parse_args(argv)


def settle(arguments):
    """Fills in what the recipe decides; checks what can be wrong before time is spent."""
    if not arguments.data:
        arguments.dataset = arguments.dataset or "multi30k"
    reading.check(arguments)
    facts = text_pairs.settle_model(arguments, KIND)
    if arguments.source == arguments.target:
        raise ValueError(f"`--source` and `--target` must differ. Received: {arguments.source!r} twice.")
    recipe = DEFAULTS | RECIPES.get(arguments.model, {})
    option = recipe.pop("option", {})
    running.fill_in(arguments, recipe)
    text_pairs.check(arguments)
    running.check_positive(arguments, "length")
    context = facts["arguments"].get("context")
    if context and arguments.length > context:
        raise ValueError(f"`--length` must be at most {context}, as the model has it. Received: {arguments.length}.")
    arguments.option = option | running.options(arguments.option)
    return arguments


def load(arguments):
    """`(data, tokenizer, ids)`: ids are {part: (source, target)}, ragged."""
    from kerazoo.data.named_translations import load_translations
    from kerazoo.data.parallel_files import from_files
    from kerazoo.data.splits import limited

    languages = {"source": arguments.source, "target": arguments.target}
    if arguments.data:
        data = from_files(arguments.data, seed=arguments.seed, dialect=reading.dialect(arguments), **languages)
    else:
        data = load_translations(arguments.dataset, **languages)
    if arguments.limit:
        data = limited(data, arguments.limit, seed=arguments.seed)
    text_pairs.said(data)
    tokenizer, data = text_pairs.learn_pieces(arguments, data, arguments.pieces)
    parts = {part: getattr(data, part) for part in ("train", "validation", "test")}
    ids = {name: (tokenizer.ragged(part.source), tokenizer.ragged(part.target)) for name, part in parts.items()}
    means = [text_pairs.mean_length(side) for side in ids["train"]]
    print(f"{tokenizer.size:,} pieces are known, {means[0]:.1f} and {means[1]:.1f} a text.")
    return data, tokenizer, ids


def train(arguments, tokenizer, ids, folder):
    """Trains the network: `(journal, speed, seen)` as `text_pairs.train` has it."""

    def learns(steps):
        from kerazoo.training.muon import ConvMuon

        rate = text_pairs.cosine(arguments, steps, WARM_UP)
        if arguments.optimizer == "own":
            return {"learning_rate": rate}
        return {"optimizer": ConvMuon(rate, weight_decay=0.0, adam_lr_ratio=MUON_ADAM, global_clipnorm=1.0)}

    return text_pairs.train(arguments, SETTINGS, tokenizer, ids, folder, learns)


def judge(arguments, data, tokenizer, ids, folder):
    """Exports the model and translates the test part with it: as `text_pairs.judge` has it."""
    from kerazoo.evaluate.translation import scores

    def score(texts, references):
        return {"bleu": scores(texts, references)["bleu"]}

    lengths = (arguments.length, arguments.length)
    generate = {"beams": arguments.beams, "length_penalty": arguments.length_penalty}
    how = {"doing": "Translating", "lengths": lengths, "generate": generate, "score": score}
    return text_pairs.judge(arguments, data, tokenizer, ids, folder, **how)


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
    return running.main(parse_args(argv), _run, NEEDS)


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
        translator, translations, judged = judge(arguments, data, tokenizer, ids, folder)
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
        samples=chosen,
        worst=worst,
        own=own,
        **judged,
    )
    return running.finish(
        arguments, record, translation_report.page(record, shares), translation_report.summary(record), folder
    )


if __name__ == "__main__":
    main()
