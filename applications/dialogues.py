"""How the chatbot trains a model from one sequence to another on dialogues, and talks with it."""

from pathlib import Path

import numpy as np

from kerazoo.applications import running, starting, text_pairs

TASK, KIND = "chatbot", "translation"
NEEDS = ("matplotlib", "sacrebleu", "sklearn")
DEFAULTS = {"epochs": 60, "batch_size": 32, "learning_rate": 4e-3, "vocabulary": 2000, "average": 0.99}
OPTIONS = {"seq2seq_luong": {"units": 256, "embedding_size": 128, "depth": 1, "dropout": 0.1}}
SETTINGS = (
    "data history limit model option vocabulary length epochs batch_size learning_rate average beams length_penalty "
    "precision seed"
)
WARM_UP = 0.05  # Of the steps.


def add_options(parser):
    """The options of a model that is trained here."""
    group = parser.add_argument_group("training, where --model is one for translation")
    group.add_argument(
        "--data", type=Path, metavar="PATH", help="your dialogues, .jsonl; default those of chatterbot-corpus"
    )
    group.add_argument("--history", type=int, default=0, help="turns before the last that a reply is made from")
    group.add_argument("--limit", type=int, help="pairs of each part at most, for a first look")
    running.add_model_option(group)
    group.add_argument("--vocabulary", type=int, help="pieces of words")
    group.add_argument("--length", type=int, default=64, help="pieces of either side that are read and written")
    text_pairs.add_training(group)
    text_pairs.add_search(group)


def settle(arguments):
    """Fills in what the recipe decides; checks what can be wrong before time is spent."""
    running.fill_in(arguments, DEFAULTS)
    text_pairs.check(arguments)
    running.check_positive(arguments, "length")
    if arguments.history < 0:
        raise ValueError(f"`--history` must be at least 0. Received: {arguments.history}.")
    arguments.option = OPTIONS.get(arguments.model, {}) | running.options(arguments.option)


def load(arguments):
    """`(data, tokenizer, ids)`: ids are {part: (source, target)}, ragged."""
    from kerazoo.data import dialogues
    from kerazoo.data.splits import limited

    how = {"history": arguments.history, "seed": arguments.seed}
    data = dialogues.from_jsonl(arguments.data, **how) if arguments.data else dialogues.chatterbot(**how)
    if arguments.limit:
        data = limited(data, arguments.limit, seed=arguments.seed)
    text_pairs.said(data)
    tokenizer, data = text_pairs.learn_pieces(arguments, data)
    ids = {}
    for name in ("train", "validation", "test"):
        part, most = getattr(data, name), arguments.length - 1
        source, target = tokenizer.ragged(part.source), tokenizer.ragged(part.target)
        ids[name] = (source[:, -most:], target[:, :most])  # What was said last counts.
    return data, tokenizer, ids


def train(arguments, tokenizer, ids, folder):
    """Trains the network: `(journal, speed, seen)` as `text_pairs.train` has it."""

    def learns(steps):
        return {"learning_rate": text_pairs.cosine(arguments, steps, WARM_UP)}

    # By the validation loss the best one is a model that says the same to everyone, as few replies can be foretold. One
    # that is to talk has to know its dialogues: the last epoch is kept.
    return text_pairs.train(arguments, SETTINGS, tokenizer, ids, folder, learns, monitor="loss")


def judge(arguments, data, tokenizer, ids, folder):
    """Exports the model and lets it reply to the test part: as `text_pairs.judge` has it."""
    from kerazoo.evaluate.translation import scores

    def score(texts, references):
        return {"bleu": scores(texts, references)["bleu"]}

    lengths = (arguments.length, arguments.length)
    generate = {"beams": arguments.beams, "length_penalty": arguments.length_penalty, "tokens": arguments.length - 1}
    how = {"doing": "Replying to", "lengths": lengths, "generate": generate, "score": score}
    return text_pairs.judge(arguments, data, tokenizer, ids, folder, **how)


def baselines(data):
    """The reply to the most similar thing that was said in training, and the commonest reply."""
    from kerazoo.evaluate.summary_baselines import of_nearest
    from kerazoo.evaluate.translation import scores

    kinds, counts = np.unique(data.train.target, return_counts=True)
    rows = (
        ("the reply to the nearest text", of_nearest(data.test.source, data.train.source, data.train.target)),
        ("the commonest reply", [str(kinds[np.argmax(counts)])] * len(data.test)),
    )
    return [{"name": name, **scores(said, data.test.target), "kinds": len(set(said))} for name, said in rows]


def run(arguments, given, start):
    """Trains, exports and judges a model.

    Returns:
        `(talk, record)`: a `Replies`, and what `run.json` holds.
    """
    from kerazoo.data.dialogues import told
    from kerazoo.evaluate import translation_report
    from kerazoo.evaluate.translation import by_length, scores
    from kerazoo.generation.replies import Replies

    starting.check(arguments, NEEDS)
    settle(arguments)
    data, tokenizer, ids = load(arguments)
    folder = running.new_folder(TASK, f"{data.name}-{arguments.model}", arguments)
    again = running.command(TASK, given, "--resume", f"--out={folder}")
    with running.resumable(again):
        journal, speed, seen = train(arguments, tokenizer, ids, folder)
        translator, replies, judged = judge(arguments, data, tokenizer, ids, folder)
    rows = [
        {"source": source, "translation": reply, "reference": reference}
        for source, reply, reference in zip(data.test.source, replies, data.test.target)
    ]
    record = running.record(
        TASK,
        given,
        running.settings(arguments, SETTINGS),
        start,
        dataset=data.record() | {"limited": arguments.limit},
        model={"name": arguments.model, "parameters": translator.model.count_params()},
        tokenizer={"pieces": tokenizer.size, "kind": "bpe"},
        training=journal.record("tokens", seen=seen, fed=speed),
        test=scores(replies, data.test.target) | {"kinds": len(set(replies))},
        by_length=by_length(replies, data.test.target, data.test.source),
        baselines=baselines(data),
        samples=[rows[place] for place in np.random.default_rng(arguments.seed).permutation(len(rows))[:16]],
        worst=[],
        own=[],
        **judged,
    )
    running.finish(arguments, record, translation_report.page(record, ()), translation_report.summary(record), folder)
    talk = Replies(translator.model, tokenizer, lambda turns: told(turns, arguments.history))
    return talk, record
