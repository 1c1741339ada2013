"""The videos that a recipe trains on, and those that it is judged by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from actparse.core.errors import DataError
from actparse.data.division import held_out_names
from actparse.data.kinetics_tps import KineticsTps
from actparse.training import ranks
from actparse.training.builders import cache_folder
from actparse.training.options import Report
from actparse.training.paper.index import VideoIndex, open_index
from actparse.video.decode import read_frames

FRAME_SECONDS = 1e-4  # after its time, a frame is still on screen

Image = NDArray[np.uint8]  # (H, W, C)


@dataclass(frozen=True)
class Split:
    """Some videos of an index."""

    index: VideoIndex
    videos: tuple[int, ...]

    def limited(self, count: int) -> Split:
        """`count` of the videos, evenly over all."""
        if len(self.videos) <= count:
            return self
        chosen = np.linspace(0, len(self.videos) - 1, count).round().astype(int)
        return replace(self, videos=tuple(self.videos[n] for n in chosen))

    def frames(self, stride: int) -> list[int]:
        """Rows of the annotated frames with a person, every `stride`th frame of a video."""
        index = self.index
        has_person = np.diff(index.person_offsets) > 0  # (A,)
        wanted = has_person & (index.frame_numbers % stride == 0)  # (A,)
        return [frame for video in self.videos for frame in index.frames_of(video) if wanted[frame]]


def open_splits(data: Path, out: Path, report: Report, *, seed: int = 0) -> tuple[Split, Split]:
    """What to train on and what to hold out: the splits train and val, or parts of train where there is no val.

    Several processes of one training may call this; the first one reads the dataset.

    Args:
        data: the dataset's root.
        out: the run's folder.
        report: gets a line now and then.
        seed: of the division where there is no val.

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
    """An index's videos in two, as data.division has it.

    Raises:
        DataError: one of the two is empty.
    """
    names = held_out_names(index.names, seed=seed)
    if not names:
        raise DataError(f"{index.root}: training needs at least 3 videos or a split val, got {len(index)} videos")
    held_out = tuple(video for video, name in enumerate(index.names) if name in names)
    train = tuple(video for video, name in enumerate(index.names) if name not in names)
    return Split(index, train), Split(index, held_out)


def read_images(index: VideoIndex, video: int, numbers: Sequence[int]) -> dict[int, Image]:
    """Decode some frames of a video, by their numbers.

    Raises:
        DataError: the video ends before one of them.
    """
    times = index.times_of(video)
    wanted = set(numbers)
    time_range = (max(0.0, float(times[min(wanted)]) - FRAME_SECONDS), float(times[max(wanted)]) + FRAME_SECONDS)
    with read_frames(index.path(video), time_range=time_range) as reader:
        found = {frame.index: frame.image for frame in reader if frame.index in wanted}
    if len(found) < len(wanted):
        missing = min(wanted - set(found))
        raise DataError(f"{index.path(video)}: needs frame {missing}, got a video that no longer has it")
    return found
