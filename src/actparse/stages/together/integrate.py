"""Stage 3: combination of the boxes of stage 1 with the states of a frame's segment.

Source: PCF, section II-A, last stage.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from actparse.core.structures import FrameParse, PersonParse, SegmentParse, VideoParse

PartStates = tuple[dict[str, str], dict[str, float]]  # part -> state, and part -> its probability
NO_TRACKS: Mapping[int, PartStates] = {}


def with_states(frame: FrameParse, segment: SegmentParse, by_track: Mapping[int, PartStates] = NO_TRACKS) -> FrameParse:
    """Return the frame with states for every part of every person: those of the track, else those of the segment."""
    persons: list[PersonParse] = []
    for person in frame.persons:
        states, scores = by_track.get(person.track_id, (segment.states, segment.state_scores))
        parts = [replace(part, state=states.get(part.name), state_score=scores.get(part.name)) for part in person.parts]
        persons.append(replace(person, parts=tuple(parts)))
    return replace(frame, persons=tuple(persons))


def with_prior_states(parse: VideoParse, prior: Mapping[str, Mapping[str, str]]) -> VideoParse:
    """Return the parse with the most frequent states of the predicted action, the same for all persons.

    The reasons belong to the original states, so they are removed.

    Args:
        parse: with or without states.
        prior: action -> part -> state; without the action in it, parts have no states.
    """
    states = dict(prior.get(parse.action, {}))
    segments = tuple(replace(segment, states=states, state_scores={}) for segment in parse.segments)
    frames = tuple(with_states(frame, segments[segment_number(frame.index, segments)]) for frame in parse.frames)
    return replace(parse, frames=frames, segments=segments, reasons=(), explanation="")


def with_commonest_states(segment: SegmentParse, frames: Sequence[FrameParse]) -> SegmentParse:
    """Return the segment with each part's most frequent state over the persons of its frames, and its share (0..1).

    Of equally frequent states the first in sorted order counts; a part that no person has gets no state.
    """
    inside = [frame for frame in frames if segment.first_frame <= frame.index < segment.end_frame]
    parts = [part for frame in inside for person in frame.persons for part in person.parts]
    states: dict[str, str] = {}
    scores: dict[str, float] = {}
    for name in dict.fromkeys(part.name for part in parts):
        counts = Counter(part.state for part in parts if part.name == name and part.state is not None)
        if counts:
            states[name] = min(counts, key=lambda state: (-counts[state], state))
            scores[name] = counts[states[name]] / counts.total()
    return replace(segment, states=states, state_scores=scores)


def segment_number(index: int, segments: Sequence[SegmentParse]) -> int:
    """Return the index of the segment of frame `index`; frames after the last segment belong to it.

    Raises:
        ValueError: `segments` is empty.
    """
    if not segments:
        raise ValueError("segments must hold at least one, got none")
    return min(bisect_right(segments, index, key=lambda segment: segment.end_frame), len(segments) - 1)
