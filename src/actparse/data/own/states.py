"""Assignment of rows of states to the labelled parts of a video."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from actparse.core.errors import DataError
from actparse.data.kinetics_tps import FrameTruth, PartTruth, PersonTruth
from actparse.data.own.coco import StateRow
from actparse.video.decode import frame_times


def with_states(frames: dict[int, FrameTruth], rows: Sequence[StateRow], video: Path) -> dict[int, FrameTruth]:
    """Return the frames of a video with the states of the rows; parts without a box get none.

    Raises:
        DataError: two rows, or a row and the label file, have different states for one part.
        VideoError: rows are in seconds, and the video cannot be read.
    """
    times = frame_times(video)
    frames_with_states = dict(frames)
    for row in rows:
        frame_range = row.frame_range(times)
        for frame in (frame for frame in frames_with_states if frame in frame_range):
            persons = (_with_state(person, row, frame) for person in frames_with_states[frame].persons)
            frames_with_states[frame] = FrameTruth(tuple(persons))
    return frames_with_states


def _with_state(person: PersonTruth, row: StateRow, frame: int) -> PersonTruth:
    if row.track is not None and row.track != person.identity:
        return person
    for part in row.parts:
        labelled = person.parts.get(part)
        if labelled is not None and labelled.state != row.state:
            needs = f"needs one state of {part} of person {person.identity} in frame {frame}"
            raise DataError(f"{row.place}: {needs}, got {row.state!r} after {labelled.state!r}")
    new_parts = {part: PartTruth(person.unstated[part], row.state) for part in row.parts if part in person.unstated}
    unstated = {part: box for part, box in person.unstated.items() if part not in new_parts}
    return replace(person, parts={**person.parts, **new_parts}, unstated=unstated)
