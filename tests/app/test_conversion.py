"""`actparse convert`, from outside."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import get_args

import pyarrow.parquet as pq
import pytest

from actparse.cli import main
from actparse.commands.converting import CsvDialect, Form, TableFormat
from actparse.commands.options import EXIT_SOME_FAILED, EXIT_USER_ERROR
from actparse.export import table_files
from actparse.export.formats import FORMATS
from example_parse import example_parse


@pytest.fixture
def parses(tmp_path: Path) -> Path:
    """A folder with two parses."""
    folder = tmp_path / "parses"
    for name in ("one", "two"):
        (folder / name).mkdir(parents=True)
        (folder / name / "parse.json").write_text(example_parse(path=f"{name}.mp4").to_json(), encoding="utf-8")
    return folder


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    code = main(["convert", *map(str, arguments)])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def files_below(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_the_command_knows_all_forms() -> None:
    assert tuple(FORMATS) == get_args(Form)
    assert get_args(TableFormat) == table_files.FILE_TYPES
    assert tuple(table_files.CSV_DIALECTS) == get_args(get_args(CsvDialect)[0])


def test_a_spreadsheet_with_decimal_commas(capsys: pytest.CaptureFixture[str], parses: Path) -> None:
    code, _, _ = run(capsys, parses / "one" / "parse.json", "--to", "frames", "--csv-dialect", "excel-de")
    assert code == 0
    lines = (parses / "one" / "frames.csv").read_text(encoding="utf-8-sig").splitlines()
    assert lines[0].startswith("video;frame;time_s;track;score;x1_px")
    assert lines[3].startswith("one;5;0,2;1;0,875;15,0;20,0;75,0;180,5;")


@pytest.mark.parametrize(
    ("form", "files"),
    [
        ("segments", {"segments.csv"}),
        ("frames", {"frames.csv"}),
        ("parts", {"parts.csv"}),
        ("coco", {"coco.json", "coco_results.json"}),
        ("coco-keypoints", {"coco_keypoints.json", "coco_keypoints_results.json"}),
        ("openpose", {f"openpose/one_{number:012d}_keypoints.json" for number in (0, 5, 10, 15)}),
        ("cvat", {"cvat.xml", "cvat_labels.json"}),
    ],
)
def test_every_form_is_written_beside_the_parse(
    capsys: pytest.CaptureFixture[str], parses: Path, form: str, files: set[str]
) -> None:
    code, out, err = run(capsys, parses / "one" / "parse.json", "--to", form)
    assert (code, err) == (0, "")
    assert out.startswith("one: ")
    assert set(files_below(parses / "one")) == {"parse.json"} | files
    assert files_below(parses / "two") == ["parse.json"]


def test_a_folder_of_parses_goes_below_out(capsys: pytest.CaptureFixture[str], parses: Path, tmp_path: Path) -> None:
    code, out, _ = run(capsys, parses, "--to", "frames", "--format", "parquet", "--out", tmp_path / "out")
    assert (code, len(out.splitlines())) == (0, 2)
    assert files_below(tmp_path / "out") == ["one/frames.parquet", "two/frames.parquet"]
    assert pq.read_table(tmp_path / "out")["video"].unique().to_pylist() == ["one", "two"]


def test_out_may_be_a_single_file(capsys: pytest.CaptureFixture[str], parses: Path, tmp_path: Path) -> None:
    assert run(capsys, parses / "one", "--to", "cvat", "--out", tmp_path / "out" / "mine.xml")[0] == 0
    assert files_below(tmp_path / "out") == ["mine.xml", "mine_labels.json"]


def test_a_parse_is_not_written_over(capsys: pytest.CaptureFixture[str], parses: Path) -> None:
    parse = parses / "one" / "parse.json"
    before = parse.read_bytes()
    (parses / "link.json").symlink_to(parse)
    for target in (parse, parses / "two" / ".." / "one" / "parse.json", parses / "link.json"):
        code, _, err = run(capsys, parse, "--to", "coco", "--out", target)
        assert (code, err) == (EXIT_USER_ERROR, f"actparse: out must not be a parse that is converted, got {target}\n")
    assert parse.read_bytes() == before


def test_a_broken_parse_is_one_line_and_stops_nobody(
    capsys: pytest.CaptureFixture[str], parses: Path, tmp_path: Path
) -> None:
    (parses / "bad").mkdir()
    (parses / "bad" / "parse.json").write_text("{")
    text = (parses / "two" / "parse.json").read_text(encoding="utf-8")
    (parses / "two" / "parse.json").write_text(text.replace('"box": [200.25', '"box": [NaN', 1), encoding="utf-8")
    code, out, err = run(capsys, parses, "--to", "coco", "--out", tmp_path / "out")
    assert code == EXIT_SOME_FAILED
    assert len(out.splitlines()) == 1
    first, second = err.splitlines()
    assert first.startswith(f"actparse: {parses / 'bad' / 'parse.json'}: parse: needs JSON text")
    assert second.startswith(f"actparse: {parses / 'two' / 'parse.json'}: parse:")
    assert "NaN" in second
    assert files_below(tmp_path / "out") == ["one/coco.json", "one/coco_results.json"]
    shutil.rmtree(parses / "one")
    assert run(capsys, parses, "--to", "coco", "--out", tmp_path / "out")[0] == EXIT_USER_ERROR


def test_what_was_written_as_json(capsys: pytest.CaptureFixture[str], parses: Path) -> None:
    code, out, _ = run(capsys, parses, "--to", "segments", "--json")
    assert code == 0
    assert json.loads(out) == [
        {"name": name, "files": [str(parses / name / "segments.csv")], "error": None} for name in ("one", "two")
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere", "--to", "coco"], "nowhere: needs a parse.json or folders that hold one, got none"),
        (["parses", "--to", "yolo"], 'Choose from: "segments"'),
        (["parses", "--to", "frames", "--min-confidence", "2"], "min_confidence must be between 0 and 1, got 2.0"),
        (["parses", "--to", "rerun", "--video", "v.mp4"], "video: needs a single parse, got 2"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_use_is_one_line(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    parses: Path,
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(parses.parent)
    code, _, err = run(capsys, *arguments)
    assert code == EXIT_USER_ERROR
    assert message in err
    assert err.count("\n") == 1
