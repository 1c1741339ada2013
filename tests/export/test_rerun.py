"""Recordings read again by Rerun's own reader; skipped where the extra "rerun" (half a gigabyte) is not installed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from actparse.core.errors import VideoError
from actparse.export.segments import state_intervals
from example_parse import END, TIMES, example_parse

pytest.importorskip("rerun")

from rerun.chunk import RrdReader

from actparse.export.rerun import write_rerun


def rows_of(path: Path, entity: str) -> list[dict[str, Any]]:
    """The rows that a recording has of one entity, in the order of time; what is always there is left out."""
    batches = [chunk.to_record_batch() for chunk in RrdReader(path).stream() if str(chunk.entity_path) == entity]
    rows = [row for batch in batches for row in batch.to_pylist()]
    return sorted((row for row in rows if row.get("time") is not None), key=lambda row: row["time"])


def seconds(row: dict[str, Any]) -> float:
    return float(row["time"].total_seconds())


def value(row: dict[str, Any], component: str) -> Any:
    (name,) = [name for name in row if name.endswith(f":{component}")]
    return row[name]


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("rerun") / "parse.rrd"
    write_rerun(example_parse(), path)
    return path


def test_boxes_and_keypoints_come_back_at_their_times(recording: Path) -> None:
    persons = rows_of(recording, "/video/persons")
    assert [seconds(row) for row in persons] == pytest.approx(TIMES)
    assert [row["frame"] for row in persons] == [0, 5, 10, 15]
    assert [len(value(row, "centers")) for row in persons] == [2, 1, 2, 1]
    x1, y1, x2, y2 = example_parse().frames[0].persons[0].box
    assert value(persons[0], "centers")[0] == pytest.approx([(x1 + x2) / 2, (y1 + y2) / 2])
    assert value(persons[0], "half_sizes")[0] == pytest.approx([(x2 - x1) / 2, (y2 - y1) / 2])
    points = rows_of(recording, "/video/keypoints/1")
    assert [len(value(row, "positions")) for row in points] == [16] * 4
    assert "left_hand: hold" in value(rows_of(recording, "/video/parts")[0], "labels")


def test_lanes_are_the_intervals(recording: Path) -> None:
    lane = [(seconds(row), value(row, "state")) for row in rows_of(recording, "/states/1/left_hand")]
    assert [(time, state[0]) for time, state in lane] == [(0.0, "hold"), (0.5, "none"), (0.9, "hold"), (END, "")]
    entities = RrdReader(recording).store().schema().entity_paths()
    assert {f"/states/{row.track_id}/{row.part}" for row in state_intervals(example_parse())} <= set(entities)


def test_angles_are_lines_with_gaps(recording: Path) -> None:
    elbow = rows_of(recording, "/angles/1/left_elbow_deg")
    assert [value(row, "scalars")[0] for row in elbow] == pytest.approx([180] * 4, abs=1e-3)
    assert not rows_of(recording, "/angles/1/right_elbow_deg")  # the wrist is never sure


def test_a_video_goes_in_with_its_times(small_video: Path, tmp_path: Path) -> None:
    path = tmp_path / "with.rrd"
    write_rerun(example_parse(), path, video=small_video)
    stamps = rows_of(path, "/video")
    assert np.allclose([seconds(row) for row in stamps], np.arange(70) / 10, atol=1e-3)
    assert path.stat().st_size > small_video.stat().st_size


def test_what_is_no_video_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "no.mp4").write_text("text")
    with pytest.raises(VideoError, match=r"no.mp4: needs an MP4"):
        write_rerun(example_parse(), tmp_path / "x.rrd", video=tmp_path / "no.mp4")
    assert [path.name for path in tmp_path.iterdir()] == ["no.mp4"]
