"""What a parse from elsewhere must hold before it is written in another form."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise

from actparse.core.errors import DataError
from actparse.core.structures import FrameParse, PersonParse, VideoParse


def expect_exportable(parse: VideoParse) -> None:
    """Check that numbers are finite, frames ascend, and a person or a part stands once in a frame.

    Raises:
        DataError: names the frame, and where it applies the track and the part.
    """
    for before, after in pairwise(parse.frames):
        if after.index <= before.index or after.time_seconds < before.time_seconds:
            raise DataError(f"parse: frames must ascend, got frame {after.index} after frame {before.index}")
    for frame in parse.frames:
        _expect_finite(f"parse: frame {frame.index}: time_seconds", [frame.time_seconds])
        _check_persons(frame)
    for segment in parse.segments:
        _expect_finite("parse: a segment's start and end", [segment.start_seconds, segment.end_seconds])


def _check_persons(frame: FrameParse) -> None:
    tracks = set()
    for person in frame.persons:
        where = f"parse: frame {frame.index}, track {person.track_id}"
        if person.track_id in tracks:
            raise DataError(f"{where}: a person must stand once in a frame, got a second")
        tracks.add(person.track_id)
        _expect_finite(where, _numbers(person))
        names = [part.name for part in person.parts]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice:
            raise DataError(f"{where}: a part must stand once, got {twice} twice")


def _numbers(person: PersonParse) -> Iterator[float]:
    yield from (*person.box, person.score)
    for point in person.keypoints:
        yield from point
    for part in person.parts:
        yield from (*part.box, part.score, part.state_score or 0.0)


def _expect_finite(where: str, values: Iterator[float] | list[float]) -> None:
    for value in values:
        if not math.isfinite(value):
            raise DataError(f"{where}: needs finite numbers, got {value}")
