"""Applications in healthcare."""
