"""Text from language models: some tokens at a time, with what was computed before kept."""
