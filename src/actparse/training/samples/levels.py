"""Labelling levels of the tiny state networks (Table III): segments of a given length, or clips around single frames.

The labels come from the frames of a store, every fifth frame of a video, which are those that the evaluator scores.
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
from actparse.stages.actions.classifier import ClipConfig
from actparse.training.samples.store import Store
from actparse.training.samples.stretches import ClipSource, Stretch, source_of
from actparse.video.segments import expect_segment_seconds, num_segments
from actparse.video.time_line import step_at

LEVEL_CHANGES = ("level", "segment_seconds")


@dataclass(frozen=True, kw_only=True)
class Level:
    """The unit that gets one label: a segment or a frame."""

    kind: Literal["segment", "frame"] = "segment"
    segment_seconds: float = 3.0  # approximate length of a "segment"

    def __post_init__(self) -> None:
        if self.kind not in ("segment", "frame"):
            raise ConfigError(f"train: level must be segment or frame, got {self.kind}")
        expect_segment_seconds(self.segment_seconds, "train: segment_seconds")

    def __str__(self) -> str:
        return "single frames" if self.kind == "frame" else f"segments of about {self.segment_seconds:g} s"

    def stage(self, stage: ClipConfig) -> ClipConfig:
        """Return the stage's settings for this level: one clip if single frames are labelled."""
        return replace(stage, num_clips=1) if self.kind == "frame" else stage

    def stretches(self, store: Store, stage: ClipConfig) -> tuple[Stretch, ...]:
        """Return the labelled intervals of a store with the label of every group; `stage` sets the length of a clip."""
        if self.kind == "frame":
            return tuple(_intervals_around_frames(store, stage))
        return tuple(_segments(store, self.segment_seconds, stage))


def level_from_text(changes: Mapping[str, str]) -> Level | None:
    """Return the level that a run's changes request, or None.

    Raises:
        ConfigError: the kind or the length is not valid for a level.
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
    """A video of a store with its F annotated frames."""

    action: str
    first: int  # index of its first clip frame
    end: int  # index after its last clip frame
    indices: NDArray[np.int64]  # (F,) the clip frame of each annotated frame
    truths: Sequence[FrameTruth]


def _segments(store: Store, seconds: float, stage: ClipConfig) -> Iterator[Stretch]:
    source = source_of(store)
    for video in _videos(store, stage):
        duration = (video.end - video.first) / _frame_rate(stage)
        count = num_segments(duration, seconds)
        bounds = np.linspace(video.first, video.end, count + 1).round().astype(int).tolist()
        for first, end in pairwise(bounds):
            is_inside = (video.indices >= first) & (video.indices < end)  # (F,)
            truths = [truth for truth, inside in zip(video.truths, is_inside, strict=True) if inside]
            if truths:
                yield _interval(source, video, first, end, truths)


def _intervals_around_frames(store: Store, stage: ClipConfig) -> Iterator[Stretch]:
    source, length = source_of(store), stage.num_frames * stage.frame_stride
    for video in _videos(store, stage):
        for index, truth in zip(video.indices.tolist(), video.truths, strict=True):
            first = index - length // 2
            interval = _interval(source, video, first, first + length, [truth])
            yield replace(interval, video=(video.first, video.end))


def _interval(source: ClipSource, video: _Video, first: int, end: int, truths: Sequence[FrameTruth]) -> Stretch:
    labels = tuple(group_label(video.action, group, truths) for group in GROUPS)
    return Stretch(source=source, first=first, end=end, label=(video.action,), group_labels=labels)


def _videos(store: Store, stage: ClipConfig) -> Iterator[_Video]:
    for video, action in enumerate(store.actions):
        frames = np.flatnonzero(store.frame_videos == video)  # (F,)
        first, end = (int(offset) for offset in store.clip_offsets[video : video + 2])
        if not len(frames) or first == end:
            continue
        start = _start_seconds(store.frame_indices[frames], store.frame_times[frames])
        steps = [step_at(time - start, _frame_rate(stage)) for time in store.frame_times[frames].tolist()]
        indices = np.minimum(first + np.array(steps), end - 1)  # (F,)
        yield _Video(action, first, end, indices, [_truth(store, int(frame)) for frame in frames])


def _start_seconds(indices: NDArray[np.int32], times: NDArray[np.float64]) -> float:
    """Return the time of a video's first frame, extrapolated from some of its frames (F,), F at least 1."""
    frame_seconds = (times[-1] - times[0]) / max(int(indices[-1]) - int(indices[0]), 1)
    return float(times[0] - indices[0] * frame_seconds)


def _frame_rate(stage: ClipConfig) -> float:
    assert stage.frame_rate is not None, "a store's clip frames have a rate"
    return stage.frame_rate


def _truth(store: Store, frame: int) -> FrameTruth:
    """Return the annotations of a stored frame: the part states of each person."""
    persons = store.persons_of(frame)
    return FrameTruth(tuple(_person(store, index) for index in range(persons.start, persons.stop)))


def _person(store: Store, index: int) -> PersonTruth:
    parts = {
        name: PartTruth(_box(store.part_boxes[index, part]), state)
        for part, (name, state) in enumerate(zip(PARTS, store.part_states[index], strict=True))
        if state is not None
    }
    return PersonTruth(number=index, box=_box(store.person_boxes[index]), parts=parts)


def _box(values: NDArray[np.float32]) -> tuple[float, float, float, float]:
    x1, y1, x2, y2 = values.tolist()
    return x1, y1, x2, y2
