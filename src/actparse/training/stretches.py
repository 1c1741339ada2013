"""Labelled stretches of clip frames: whole videos with their action, segments with their states."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from actparse.core.vocabulary import GROUPS, GroupLabel
from actparse.training.store import Store


@dataclass(frozen=True, eq=False)
class ClipSource:
    """The clip frames of a store or of a shard."""

    frames: NDArray[np.uint8]  # (L, H, W, 3) RGB; a memory map
    offsets: tuple[int, ...]  # first frame of each video or clip, and L
    folder: Path  # where they lie, and what is computed from them
    names: tuple[str, ...] = ()  # of the videos; none of rendered clips


@dataclass(frozen=True, kw_only=True, eq=False)
class Stretch:
    """Rows [first, end) of clip frames, and what they show; around a single frame they may leave its video."""

    source: ClipSource
    first: int
    end: int
    label: GroupLabel  # (action,), or (action, state[, state of the right side])
    group_labels: tuple[GroupLabel | None, ...] = ()  # of a segment, what every group mostly does; None: not annotated
    video: tuple[int, int] | None = None  # first and end row of the video, where the stretch may leave it

    @property
    def name(self) -> str:
        """Of its video or rendered clip, and where it begins, for messages."""
        first = max(self.first, self.video[0]) if self.video else self.first
        number = bisect_right(self.source.offsets, first) - 1
        names = self.source.names
        video = names[number] if names else f"rendered clip {number} of {self.source.folder}"
        return f"{video} from clip frame {first - self.source.offsets[number]}"

    def rows(self, places: NDArray[np.int64]) -> NDArray[np.int64]:
        """The source's rows at places of the stretch, which count from its first; outside, what is at the end stays."""
        first, end = self.video or (self.first, self.end)
        rows: NDArray[np.int64] = np.clip(self.first + np.minimum(places, self.end - self.first - 1), first, end - 1)
        return rows


def action_stretches(store: Store) -> tuple[Stretch, ...]:
    """Each video as a whole."""
    source = source_of(store)
    rows = zip(source.offsets[:-1], source.offsets[1:], store.actions, strict=True)
    return tuple(Stretch(source=source, first=first, end=end, label=(action,)) for first, end, action in rows)


def action_segments(store: Store) -> tuple[Stretch, ...]:
    """Each annotated segment with its video's action, and what every group mostly does in it."""
    source = source_of(store)
    rows = zip(store.segment_rows.tolist(), store.segment_videos.tolist(), store.segment_labels, strict=True)
    return tuple(
        Stretch(source=source, first=first, end=end, label=(store.actions[video],), group_labels=labels)
        for (first, end), video, labels in rows
        if end > first
    )


def source_of(store: Store) -> ClipSource:
    """The clip frames of a store."""
    return ClipSource(store.clips, tuple(store.clip_offsets.tolist()), store.folder, store.names)


def state_stretches(segments: Iterable[Stretch], group: str) -> tuple[Stretch, ...]:
    """The segments in which a group is annotated, with what it mostly does."""
    number = GROUPS.index(group)
    labelled = ((segment, segment.group_labels[number]) for segment in segments)
    return tuple(replace(segment, label=label) for segment, label in labelled if label is not None)
