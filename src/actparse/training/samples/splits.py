"""The choice of the videos that a recipe is trained on, and of those that it is evaluated on."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from actparse.core.progress import Report
from actparse.data.division import choose_held_out
from actparse.data.frames.index import VideoIndex, open_index
from actparse.data.frames.store import Store, StoreConfig, open_store
from actparse.data.kinetics_tps import KineticsTps
from actparse.training.loop import ranks


def cache_folder(data: Path, out: Path) -> Path:
    """Return the folder for decoded data: beside the dataset, or in the run's folder if the dataset is read-only."""
    return data / ".cache" if os.access(data, os.W_OK) else out / "cache"


def open_stores(data: Path, out: Path, report: Report) -> tuple[Store, Store]:
    """Open the decoded training split and held-out videos, decoding them if necessary.

    Raises:
        DataError: the dataset has no training split, or nothing that can be held out.
    """
    held_out = choose_held_out(data)
    names = None
    if held_out.names is not None:
        names = {record.name for record in KineticsTps(data).videos("train")} - held_out.names
    config, cache = StoreConfig(), cache_folder(data, out)
    with ranks.first_process_first():
        train = open_store(data, "train", config, names=names, cache=cache, report=report)
        return train, open_store(data, held_out.split, config, names=held_out.names, cache=cache, report=report)


def open_indices(
    data: Path, out: Path, report: Report, *, seed: int = 0, stride: int | None = None
) -> tuple[VideoIndex, VideoIndex]:
    """Open the training and the held-out videos without decoding them.

    Several processes of one training run may call this; the first one reads the dataset.

    Args:
        data: the dataset's root.
        out: the run's folder.
        report: receives lines of progress.
        seed: of the division of train, if no other split is annotated.
        stride: only annotated frames with a person, every `stride`th frame of a video; None means all annotated frames.

    Raises:
        DataError: the dataset has no training split, or nothing that can be held out.
    """
    held_out, cache = choose_held_out(data, seed=seed), cache_folder(data, out)
    with ranks.first_process_first():
        train = open_index(data, "train", cache=cache, report=report)
        other = train if held_out.names else open_index(data, held_out.split, cache=cache, report=report)
    is_held_out = np.isin(train.names, list(held_out.names or ()))
    held_out_videos = np.flatnonzero(is_held_out) if held_out.names else np.arange(len(other.names))
    return train.select(np.flatnonzero(~is_held_out), stride=stride), other.select(held_out_videos, stride=stride)
