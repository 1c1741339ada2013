"""Validation of a parse before its export to another format."""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import chain, pairwise

from actparse.core.errors import DataError
from actparse.core.structures import VideoParse


def expect_exportable(parse: VideoParse) -> None:
    """Check that numbers are finite, frames ascend, and each person and part occurs only once in a frame.

    Raises:
        DataError: a check fails; the message names the frame and, if it applies, the track and the part.
    """
    for first, second in pairwise(parse.frames):
        if second.index <= first.index or second.time_seconds < first.time_seconds:
            raise DataError(f"parse: frames must ascend, got frame {second.index} after frame {first.index}")
    for frame in parse.frames:
        _expect_finite(f"parse: frame {frame.index}: time_seconds", [frame.time_seconds])
        tracks = set()
        for person in frame.persons:
            where = f"parse: frame {frame.index}, track {person.track_id}"
            if person.track_id in tracks:
                raise DataError(f"{where}: a person must occur once in a frame, got a second")
            tracks.add(person.track_id)
            of_parts = ((*part.box, part.score, part.state_score or 0.0) for part in person.parts)
            _expect_finite(where, chain(person.box, [person.score], *person.keypoints, *of_parts))
            names = [part.name for part in person.parts]
            duplicate = next((name for name in names if names.count(name) > 1), None)
            if duplicate:
                raise DataError(f"{where}: a part must occur once, got {duplicate} twice")
    for segment in parse.segments:
        _expect_finite("parse: a segment's start and end", [segment.start_seconds, segment.end_seconds])


def _expect_finite(where: str, values: Iterable[float]) -> None:
    for value in values:
        if not math.isfinite(value):
            raise DataError(f"{where}: needs finite numbers, got {value}")
