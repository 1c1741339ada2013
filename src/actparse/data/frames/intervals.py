"""Labelled intervals of frames: whole videos with their action, segments and single frames with their states."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from actparse.core.vocabulary import GROUPS, GroupLabel
from actparse.data.frames.annotations import FrameSource, Image
from actparse.data.frames.index import VideoIndex
from actparse.data.frames.store import Store
from actparse.data.kinetics_tps import FrameTruth
from actparse.data.pseudo_labels import Pairs, group_label
from actparse.video.segments import equal_segments
from actparse.video.time_line import step_at


@dataclass(frozen=True, eq=False)
class ClipSource(FrameSource):
    """The clip frames of a store or of a shard, or their flow fields."""

    frames: NDArray[np.uint8]  # (L, H, W, C); a memory map
    offsets: tuple[int, ...]
    folder: Path  # folder of the frames and of data computed from them
    names: tuple[str, ...]

    def read(self, frames: NDArray[np.int64]) -> Sequence[Image]:
        """Return frames (n, H, W, C)."""
        return self.frames[frames]  # type: ignore[return-value]


@dataclass(frozen=True, kw_only=True, eq=False)
class Interval:
    """A labelled interval [first, end) of a source's frames; one around a single frame may extend beyond its video."""

    source: FrameSource
    first: int
    end: int
    label: GroupLabel  # (action,), or (action, state[, state of the right side])
    group_labels: tuple[GroupLabel | None, ...] = ()  # main state of every group; None: not annotated
    video: tuple[int, int] | None = None  # [first, end) of the video, if the interval may leave it
    # (T, 17, 3) of the main performer in each frame: x, y in its pixels, visibility 0, 1 or 2; None: not annotated
    keypoints: NDArray[np.float32] | None = None

    @property
    def name(self) -> str:
        """The name of the video or rendered clip with the first frame of the interval, for messages."""
        first = max(self.first, self.video[0]) if self.video else self.first
        video, position = self.source.locate(np.array([first]))
        return f"{self.source.names[video]} from frame {position[0]}"

    def frames(self, positions: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the source's frames at positions in the interval; outside, the first or last frame repeats."""
        first, end = self.video or (self.first, self.end)
        limited = np.minimum(positions, self.end - self.first - 1)
        indices: NDArray[np.int64] = np.clip(self.first + limited, first, end - 1)
        return indices


@dataclass(frozen=True)
class LabelledVideo:
    """A video of a source, with the annotations of some of its frames."""

    source: FrameSource
    action: str
    first: int  # its first frame in the source
    times: NDArray[np.float64]  # (N,) of its frames, seconds
    truths: Mapping[int, FrameTruth]  # by frame in the video, 0 to N - 1
    pairs: Pairs = "joint"  # labels of paired groups

    def interval(self, first: int, end: int, truths: Sequence[FrameTruth], groups: Iterable[str]) -> Interval:
        """Return frames [first, end) of the video with its action and the main states of `groups`."""
        labels = tuple(
            group_label(self.action, group, truths, self.pairs) if truths and group in groups else None
            for group in GROUPS
        )
        first, end = self.first + first, self.first + end
        return Interval(source=self.source, first=first, end=end, label=(self.action,), group_labels=labels)


def store_videos(store: Store, frame_rate: float) -> Iterator[LabelledVideo]:
    """Yield the videos of a store that have clip frames, `frame_rate` of them per second."""
    offsets = tuple(store.clip_offsets.tolist())
    source = ClipSource(store.clips, offsets, store.folder, store.names)
    for video, action in enumerate(store.actions):
        num_frames, start = offsets[video + 1] - offsets[video], float(store.start_times[video])
        steps = (
            (frame, step_at(float(store.frame_times[frame]) - start, frame_rate)) for frame in store.frames_of(video)
        )
        truths = {min(step, num_frames - 1): store.truth(frame) for frame, step in steps}
        if num_frames:
            yield LabelledVideo(source, action, offsets[video], np.arange(num_frames) / frame_rate, truths)


def index_videos(index: VideoIndex) -> Iterator[LabelledVideo]:
    """Yield the videos of an index, whose frames are decoded on demand."""
    source = index.without_annotations()
    for video, action in enumerate(index.actions):
        truths = {int(index.frame_indices[frame]): index.truth(frame) for frame in index.frames_of(video)}
        yield LabelledVideo(source, action, int(source.offsets[video]), index.times_of(video), truths)


def whole_videos(videos: Iterable[LabelledVideo]) -> tuple[Interval, ...]:
    """Return each video as a whole, with its action."""
    return tuple(video.interval(0, len(video.times), (), ()) for video in videos)


def segments(videos: Iterable[LabelledVideo], seconds: float, groups: Sequence[str] = GROUPS) -> tuple[Interval, ...]:
    """Return the segments of about `seconds` of each video, with its action and the main states of `groups`.

    Source: PCF, section II-C.
    """
    intervals = []
    for video in videos:
        for segment in equal_segments(len(video.times), video.times, seconds):
            first, end = segment.first_frame, segment.end_frame
            truths = [truth for frame, truth in video.truths.items() if first <= frame < end]
            intervals.append(video.interval(first, end, truths, groups))
    return tuple(intervals)


def around_frames(
    videos: Iterable[LabelledVideo], length: int, *, stride: int = 1, groups: Sequence[str] = GROUPS
) -> tuple[Interval, ...]:
    """Return `length` frames around each annotated `stride`th frame, with the states of that frame.

    Source: PCF, table III.
    """
    intervals = []
    for video in videos:
        bounds = (video.first, video.first + len(video.times))
        for frame, truth in video.truths.items():
            if frame % stride == 0:
                first = frame - length // 2
                intervals.append(replace(video.interval(first, first + length, [truth], groups), video=bounds))
    return tuple(intervals)


def with_states(intervals: Iterable[Interval], group: str) -> tuple[Interval, ...]:
    """Return the intervals in which a group is annotated, with the group's main states as their label."""
    index = GROUPS.index(group)
    labelled = ((interval, interval.group_labels[index]) for interval in intervals)
    return tuple(replace(interval, label=label) for interval, label in labelled if label is not None)
