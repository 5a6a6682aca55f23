"""Verification: what every model promises, checked by the same code for users, tests and the catalog."""

from kerazoo.verification.runner import verify

__all__ = ["verify"]
