"""Labelled spans of videos: whole videos with their action; segments, or single frames, with a group's states."""

from __future__ import annotations

from dataclasses import dataclass

from actparse.core.vocabulary import GroupLabel
from actparse.data.pseudo_labels import group_label
from actparse.training.paper.splits import Split
from actparse.video.segments import equal_segments


@dataclass(frozen=True)
class Span:
    """Frames [first, end) of a video with their label; a span around a single frame may exceed the video's ends."""

    video: int
    first: int
    end: int
    label: GroupLabel


def action_spans(split: Split) -> tuple[Span, ...]:
    """Return one span for each video, with its action."""
    index = split.index
    return tuple(Span(v, 0, len(index.times_of(v)), (index.actions[v],)) for v in split.videos)


def segment_spans(split: Split, group: str, seconds: float) -> tuple[Span, ...]:
    """Return each annotated segment of about `seconds`, with the group's most common states.

    Source: PCF, section II-C.
    """
    index = split.index
    spans = []
    for video in split.videos:
        truths, times = index.truths(video), index.times_of(video)
        for segment in equal_segments(len(times), times, seconds):
            annotated = [truths[n] for n in range(segment.first_frame, segment.end_frame) if n in truths]
            if annotated:
                label = group_label(index.actions[video], group, annotated)
                spans.append(Span(video, segment.first_frame, segment.end_frame, label))
    return tuple(spans)


def frame_spans(split: Split, group: str, stride: int, length: int) -> tuple[Span, ...]:
    """Return a span of `length` frames around each annotated `stride`th frame, with the label of that frame.

    Source: PCF, table III.
    """
    index = split.index
    spans = []
    for video in split.videos:
        for frame_index, truth in index.truths(video).items():
            if frame_index % stride == 0:
                first = frame_index - length // 2
                spans.append(Span(video, first, first + length, group_label(index.actions[video], group, [truth])))
    return tuple(spans)
