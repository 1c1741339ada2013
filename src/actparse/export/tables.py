"""Arrow tables of a parse: rows of persons, of parts, of intervals; a column's name contains its unit.

`_px` are pixels of the upright frame, `_s` seconds of presentation time, `_deg` degrees; scores and confidences are
0..1; `frame` counts all frames of the video from 0. The schema's metadata contain, under "actparse", the fields that
the rows lack: the video, its action, the model.
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
UNITS = {"px": "pixel", "s": "second", "deg": "degree"}  # by the last part of a column's name
BOX_COLUMNS = ("x1_px", "y1_px", "x2_px", "y2_px")
KEYPOINT_COLUMNS = tuple(f"{name}_{field}" for name in KEYPOINTS for field in ("x_px", "y_px", "confidence"))
ANGLE_COLUMNS = tuple(f"{name}_deg" for name in ANGLES)

Columns = dict[str, pa.Array]


def video_name(parse: VideoParse) -> str:
    """Return the video's file name without folder and suffix; the path may be of any operating system."""
    return PureWindowsPath(parse.video.path).stem if "\\" in parse.video.path else Path(parse.video.path).stem


def segments_table(parse: VideoParse) -> pa.Table:
    """Return a table with a row for each interval of `state_intervals`."""
    intervals = state_intervals(parse)
    columns = {
        "video": pa.array([video_name(parse)] * len(intervals), pa.string()),
        "track": pa.array([interval.track_id for interval in intervals], pa.int32()),
        "part": pa.array([interval.part for interval in intervals], pa.string()),
        "state": pa.array([interval.state for interval in intervals], pa.string()),
        "start_s": pa.array([interval.start_seconds for interval in intervals], pa.float64()),
        "end_s": pa.array([interval.end_seconds for interval in intervals], pa.float64()),
        "mean_score": pa.array([interval.mean_score for interval in intervals], pa.float32()),
        "frames": pa.array([interval.num_frames for interval in intervals], pa.int32()),
    }
    return _table(columns, parse)


def frames_table(parse: VideoParse, *, min_confidence: float = MIN_CONFIDENCE) -> pa.Table:
    """Return a table with a row for each person in each sampled frame: box, keypoints, joint angles.

    An unknown angle is null.

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
        _person_columns(parse, rows)
        | {"score": _floats([person.score for person in persons])}
        | _matrix_columns(BOX_COLUMNS, _boxes(persons))
        | _matrix_columns(KEYPOINT_COLUMNS, keypoints)
        | _matrix_columns(ANGLE_COLUMNS, angles.astype(np.float32))
    )
    return _table(columns, parse)


def parts_table(parse: VideoParse) -> pa.Table:
    """Return a table with a row for each body part of each person in each sampled frame."""
    rows = [(frame, person, part) for frame in parse.frames for person in frame.persons for part in person.parts]
    parts = [part for _, _, part in rows]
    columns = (
        _person_columns(parse, [(frame, person) for frame, person, _ in rows])
        | {"part": pa.array([part.name for part in parts], pa.string())}
        | {"score": _floats([part.score for part in parts])}
        | _matrix_columns(BOX_COLUMNS, _boxes(parts))
        | {"state": pa.array([part.state for part in parts], pa.string())}
        | {"state_score": _floats([part.state_score for part in parts])}
    )
    return _table(columns, parse)


def unit_of(column: str) -> str | None:
    """Return the full name of the unit at the end of a column's name; None for scores, names and counts."""
    return UNITS.get(column.rpartition("_")[2])


def _person_columns(parse: VideoParse, rows: list[tuple[FrameParse, PersonParse]]) -> Columns:
    return {
        "video": pa.array([video_name(parse)] * len(rows), pa.string()),
        "frame": pa.array([frame.index for frame, _ in rows], pa.int64()),
        "time_s": pa.array([frame.time_seconds for frame, _ in rows], pa.float64()),
        "track": pa.array([person.track_id for _, person in rows], pa.int32()),
    }


def _floats(values: list[float | None] | list[float]) -> pa.Array:
    return pa.array(values, pa.float32())


def _boxes(items: list[PersonParse] | list[PartParse]) -> NDArray[np.float32]:
    return np.asarray([item.box for item in items], np.float32).reshape(len(items), 4)


def _matrix_columns(names: tuple[str, ...], values: NDArray[np.float32]) -> Columns:
    """Return a column (N,) for each name, from a matrix (N, len(names)); NaN becomes null."""
    return {name: pa.array(values[:, index], from_pandas=True) for index, name in enumerate(names)}


def _table(columns: Columns, parse: VideoParse) -> pa.Table:
    units = {name: {"unit": unit} for name in columns if (unit := unit_of(name))}
    fields = [pa.field(name, column.type, metadata=units.get(name)) for name, column in columns.items()]
    metadata = {
        "schema_version": parse.schema_version,
        "video": asdict(parse.video),
        "action": parse.action,
        "verdict": parse.verdict,
        "action_scores": parse.action_scores,
        "model": parse.model,
    }
    schema_metadata = {METADATA_KEY: json.dumps(metadata, ensure_ascii=False).encode()}
    return pa.Table.from_arrays(list(columns.values()), schema=pa.schema(fields, metadata=schema_metadata))
