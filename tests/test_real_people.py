"""The program benchmarks/real_people.py on a drawn photo and on clips, with random weights."""

from __future__ import annotations

import importlib.util
import json
import shutil
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

SCRIPT = Path(__file__).parents[1] / "benchmarks" / "real_people.py"
PERSON: dict[str, Any] = {
    "box": [10, 10, 60, 90],
    "parts": {"head": [20, 10, 40, 30], "left_hand": None},
    "keypoints": [[20, 20, 2]] * 5 + [[20, 30, 2], [40, 30, 2]] + [[0, 0, 0]] * 4 + [[25, 60, 1]] * 2 + [[0, 0, 0]] * 4,
}


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("real_people", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def write_photos(folder: Path, persons: list[dict[str, Any]]) -> Path:
    folder.mkdir()
    for name in ("a.png", "without truth.png"):
        cv2.imwrite(str(folder / name), np.random.default_rng(0).integers(0, 255, (96, 128, 3), np.uint8))
    (folder / "truth.json").write_text(json.dumps([{"image": "a.png", "persons": persons}]))
    return folder


def test_photos_and_clips_are_told_by_their_content(
    script: ModuleType, random_bundle: Path, small_video: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photos = write_photos(tmp_path / "photos", [PERSON])
    clips, other, target = tmp_path / "clips", tmp_path / "other", tmp_path / "figures.json"
    clips.mkdir()
    other.mkdir()
    shutil.copy(small_video, clips / "push_up_0.mp4")
    shutil.copy(small_video, other / "archery.mp4")
    words = [
        str(photos),
        str(clips),
        "--other",
        str(other),
        "--weights",
        str(random_bundle),
        "--json",
        str(target),
        "-v",
    ]
    assert script.main(words) == 0
    folders = json.loads(target.read_text())["folders"]
    assert (folders[str(photos)]["photos"], folders[str(photos)]["persons"]) == (1, 1)
    assert folders[str(photos)]["parts"]["left_hand"] == {"0.3": None, "0.5": None}
    assert folders[str(photos)]["parts"]["head"]["0.3"] in (0.0, 100.0)
    assert folders[str(clips)]["videos"] == folders[str(other)]["videos"] == 1
    assert folders[str(clips)]["first_three"] == 100  # of two actions
    out = capsys.readouterr().out
    assert f"{photos}: 1 photos, 1 persons, 1 parts" in out
    assert "of 1 persons" in out
    assert "the true one" in out


@pytest.mark.parametrize(("verdict", "share"), [("unknown", 100), ("known", 0)])
def test_the_verdict_of_a_parse_counts(
    script: ModuleType, small_video: Path, tmp_path: Path, verdict: str, share: float
) -> None:
    shutil.copy(small_video, tmp_path / "archery.mp4")
    parse = SimpleNamespace(action_scores={"lunge": 0.6, "push_up": 0.4}, verdict=verdict)
    parser = SimpleNamespace(parse=lambda _: parse)
    assert script.measure_other(parser, tmp_path, verbose=False)["unknown"] == share


def test_what_is_wrong_is_one_line(
    script: ModuleType, random_bundle: Path, small_video: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clips = tmp_path / "clips"
    clips.mkdir()
    shutil.copy(small_video, clips / "archery_0.mp4")
    tail = write_photos(tmp_path / "photos", [PERSON | {"parts": {"tail": [0, 0, 1, 1]}}])
    for folder, message in (
        (clips, "archery_0.mp4: must be named ACTION_n after one of lunge, push_up (or use --other)"),
        (tail, "truth.json: needs images with persons, got ValueError: parts must be among head, left_arm"),
        (tmp_path / "nowhere", "nowhere: needs a folder, got nothing"),
    ):
        assert script.main([str(folder), "--weights", str(random_bundle)]) == 2
        error = capsys.readouterr().err
        assert message in error
        assert error.count("\n") == 1
