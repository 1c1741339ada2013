from __future__ import annotations

import gzip
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from actparse.core.errors import DataError
from actparse.data.evaluation import evaluate, read_truth_files, score_to_dict, truth_folder
from actparse.data.kinetics_tps import KineticsTps, VideoRecord, frame_name
from actparse.data.submission import true_humans

CASE = Path(__file__).parents[1] / "golden" / "tps_metric" / "case_03_edge.json.gz"


@pytest.fixture(scope="module")
def case() -> dict[str, Any]:
    with gzip.open(CASE, "rt", encoding="utf-8") as file:
        content: dict[str, Any] = json.load(file)
    return content


def write_folder(folder: Path, case: dict[str, Any], prefix: str) -> Path:
    folder.mkdir(parents=True)
    for kind in ("vid", "part"):
        name = f"{prefix}_{kind}_result"
        (folder / f"{name}.json").write_text(json.dumps(case[name]), encoding="utf-8")
    return folder


def write_zip(path: Path, case: dict[str, Any], inside: str = "") -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("pred_vid_result", "pred_part_result"):
            archive.writestr(f"{inside}{name}.json", json.dumps(case[name]))
    return path


def test_files_score_what_the_public_program_says(tmp_path: Path, case: dict[str, Any]) -> None:
    truth, found = write_folder(tmp_path / "t", case, "gt"), write_folder(tmp_path / "p", case, "pred")
    for expected in case["expected"]["settings"]:
        score = evaluate(truth, found, human_iou=expected["human_iou"], part_iou=expected["part_iou"])
        assert score.roc_score == pytest.approx(expected["roc_score"], abs=1e-9)
        assert score.part_state_correctness == pytest.approx(expected["part_state_correctness"], abs=1e-9)


@pytest.mark.parametrize("inside", ["", "my submission/"], ids=["top of the zip", "in a folder of the zip"])
def test_a_zip_scores_as_its_folder(tmp_path: Path, case: dict[str, Any], inside: str) -> None:
    truth, found = write_folder(tmp_path / "t", case, "gt"), write_folder(tmp_path / "p", case, "pred")
    before = sorted(tmp_path.rglob("*"))
    packed = write_zip(tmp_path / "s.zip", case, inside)
    assert score_to_dict(evaluate(truth, packed)) == score_to_dict(evaluate(truth, found))
    assert sorted(tmp_path.rglob("*")) == sorted([*before, packed])  # nothing was extracted


def test_truth_against_itself(tmp_path: Path, case: dict[str, Any]) -> None:
    truth = write_folder(tmp_path / "data" / "val_truth", case, "gt")
    score = evaluate(tmp_path / "data", truth, split="val")
    assert score.roc_score == pytest.approx(0.9999)
    assert score.video_accuracy == 1.0
    assert set(score.part_state_correctness.values()) == {1.0}


def test_predictions_win_over_truth_in_the_same_folder(tmp_path: Path, case: dict[str, Any]) -> None:
    folder = write_folder(tmp_path / "both", case, "gt")
    for name in ("pred_vid_result", "pred_part_result"):
        (folder / f"{name}.json").write_text(json.dumps(case[name]), encoding="utf-8")
    assert evaluate(folder, folder).roc_score == pytest.approx(case["expected"]["settings"][0]["roc_score"], abs=1e-9)


def test_figures_keep_full_precision(tmp_path: Path, case: dict[str, Any]) -> None:
    truth, found = write_folder(tmp_path / "t", case, "gt"), write_folder(tmp_path / "p", case, "pred")
    score = evaluate(truth, found)
    figures = json.loads(json.dumps(score_to_dict(score)))
    assert figures["roc_score"] == score.roc_score
    assert figures["video_accuracy"] == score.video_accuracy
    assert figures["part_state_correctness"] == score.part_state_correctness
    assert list(figures["accuracy_at"]) == ["0.1", "0.2", "0.3", "0.4", "0.5", "0.6", "0.7", "0.8", "0.9"]
    expected = case["expected"]["settings"][0]["accuracy_at"]
    assert figures["accuracy_at"] == pytest.approx({key: expected[key] for key in figures["accuracy_at"]}, abs=1e-9)


def test_a_missing_video_is_named(tmp_path: Path, case: dict[str, Any]) -> None:
    truth = write_folder(tmp_path / "t", case, "gt")
    videos = dict(case["pred_vid_result"])
    del videos["video_03_004"]
    packed = write_zip(tmp_path / "s.zip", case | {"pred_vid_result": videos})
    with pytest.raises(DataError, match="video video_03_004 is missing"):
        evaluate(truth, packed)


def test_where_the_truth_lies(tmp_path: Path, case: dict[str, Any]) -> None:
    inner = write_folder(tmp_path / "data" / "test_truth", case, "gt")
    assert truth_folder(inner, None) == inner
    assert truth_folder(tmp_path / "data", "test") == inner
    with pytest.raises(DataError, match="needs --split, one of test"):
        truth_folder(tmp_path / "data", None)
    with pytest.raises(DataError, match=r"val_truth: needs gt_vid_result\.json"):
        truth_folder(tmp_path / "data", "val")
    with pytest.raises(DataError, match="got no such file"):
        truth_folder(tmp_path / "nowhere", None)


@pytest.mark.parametrize(
    ("human", "message"),
    [
        ({"parts": {}}, "person 1: needs an object with a box of four finite numbers"),
        ({"box": [0, 0, 5, float("nan")]}, "person 1: needs an object with a box of four finite numbers"),
        ({"box": [0, 0, 5, 5], "parts": []}, "person 1: needs an object with a box of four finite numbers and parts"),
        ({"box": [0, 0, 5, 5], "parts": {"head": {"box": [1, 2], "verb": "none"}}}, "person 1, head: needs a box"),
        ({"box": [0, 0, 5, 5], "parts": {"head": {"box": [0, 0, 1, 1]}}}, "person 1, head: needs a box .* and a verb"),
        ("nobody", "person 1: needs an object"),
    ],
)
def test_truth_that_cannot_be_scored_is_named(tmp_path: Path, case: dict[str, Any], human: Any, message: str) -> None:
    case = {**case, "gt_part_result": {"v": {"img_00001.json": {"humans": [human]}}}}
    truth, found = write_folder(tmp_path / "t", case, "gt"), write_folder(tmp_path / "p", case, "pred")
    with pytest.raises(DataError, match=message):
        evaluate(truth, found)


def dataset_of(root: Path, actions: dict[str, str]) -> tuple[VideoRecord, ...]:
    """The records of a dataset with empty videos of some actions."""
    for name, action in actions.items():
        path = root / "test_videos" / action / f"{name}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return KineticsTps(root).videos("test")


def test_truth_files_hold_what_the_annotation_of_frames_holds(tmp_path: Path, case: dict[str, Any]) -> None:
    actions = case["gt_vid_result"]
    records = dataset_of(tmp_path, {**actions, "of no truth": next(iter(actions.values()))})
    truths = read_truth_files(write_folder(tmp_path / "truth", case, "gt"), records)
    assert set(truths) == set(actions)
    for video, frames in truths.items():
        written = {frame_name(index): true_humans(frame) for index, frame in frames.items()}
        for name, content in case["gt_part_result"][video].items():
            humans = [
                {
                    "box": human["box"],
                    "parts": {n: {"box": part["box"], "verb": part["verb"]} for n, part in human["parts"].items()},
                }
                for human in content["humans"]
            ]
            assert written.pop(name) == {"humans": humans}
        assert not written


HUMAN = {"number": 1, "box": [1, 2, 30, 40], "parts": {"hip": {"box": [3, 4, 9, 9], "verb": "none"}}}


@pytest.mark.parametrize(
    ("actions", "frames", "message"),
    [
        ({"b": "lunge"}, {"b": {}}, "needs the dataset's video b of 'lunge', got no such video"),
        ({"a": "push_up"}, {"a": {}}, "needs the dataset's video a of 'push_up', got a folder of lunge"),
        ({"a": "lunge"}, {}, "gt_part_result.json needs the frames of video a, got none"),
        ({"a": "lunge"}, {"a": {"1.json": {"humans": []}}}, "video a: a frame's name must be img_.*, got '1.json'"),
        (
            {"a": "lunge"},
            {"a": {"img_00001.json": {"humans": [HUMAN | {"parts": {"tail": HUMAN["parts"]["hip"]}}]}}},  # type: ignore[index]
            "video a, img_00001.json: needs parts of head, left_arm, .*, each with a verb, got others",
        ),
        (
            {"a": "lunge"},
            {"a": {"img_00001.json": {"humans": [{}]}}},
            "img_00001.json, person 1: needs an object with a",
        ),
    ],
    ids=["another video", "another action", "no frames", "name of a frame", "no part", "no box"],
)
def test_truth_files_that_do_not_fit_the_dataset(
    tmp_path: Path, actions: dict[str, str], frames: dict[str, Any], message: str
) -> None:
    records = dataset_of(tmp_path, {"a": "lunge"})
    truth = write_folder(tmp_path / "truth", {"gt_vid_result": actions, "gt_part_result": frames}, "gt")
    with pytest.raises(DataError, match=message) as caught:
        read_truth_files(truth, records)
    assert "\n" not in str(caught.value)
    with pytest.raises(DataError, match=r"gt_vid_result\.json: cannot be read"):
        read_truth_files(tmp_path, records)
