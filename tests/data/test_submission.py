from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from actparse.core.errors import DataError
from actparse.core.structures import FrameParse, PartParse, PersonParse, SegmentParse, VideoInfo, VideoParse
from actparse.data.evaluation import evaluate, score_to_dict
from actparse.data.submission import (
    TpsFiles,
    load_predictions,
    load_truth,
    parses_to_predictions,
    validate_predictions,
    write_submission,
)


def person(score: float) -> PersonParse:
    parts = (PartParse("head", (1.5, 2, 3, 4), 0.9, "none", 0.9), PartParse("hip", (1, 2, 3, 4), 0.9))
    return PersonParse(1, (0, 0, 10, 20), score, ((0.0, 0.0, 0.0),) * 17, parts)


def parse_of(*frames: FrameParse) -> VideoParse:
    return VideoParse(
        VideoInfo("v.mp4", 9, 9, 9, 1.0, 9.0), "lunge", {"lunge": 1.0}, frames, (SegmentParse(0, 1, 0, 9),)
    )


GOOD = TpsFiles({"v": "a"}, {"v": {"img_00001.json": {"humans": [{"box": [0, 0, 9, 9], "parts": {}}]}}})


def human(**part: Any) -> dict[str, Any]:
    return {"box": [0, 0, 9, 9], "parts": {"head": {"box": [[0, 0, 1, 1]], "verb": ["none"]} | part}}


def with_humans(*humans: Any) -> TpsFiles:
    return TpsFiles({"v": "a"}, {"v": {"img_00001.json": {"humans": list(humans)}}})


def test_parses_become_predictions() -> None:
    frames = (FrameParse(0, 0.0, tuple(person(0.01 * k) for k in range(12))), FrameParse(3, 0.3), FrameParse(10, 1.0))
    files = parses_to_predictions({"v": parse_of(*frames)})
    assert files.videos == {"v": "lunge"}
    assert list(files.parts["v"]) == ["img_00001.json", "img_00011.json"]
    humans = files.parts["v"]["img_00001.json"]["humans"]
    assert len(humans) == 10
    assert humans[0]["parts"] == {"head": {"number": 1, "box": [[1.5, 2, 3, 4]], "verb": ["none"], "name": "head"}}
    validate_predictions(files)


def test_a_zip_and_a_folder_say_the_same(tmp_path: Path) -> None:
    write_submission(tmp_path / "s.zip", GOOD)
    with zipfile.ZipFile(tmp_path / "s.zip") as archive:
        archive.extractall(tmp_path / "folder")
    assert load_predictions(tmp_path / "s.zip") == load_predictions(tmp_path / "folder") == GOOD
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "s.zip"]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        pytest.param(
            with_humans(*[human()] * 11), r"video v, img_00001\.json: at most 10 persons are allowed, got 11", id="11"
        ),
        pytest.param(
            with_humans(human(box=[[0, 0, 1, 1]] * 6, verb=["none"] * 6)), "person 1, head: at most 5 proposals", id="6"
        ),
        pytest.param(with_humans(human(verb=[])), "boxes and verbs must pair up, got 1 and 0", id="pairs"),
        pytest.param(with_humans(human(box=[[0, 0, 1]])), "a box must be four finite numbers", id="three numbers"),
        pytest.param(with_humans(human(box=[[0, 0, 1, 10**400]])), "a box must be four finite numbers", id="huge"),
        pytest.param(with_humans(human(box=[[0, 0, 1, True]])), "a box must be four finite numbers", id="boolean"),
        pytest.param(TpsFiles({"v": 3}, {"v": {}}), "the action of video v must be text", id="action"),
        pytest.param(with_humans(human(box=[[5, 0, 1, 1]])), "x1 <= x2", id="turned round"),
        pytest.param(with_humans(human(verb=[3])), "a verb must be text, got 3", id="verb"),
        pytest.param(with_humans({"box": [0, 0, 1, 1], "parts": {"nose": {}}}), "unknown part 'nose'", id="part"),
        pytest.param(
            TpsFiles({"v": "a"}, {"v": {"1.json": {"humans": []}}}), "a frame's name must be", id="frame name"
        ),
        pytest.param(TpsFiles({"v": "a"}, {}), "video v has an action and no frames", id="no frames"),
        pytest.param(TpsFiles({}, {"v": {}}), "video v has frames and no action", id="no action"),
    ],
)
def test_what_the_rules_forbid_is_named(files: TpsFiles, message: str) -> None:
    with pytest.raises(DataError, match=message):
        validate_predictions(files)


def test_a_missing_video_is_named() -> None:
    with pytest.raises(DataError, match="video v is missing"):
        validate_predictions(TpsFiles({}, {}), GOOD)


def write_truth(folder: Path) -> Path:
    folder.mkdir(parents=True)
    parts = {
        "v": {
            "img_00001.json": {
                "humans": [{"box": [0, 0, 9, 9], "parts": {"hip": {"box": [0, 0, 9, 9], "verb": "turn"}}}]
            }
        }
    }
    (folder / "gt_vid_result.json").write_text('{"v": "a"}')
    (folder / "gt_part_result.json").write_text(json.dumps(parts))
    return folder


def test_files_are_scored(tmp_path: Path) -> None:
    truth = write_truth(tmp_path / "data" / "test_truth")
    assert evaluate(truth, truth).roc_score == pytest.approx(0.9999)
    write_submission(tmp_path / "s.zip", GOOD)
    score = evaluate(tmp_path / "data", tmp_path / "s.zip", split="test")
    figures = score_to_dict(score)
    assert figures["part_state_correctness"] == {"v": 0.0}
    assert figures["accuracy_at"]["0.1"] == 0.0
    assert figures["video_accuracy"] == 1.0
    assert set(figures) == {"roc_score", "video_accuracy", "accuracy_at", "part_state_correctness"}


def test_predictions_that_break_a_rule_are_not_scored(tmp_path: Path) -> None:
    truth = write_truth(tmp_path / "t")
    for number, humans in enumerate(([human()] * 11, [{"box": [0, 0, 1], "parts": {}}], [{"parts": {}}], [3])):
        write_submission(tmp_path / f"{number}.zip", with_humans(*humans))
        with pytest.raises(DataError, match="submission: video v"):
            evaluate(truth, tmp_path / f"{number}.zip")


def test_a_root_needs_a_split(tmp_path: Path) -> None:
    write_truth(tmp_path / "data" / "test_truth")
    write_submission(tmp_path / "s.zip", GOOD)
    with pytest.raises(DataError, match="a dataset's root needs --split, one of test"):
        evaluate(tmp_path / "data", tmp_path / "s.zip")
    with pytest.raises(DataError, match=r"needs gt_vid_result\.json"):
        evaluate(tmp_path / "data", tmp_path / "s.zip", split="train")


@pytest.mark.parametrize("compression", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_zip_with_damage_inside_is_named(tmp_path: Path, compression: int) -> None:
    with zipfile.ZipFile(tmp_path / "s.zip", "w", compression) as archive:
        archive.writestr("pred_vid_result.json", json.dumps(GOOD.videos) + " " * 200)
        archive.writestr("pred_part_result.json", json.dumps(GOOD.parts))
    content = bytearray((tmp_path / "s.zip").read_bytes())
    content[64:84] = bytes(20)
    (tmp_path / "s.zip").write_bytes(content)
    with pytest.raises(DataError, match=r"s\.zip: "):
        load_predictions(tmp_path / "s.zip")


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"PK\x03\x04 broken", "needs a zip"), (b"", "needs a zip"), (None, "no such file or folder")],
    ids=["broken", "empty", "missing"],
)
def test_a_broken_zip_is_named(tmp_path: Path, content: bytes | None, message: str) -> None:
    if content is not None:
        (tmp_path / "s.zip").write_bytes(content)
    with pytest.raises(DataError, match=message):
        load_predictions(tmp_path / "s.zip")


def test_broken_json_is_named(tmp_path: Path) -> None:
    folder = write_truth(tmp_path / "t")
    (folder / "gt_part_result.json").write_text('{"v": {"img_00001.json": []}}')
    with pytest.raises(DataError, match=r"video v, img_00001\.json: needs an object"):
        load_truth(folder)
    (folder / "gt_part_result.json").write_text("[" * 100_000)
    with pytest.raises(DataError, match="needs JSON"):
        load_truth(folder)
