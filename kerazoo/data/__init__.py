"""Data: readers of standard file formats, named data sets, tf.data pipelines. Knows no model."""
