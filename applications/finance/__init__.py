"""Applications in finance."""
