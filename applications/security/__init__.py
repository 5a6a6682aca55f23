"""Applications in security."""
