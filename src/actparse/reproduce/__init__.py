"""The paper's tables, each by one command: what is missing is trained, the held-out videos are parsed and scored."""

from actparse.reproduce.run import ReproduceOptions, reproduce

__all__ = ["ReproduceOptions", "reproduce"]
