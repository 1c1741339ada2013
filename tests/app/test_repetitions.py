from __future__ import annotations

import csv
import json
import math
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from actparse.app.repetitions import write_repetitions
from actparse.cli import main
from actparse.core.errors import ConfigError, DataError
from actparse.core.structures import VideoParse
from actparse.data.parses import load_parse
from actparse.report.page import write_report
from actparse.video.encode import VideoWriter
from export.test_repetitions import parse_of, squats

SIZE = (440, 400)  # height, width
SECONDS = 4.0  # two squats


@pytest.fixture
def parsed(tmp_path: Path) -> tuple[Path, Path]:
    """A video of 4 s and the folder of its parse, with two squats."""
    parse: VideoParse = parse_of(squats, seconds=SECONDS)
    video = tmp_path / "squats.mp4"
    with VideoWriter(video, size=SIZE) as writer:
        for frame in parse.frames:
            writer.write(np.full((*SIZE, 3), 90, np.uint8), frame.time_seconds)
    folder = tmp_path / "out" / "squats"
    folder.mkdir(parents=True)
    (folder / "parse.json").write_text(replace(parse, segments=()).to_json(), encoding="utf-8")
    return video, folder


def test_a_table_and_pictures_are_written_beside_the_parse(parsed: tuple[Path, Path]) -> None:
    video, folder = parsed
    counted = write_repetitions(folder, video=video)
    with (folder / "repetitions.csv").open(encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    assert [row["repetition"] for row in rows] == ["1", "2"]
    assert float(rows[0]["left_smallest_deg"]) == pytest.approx(80, abs=12)
    names = ["01_start.jpg", "01_turn.jpg", "02_start.jpg", "02_turn.jpg"]
    assert [path.name for path in counted.pictures] == names
    picture = cv2.imread(str(folder / "repetitions" / "01_turn.jpg"))
    assert picture.shape[1] == SIZE[1]
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 20  # the skeleton is on the grey picture


def test_pictures_of_an_earlier_count_are_removed(parsed: tuple[Path, Path]) -> None:
    video, folder = parsed
    stale, foreign = folder / "repetitions" / "09_turn.jpg", folder / "repetitions" / "notes.txt"
    stale.parent.mkdir()
    stale.touch()
    foreign.touch()
    write_repetitions(folder, video=video)
    assert not stale.exists()
    assert foreign.exists()


def test_the_command_prints_json(parsed: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["reps", str(parsed[1] / "parse.json"), "--exercise", "left_knee", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["joint"] == "left_knee"
    assert len(document["repetitions"]) == 2
    assert document["repetitions"][0]["right"]["smallest"] is None


def test_the_command_prints_a_row_each(parsed: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["reps", str(parsed[1])]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4
    assert lines[-1].startswith("2 repetitions of squat by person 1")


def test_the_report_page_marks_the_repetitions(parsed: tuple[Path, Path]) -> None:
    video, folder = parsed
    write_report(load_parse(folder / "parse.json"), folder, source=video)
    assert '"repetitions":null' in (folder / "report.html").read_text(encoding="utf-8")
    write_repetitions(folder)
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert '"joint":"knee"' in page
    assert '"repetitions":null' not in page


def test_an_unknown_format_is_refused(parsed: tuple[Path, Path]) -> None:
    with pytest.raises(ConfigError, match="format must be one of csv, parquet, got 'xlsx'"):
        write_repetitions(parsed[1], table_format="xlsx")


def test_a_folder_without_a_parse_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="got none"):
        write_repetitions(tmp_path)


def test_a_file_that_is_no_video_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "notes.txt").write_text("no video")
    assert main(["reps", str(tmp_path / "notes.txt"), "--out", str(tmp_path / "out")]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_ranges_are_numbers(parsed: tuple[Path, Path]) -> None:
    counted = write_repetitions(parsed[1])
    assert all(math.isfinite(item.left.range) for item in counted.repetitions.items)
