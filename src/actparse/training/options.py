"""Options of one training run, checked when they are created."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from actparse.core.errors import ConfigError

Report = Callable[[str], None]  # takes one line of progress
DEVICES = ("auto", "cpu", "cuda")
PRECISIONS = ("auto", "bfloat16", "float16", "float32")
SIZES = ("tiny", "paper")
MAX_SEED = 2**32 - 1  # the loop's seeds, computed from it, fit PyTorch's 64 bits


def say_nothing(line: str) -> None:
    """Discard a line of progress."""


def say_on_stderr(line: str) -> None:
    """Print a line of progress on standard error, apart from the command's output."""
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


@dataclass(frozen=True, kw_only=True)
class TrainOptions:
    """Options of one run. Set at most one of `minutes`, `epochs` and `steps`; the default is the recipe's steps."""

    minutes: float | None = None  # wall clock; the number of steps is set from the speed measured at the start
    epochs: float | None = None  # passes over the training samples
    steps: int | None = None  # optimiser steps
    init: Path | None = None  # weights to start from, a file of weights.bundle
    resume: bool = False  # continue from the run's last checkpoint, if any
    seed: int = 0
    device: str = "auto"  # "auto", "cpu" or "cuda"
    threads: int | None = 1  # PyTorch threads of this job; None is PyTorch's default
    stream_frames: int = 12_000  # frames that the detectors' and the pose recipe render for a SynthTPS dataset
    stream_crops: int = 6_000  # person crops that the recipes of parts for real people render
    stream_clips: int = 14_400  # clips that the action and state recipes render in addition to a SynthTPS dataset
    stream_tracks: int = 4_500  # simulated scenes that the recipe "tracks" adds to a SynthTPS dataset
    size: str = "tiny"  # "tiny" or "paper": which networks and hyperparameters a recipe's name stands for
    changes: Mapping[str, str] = field(default_factory=dict)  # hyperparameters to change; tiny: rate and level
    flow: Path | None = None  # folder of flow files, for recipes that read them; None is the folder in the dataset
    num_devices: int = 1  # processes that share each batch, one for each GPU; torchrun's count takes precedence
    accumulate: int = 1  # consecutive pieces of a batch whose gradients are summed before a step
    workers: int = 0  # processes that prepare batches; 0 prepares them in the training process
    precision: str = "auto"  # "auto": bfloat16 where it is computed natively, float16 on other GPUs
    check_every: int | None = None  # optimiser steps between held-out checks; None checks only at the end
    keep: Literal["last", "best"] = "last"  # checkpoint that becomes the network's file
    tensorboard: bool = False  # write a log for TensorBoard in addition to the CSV
    estimate: bool = False  # report before the start how long the run will take and how much memory it needs
    only_estimate: bool = False  # report the estimate without starting
    checkpoint_seconds: float = 90.0  # between two checkpoints
    log_every: int = 20  # steps per row of the log
    report: Report = say_on_stderr  # receives lines of progress

    def __post_init__(self) -> None:
        lengths = {"minutes": self.minutes, "epochs": self.epochs, "steps": self.steps}
        given = {name: value for name, value in lengths.items() if value is not None}
        if len(given) > 1:
            raise ConfigError(f"train: needs at most one of minutes, epochs and steps, got {' and '.join(given)}")
        for name, value in given.items():
            if not value > 0 or not math.isfinite(value):
                raise ConfigError(f"train.{name} must be greater than 0 and finite, got {value}")
        for name, count in (
            ("threads", self.threads),
            ("stream_frames", self.stream_frames),
            ("stream_crops", self.stream_crops),
            ("log_every", self.log_every),
            ("num_devices", self.num_devices),
            ("accumulate", self.accumulate),
            ("check_every", self.check_every),
        ):
            if count is not None and count < 1:
                raise ConfigError(f"train.{name} must be at least 1, got {count}")
        if not 0 <= self.seed <= MAX_SEED:
            raise ConfigError(f"train.seed must be at least 0 and at most {MAX_SEED}, got {self.seed}")
        for name, count in (
            ("workers", self.workers),
            ("stream_clips", self.stream_clips),
            ("stream_tracks", self.stream_tracks),
        ):
            if count < 0:
                raise ConfigError(f"train.{name} must be at least 0, got {count}")
        choices = {"device": DEVICES, "precision": PRECISIONS, "size": SIZES, "keep": ("last", "best")}
        for name, allowed in choices.items():
            if getattr(self, name) not in allowed:
                raise ConfigError(f"train.{name} must be one of {', '.join(allowed)}, got {getattr(self, name)!r}")
