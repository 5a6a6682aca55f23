"""How questions and passages reach a reader: as words and their characters, or as pieces in a row for an encoder."""

import numpy as np

from kerazoo.applications import encoders

PARTS = ("train", "validation", "test")
BATCH = 32  # Questions that are answered at a time.


def reading(arguments, data):
    """The `Words` or `Pieces` of some `QuestionData`, as the model takes them."""
    return (Pieces if arguments.encoder else Words)(arguments, data)


def _indexed(questions, tokenizer):
    """`(passages, passage_of, places, spans)` of some `Questions`.

    The passages, each once; the position of each question's; for each passage where its words are; and the first and
    last word of each question's answer, from 1, or 0 for none.
    """
    from kerazoo.data.question_batches import span_of

    passages = list(dict.fromkeys(questions.passages))
    index = {passage: place for place, passage in enumerate(passages)}
    passage_of = np.array([index[passage] for passage in questions.passages], int)
    found = tokenizer.places(passages)
    places = np.split(found.flat_values.numpy(), found.row_splits.numpy()[1:-1])
    spans = np.zeros((len(questions), 2), int)
    for row, answers in enumerate(questions.answers):
        if answers:
            start, text = answers[0]
            # The files' reader has refused answers without a sign.
            spans[row] = np.array(span_of(places[passage_of[row]], start, start + len(text)) or (-1, -1)) + 1
    return passages, passage_of, places, spans


def read_words(questions, tokenizer):
    """`(Readings, places)` of some `Questions`: ids, and for each passage where its words are."""
    from kerazoo.data.question_batches import Readings

    passages, passage_of, places, spans = _indexed(questions, tokenizer)
    asked = tokenizer.ragged(tokenizer.words_of(list(questions.questions)))
    return Readings(asked, tokenizer.ragged_passages(tokenizer.words_of(passages)), passage_of, spans), places


class Words:
    """Words and their characters, of the question and of the passage, which begins with a mark."""

    def __init__(self, arguments, data):
        from kerazoo.layers.reader_tokenizer import ReaderTokenizer

        self.unknown = arguments.unknown
        self.lengths = {"question": arguments.question_length, "passage": arguments.length}
        plain = ReaderTokenizer.learn([])
        known = [*data.train.questions, *dict.fromkeys(data.train.passages)]
        words = [[word.decode() for word in row] for row in plain.words_of(known).to_list()]
        self.tokenizer = ReaderTokenizer.learn(words, size=arguments.vocabulary)
        self.readings, self.places = {}, {}
        for part in PARTS:
            self.readings[part], self.places[part] = read_words(getattr(data, part), self.tokenizer)
        self.learned = self.readings["train"].cut(arguments.length)
        self.counts = {"words": self.tokenizer.size, "characters": self.tokenizer.characters}
        self.sizes = {
            "vocabulary_size": self.tokenizer.size,
            "characters": self.tokenizer.characters,
            "word_length": self.tokenizer.word_length,
        }
        print(f"{self.tokenizer.size:,} words and {self.tokenizer.characters:,} characters are known.")

    def training(self, batch_size, seed):
        """Batches to train on."""
        from kerazoo.data.question_batches import question_batches

        options = {"training": True, "unknown": self.unknown, "seed": seed}
        return question_batches(self.learned, batch_size=batch_size, **options)

    def validation(self):
        """Batches of the validation part, with their answers."""
        from kerazoo.data.question_batches import question_batches

        return question_batches(self.readings["validation"], batch_size=BATCH)

    def asked(self, part, short=False):
        """Batches of what `with_answers` takes; `short` cuts and pads texts as TFLite takes them."""
        from kerazoo.data.question_batches import question_batches

        batches = question_batches(self.readings[part], batch_size=BATCH, lengths=self.lengths if short else None)
        return batches.map(lambda inputs, _: inputs)


class Pieces:
    """Pieces of words in one row, the question before the passage."""

    def __init__(self, arguments, data):
        import kerazoo
        from kerazoo.data.piece_questions import PieceReadings
        from kerazoo.layers.reader_pieces import ReaderPieces

        self.length = arguments.length
        known = [*data.train.questions, *dict.fromkeys(data.train.passages)]
        context = kerazoo.info(arguments.model)["arguments"]["context"]
        most = {"most": arguments.option.get("context", context), "question_most": arguments.question_length}
        self.tokenizer = tokenizer = encoders.tokenizer(arguments, ReaderPieces, known, **most)
        self.readings, self.places = {}, {}
        self.made = {}  # Batches: their graph takes seconds to make, and each epoch asks again.
        for part in PARTS:
            questions = getattr(data, part)
            passages, passage_of, self.places[part], spans = _indexed(questions, tokenizer)
            asked = tokenizer.questions(tokenizer.words_of(list(questions.questions)))
            read = tokenizer.passages(tokenizer.words_of(passages))
            self.readings[part] = PieceReadings(asked, *read, passage_of, spans)
        self.learned = self.readings["train"].within(self.length)
        self.counts = {"pieces": tokenizer.size}
        self.sizes = encoders.sizes(arguments, tokenizer)

    def training(self, batch_size, seed):
        """Batches to train on."""
        return self._batches(self.learned, batch_size=batch_size, length=self.length, training=True, seed=seed)

    def validation(self):
        """Batches of the validation part, with their answers."""
        return self._batches(self.readings["validation"].within(self.tokenizer.most), batch_size=BATCH)

    def _batches(self, readings, **options):
        from kerazoo.data.piece_questions import piece_question_batches

        batches = piece_question_batches(readings, self.tokenizer, **options)
        return batches.map(lambda inputs, spans: (inputs["tokens"], spans))

    def asked(self, part, short=False):
        """Batches of what `with_answers` takes; `short` cuts and pads texts as TFLite takes them."""
        from kerazoo.data.piece_questions import piece_question_batches

        if (part, short) not in self.made:
            options = {"length": self.length, "padded_to": self.length} if short else {}
            batches = piece_question_batches(self.readings[part], self.tokenizer, batch_size=BATCH, **options)
            self.made[part, short] = batches.map(lambda inputs, _: inputs)
        return self.made[part, short]


def answer(run, reading, part, questions, short=False):
    """[{"text", "start", "end", "score", "absence"}] of the questions of a part.

    Args:
        run: the model with `with_answers`, compiled or exported.
        reading: `Words` or `Pieces`.
        part: "validation" or "test".
        questions: the part's `Questions`.
        short: as `asked` takes it.
    """
    found, passage_of, places = [], reading.readings[part].passage_of, reading.places[part]
    for inputs in reading.asked(part, short).as_numpy_iterator():
        answers = run(inputs)
        for span, score, absence in zip(answers["span"], answers["score"], answers["absence"]):
            row = len(found)
            start = end = 0
            if span[0]:
                words = places[passage_of[row]]
                start, end = int(words[span[0] - 1][0]), int(words[span[1] - 1][1])
            text = questions.passages[row][start:end]
            found.append({"text": text, "start": start, "end": end, "score": float(score), "absence": float(absence)})
    return found
