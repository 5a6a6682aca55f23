"""What applications share that fine-tune an encoder of pieces of words."""

from pathlib import Path

import kerazoo
from kerazoo.registry import unknown_choice

RECIPE = {"epochs": 4, "batch_size": 32, "patience": 2, "learning_rate": 1e-4, "unknown": 0.0}
LEARNED = 8000  # Pieces that are learned from the training texts where no weights bring theirs.
WARM_UP = 0.1


def add_option(group):
    """--weights."""
    group.add_argument("--weights", help="of an encoder: a tag of the model, or a folder of keras-hub or transformers")


def settle(arguments, facts):
    """Whether the model is an encoder of pieces of words; checks what goes with one.

    Args:
        arguments: with `model`, `weights` and `unknown`.
        facts: `kerazoo.info` of the model.

    Raises:
        ValueError: an encoder whose texts are split otherwise, `--weights` for another model, or `--unknown` for an
            encoder.
        FileNotFoundError: weights that are neither a tag nor there.
    """
    from kerazoo.models.text.keras_hub_sizes import FAMILIES, WORD_PIECES

    family = facts["arguments"].get("family")
    if family not in FAMILIES:
        if arguments.weights is not None:
            raise ValueError(f"`--weights` is for encoders. Received: {arguments.weights!r} for {arguments.model!r}.")
        return False
    if family not in WORD_PIECES:
        families = ", ".join(WORD_PIECES)
        raise ValueError(f"`--model` must split texts as BERT does ({families}). Received: {arguments.model!r}.")
    if arguments.unknown:
        raise ValueError(f"`--unknown` is for models of words. Received: {arguments.unknown} for {arguments.model!r}.")
    if not (arguments.weights in (None, *facts["weights"]) or Path(arguments.weights).exists()):
        known = unknown_choice("`--weights`", arguments.weights, facts["weights"])
        raise FileNotFoundError(f"{known} Nor is it a folder.")
    return True


def check_length(arguments, facts, least=8):
    """Refuses a `--length` that the encoder cannot read, before anything is trained.

    Args:
        arguments: with `encoder`, `length` and `option`, settled.
        facts: `kerazoo.info` of the model.
        least: pieces, marks among them.

    Raises:
        ValueError: as said.
    """
    most = arguments.option.get("context", facts["arguments"].get("context"))
    if arguments.encoder and not least <= arguments.length <= most:
        raise ValueError(
            f"`--length` must be {least} to {most} pieces for {arguments.model!r}. Received: {arguments.length}."
        )


def tokenizer(arguments, kind, texts, *, lowercase=True, **options):
    """The tokenizer of the encoder's weights, or one that has learned its pieces from some texts.

    Args:
        arguments: with `model`, `weights` and `vocabulary`, pieces that are learned at most.
        kind: `WordPieceTokenizer` or one that is made of it.
        texts: strings.
        lowercase: whether capitals make no difference to what is learned; weights bring their own rule.
        **options: of the kind.

    Raises:
        FileNotFoundError, ConnectionError: as `kerazoo.weights.word_pieces.word_pieces`.
        ValueError: a vocabulary whose padding is not id 0.
    """
    from kerazoo import catalog
    from kerazoo.weights.word_pieces import word_pieces

    if arguments.weights is None:
        made = kind.learn(texts, size=min(LEARNED, arguments.vocabulary), lowercase=lowercase, **options)
    else:
        known = catalog.entry(arguments.model).weights
        vocabulary, lowercase = word_pieces(known, arguments.weights)
        made = kind(vocabulary, lowercase=lowercase, **options)
    if made.padding:
        raise ValueError(f"Padding must be id 0 in the vocabulary. Received: {made.padding}.")
    print(f"{made.size:,} pieces of words are known.")
    return made


def sizes(arguments, tokenizer):
    """The builder's arguments that follow from the tokenizer."""
    known = kerazoo.info(arguments.model)["arguments"]
    return {"vocabulary_size": tokenizer.size} | ({"separator": tokenizer.end} if "separator" in known else {})


def schedule(rate, steps):
    """The rate over a whole training: it climbs for a tenth of it, then falls to 0 (Devlin et al., 2019)."""
    from kerazoo.training.schedules import OneCycle

    return OneCycle(rate, steps=steps, warm_up=WARM_UP)
