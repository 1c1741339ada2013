"""Pages of parses that are on disk: `actparse report`."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from actparse.app.outputs import write_drawings, write_parse
from actparse.cli import main
from actparse.core.errors import DataError
from actparse.core.structures import VideoParse
from actparse.data.submission import TpsFiles
from actparse.report.mistakes import find_mistakes
from actparse.report.page import remove_report, write_report
from actparse.report.page_data import COLUMNS, GRID, NUM_COLUMNS, TICKS, page_data
from actparse.video.decode import probe
from actparse.video.encode import VideoWriter
from example_parse import END, TIMES, example_parse


@pytest.fixture
def parses(tmp_path: Path) -> Path:
    """A folder with one parse, and videos/two people.mp4 beside it."""
    folder = tmp_path / "parses" / "two people"
    folder.mkdir(parents=True)
    (folder / "parse.json").write_text(example_parse().to_json(), encoding="utf-8")
    (tmp_path / "videos").mkdir()
    with VideoWriter(tmp_path / "videos" / "two people.mp4", size=(240, 320)) as writer:
        for k in range(18):
            writer.write(np.full((240, 320, 3), 10 * k, np.uint8), k / 15)
    return tmp_path / "parses"


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    code = main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def data_of(page: Path) -> dict[str, object]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page.read_text("utf-8"), re.DOTALL)
    assert found
    return dict(json.loads(found[1]))


def test_a_page_stands_beside_every_parse(capsys: pytest.CaptureFixture[str], parses: Path) -> None:
    code, out, err = run(capsys, "report", parses, "--videos", parses.parent / "videos")
    page = parses / "two people" / "report.html"
    assert (code, out, err) == (0, f"{page}\n", "")
    assert sorted(path.name for path in page.parent.iterdir()) == ["parse.json", "report.html", "video.mp4"]
    assert data_of(page)["name"] == "two people"
    shutil.rmtree(parses.parent / "videos")
    assert run(capsys, "report", parses)[0] == 0
    assert data_of(page)["video"]["source"] == "video.mp4"
    page.unlink()
    assert run(capsys, "report", parses / "two people" / "parse.json")[:2] == (0, f"{page}\n")
    code, out, _ = run(capsys, "report", parses, "--embed", "--json")
    assert (code, json.loads(out)["results"][0]["page"]) == (0, str(page))
    assert data_of(page)["video"]["source"].startswith("data:video/mp4;base64,")


def test_the_path_in_a_parse_is_not_followed(capsys: pytest.CaptureFixture[str], parses: Path, tmp_path: Path) -> None:
    parse = example_parse(path=str(tmp_path / "videos" / "two people.mp4"))
    (parses / "two people" / "parse.json").write_text(parse.to_json(), encoding="utf-8")
    code, _, err = run(capsys, "report", parses)
    assert (code, "without a video; --videos says where it is" in err, err.count("\n")) == (0, True, 1)
    assert not (parses / "two people" / "video.mp4").exists()
    assert data_of(parses / "two people" / "report.html")["video"]["source"] is None


def test_what_is_wrong_is_one_line(capsys: pytest.CaptureFixture[str], parses: Path, tmp_path: Path) -> None:
    (parses / "broken").mkdir()
    (parses / "broken" / "parse.json").write_text("{", encoding="utf-8")
    code, out, err = run(capsys, "report", parses, "--videos", tmp_path / "videos")
    assert (code, out.count("\n"), err.count("\n")) == (1, 1, 1)
    assert err.startswith(f"actparse: {parses / 'broken' / 'parse.json'}: parse: needs JSON text")
    for arguments, message in (
        (["report", tmp_path / "videos"], "needs a parse.json or folders that hold one, got none"),
        (["report", parses, "--videos", "nowhere"], "nowhere: no such file or folder"),
        (["report", parses, "--truth", tmp_path], "needs gt_vid_result.json"),
    ):
        code, _, err = run(capsys, *arguments)
        assert (code, message in err, err.count("\n")) == (2, True, 1)


def test_a_truth_marks_what_is_wrong(capsys: pytest.CaptureFixture[str], parses: Path, tmp_path: Path) -> None:
    truth = tmp_path / "data" / "test_truth"
    truth.mkdir(parents=True)
    (truth / "gt_vid_result.json").write_text('{"two people": "push_up"}', encoding="utf-8")
    (truth / "gt_part_result.json").write_text('{"two people": {"img_00001.json": {"humans": []}}}', encoding="utf-8")
    assert run(capsys, "report", parses, "--truth", tmp_path / "data", "--split", "test")[0] == 0
    mistakes = data_of(parses / "two people" / "report.html")["mistakes"]
    assert mistakes["action"] == "push_up"
    assert mistakes["false_persons"] == [[0, 1], [0, 2]]
    (truth / "gt_part_result.json").write_text('{"two people": {"img_00001.json": {"humans": [{}]}}}', encoding="utf-8")
    code, _, err = run(capsys, "report", parses, "--truth", tmp_path / "data", "--split", "test")
    assert (code, "two people, img_00001.json, person 1: needs an object with a box" in err) == (2, True)


def test_a_video_that_is_not_in_the_truth_is_named() -> None:
    with pytest.raises(DataError, match="v: needs a video of the truth"):
        find_mistakes(example_parse(), "v", TpsFiles({}, {}))


def test_every_number_comes_back_within_its_step() -> None:
    parse = example_parse()
    data = page_data(parse, name="v", frame_times=np.array([0.0, 0.1]), video=None, mistakes=None)
    assert np.cumsum(data["times"]) / TICKS == pytest.approx(TIMES)
    assert [track["id"] for track in data["tracks"]] == [1, 2]
    rows = np.cumsum(np.array(data["tracks"][0]["rows"]).reshape(-1, NUM_COLUMNS), axis=0)
    starts = dict(zip(COLUMNS, np.cumsum([0, *COLUMNS.values()]), strict=False))
    unit = max(parse.video.width, parse.video.height) / GRID
    for row, frame in zip(rows, parse.frames, strict=True):
        person = frame.persons[0]
        assert row[starts["box"] :][:4] * unit == pytest.approx(person.box, abs=0.51 * unit)
        assert row[starts["seen"]] == (1 << 17) - 1 - (1 << 10)
        assert row[starts["found"]] == (1 << 9) - 1  # all but the last, the right foot
        hand = person.part("left_hand")
        assert hand is not None
        assert data["states"][row[starts["states"] + 3] - 1] == hand.state
        assert row[starts["state_scores"] + 3] == pytest.approx(100 * (hand.state_score or 0), abs=0.5)


def test_nobody_in_no_frame_is_a_page_too(tmp_path: Path) -> None:
    parse = example_parse()
    empty = VideoParse(parse.video, "lunge", {"lunge": 1.0}, (), ())
    assert data_of(write_report(empty, tmp_path / "v"))["tracks"] == []


def test_a_video_that_lies_where_the_copy_would_is_left_alone(parses: Path, tmp_path: Path) -> None:
    source = tmp_path / "video" / "video.mp4"
    source.parent.mkdir()
    shutil.copy(parses.parent / "videos" / "two people.mp4", source)
    content = source.read_bytes()
    parse = example_parse(path=str(source))
    write_parse(parse, source, source.parent)
    assert write_drawings(parse, source, source.parent, overlay=False) == ()
    assert source.read_bytes() == content
    assert data_of(source.with_name("report.html"))["video"]["source"] == "video.mp4"
    remove_report(source.parent, source=source)
    assert source.read_bytes() == content
    assert not source.with_name("report.html").exists()


def test_the_copy_lasts_as_long_as_the_video(parses: Path) -> None:
    source = parses.parent / "videos" / "two people.mp4"
    write_report(example_parse(), parses / "two people", source=source)
    assert probe(parses / "two people" / "video.mp4").duration_seconds == pytest.approx(END)
