"""A parse as tables of Arrow: rows of persons, of parts, of intervals; every unit stands in the column's name.

`_px` are pixels of the upright frame, `_s` seconds of presentation time, `_deg` degrees; scores and confidences are
0..1; `frame` counts all frames of the video from 0. The schema's metadata carry under "actparse" what the rows do not:
the video, its action, the model.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path, PureWindowsPath

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from actparse.core.structures import FrameParse, PartParse, PersonParse, VideoParse
from actparse.core.vocabulary import KEYPOINTS, NUM_KEYPOINTS
from actparse.export.angles import ANGLES, MIN_CONFIDENCE, person_angles
from actparse.export.segments import state_intervals

METADATA_KEY = b"actparse"
UNITS = {"px": "pixel", "s": "second", "deg": "degree"}  # by the end of a column's name
BOX_COLUMNS = ("x1_px", "y1_px", "x2_px", "y2_px")
KEYPOINT_COLUMNS = tuple(f"{name}_{what}" for name in KEYPOINTS for what in ("x_px", "y_px", "confidence"))
ANGLE_COLUMNS = tuple(f"{name}_deg" for name in ANGLES)

Columns = dict[str, pa.Array]


def video_name(parse: VideoParse) -> str:
    """The video's file name without folder and suffix, whichever system wrote the path."""
    return PureWindowsPath(parse.video.path).stem if "\\" in parse.video.path else Path(parse.video.path).stem


def segments_table(parse: VideoParse) -> pa.Table:
    """A row for each interval of `state_intervals`."""
    rows = state_intervals(parse)
    columns = {
        "video": pa.array([video_name(parse)] * len(rows), pa.string()),
        "track": pa.array([row.track_id for row in rows], pa.int32()),
        "part": pa.array([row.part for row in rows], pa.string()),
        "state": pa.array([row.state for row in rows], pa.string()),
        "start_s": pa.array([row.start_seconds for row in rows], pa.float64()),
        "end_s": pa.array([row.end_seconds for row in rows], pa.float64()),
        "mean_score": pa.array([row.mean_score for row in rows], pa.float32()),
        "frames": pa.array([row.num_frames for row in rows], pa.int32()),
    }
    return _table(columns, parse)


def frames_table(parse: VideoParse, *, min_confidence: float = MIN_CONFIDENCE) -> pa.Table:
    """A row for each person in each sampled frame: box, keypoints, joint angles; null where an angle is unknown.

    Args:
        parse: of one video.
        min_confidence: of the keypoints of an angle, 0..1.

    Raises:
        ConfigError: `min_confidence` is outside 0..1.
    """
    rows = [(frame, person) for frame in parse.frames for person in frame.persons]
    persons = [person for _, person in rows]
    keypoints = np.asarray([person.keypoints for person in persons], np.float32).reshape(len(rows), 3 * NUM_KEYPOINTS)
    angles = person_angles(persons, min_confidence=min_confidence)  # (N, 9)
    columns = (
        _of_persons(parse, rows)
        | {"score": _floats([person.score for person in persons])}
        | _of_matrix(BOX_COLUMNS, _boxes(persons))
        | _of_matrix(KEYPOINT_COLUMNS, keypoints)
        | _of_matrix(ANGLE_COLUMNS, angles.astype(np.float32))
    )
    return _table(columns, parse)


def parts_table(parse: VideoParse) -> pa.Table:
    """A row for each body part of each person in each sampled frame."""
    rows = [(frame, person, part) for frame in parse.frames for person in frame.persons for part in person.parts]
    parts = [part for _, _, part in rows]
    columns = (
        _of_persons(parse, [(frame, person) for frame, person, _ in rows])
        | {"part": pa.array([part.name for part in parts], pa.string())}
        | {"score": _floats([part.score for part in parts])}
        | _of_matrix(BOX_COLUMNS, _boxes(parts))
        | {"state": pa.array([part.state for part in parts], pa.string())}
        | {"state_score": _floats([part.state_score for part in parts])}
    )
    return _table(columns, parse)


def unit_of(column: str) -> str | None:
    """The unit that a column's name ends in, in full; None for scores, names and numbers."""
    return UNITS.get(column.rpartition("_")[2])


def _of_persons(parse: VideoParse, rows: list[tuple[FrameParse, PersonParse]]) -> Columns:
    return {
        "video": pa.array([video_name(parse)] * len(rows), pa.string()),
        "frame": pa.array([frame.index for frame, _ in rows], pa.int64()),
        "time_s": pa.array([frame.time_seconds for frame, _ in rows], pa.float64()),
        "track": pa.array([person.track_id for _, person in rows], pa.int32()),
    }


def _floats(values: list[float | None] | list[float]) -> pa.Array:
    return pa.array(values, pa.float32())


def _boxes(rows: list[PersonParse] | list[PartParse]) -> NDArray[np.float32]:
    return np.asarray([row.box for row in rows], np.float32).reshape(len(rows), 4)


def _of_matrix(names: tuple[str, ...], values: NDArray[np.float32]) -> Columns:
    """A column (N,) for each name, of a matrix (N, len(names)); NaN becomes null."""
    return {name: pa.array(values[:, number], from_pandas=True) for number, name in enumerate(names)}


def _table(columns: Columns, parse: VideoParse) -> pa.Table:
    fields = [pa.field(name, column.type, metadata=_unit_metadata(name)) for name, column in columns.items()]
    whole = {
        "schema_version": parse.schema_version,
        "video": asdict(parse.video),
        "action": parse.action,
        "verdict": parse.verdict,
        "action_scores": parse.action_scores,
        "model": parse.model,
    }
    metadata = {METADATA_KEY: json.dumps(whole, ensure_ascii=False).encode()}
    return pa.Table.from_arrays(list(columns.values()), schema=pa.schema(fields, metadata=metadata))


def _unit_metadata(column: str) -> dict[bytes, bytes] | None:
    unit = unit_of(column)
    return {b"unit": unit.encode()} if unit else None
