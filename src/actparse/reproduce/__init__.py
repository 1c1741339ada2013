"""Reproduction of the paper's tables: train the missing networks, parse the held-out videos, score them."""

from actparse.reproduce.run import ReproduceOptions, reproduce

__all__ = ["ReproduceOptions", "reproduce"]
