"""Labelled stretches of videos: whole videos with their action; segments, or single frames, with a group's states."""

from __future__ import annotations

from dataclasses import dataclass

from actparse.core.vocabulary import GroupLabel
from actparse.data.pseudo_labels import group_label
from actparse.training.paper.splits import Split
from actparse.video.segments import equal_segments


@dataclass(frozen=True)
class Span:
    """Frames [first, end) of a video and what they show; around a single frame they may reach past the video's ends."""

    video: int
    first: int
    end: int
    label: GroupLabel


def action_spans(split: Split) -> tuple[Span, ...]:
    """Each video as a whole."""
    index = split.index
    return tuple(Span(v, 0, len(index.times_of(v)), (index.actions[v],)) for v in split.videos)


def segment_spans(split: Split, group: str, seconds: float) -> tuple[Span, ...]:
    """Each annotated segment of about `seconds`, with what the group mostly does in it. Source: PCF, section II-C."""
    index = split.index
    spans = []
    for video in split.videos:
        truths, times = index.truths(video), index.times_of(video)
        for segment in equal_segments(len(times), times, seconds):
            seen = [truths[n] for n in range(segment.first_frame, segment.end_frame) if n in truths]
            if seen:
                label = group_label(index.actions[video], group, seen)
                spans.append(Span(video, segment.first_frame, segment.end_frame, label))
    return tuple(spans)


def frame_spans(split: Split, group: str, stride: int, length: int) -> tuple[Span, ...]:
    """Each annotated `stride`th frame, in the middle of `length` frames, with its own label. Source: PCF, table III."""
    index = split.index
    spans = []
    for video in split.videos:
        for number, truth in index.truths(video).items():
            if number % stride == 0:
                first = number - length // 2
                spans.append(Span(video, first, first + length, group_label(index.actions[video], group, [truth])))
    return tuple(spans)
