"""Embeddings of numbers (Gorishniy et al., 2022, https://arxiv.org/abs/2203.05556), as in rtdl_num_embeddings."""

from statistics import NormalDist

from keras import layers

from kerazoo.layers.column_dense import ColumnDense
from kerazoo.layers.periodic_encoding import PeriodicEncoding
from kerazoo.layers.piecewise_linear_encoding import PiecewiseLinearEncoding

EMBEDDINGS = (None, "periodic", "piecewise")
BINS = 16  # Of each column where no edges are given.


def embedded_numbers(inputs, *, embedding, width, frequencies, frequency_scale, bin_edges):
    """The inputs with each number embedded: "numeric" (B, columns) -> (B, columns * width).

    Raises:
        ValueError: an unknown embedding, or edges without the embedding or not for every column.
    """
    if embedding not in EMBEDDINGS:
        raise ValueError(f"`numeric_embedding` must be one of {EMBEDDINGS}. Received: {embedding!r}.")
    if bin_edges is not None and embedding != "piecewise":
        raise ValueError(f"`bin_edges` goes with numeric_embedding='piecewise'. Received: {embedding!r}.")
    if embedding is None or "numeric" not in inputs:
        return inputs
    numbers = inputs["numeric"]
    columns = numbers.shape[-1]
    if bin_edges is not None and len(bin_edges) != columns:
        raise ValueError(f"`bin_edges` must be given for each of the {columns} columns. Received: {len(bin_edges)}.")
    if embedding == "periodic":
        x = PeriodicEncoding(frequencies, frequency_scale, name="periodic")(numbers)
    else:
        # Numbers come standardised: equally full bins of a normal distribution are the best guess.
        guess = [NormalDist().inv_cdf(min(max(i / BINS, 0.001), 0.999)) for i in range(BINS + 1)]
        x = PiecewiseLinearEncoding(bin_edges or [guess] * columns, name="piecewise")(numbers)
    x = ColumnDense(width, name="numeric_embedding")(x)
    return inputs | {"numeric": layers.Flatten(name="embedded_numbers")(x)}
