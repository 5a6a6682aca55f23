"""One serialisable Keras layer a file, on keras.ops only."""
