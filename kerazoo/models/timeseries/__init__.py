"""Time-series models: (B, lookback, channels) of the past in, (B, horizon, channels) of the future out."""
