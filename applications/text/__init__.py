"""Applications on texts."""
