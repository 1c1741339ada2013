"""Rows of states in CSV files, and their assignment to the labelled parts of a video."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from actparse.core.errors import DataError
from actparse.core.vocabulary import GROUP_PARTS, PARTS
from actparse.core.words import expect_word, listed, readable
from actparse.data.annotation.coco_fields import MAX_FRAME
from actparse.data.annotation.csv_table import CsvRow, CsvTable, read_csv
from actparse.data.annotation.ids import person_id
from actparse.data.kinetics_tps import FrameTruth, PartTruth, PersonTruth

MAX_ROWS = 10**7  # of a CSV file
SECONDS, FRAMES = ("start_s", "end_s"), ("first_frame", "last_frame")  # columns; the last frame is inclusive
ROUNDING_SECONDS = 1e-6  # of times in a CSV file


@dataclass(frozen=True)
class StateRow:
    """An interval in which a part, or both parts of a group, are in a state."""

    place: str  # file and line, for messages
    track: int | None  # None for all persons
    parts: tuple[str, ...]
    state: str
    seconds: tuple[float, float] | None  # start and end
    frames: tuple[int, int] | None  # first and last, inclusive

    def frame_range(self, times: NDArray[np.float64]) -> range:
        """Return the range of frames in a video with the presentation times `times` (N,), seconds.

        Raises:
            DataError: the interval starts, or its last frame is, past the end of the video.
        """
        if self.frames is not None:
            first, last = self.frames
            if last >= len(times):
                needs = f"needs frames of the video, which has {len(times)} (0 to {len(times) - 1})"
                raise DataError(f"{self.place}: {needs}, got last_frame {last}")
            return range(first, last + 1)
        assert self.seconds is not None
        start, end = self.seconds
        if start > times[-1] + ROUNDING_SECONDS:
            needs = f"needs a time in the video, whose last frame is at {times[-1]:g} s"
            raise DataError(f"{self.place}: {needs}, got start_s {start:g}")
        if start == end:  # a moment: the frame that is shown then
            shown_frame = int(np.searchsorted(times, start + ROUNDING_SECONDS, side="right")) - 1
            return range(shown_frame, shown_frame + 1)
        first, stop = np.searchsorted(times, self.seconds, side="left")
        return range(int(first), int(stop))

    def added_to(self, person: PersonTruth, frame: int) -> PersonTruth:
        """Return a person with the state; unchanged if it is of another person, or the part has no box.

        Raises:
            DataError: the part has another state already.
        """
        if self.track is not None and self.track != person.identity:
            return person
        for part in self.parts:
            labelled = person.parts.get(part)
            if labelled is not None and labelled.state != self.state:
                needs = f"needs one state of {part} of person {person.identity} in frame {frame}"
                raise DataError(f"{self.place}: {needs}, got {self.state!r} after {labelled.state!r}")
        new_parts = {
            part: PartTruth(person.unstated[part], self.state) for part in self.parts if part in person.unstated
        }
        unstated = {part: box for part, box in person.unstated.items() if part not in new_parts}
        return replace(person, parts={**person.parts, **new_parts}, unstated=unstated)

    @classmethod
    def from_csv(cls, table: CsvTable, row: CsvRow, kind: tuple[str, str]) -> StateRow:
        """Read a row; `kind` are the columns of its interval, SECONDS or FRAMES."""
        cells = table.named(row)
        part = expect_word(cells["part"], (*PARTS, *GROUP_PARTS), f"{row.where}: part")
        track = cells.get("track")
        start, end = (table.number(cells[name], f"{row.where}: {name}") for name in kind)
        is_frames = kind == FRAMES
        if is_frames and not (start.is_integer() and end.is_integer() and 0 <= start <= end <= MAX_FRAME):
            raise DataError(f"{row.where}: needs 0 <= first_frame <= last_frame, got {start:g} and {end:g}")
        if not is_frames and not 0 <= start <= end:
            raise DataError(f"{row.where}: needs 0 <= start_s <= end_s, got {start:g} and {end:g}")
        return cls(
            place=row.where,
            track=person_id(track, f"{row.where}: track") if track else None,
            parts=GROUP_PARTS.get(part, (part,)),
            state=cells["state"],
            seconds=None if is_frames else (start, end),
            frames=(int(start), int(end)) if is_frames else None,
        )


def read_state_rows(path: Path) -> dict[str, list[StateRow]]:
    """Read the rows of a CSV file, by video.

    Columns: part (or a part group), state; start_s and end_s, or first_frame and last_frame; track, which may be empty
    or missing; video, which may be missing if the file's folder has the video's name, as `actparse parse` writes
    segments.csv. Other columns are ignored.

    Raises:
        DataError: a column is missing or a cell is invalid.
    """
    table = read_csv(path, required=("part", "state"))
    kinds = [kind for kind in (SECONDS, FRAMES) if set(kind) <= set(table.columns)]
    if not kinds:
        needs = f"needs the columns {' and '.join(SECONDS)}, or {' and '.join(FRAMES)}"
        raise DataError(f"{path}: {needs}, got {readable(listed(table.columns))}")
    by_video: dict[str, list[StateRow]] = defaultdict(list)
    for index, row in enumerate(table.rows):
        if index >= MAX_ROWS:
            raise DataError(f"{path}: needs at most {MAX_ROWS} rows, got more")
        video = table.named(row).get("video") or path.resolve().parent.name
        by_video[video].append(StateRow.from_csv(table, row, kinds[0]))
    return dict(by_video)


def with_states(
    frames: dict[int, FrameTruth], rows: Sequence[StateRow], times: NDArray[np.float64]
) -> dict[int, FrameTruth]:
    """Return the frames of a video with the states of the rows; parts without a box get none.

    Args:
        frames: by index.
        rows: of this video.
        times: (N,) presentation times of its N frames, seconds.

    Raises:
        DataError: two rows, or a row and the label file, have different states for one part, or a row is past the end.
    """
    frames_with_states = dict(frames)
    for row in rows:
        frame_range = row.frame_range(times)
        for frame in (frame for frame in frames_with_states if frame in frame_range):
            persons = (row.added_to(person, frame) for person in frames_with_states[frame].persons)
            frames_with_states[frame] = FrameTruth(tuple(persons))
    return frames_with_states
