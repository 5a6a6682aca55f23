"""The promises about exports: each file, read back from disk, answers as the Keras model does."""
