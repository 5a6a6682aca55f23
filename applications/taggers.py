"""How texts reach a tagger: as words and their characters, or as pieces of words for an encoder."""

import numpy as np

from kerazoo.applications import encoders
from kerazoo.quiet import import_tensorflow

PARTS = ("train", "validation", "test")
BATCH = 64  # Texts that are tagged at a time.


def tagging(arguments, data):
    """The `Words` or `Pieces` of some `TaggedData`, as the model takes them."""
    return (Pieces if arguments.encoder else Words)(arguments, data)


def _places(data, part):
    """Each word's tag as its place among the tags, ragged."""
    tf = import_tensorflow()
    place = {tag: index for index, tag in enumerate(data.tags)}
    return tf.ragged.constant([[place[tag] for tag in tags] for tags in getattr(data, part).tags], dtype=tf.int32)


def _words(data, part):
    tf = import_tensorflow()
    return tf.ragged.constant(getattr(data, part).words, dtype=tf.string)


class Words:
    """Words and their characters, for a model that ends in a conditional random field."""

    def __init__(self, arguments, data):
        from kerazoo.layers.tagger_tokenizer import TaggerTokenizer

        self.unknown, self.tags = arguments.unknown, data.tags
        self.tokenizer = TaggerTokenizer.learn(data.train.words, size=arguments.vocabulary)
        self.ids = {
            part: (*self.tokenizer.ragged(_words(data, part)), _places(data, part)) for part in PARTS
        }  # Tokens, characters, tags.
        self.counts = {"words": self.tokenizer.size, "characters": self.tokenizer.characters}
        self.sizes = {
            "vocabulary_size": self.tokenizer.size,
            "characters": self.tokenizer.characters,
            "word_length": self.tokenizer.word_length,
            "tags": data.tags,
        }
        print(f"{self.tokenizer.size:,} words and {self.tokenizer.characters:,} characters are known.")

    def training(self, batch_size, seed):
        """Batches to train on."""
        from kerazoo.data.tagged_batches import tagged_batches

        options = {"training": True, "unknown": self.unknown, "seed": seed}
        return tagged_batches(*self.ids["train"], batch_size=batch_size, **options)

    def validation(self):
        """Batches of the validation part, with their tags."""
        from kerazoo.data.tagged_batches import tagged_batches

        return tagged_batches(*self.ids["validation"], batch_size=BATCH)

    def asked(self, part, length=None):
        """Batches of what `served` takes; `length` cuts and pads texts."""
        from kerazoo.data.tagged_batches import tagged_batches

        return tagged_batches(*self.ids[part], batch_size=BATCH, length=length).map(lambda inputs, _: inputs)

    def served(self, model):
        """The model with its best tags in place of what is trained."""
        from kerazoo.decoding import with_tags

        return with_tags(model)


class Pieces:
    """Pieces of words, of which each word's first one is tagged."""

    def __init__(self, arguments, data):
        from kerazoo.data.tagged_batches import tags_of_pieces
        from kerazoo.layers.tagger_pieces import TaggerPieces

        self.tags = data.tags
        texts = [" ".join(words) for words in data.train.words]
        self.tokenizer = encoders.tokenizer(arguments, TaggerPieces, texts, lowercase=False)
        self.ids = {}
        for part in PARTS:
            tokens, first = self.tokenizer.ragged(_words(data, part))
            self.ids[part] = (tokens, first, tags_of_pieces(tokens, first, _places(data, part)))
        self.counts = {"pieces": self.tokenizer.size}
        self.sizes = {"num_classes": len(data.tags)} | encoders.sizes(arguments, self.tokenizer)

    def training(self, batch_size, seed):
        """Batches to train on."""
        from kerazoo.data.tagged_batches import piece_batches

        tokens, _, tags = self.ids["train"]
        return piece_batches(tokens, tags, batch_size=batch_size, training=True, seed=seed)

    def validation(self):
        """Batches of the validation part, with their tags."""
        from kerazoo.data.tagged_batches import piece_batches

        tokens, _, tags = self.ids["validation"]
        return piece_batches(tokens, tags, batch_size=BATCH)

    def asked(self, part, length=None):
        """Batches of what `served` takes; `length` cuts and pads texts."""
        from kerazoo.data.tagged_batches import first_batches

        return first_batches(*self.ids[part][:2], batch_size=BATCH, length=length)

    def served(self, model):
        """The model with its best tags in place of what is trained."""
        from kerazoo.decoding import with_tags

        return with_tags(model, tags=self.tags)


def tag(run, tagging, part, lengths, length=None):
    """A list of tags for each text of a part; words that are not read, as those beyond `length`, are "O".

    Args:
        run: `served`, compiled or exported.
        tagging: `Words` or `Pieces`.
        part: "validation" or "test".
        lengths: words of each text.
        length: as `asked` takes it.
    """
    answers = []
    for inputs in tagging.asked(part, length).as_numpy_iterator():
        found = run(inputs)
        answers += list(np.asarray(found["tags"] if isinstance(found, dict) else found))
    padded = [[*row[:count].tolist(), *[-1] * max(0, count - len(row))] for row, count in zip(answers, lengths)]
    outside = tagging.tags.index("O")
    return [[tagging.tags[place if place >= 0 else outside] for place in row] for row in padded]
