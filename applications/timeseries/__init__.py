"""Applications on time series."""
