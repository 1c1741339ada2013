"""Tables, written and read again by pyarrow and by Python's csv."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from actparse.core.errors import ConfigError, DataError
from actparse.core.vocabulary import KEYPOINTS
from actparse.export.checking import expect_exportable
from actparse.export.formats import ExportConfig, export_parse
from actparse.export.segments import state_intervals
from actparse.export.tables import frames_table, parts_table, segments_table
from example_parse import example_parse

TABLES = {"segments": segments_table, "frames": frames_table, "parts": parts_table}


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("name", TABLES)
def test_parquet_gives_the_same_table_back(name: str, tmp_path: Path) -> None:
    parse = example_parse()
    (path,) = export_parse(parse, name, tmp_path / "t.parquet", ExportConfig(table_format="parquet"))
    read, made = pq.read_table(path), TABLES[name](parse)
    assert read.equals(made, check_metadata=True)
    whole = json.loads(read.schema.metadata[b"actparse"])
    assert (whole["action"], whole["video"]["width"], whole["model"]) == ("lunge", 320, {"name": "by hand"})
    assert whole["verdict"] == "known"


@pytest.mark.parametrize("name", TABLES)
def test_csv_gives_the_values_back(name: str, tmp_path: Path) -> None:
    parse = example_parse()
    (path,) = export_parse(parse, name, tmp_path / "t.csv")
    made = TABLES[name](parse)
    options = pa.csv.ConvertOptions(column_types=made.schema, strings_can_be_null=True)
    read = pa.csv.read_csv(path, convert_options=options)
    assert read.column_names == made.column_names
    for column in made.column_names:
        for got, want in zip(read[column].to_pylist(), made[column].to_pylist(), strict=True):
            assert got == (pytest.approx(want, abs=0.0051) if isinstance(want, float) else want)


@pytest.mark.parametrize("name", TABLES)
def test_semicolons_and_decimal_commas_give_the_values_back(name: str, tmp_path: Path) -> None:
    parse = example_parse(path="a;b, c.mp4")
    (path,) = export_parse(parse, name, tmp_path / "t.csv", ExportConfig(csv_dialect="excel-de"))
    made = TABLES[name](parse)
    options = pa.csv.ConvertOptions(column_types=made.schema, strings_can_be_null=True, decimal_point=",")
    read = pa.csv.read_csv(path, parse_options=pa.csv.ParseOptions(delimiter=";"), convert_options=options)
    assert read.column_names == made.column_names
    for column in made.column_names:
        for got, want in zip(read[column].to_pylist(), made[column].to_pylist(), strict=True):
            assert got == (pytest.approx(want, abs=0.0051) if isinstance(want, float) else want)
    with pytest.raises(ConfigError, match="csv_dialect must be one of excel, excel-de, got 'dif'"):
        ExportConfig(csv_dialect="dif")


def test_segments_file_is_what_the_intervals_are(tmp_path: Path) -> None:
    parse = example_parse()
    (path,) = export_parse(parse, "segments", tmp_path / "segments.csv")
    intervals = state_intervals(parse)
    rows = read_csv(path)
    assert list(rows[0]) == ["video", "track", "part", "state", "start_s", "end_s", "mean_score", "frames"]
    assert [(row["track"], row["part"], row["state"], float(row["start_s"]), float(row["end_s"])) for row in rows] == [
        (str(i.track_id), i.part, i.state, i.start_seconds, i.end_seconds) for i in intervals
    ]
    assert {row["video"] for row in rows} == {"two people"}


def test_frames_have_boxes_keypoints_and_angles_with_their_units() -> None:
    table = frames_table(example_parse())
    assert table.num_rows == 6
    row = table.slice(1, 1).to_pylist()[0]
    assert (row["frame"], row["time_s"], row["track"], row["x1_px"], row["nose_y_px"]) == (0, 0.0, 2, 200.25, 30.0)
    assert row["right_elbow_deg"] is None
    assert row["left_elbow_deg"] == pytest.approx(180)
    assert table.column_names.count("left_ankle_confidence") == 1
    units = {field.name: (field.metadata or {}).get(b"unit") for field in table.schema}
    assert {name: units[name] for name in ("time_s", "x1_px", "trunk_lean_deg", "score", "track")} == {
        "time_s": b"second",
        "x1_px": b"pixel",
        "trunk_lean_deg": b"degree",
        "score": None,
        "track": None,
    }
    assert len(table.column_names) == 9 + 3 * len(KEYPOINTS) + 9


def test_a_lower_limit_of_confidence_fills_the_gaps(tmp_path: Path) -> None:
    (path,) = export_parse(example_parse(), "frames", tmp_path / "f.csv", ExportConfig(min_confidence=0.05))
    assert all(row["right_elbow_deg"] for row in read_csv(path))


def test_parts_without_state_have_empty_cells(tmp_path: Path) -> None:
    (path,) = export_parse(example_parse(), "parts", tmp_path / "parts.csv")
    rows = read_csv(path)
    assert len(rows) == 6 * 9
    assert {row["part"] for row in rows if row["state"]} == {"head", "left_hand"}
    assert {row["state_score"] for row in rows if not row["state"]} == {""}


@pytest.mark.parametrize("name", TABLES)
def test_no_rows_have_the_same_columns(name: str, tmp_path: Path) -> None:
    parse = example_parse()
    empty = TABLES[name](replace(parse, frames=()))
    assert empty.num_rows == 0
    assert empty.schema.equals(TABLES[name](parse).schema, check_metadata=True)
    (path,) = export_parse(replace(parse, frames=()), name, tmp_path / "t.csv")
    assert path.read_bytes().decode("utf-8-sig").rstrip("\r\n") == ",".join(empty.column_names)


@pytest.mark.parametrize("state", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_names_are_never_formulas(state: str, tmp_path: Path) -> None:
    parse = example_parse(hand_states=(state,) * 4, path="=cmd.mp4")
    (path,) = export_parse(parse, "segments", tmp_path / "segments.csv")
    rows = read_csv(path)
    assert rows[1]["state"] == f"'{state}"
    assert {row["video"] for row in rows} == {"'=cmd"}


def test_words_of_any_script_and_with_commas_come_back(tmp_path: Path) -> None:
    states = ("hält, fest", 'die "Hand"', "持つ", "zwei\nZeilen")
    (path,) = export_parse(example_parse(hand_states=states), "segments", tmp_path / "segments.csv")
    assert path.read_bytes().startswith(b"\xef\xbb\xbfvideo,track")
    assert tuple(row["state"] for row in read_csv(path) if row["track"] == "1" and row["part"] == "left_hand") == states


def test_windows_paths_have_names_too() -> None:
    assert segments_table(example_parse(path=r"C:\clips\a b.mp4"))["video"][0].as_py() == "a b"


def test_negative_numbers_stay_numbers(tmp_path: Path) -> None:
    parse = example_parse()
    person = replace(parse.frames[0].persons[0], box=(-3.504, -0.001, 5.0, 6.0))
    frame = replace(parse.frames[0], persons=(person,))
    (path,) = export_parse(replace(parse, frames=(frame,)), "frames", tmp_path / "f.csv")
    assert [read_csv(path)[0][name] for name in ("x1_px", "y1_px")] == ["-3.5", "0.0"]


def broken(change: str):
    parse = example_parse()
    first, second = parse.frames[:2]
    person = first.persons[0]
    if change == "order":
        return replace(parse, frames=(second, first))
    if change == "twice":
        return replace(parse, frames=(replace(first, persons=(person, person)),))
    if change == "part":
        return replace(parse, frames=(replace(first, persons=(replace(person, parts=person.parts[:1] * 2),)),))
    return replace(parse, frames=(replace(first, persons=(replace(person, box=(0, 0, np.nan, 1)),)),))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("order", "frames must ascend, got frame 0 after frame 5"),
        ("twice", "frame 0, track 1: a person must occur once"),
        ("part", "frame 0, track 1: a part must occur once, got head twice"),
        ("nan", "frame 0, track 1: needs finite numbers, got nan"),
    ],
)
def test_broken_parses_are_named(change: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        expect_exportable(broken(change))
