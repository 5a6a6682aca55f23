"""Text models: token ids in, 0 where there is none."""
