"""The videos that a recipe is trained on, and those that it is evaluated on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from actparse.core.errors import DataError
from actparse.data.division import held_out_names
from actparse.data.kinetics_tps import KineticsTps
from actparse.training.loop import ranks
from actparse.training.options import Report
from actparse.training.paper.index import VideoIndex, open_index
from actparse.training.recipes.builders import cache_folder
from actparse.video.decode import read_frames

FRAME_SECONDS = 1e-4  # tolerance of a frame's time

Image = NDArray[np.uint8]  # (H, W, C)


@dataclass(frozen=True)
class Split:
    """A selection of an index's videos."""

    index: VideoIndex
    videos: tuple[int, ...]

    def limited(self, count: int) -> Split:
        """Select at most `count` of the videos, evenly spaced."""
        if len(self.videos) <= count:
            return self
        chosen = np.linspace(0, len(self.videos) - 1, count).round().astype(int)
        return replace(self, videos=tuple(self.videos[n] for n in chosen))

    def frames(self, stride: int) -> list[int]:
        """Return the indices of the annotated frames with a person among every `stride`th frame of a video."""
        index = self.index
        has_person = np.diff(index.person_offsets) > 0  # (A,)
        wanted = has_person & (index.frame_numbers % stride == 0)  # (A,)
        return [frame for video in self.videos for frame in index.frames_of(video) if wanted[frame]]


def open_splits(data: Path, out: Path, report: Report, *, seed: int = 0) -> tuple[Split, Split]:
    """Open the videos to train on and those to hold out: the splits train and val, or parts of train if val is missing.

    Several processes of one training run may call this; the first one reads the dataset.

    Args:
        data: the dataset's root.
        out: the run's folder.
        report: receives lines of progress.
        seed: seed of the division if val is missing.

    Raises:
        DataError: the dataset has no training split, or too few videos to hold any out.
    """
    splits = KineticsTps(data).splits
    if "train" not in splits:
        raise DataError(f"{data}: training needs the split train, got {', '.join(splits)}")
    cache = cache_folder(data, out)
    with ranks.first_process_first():
        index = open_index(data, "train", cache=cache, report=report)
        if "val" in splits:
            held_out = open_index(data, "val", cache=cache, report=report)
            return _whole(index), _whole(held_out)
    return divided(index, seed=seed)


def _whole(index: VideoIndex) -> Split:
    return Split(index, tuple(range(len(index))))


def divided(index: VideoIndex, *, seed: int = 0) -> tuple[Split, Split]:
    """Divide an index's videos into training and held-out videos by data.division.

    Raises:
        DataError: one of the two is empty.
    """
    names = held_out_names(index.names, seed=seed)
    if not names:
        raise DataError(f"{index.root}: training needs at least 3 videos or a split val, got {len(index)} videos")
    held_out = tuple(video for video, name in enumerate(index.names) if name in names)
    train = tuple(video for video, name in enumerate(index.names) if name not in names)
    return Split(index, train), Split(index, held_out)


def read_images(index: VideoIndex, video: int, frame_indices: Sequence[int]) -> dict[int, Image]:
    """Decode some frames of a video and return them by frame index.

    Raises:
        DataError: the video ends before one of them.
    """
    times = index.times_of(video)
    wanted = set(frame_indices)
    time_range = (max(0.0, float(times[min(wanted)]) - FRAME_SECONDS), float(times[max(wanted)]) + FRAME_SECONDS)
    with read_frames(index.path(video), time_range=time_range) as reader:
        images = {frame.index: frame.image for frame in reader if frame.index in wanted}
    if len(images) < len(wanted):
        missing = min(wanted - set(images))
        raise DataError(f"{index.path(video)}: needs frame {missing}, got a video that no longer has it")
    return images
