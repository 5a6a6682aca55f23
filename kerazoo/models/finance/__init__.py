"""Models for markets."""
