"""Choice of the held-out videos of a dataset: a split, or some videos of train, by name and seed.

A video's rank is the SHA-256 of its name, after the seed and a slash unless the seed is 0: "NAME", "1/NAME". The first
round(N * 809 / 3809) of N names in the order of their ranks are held out, 809 of Kinetics-TPS's 3,809. The
choice does not depend on the order of the names or on the machine.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from actparse.core.errors import DataError
from actparse.data.kinetics_tps import KineticsTps

HELD_OUT, IN_ALL = 809, 3809  # videos. Source: the authors' report, 3,000 for training and 809 for validation
TrainOn = Literal["train", "all"]  # which of the videos that are not test


@dataclass(frozen=True)
class Division:
    """The videos to train on, and those to evaluate on: whole splits, or parts of train."""

    train: str  # "train" or "train+val"
    held_out: str
    names: frozenset[str] | None = None  # of the held-out videos; None: all of the split
    is_trained_on: bool = False  # the held-out videos are also trained on, so that they measure nothing

    @property
    def excluded(self) -> frozenset[str]:
        """The videos of train that are not trained on."""
        return frozenset() if self.is_trained_on or self.names is None else self.names


def choose_division(data: Path, *, seed: int = 0, train_on: TrainOn = "train") -> Division:
    """Choose the videos to train on and to evaluate on.

    Held out is val or test, the first that is annotated, else a part of train. With `train_on` "all", nothing but test
    is held out.

    Args:
        data: the dataset's root.
        seed: of the part of train.
        train_on: "all" also trains on val, or on the part of train that is held out otherwise.

    Raises:
        DataError: the dataset has no split train, or nothing that can be held out.
    """
    dataset = KineticsTps(data)
    if "train" not in dataset.splits:
        raise DataError(f"{data}: training needs the split train, got {', '.join(dataset.splits)}")
    val, test = (
        split in dataset.splits and any(record.annotations() for record in dataset.videos(split))
        for split in ("val", "test")
    )
    is_all = train_on == "all"
    if test and (is_all or not val):
        return Division("train+val" if val else "train", "test")
    if val:
        return Division("train+val" if is_all else "train", "val", is_trained_on=is_all)
    all_names = [record.name for record in dataset.videos("train")]
    names = held_out_names(all_names, seed=seed)
    if not names:
        raise DataError(f"{data}: training needs an annotated val or test, or 3 videos in train, got {len(all_names)}")
    return Division("train", "train", names, is_trained_on=is_all)


def held_out_names(names: Iterable[str], *, seed: int = 0) -> frozenset[str]:
    """Return the names that are held out; of fewer than three names none, and never all.

    An additional name in the dataset moves at most one of the others between training and held out.

    Args:
        names: of the videos; duplicates count once.
        seed: any integer; each seed chooses other videos.
    """
    prefix = f"{seed}/" if seed else ""
    ranked = sorted(set(names), key=lambda name: hashlib.sha256(f"{prefix}{name}".encode()).hexdigest())
    return frozenset(ranked[: round(len(ranked) * HELD_OUT / IN_ALL)])
