"""The choice of the videos that a recipe is trained on, and of those that it is evaluated on."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from actparse.core.errors import DataError
from actparse.data.division import held_out_names
from actparse.data.kinetics_tps import KineticsTps
from actparse.training.loop import ranks
from actparse.training.options import TrainOn, TrainOptions
from actparse.training.samples.index import VideoIndex, open_index
from actparse.training.samples.store import Store, StoreConfig, open_store

HELD_OUT_SPLITS = ("val", "test")  # the first annotated one is used


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
        for split in HELD_OUT_SPLITS
    )
    is_all = train_on == "all"
    train = "train+val" if is_all and val else "train"
    if test and (is_all or not val):
        return Division(train, "test")
    if val:
        return Division(train, "val", is_trained_on=is_all)
    all_names = [record.name for record in dataset.videos("train")]
    names = held_out_names(all_names, seed=seed)
    if not names:
        raise DataError(f"{data}: training needs an annotated val or test, or 3 videos in train, got {len(all_names)}")
    return Division(train, "train", names, is_trained_on=is_all)


def cache_folder(data: Path, out: Path) -> Path:
    """Return the folder for decoded data: beside the dataset, or in the run's folder if the dataset is read-only."""
    return data / ".cache" if os.access(data, os.W_OK) else out / "cache"


def open_stores(data: Path, out: Path, options: TrainOptions) -> tuple[Store, Store]:
    """Open the decoded training and held-out videos, decoding them if necessary.

    Raises:
        DataError: the dataset has no training split, or nothing that can be held out.
    """
    division = choose_division(data, train_on=options.train_on)
    names = {record.name for record in KineticsTps(data).videos(division.train)} - division.excluded
    config, cache, report = StoreConfig(), cache_folder(data, out), options.report
    with ranks.first_process_first():
        train = open_store(data, division.train, config, names=names, cache=cache, report=report)
        return train, open_store(data, division.held_out, config, names=division.names, cache=cache, report=report)


def open_indices(
    data: Path, out: Path, options: TrainOptions, *, seed: int = 0, stride: int | None = None
) -> tuple[VideoIndex, VideoIndex]:
    """Open the training and the held-out videos without decoding them.

    Several processes of one training run may call this; the first one reads the dataset.

    Args:
        data: the dataset's root.
        out: the run's folder.
        options: of the run.
        seed: of the division of train, if no other split is annotated.
        stride: only annotated frames with a person, every `stride`th frame of a video; None means all annotated frames.

    Raises:
        DataError: the dataset has no training split, or nothing that can be held out.
    """
    division, cache = choose_division(data, seed=seed, train_on=options.train_on), cache_folder(data, out)
    with ranks.first_process_first():
        train = other = open_index(data, division.train, cache=cache, report=options.report)
        if division.held_out != division.train:
            other = open_index(data, division.held_out, cache=cache, report=options.report)
    is_excluded = np.isin(train.names, list(division.excluded))
    is_held_out = np.isin(other.names, list(other.names if division.names is None else division.names))
    return (
        train.select(np.flatnonzero(~is_excluded), stride=stride),
        other.select(np.flatnonzero(is_held_out), stride=stride),
    )
