"""State intervals: the start, end and state of each interval of a body part of a person, in seconds.

A sampled frame covers the time from its timestamp to that of the next sampled frame; the last one covers the time to
the end of the parsed range. Consecutive sampled frames in which a part has the same state are one interval: it starts
at the timestamp of its first frame and ends at the end of the time that its last frame covers. If a sampled frame lacks
the person, the part or its state, the interval ends at the timestamp of that frame.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from statistics import fmean

from actparse.core.structures import VideoParse
from actparse.core.vocabulary import PART_INDEX


@dataclass(frozen=True)
class StateInterval:
    """One part of one person in one state; `mean_score` is None if none of its frames has a score."""

    track_id: int
    part: str
    state: str
    start_seconds: float
    end_seconds: float
    mean_score: float | None  # of the state, over its sampled frames, 0..1
    num_frames: int  # sampled frames with this state


@dataclass
class _Run:
    state: str
    first: int  # index among the sampled frames
    last: int  # index among the sampled frames, inclusive
    scores: list[float] = field(default_factory=list)


def sample_ends(parse: VideoParse) -> tuple[float, ...]:
    """Return the end of the time that each sampled frame covers, in seconds."""
    times = [frame.time_seconds for frame in parse.frames]
    video_end = max((segment.end_seconds for segment in parse.segments), default=0.0)
    return (*(next_time for _, next_time in pairwise(times)), *(max(time, video_end) for time in times[-1:]))


def state_intervals(parse: VideoParse) -> tuple[StateInterval, ...]:
    """Return the intervals of a parse, sorted by track, then part, then time."""
    ends = sample_ends(parse)
    runs: dict[tuple[int, str], list[_Run]] = {}  # of equal state, by track and part, in the order of time
    for index, frame in enumerate(parse.frames):
        for person in frame.persons:
            for part in person.parts:
                if part.state is None:
                    continue
                part_runs = runs.setdefault((person.track_id, part.name), [])
                if not part_runs or part_runs[-1].state != part.state or part_runs[-1].last != index - 1:
                    part_runs.append(_Run(part.state, index, index))
                part_runs[-1].last = index
                if part.state_score is not None:
                    part_runs[-1].scores.append(part.state_score)
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
