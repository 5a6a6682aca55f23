"""Texts -> ids of their characters and back, inside the graph."""

# TensorFlow: strings are its business alone, and a SavedModel that takes raw texts cannot have Python in it.

import keras

from kerazoo.layers.text_layer import TextLayer

if keras.backend.backend() == "tensorflow":  # Elsewhere it may not be installed, and kerazoo does without.
    import tensorflow as tf


@keras.saving.register_keras_serializable(package="kerazoo")
class CharacterTokenizer(TextLayer):
    """Each character of a vocabulary as its place there; other characters are left out.

    Args:
        vocabulary: the characters, each once.
        **options: of every Keras layer: `name`, `dtype`, `trainable`.

    Shapes: texts (B,) strings -> (B, longest) int32, filled up with 0.

    Raises:
        ValueError: a vocabulary with anything but single characters, or one of them twice; or another backend.

    Example:

    >>> from kerazoo.layers.character_tokenizer import CharacterTokenizer
    >>> tokenizer = CharacterTokenizer.learn(["a cab"])
    >>> tokenizer.vocabulary, tokenizer.ragged(["cab!"]).to_list()
    ([' ', 'a', 'b', 'c'], [[3, 1, 2]])
    >>> tokenizer.texts([[3, 1, 2]]).numpy().tolist()
    [b'cab']
    """

    def __init__(self, vocabulary, **options):
        super().__init__(**options)
        self.vocabulary = list(vocabulary)
        if len(set(self.vocabulary)) < len(self.vocabulary) or not all(len(sign) == 1 for sign in self.vocabulary):
            raise ValueError("`vocabulary` must have single characters, each once.")
        self.signs = tf.constant(self.vocabulary, tf.string)
        self.table = self.looked_up(self.vocabulary, -1)

    @classmethod
    def learn(cls, texts, **options):
        """A tokenizer that knows every character of some texts, in the order of their code points."""
        return cls(sorted(set().union(*texts)), **options)

    @property
    def size(self):
        """Ids that there are."""
        return len(self.vocabulary)

    def ragged(self, texts):
        """(B,) strings -> `tf.RaggedTensor` (B, None) of int32."""
        signs = tf.strings.unicode_split(tf.convert_to_tensor(texts, tf.string), "UTF-8", errors="ignore")
        ids = tf.ragged.map_flat_values(self.table.lookup, signs)
        return tf.ragged.boolean_mask(ids, ids >= 0)

    def texts(self, ids):
        """Ids (B, T), dense or ragged -> (B,) strings."""
        if isinstance(ids, tf.RaggedTensor):
            return tf.strings.reduce_join(tf.ragged.map_flat_values(lambda flat: tf.gather(self.signs, flat), ids), -1)
        return tf.strings.reduce_join(tf.gather(self.signs, ids), axis=-1)

    def call(self, inputs):
        return self.ragged(inputs).to_tensor(0)

    def compute_output_spec(self, inputs):
        return keras.KerasTensor((*inputs.shape[:1], None), "int32")

    def get_config(self):
        return super().get_config() | {"vocabulary": self.vocabulary}
