"""Checkpoints: imported from the public layouts, and our own."""

from actparse.weights.public import load_public

__all__ = ["load_public"]
