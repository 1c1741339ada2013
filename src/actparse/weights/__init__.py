"""Checkpoints: import from the public layouts, and files in the format of actparse."""

from actparse.weights.public import load_public

__all__ = ["load_public"]
