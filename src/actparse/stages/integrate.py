"""Stage 3: the boxes of stage 1 and the states of the segment a frame lies in, put together.

Source: PCF, section II-A, last stage.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from actparse.structures import FrameParse, PartParse, PersonParse, SegmentParse


def with_states(frame: FrameParse, segment: SegmentParse) -> FrameParse:
    """The frame with the segment's states on every part of every person."""
    return replace(frame, persons=tuple(_person_with_states(person, segment) for person in frame.persons))


def _person_with_states(person: PersonParse, segment: SegmentParse) -> PersonParse:
    return replace(person, parts=tuple(_part_with_state(part, segment) for part in person.parts))


def _part_with_state(part: PartParse, segment: SegmentParse) -> PartParse:
    return replace(part, state=segment.states.get(part.name), state_score=segment.state_scores.get(part.name))


def segment_of(index: int, segments: Sequence[SegmentParse]) -> SegmentParse:
    """The segment that holds frame `index`; a frame past the last one belongs to the last one.

    Raises:
        ValueError: there is no segment.
    """
    if not segments:
        raise ValueError("segments must hold at least one, got none")
    return next((segment for segment in segments if index < segment.end_frame), segments[-1])
