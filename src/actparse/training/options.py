"""How long a recipe trains, from what and where: the options of one run, checked at birth."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from actparse.errors import ConfigError

Report = Callable[[str], None]  # takes one line of progress
DEVICES = ("auto", "cpu", "cuda")


def say_nothing(line: str) -> None:
    """A report that nobody reads."""


def say_on_stderr(line: str) -> None:
    """A report for the person at the terminal, beside the command's own output."""
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


@dataclass(frozen=True, kw_only=True)
class TrainOptions:
    """Options of one run. At most one of `minutes`, `epochs` and `steps`; none of them means the recipe's own steps."""

    minutes: float | None = None  # wall clock; the number of steps is set from the rate measured at the start
    epochs: float | None = None  # passes over the training samples
    steps: int | None = None  # optimiser steps
    init: Path | None = None  # weights to start from, a file of weights.bundle
    resume: bool = False  # go on from the run's last checkpoint where there is one
    seed: int = 0
    device: str = "auto"  # "auto", "cpu" or "cuda"
    threads: int | None = 1  # of PyTorch, for this job; None leaves it to PyTorch
    stream_crops: int = 60_000  # person crops that the pose recipe renders
    checkpoint_seconds: float = 90.0  # time between two checkpoints
    log_every: int = 20  # steps to a row of the log
    report: Report = say_on_stderr  # gets progress lines

    def __post_init__(self) -> None:
        lengths = {"minutes": self.minutes, "epochs": self.epochs, "steps": self.steps}
        given = {name: value for name, value in lengths.items() if value is not None}
        if len(given) > 1:
            raise ConfigError(f"train: needs at most one of minutes, epochs and steps, got {' and '.join(given)}")
        for name, value in given.items():
            if value <= 0:
                raise ConfigError(f"train.{name} must be greater than 0, got {value}")
        for name, count in (
            ("threads", self.threads),
            ("stream_crops", self.stream_crops),
            ("log_every", self.log_every),
        ):
            if count is not None and count < 1:
                raise ConfigError(f"train.{name} must be at least 1, got {count}")
        if self.device not in DEVICES:
            raise ConfigError(f"train.device must be one of {', '.join(DEVICES)}, got {self.device!r}")
