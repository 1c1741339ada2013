from __future__ import annotations

import gzip
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from actparse.core.errors import ConfigError, DataError
from actparse.metrics import tps_score
from actparse.metrics.tps import inclusive_iou

CASES = sorted((Path(__file__).parents[1] / "golden" / "tps_metric").glob("*.json.gz"))


def read(path: Path) -> dict[str, Any]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        content: dict[str, Any] = json.load(file)
    return content


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.name.split(".")[0])
def test_golden(path: Path) -> None:
    case = read(path)
    truth, predictions = (case["gt_vid_result"], case["gt_part_result"]), case
    for expected in case["expected"]["settings"]:
        score = tps_score(truth, predictions_of(predictions), expected["human_iou"], expected["part_iou"])
        assert score.roc_score == pytest.approx(expected["roc_score"], abs=1e-9)
        assert score.part_state_correctness == pytest.approx(expected["part_state_correctness"], abs=1e-9)
        assert {video: int(right) for video, right in score.video_correct.items()} == expected["video_correct"]
        for threshold, accuracy in expected["accuracy_at"].items():
            assert score.accuracy_at(float(threshold)) == pytest.approx(accuracy, abs=1e-9)


def predictions_of(case: dict[str, Any]) -> dict[str, Any]:
    return {name: case[name] for name in ("pred_vid_result", "pred_part_result")}


def test_all_cases_are_here() -> None:
    assert len(CASES) == 8


def human(box: list[float], **parts: tuple[list[float], str]) -> dict[str, Any]:
    made = {name: {"number": 1, "box": b, "verb": v, "name": name} for name, (b, v) in parts.items()}
    return {"number": 1, "box": box, "parts": made}


TRUTH = {
    "img_00001.json": {"humans": [human([0, 0, 99, 99], head=([0, 0, 9, 9], "none"), hip=([0, 50, 9, 59], "turn"))]}
}


def psc(predicted: dict[str, Any], truth: dict[str, Any] = TRUTH) -> float:
    return tps_score(({"v": "a"}, {"v": truth}), ({"v": "a"}, {"v": predicted})).part_state_correctness["v"]


@pytest.mark.parametrize(
    ("predicted", "expected"),
    [
        pytest.param(TRUTH, 1.0, id="the truth itself"),
        pytest.param({}, 0.0, id="no frame"),
        pytest.param({"img_00001.json": {"humans": []}}, 0.0, id="no person"),
        pytest.param({"img_00001.json": {"humans": [human([0, 0, 99, 99])]}}, 0.0, id="no part"),
        pytest.param(
            {"img_00001.json": {"humans": [human([0, 0, 99, 99], head=([0, 0, 9, 9], "none"))]}},
            0.5,
            id="one of two parts",
        ),
        pytest.param(
            {"img_00001.json": {"humans": [human([0, 0, 99, 49], head=([0, 0, 9, 9], "none"))]}},
            0.0,
            id="overlap just .5",
        ),
    ],
)
def test_one_frame(predicted: dict[str, Any], expected: float) -> None:
    assert psc(predicted) == pytest.approx(expected)


def test_more_proposals_share_the_point() -> None:
    person = human([0, 0, 99, 99])
    person["parts"] = {"head": {"box": [[0, 0, 9, 9], [50, 50, 60, 60]], "verb": ["none", "none"]}}
    assert psc({"img_00001.json": {"humans": [person]}}) == pytest.approx(0.25)


def test_frames_without_parts_are_left_out_if_they_were_predicted() -> None:
    bare = {"img_00001.json": {"humans": [human([0, 0, 99, 99])]}}
    assert psc({"img_00001.json": {"humans": []}}, bare) == 1.0
    assert psc({}, bare) == 0.0
    assert psc({}, {"img_00001.json": {"humans": []}}) == 1.0


def test_inclusive_pixels() -> None:
    a = np.array([[0, 0, 9, 9]], float)
    b = np.array([[0, 0, 9, 9], [5, 0, 14, 9], [9, 9, 20, 20], [10, 0, 19, 9]], float)
    assert inclusive_iou(a, b).tolist() == [[1.0, np.float32(50 / 150), np.float32(1 / 243), -1.0]]


def test_forms_of_the_input() -> None:
    videos, parts = {"v": "a"}, {"v": TRUTH}
    forms = [(videos, parts), {"videos": videos, "parts": parts}, SimpleNamespace(videos=videos, parts=parts)]
    forms.append({"gt_vid_result.json": videos, "gt_part_result.json": parts})
    for form in forms:
        assert tps_score(form, form).roc_score == pytest.approx(0.9999)


def test_wrong_input_is_named() -> None:
    with pytest.raises(DataError, match="video 'v' of the truth is missing"):
        tps_score(({"v": "a"}, {"v": {}}), ({}, {}))
    with pytest.raises(DataError, match="needs at least one video"):
        tps_score(({}, {}), ({}, {}))
    with pytest.raises(DataError, match="truth: needs videos and parts, got int"):
        tps_score(3, ({}, {}))
    with pytest.raises(ConfigError, match=r"human_iou must be 0\.\.1, got 2"):
        tps_score(({"v": "a"}, {}), ({}, {}), human_iou=2)
