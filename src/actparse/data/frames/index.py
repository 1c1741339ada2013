"""An index of a split: the times of its frames and their annotations, without pixels; frames are decoded on demand.

It is built once by all cores, stored beside the dataset, and small enough to fit into every process. Until it is
complete, its pieces are stored in a folder beside it, so that an interrupted start resumes.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from actparse.core.errors import DataError, OutputError
from actparse.core.pools import FEW_JOBS, in_order
from actparse.core.progress import Report, discard_line
from actparse.data.fingerprint import fingerprint
from actparse.data.frames.annotations import (
    Annotations,
    Arrays,
    FrameSource,
    Image,
    annotation_fields,
    join,
    load_arrays,
    offsets_of,
    save_arrays,
    video_arrays,
)
from actparse.data.frames.frame_cache import CachedVideo, FrameForm, report_space
from actparse.data.kinetics_tps import KineticsTps, VideoRecord, read_frame_truth
from actparse.video.decode import read_frames

FORMAT = 3  # version of the file's format; a new version leads to new files
PIECE_VIDEOS = 10  # videos in one piece of an index
REPORTED_VIDEOS = 100  # videos from one line of progress to the next
FRAME_SECONDS = 1e-4  # tolerance of a frame's time


@dataclass(frozen=True, kw_only=True)
class VideoIndex(Annotations, FrameSource):
    """The annotations of videos with L frames in total, of which those with annotations are read on demand."""

    root: Path  # of the dataset
    folder: Path  # for data computed from the videos
    paths: tuple[str, ...]  # (V,) below `root`
    offsets: NDArray[np.int64]  # (V + 1,)
    times: NDArray[np.float64]  # (L,) seconds
    frame_form: FrameForm = "off"  # of the stored copies that `images` reads; "off" decodes

    @property
    def cache(self) -> Path:
        """The folder for data computed from the videos."""
        return self.folder

    def times_of(self, video: int) -> NDArray[np.float64]:
        """Return the times (N,) of a video's frames, seconds."""
        return self.times[self.offsets[video] : self.offsets[video + 1]]

    def reader(self, frames: Sequence[int]) -> Callable[[], list[Image]]:
        """Return a function that decodes annotated frames of one video, whether there are stored copies or not."""
        video = int(self.frame_videos[frames[0]])
        return self.video_reader(video, self.frame_indices[np.asarray(frames)].tolist())

    def images(self, frames: Sequence[int]) -> list[Image]:
        """Return annotated frames of one video, (H, W, 3) RGB: stored copies, or decoded if `frame_form` is "off"."""
        if self.frame_form == "off":
            return self.reader(frames)()
        video = self.cached_video(int(self.frame_videos[frames[0]]))
        return video.read(self.frame_indices[np.asarray(frames)].tolist())

    def read(self, frames: NDArray[np.int64]) -> list[Image]:
        """Decode frames (H, W, 3) of one video, annotated or not."""
        video, indices = self.locate(frames)
        return self.video_reader(video, indices.tolist())()

    def video_reader(self, video: int, indices: Sequence[int]) -> Callable[[], list[Image]]:
        """Return a function that decodes frames of a video, by their indices in it."""
        return partial(decode_frames, self.root / self.paths[video], tuple(indices), self._time_range(video, indices))

    def cached_video(self, video: int) -> CachedVideo:
        """Return the stored copies of a video's annotated frames."""
        indices = tuple(self.frame_indices[self.frames_of(video)].tolist())
        time_range = self._time_range(video, indices)
        return CachedVideo(self.root / self.paths[video], indices, time_range, self.folder / "frames", self.frame_form)

    def _time_range(self, video: int, indices: Sequence[int]) -> tuple[float, float]:
        """Return an interval, in seconds, that contains frames of a video."""
        times = self.times_of(video)[[min(indices), max(indices)]].tolist()
        return max(0.0, times[0] - FRAME_SECONDS), times[1] + FRAME_SECONDS

    def stored_as(self, form: FrameForm, *, report: Report = discard_line) -> VideoIndex:
        """Return a copy whose `images` reads stored copies of the annotated frames, written when they are first read.

        Args:
            form: "jpeg", or "png" for unchanged pixels; "off" decodes them every time.
            report: receives a line about the disk space.

        Raises:
            OutputError: the disk is too small.
        """
        index = replace(self, frame_form=form)
        if form != "off":
            report_space([index.cached_video(int(video)) for video in np.unique(self.frame_videos)], report)
        return index

    def select(self, videos: Sequence[int] | NDArray[np.int64], *, stride: int | None = None) -> VideoIndex:
        """Select videos by ascending indices; with `stride`, only every `stride`th frame, and only with a person."""
        videos = np.asarray(videos, np.int64)
        keep = np.isin(self.frame_videos, videos)  # (F,)
        if stride is not None:
            keep &= (self.frame_indices % stride == 0) & (np.diff(self.person_offsets) > 0)
        persons = np.repeat(keep, np.diff(self.person_offsets))  # (P,)
        objects = np.repeat(keep, np.diff(self.object_offsets))  # (O,)
        num_frames = np.diff(self.offsets)
        return replace(
            self,
            names=tuple(self.names[video] for video in videos),
            actions=tuple(self.actions[video] for video in videos),
            paths=tuple(self.paths[video] for video in videos),
            frame_videos=np.searchsorted(videos, self.frame_videos[keep]).astype(np.int32),
            frame_indices=self.frame_indices[keep],
            frame_times=self.frame_times[keep],
            person_offsets=offsets_of(np.diff(self.person_offsets)[keep]),
            person_boxes=self.person_boxes[persons],
            part_boxes=self.part_boxes[persons],
            part_states=self.part_states[persons],
            object_offsets=offsets_of(np.diff(self.object_offsets)[keep]),
            object_boxes=self.object_boxes[objects],
            object_labels=self.object_labels[objects],
            offsets=offsets_of(num_frames[videos]),
            times=self.times[np.repeat(np.isin(np.arange(len(self.names)), videos), num_frames)],
        )

    def without_annotations(self) -> VideoIndex:
        """Return a copy without annotations, which clips do not need: small enough to send to other processes."""
        empty = self.select(())
        names = ("names", "actions", "paths", "offsets", "times")
        return replace(empty, **{name: getattr(self, name) for name in names})


def decode_frames(path: Path, indices: Sequence[int], time_range: tuple[float, float]) -> list[Image]:
    """Decode frames of a video by their indices, in this order; `time_range` in seconds contains them all.

    Raises:
        DataError: the video ends before one of them.
    """
    wanted = set(indices)
    with read_frames(path, time_range=time_range) as reader:
        images = {frame.index: frame.image for frame in reader if frame.index in wanted}
    if len(images) < len(wanted):
        raise DataError(f"{path}: needs frame {min(wanted - set(images))}, got a video that no longer has it")
    return [images[index] for index in indices]


def read_entry(root: Path, record: VideoRecord) -> Arrays:
    """Read the annotations of one video and the times of its frames; annotations past its end are left out.

    Raises:
        DataError: the video contains no frame, or an annotation is invalid.
    """
    with read_frames(record.path) as reader:
        times = [frame.time_seconds for frame in reader]
    if not times:
        raise DataError(f"{record.path}: the video holds no frame")
    truths = {n: read_frame_truth(path) for n, path in record.annotations().items() if n < len(times)}
    arrays = video_arrays(record, truths, times)
    del arrays["person_keypoints"], arrays["person_identities"]
    return {
        **arrays,
        "paths": np.array([record.path.relative_to(root).as_posix()]),
        "num_frames": np.array([len(times)]),
        "times": np.asarray(times, np.float64),
    }


def open_index(root: Path, split: str, *, cache: Path, report: Report = discard_line) -> VideoIndex:
    """Load the index of a split; build it first if it does not exist yet.

    Args:
        root: root folder of the dataset.
        split: "train", "val" or "test".
        cache: the folder of the index files.
        report: receives lines of progress while the index is built.

    Raises:
        DataError: the split has no videos, or one of them cannot be read.
    """
    records = KineticsTps(root).videos(split)
    if not records:
        raise DataError(f"{root}: the split {split} has no videos")
    path = cache / f"index-{split}-{fingerprint(records, FORMAT)}.npz"
    if not path.is_file():
        _build(path, root, records, report)
    arrays = load_arrays(path, "index")
    return VideoIndex(
        root=root,
        folder=cache,
        paths=tuple(arrays["paths"].tolist()),
        offsets=offsets_of(arrays["num_frames"]),
        times=arrays["times"],
        **annotation_fields(arrays),
    )


def _build(path: Path, root: Path, records: Sequence[VideoRecord], report: Report) -> None:
    """Index the videos in pieces, each with a file name that depends on its content, and join the pieces.

    Another process that indexes the same videos may finish first and remove the pieces.
    """
    folder = path.with_name(f"{path.name.rpartition('-')[0]}.parts")
    groups = [records[first : first + PIECE_VIDEOS] for first in range(0, len(records), PIECE_VIDEOS)]
    pieces = {folder / f"{fingerprint(group, FORMAT)}.npz": group for group in groups}
    jobs = [(piece, root, group) for piece, group in pieces.items() if not piece.is_file()]
    done = len(records) - sum(len(group) for _, _, group in jobs)
    processes = os.cpu_count() if len(records) > FEW_JOBS else 1
    try:
        for (_, _, group), _ in zip(jobs, in_order(write_piece, jobs, processes=processes), strict=True):
            done_before, done = done, done + len(group)
            if done // REPORTED_VIDEOS > done_before // REPORTED_VIDEOS or done == len(records):
                report(f"indexed {done}/{len(records)} videos")
        save_arrays(path, join([load_arrays(piece, "index") for piece in pieces]))
    except (DataError, OutputError):
        if not path.is_file():
            raise
    shutil.rmtree(folder, ignore_errors=True)


def write_piece(path: Path, root: Path, records: Sequence[VideoRecord]) -> None:
    """Write the index of some videos."""
    save_arrays(path, join([read_entry(root, record) for record in records]))
