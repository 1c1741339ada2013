"""What each body part of each person did from when to when: runs of equal state, in seconds.

A sampled frame speaks for the time from its own presentation stamp to that of the next sampled frame, the last one for
the time to the end of what was parsed. Sampled frames that follow each other and give a part the same state are one
interval: it starts at the stamp of its first frame and ends where its last frame stops speaking. Where a sampled frame
does not have the person, the part or a state of it, the interval ends at that frame's stamp.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from statistics import fmean

from actparse.core.structures import VideoParse
from actparse.core.vocabulary import PART_INDEX


@dataclass(frozen=True)
class StateInterval:
    """One part of one person in one state; `mean_score` is None where no frame of it has a score."""

    track_id: int
    part: str
    state: str
    start_seconds: float
    end_seconds: float
    mean_score: float | None  # of the state, over its sampled frames, 0..1
    num_frames: int  # sampled frames that say so


@dataclass
class _Run:
    state: str
    first: int  # places among the sampled frames
    last: int
    scores: list[float] = field(default_factory=list)


def sample_ends(parse: VideoParse) -> tuple[float, ...]:
    """Until when each sampled frame speaks, in seconds."""
    times = [frame.time_seconds for frame in parse.frames]
    video_end = max((segment.end_seconds for segment in parse.segments), default=0.0)
    return (*(after for _, after in pairwise(times)), *(max(time, video_end) for time in times[-1:]))


def state_intervals(parse: VideoParse) -> tuple[StateInterval, ...]:
    """The intervals of a parse, by track, then part, then time."""
    ends = sample_ends(parse)
    runs = _runs(parse)
    return tuple(
        StateInterval(
            track_id=track_id,
            part=part,
            state=run.state,
            start_seconds=parse.frames[run.first].time_seconds,
            end_seconds=ends[run.last],
            mean_score=fmean(run.scores) if run.scores else None,
            num_frames=run.last - run.first + 1,
        )
        for track_id, part in sorted(runs, key=lambda key: (key[0], PART_INDEX[key[1]]))
        for run in runs[track_id, part]
    )


def _runs(parse: VideoParse) -> dict[tuple[int, str], list[_Run]]:
    """By track and part, in the order of time."""
    runs: dict[tuple[int, str], list[_Run]] = {}
    for number, frame in enumerate(parse.frames):
        for person in frame.persons:
            for part in person.parts:
                if part.state is not None:
                    of_part = runs.setdefault((person.track_id, part.name), [])
                    _extend(of_part, number, part.state, part.state_score)
    return runs


def _extend(runs: list[_Run], number: int, state: str, score: float | None) -> None:
    if not runs or runs[-1].state != state or runs[-1].last != number - 1:
        runs.append(_Run(state, number, number))
    runs[-1].last = number
    if score is not None:
        runs[-1].scores.append(score)
