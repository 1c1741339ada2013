"""Rows of states put onto the labelled parts of a video."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from actparse.core.errors import DataError
from actparse.data.kinetics_tps import FrameTruth, PartTruth, PersonTruth
from actparse.data.own.coco import StateRow
from actparse.video.decode import frame_times


def with_states(frames: dict[int, FrameTruth], rows: Sequence[StateRow], video: Path) -> dict[int, FrameTruth]:
    """The frames of a video with the states that the rows give; a part without a box has no place for one.

    Raises:
        DataError: two rows, or a row and the label file, give one part two states.
        VideoError: rows are in seconds, and the video cannot be read.
    """
    times = frame_times(video)
    found = dict(frames)
    for row in rows:
        within = row.frame_range(times)
        for frame in (frame for frame in found if frame in within):
            persons = (_with_state(person, row, frame) for person in found[frame].persons)
            found[frame] = FrameTruth(tuple(persons))
    return found


def _with_state(person: PersonTruth, row: StateRow, frame: int) -> PersonTruth:
    if row.track is not None and row.track != person.identity:
        return person
    for part in row.parts:
        known = person.parts.get(part)
        if known is not None and known.state != row.state:
            needs = f"needs one state of {part} of person {person.identity} in frame {frame}"
            raise DataError(f"{row.place}: {needs}, got {row.state!r} after {known.state!r}")
    stated = {part: PartTruth(person.unstated[part], row.state) for part in row.parts if part in person.unstated}
    left = {part: box for part, box in person.unstated.items() if part not in stated}
    return replace(person, parts={**person.parts, **stated}, unstated=left)
