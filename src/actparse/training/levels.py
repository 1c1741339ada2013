"""What a tiny state network labels (Table III): segments of about a length, or single frames, each in a clip around it.

The labels are made of a store's kept frames, every fifth of a video, which are those that the evaluator scores.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from actparse.core.errors import ConfigError
from actparse.core.vocabulary import GROUPS, PARTS
from actparse.data.kinetics_tps import FrameTruth, PartTruth, PersonTruth
from actparse.data.pseudo_labels import group_label
from actparse.stages.actions.classifier import ClipConfig, step_at
from actparse.training.store import Store
from actparse.training.stretches import ClipSource, Stretch, source_of
from actparse.video.segments import expect_segment_seconds, num_segments

LEVEL_CHANGES = ("level", "segment_seconds")


@dataclass(frozen=True, kw_only=True)
class Level:
    """What has a label of its own."""

    kind: Literal["segment", "frame"] = "segment"
    segment_seconds: float = 3.0  # about, of "segment"

    def __post_init__(self) -> None:
        if self.kind not in ("segment", "frame"):
            raise ConfigError(f"train: level must be segment or frame, got {self.kind}")
        expect_segment_seconds(self.segment_seconds, "train: segment_seconds")

    def __str__(self) -> str:
        return "single frames" if self.kind == "frame" else f"segments of about {self.segment_seconds:g} s"

    def stage(self, stage: ClipConfig) -> ClipConfig:
        """How the state network is used: around a single frame there is room for one clip."""
        return replace(stage, num_clips=1) if self.kind == "frame" else stage

    def stretches(self, store: Store, stage: ClipConfig) -> tuple[Stretch, ...]:
        """All stretches of a store that have labels, with what every group does; `stage` says how long a clip is."""
        if self.kind == "frame":
            return tuple(_around_frames(store, stage))
        return tuple(_of_length(store, self.segment_seconds, stage))


def level_from_text(changes: Mapping[str, str]) -> Level | None:
    """The level that a run's changes ask for; None where they ask for none.

    Raises:
        ConfigError: the kind or the length is not one of a level's.
    """
    if changes.keys().isdisjoint(LEVEL_CHANGES):
        return None
    text = changes.get("segment_seconds", "3")
    try:
        seconds = float(text)
    except ValueError:
        raise ConfigError(f"train: segment_seconds must be a number, got {text!r}") from None
    return Level(kind=changes.get("level", "segment"), segment_seconds=seconds)  # type: ignore[arg-type]


@dataclass(frozen=True)
class _Video:
    """A video of a store with its kept frames (F,)."""

    action: str
    first: int  # rows of its clip frames
    end: int
    rows: NDArray[np.int64]  # (F,) the clip frame that shows each
    truths: Sequence[FrameTruth]


def _of_length(store: Store, seconds: float, stage: ClipConfig) -> Iterator[Stretch]:
    source = source_of(store)
    for video in _videos(store, stage):
        duration = (video.end - video.first) / _frame_rate(stage)
        count = num_segments(duration, seconds)
        bounds = np.linspace(video.first, video.end, count + 1).round().astype(int).tolist()
        for first, end in pairwise(bounds):
            is_inside = (video.rows >= first) & (video.rows < end)  # (F,)
            seen = [truth for truth, inside in zip(video.truths, is_inside, strict=True) if inside]
            if seen:
                yield _stretch(source, video, first, end, seen)


def _around_frames(store: Store, stage: ClipConfig) -> Iterator[Stretch]:
    source, length = source_of(store), stage.num_frames * stage.frame_stride
    for video in _videos(store, stage):
        for row, truth in zip(video.rows.tolist(), video.truths, strict=True):
            first = row - length // 2
            stretch = _stretch(source, video, first, first + length, [truth])
            yield replace(stretch, video=(video.first, video.end))


def _stretch(source: ClipSource, video: _Video, first: int, end: int, seen: Sequence[FrameTruth]) -> Stretch:
    labels = tuple(group_label(video.action, group, seen) for group in GROUPS)
    return Stretch(source=source, first=first, end=end, label=(video.action,), group_labels=labels)


def _videos(store: Store, stage: ClipConfig) -> Iterator[_Video]:
    for number, action in enumerate(store.actions):
        kept = np.flatnonzero(store.frame_videos == number)
        first, end = (int(row) for row in store.clip_offsets[number : number + 2])
        if not len(kept) or first == end:
            continue
        start = _start_seconds(store.frame_indices[kept], store.frame_times[kept])
        steps = [step_at(time - start, _frame_rate(stage)) for time in store.frame_times[kept].tolist()]
        rows = np.minimum(first + np.array(steps), end - 1)
        yield _Video(action, first, end, rows, [_truth(store, int(frame)) for frame in kept])


def _start_seconds(indices: NDArray[np.int32], times: NDArray[np.float64]) -> float:
    """When a video's first frame is shown, from some of its frames (F,), F at least 1."""
    frame_seconds = (times[-1] - times[0]) / max(int(indices[-1]) - int(indices[0]), 1)
    return float(times[0] - indices[0] * frame_seconds)


def _frame_rate(stage: ClipConfig) -> float:
    assert stage.frame_rate is not None, "a store's clip frames have a rate"
    return stage.frame_rate


def _truth(store: Store, frame: int) -> FrameTruth:
    """What is annotated of a kept frame: of each person the parts' states."""
    rows = store.persons_of(frame)
    return FrameTruth(tuple(_person(store, row) for row in range(rows.start, rows.stop)))


def _person(store: Store, row: int) -> PersonTruth:
    parts = {
        name: PartTruth(_box(store.part_boxes[row, number]), state)
        for number, (name, state) in enumerate(zip(PARTS, store.part_states[row], strict=True))
        if state is not None
    }
    return PersonTruth(number=row, box=_box(store.person_boxes[row]), parts=parts)


def _box(values: NDArray[np.float32]) -> tuple[float, float, float, float]:
    x1, y1, x2, y2 = values.tolist()
    return x1, y1, x2, y2
