"""How models are trained: precision, XLA, distribution, callbacks."""
