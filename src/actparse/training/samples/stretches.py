"""Labelled intervals of clip frames: whole videos with their action, segments with their states."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from actparse.core.vocabulary import GROUPS, GroupLabel
from actparse.training.samples.store import Store


@dataclass(frozen=True, eq=False)
class ClipSource:
    """The clip frames of a store or of a shard."""

    frames: NDArray[np.uint8]  # (L, H, W, 3) RGB; a memory map
    offsets: tuple[int, ...]  # first frame of each video or clip, and L
    folder: Path  # folder of the frames and of data computed from them
    names: tuple[str, ...] = ()  # of the videos; empty for rendered clips


@dataclass(frozen=True, kw_only=True, eq=False)
class Stretch:
    """A labelled interval [first, end) of clip frames; one around a single frame may extend beyond its video."""

    source: ClipSource
    first: int
    end: int
    label: GroupLabel  # (action,), or (action, state[, state of the right side])
    group_labels: tuple[GroupLabel | None, ...] = ()  # main state of every group; None: not annotated
    video: tuple[int, int] | None = None  # [first, end) of the video, if the interval may leave it

    @property
    def name(self) -> str:
        """The name of the video or rendered clip with the first frame of the interval, for messages."""
        first = max(self.first, self.video[0]) if self.video else self.first
        index = bisect_right(self.source.offsets, first) - 1
        names = self.source.names
        video = names[index] if names else f"rendered clip {index} of {self.source.folder}"
        return f"{video} from clip frame {first - self.source.offsets[index]}"

    def rows(self, positions: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the source's frame indices at positions in the interval; outside, the first or last frame repeats."""
        first, end = self.video or (self.first, self.end)
        limited = np.minimum(positions, self.end - self.first - 1)
        indices: NDArray[np.int64] = np.clip(self.first + limited, first, end - 1)
        return indices


def action_stretches(store: Store) -> tuple[Stretch, ...]:
    """Return each video of a store as a whole, with its action."""
    source = source_of(store)
    videos = zip(source.offsets[:-1], source.offsets[1:], store.actions, strict=True)
    return tuple(Stretch(source=source, first=first, end=end, label=(action,)) for first, end, action in videos)


def action_segments(store: Store) -> tuple[Stretch, ...]:
    """Return each annotated segment of a store with its video's action and the main state of every group."""
    source = source_of(store)
    segments = zip(store.segment_rows.tolist(), store.segment_videos.tolist(), store.segment_labels, strict=True)
    return tuple(
        Stretch(source=source, first=first, end=end, label=(store.actions[video],), group_labels=labels)
        for (first, end), video, labels in segments
        if end > first
    )


def source_of(store: Store) -> ClipSource:
    """Return the clip frames of a store."""
    return ClipSource(store.clips, tuple(store.clip_offsets.tolist()), store.folder, store.names)


def state_stretches(segments: Iterable[Stretch], group: str) -> tuple[Stretch, ...]:
    """Return the segments in which a group is annotated, with the group's main state as their label."""
    index = GROUPS.index(group)
    labelled = ((segment, segment.group_labels[index]) for segment in segments)
    return tuple(replace(segment, label=label) for segment, label in labelled if label is not None)
