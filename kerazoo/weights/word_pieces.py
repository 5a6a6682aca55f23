"""The pieces of words that a preset's texts are split into."""

import json
from pathlib import Path

from kerazoo.data.archives import read_zip
from kerazoo.data.text_files import read_json, read_text
from kerazoo.extras import need
from kerazoo.weights import packaged
from kerazoo.weights.keras_hub_presets import fetched

# Vocabulary, and where its folder says whether capitals make no difference: transformers' names, keras-hub's.
FILES = {
    "vocab.txt": ("tokenizer_config.json", "do_lower_case"),
    "assets/tokenizer/vocabulary.txt": ("tokenizer.json", "lowercase"),
}


def word_pieces(known, weights, file=None):
    """`(vocabulary, lowercase)`: BERT's pieces in the order of their ids, and whether capitals make no difference.

    Args:
        known: {tag: facts} of a model's weights, as the registry has them.
        weights: a tag of these, or a folder of keras-hub or transformers.
        file: a vocab.txt with a piece a line, in place of theirs.

    Raises:
        ImportError: the tag's preset must be fetched, and keras-hub is not installed.
        FileNotFoundError: a folder without a vocabulary, or a file that is not there.
        ConnectionError: the preset is neither in the cache nor can it be downloaded.

    Example:

    >>> from pathlib import Path
    >>> _ = Path("vocab.txt").write_text("[PAD]\\n[UNK]\\n[CLS]\\n[SEP]\\ngood\\n", encoding="utf-8")
    >>> word_pieces({}, None, file=Path("vocab.txt"))[0][-1]
    'good'
    """
    if file is not None:
        if not file.is_file():
            raise FileNotFoundError(f"`--vocabulary` must be a vocab.txt with a piece a line. Received: {file}.")
        return _lines(file), True
    facts = known.get(str(weights))
    if facts is None:
        return _of_folder(Path(weights))
    archive = packaged.preset(facts["packaged"]) if "packaged" in facts else None
    if archive is not None:
        packed = read_zip(archive, lambda name: name == "tokenizer.json")
        places = json.loads(packed["tokenizer.json"])["model"]["vocab"]
        return sorted(places, key=places.get), True
    need("keras_hub", extra="text")
    import keras_hub

    tokenizer = fetched(keras_hub.models.Tokenizer, facts["preset"])
    return list(tokenizer.get_vocabulary()), bool(tokenizer.lowercase)


def _of_folder(folder):
    for place, (settings, key) in FILES.items():
        if not (folder / place).is_file():
            continue
        lowercase = True
        if (folder / settings).is_file():
            told = read_json(folder / settings)
            lowercase = bool(told.get("config", told).get(key, True))
        return _lines(folder / place), lowercase
    raise FileNotFoundError(f"A folder of weights must have one of {', '.join(FILES)}. Received: {folder}.")


def _lines(file):
    """A vocabulary's pieces; some of them are signs that `splitlines` takes for ends of lines."""
    return read_text(file).rstrip("\n").split("\n")
