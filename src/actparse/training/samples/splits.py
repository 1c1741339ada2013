"""The choice of the videos that a recipe is trained on, and of those that it is evaluated on."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from actparse.data.division import choose_division
from actparse.data.frames.frame_cache import FrameForm
from actparse.data.frames.index import VideoIndex, open_index
from actparse.data.frames.store import Store, StoreConfig, open_store
from actparse.data.kinetics_tps import KineticsTps
from actparse.training.loop import ranks
from actparse.training.options import TrainOptions


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
    data: Path, out: Path, options: TrainOptions, *, seed: int = 0, stride: int | None = None, form: FrameForm = "off"
) -> tuple[VideoIndex, VideoIndex]:
    """Open the training and the held-out videos without decoding them.

    Several processes of one training run may call this; the first one reads the dataset.

    Args:
        data: the dataset's root.
        out: the run's folder.
        options: of the run.
        seed: of the division of train, if no other split is annotated.
        stride: only annotated frames with a person, every `stride`th frame of a video; None means all annotated frames.
        form: of the stored copies of the training frames. Held-out frames are always decoded.

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
    train = train.select(np.flatnonzero(~is_excluded), stride=stride).stored_as(form, report=options.report)
    return train, other.select(np.flatnonzero(is_held_out), stride=stride)
