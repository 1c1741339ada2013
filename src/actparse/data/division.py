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

from actparse.core.errors import DataError
from actparse.data.kinetics_tps import KineticsTps

HELD_OUT, IN_ALL = 809, 3809  # videos. Source: the authors' report, 3,000 for training and 809 for validation
HELD_OUT_SPLITS = ("val", "test")  # the first annotated one is used


@dataclass(frozen=True)
class HeldOut:
    """The videos to evaluate on: a whole split, or some videos of train."""

    split: str
    names: frozenset[str] | None = None  # None: all videos of the split


def choose_held_out(data: Path, *, seed: int = 0) -> HeldOut:
    """Choose val or test if it is annotated, else a part of train, which is then excluded from training.

    Args:
        data: the dataset's root.
        seed: of the part of train.

    Raises:
        DataError: the dataset has no split train, or nothing that can be held out.
    """
    dataset = KineticsTps(data)
    if "train" not in dataset.splits:
        raise DataError(f"{data}: training needs the split train, got {', '.join(dataset.splits)}")
    for split in HELD_OUT_SPLITS:
        if split in dataset.splits and any(record.annotations() for record in dataset.videos(split)):
            return HeldOut(split)
    all_names = [record.name for record in dataset.videos("train")]
    names = held_out_names(all_names, seed=seed)
    if not names:
        raise DataError(f"{data}: training needs an annotated val or test, or 3 videos in train, got {len(all_names)}")
    return HeldOut("train", names)


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
