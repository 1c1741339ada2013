"""Options of one training run, checked when they are created."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from actparse.core.errors import ConfigError
from actparse.core.progress import Report, print_to_stderr
from actparse.core.ranges import ABOVE_0_FINITE, Count, CountOrNone, CountOrZero, NotNegative, Range, expect_ranges
from actparse.data.division import TrainOn

DEVICES = ("auto", "cpu", "cuda")
PRECISIONS = ("auto", "bfloat16", "float16", "float32")
SIZES = ("tiny", "paper")
MAX_SEED = 2**32 - 1  # the loop's seeds, computed from it, fit PyTorch's 64 bits
Length = Annotated[float | None, ABOVE_0_FINITE]
Seed = Annotated[int, Range(f"at least 0 and at most {MAX_SEED}", lambda value: 0 <= value <= MAX_SEED)]


@dataclass(frozen=True, kw_only=True)
class TrainOptions:
    """Options of one run. Set at most one of `minutes`, `epochs` and `steps`; the default is the recipe's steps."""

    minutes: Length = None  # wall clock; the number of steps is set from the speed measured at the start
    epochs: Length = None  # passes over the training samples
    steps: Annotated[int | None, ABOVE_0_FINITE] = None  # optimiser steps
    init: Path | None = None  # weights to start from, a file of weights.bundle
    resume: bool = False  # continue from the run's last checkpoint, if any
    seed: Seed = 0
    device: str = "auto"  # "auto", "cpu" or "cuda"
    threads: CountOrNone = 1  # PyTorch threads of this job; None is PyTorch's default
    stream_frames: Count = 12_000  # frames that the detectors' and the pose recipe render for a SynthTPS dataset
    stream_crops: Count = 6_000  # person crops that the recipes of parts for real people render
    stream_clips: CountOrZero = 14_400  # clips that the action and state recipes render in addition to SynthTPS
    stream_tracks: CountOrZero = 4_500  # simulated scenes that the recipe "tracks" adds to a SynthTPS dataset
    size: str = "tiny"  # "tiny" or "paper": which networks and hyperparameters a recipe's name stands for
    changes: Mapping[str, str] = field(default_factory=dict)  # hyperparameters to change; tiny: rate and level
    train_on: TrainOn = "train"  # "all": also val, and the part of train that is held out otherwise; never test
    flow: Path | None = None  # folder of flow files, for recipes that read them; None is the folder in the dataset
    num_devices: Count = 1  # processes that share each batch, one for each GPU; torchrun's count takes precedence
    accumulate: Count = 1  # consecutive pieces of a batch whose gradients are summed before a step
    workers: CountOrZero = 0  # processes that prepare batches; 0 prepares them in the training process
    precision: str = "auto"  # "auto": bfloat16 where it is computed natively, float16 on other GPUs
    check_every: CountOrNone = None  # optimiser steps between held-out checks; None checks only at the end
    keep: Literal["last", "best"] = "last"  # checkpoint that becomes the network's file
    tensorboard: bool = False  # write a log for TensorBoard in addition to the CSV
    estimate: bool = False  # report before the start how long the run will take and how much memory it needs
    only_estimate: bool = False  # report the estimate without starting
    checkpoint_seconds: NotNegative = 90.0  # between two checkpoints
    log_every: Count = 20  # steps per row of the log
    report: Report = print_to_stderr  # receives lines of progress

    def __post_init__(self) -> None:
        lengths = [name for name in ("minutes", "epochs", "steps") if getattr(self, name) is not None]
        if len(lengths) > 1:
            raise ConfigError(f"train: needs at most one of minutes, epochs and steps, got {' and '.join(lengths)}")
        expect_ranges(self, "train.")
        choices = {"device": DEVICES, "precision": PRECISIONS, "size": SIZES, "keep": ("last", "best")}
        choices["train_on"] = ("train", "all")
        for name, allowed in choices.items():
            if getattr(self, name) not in allowed:
                raise ConfigError(f"train.{name} must be one of {', '.join(allowed)}, got {getattr(self, name)!r}")
