"""OpenPose's JSON, loaded by pose-format."""

from __future__ import annotations

import json
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from actparse.core.errors import OutputError
from actparse.core.vocabulary import KEYPOINTS
from actparse.export.openpose import BODY_25, body_25, write_openpose
from example_parse import example_parse

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # an old escape in the reader's own source
    from pose_format.utils.openpose import BODY_POINTS, load_openpose_directory


def test_it_loads_in_pose_format(tmp_path: Path) -> None:
    parse = example_parse()
    pose = load_openpose_directory(str(write_openpose(parse, tmp_path / "openpose")), fps=15, width=320, height=240)
    assert [name for name, _ in BODY_25] == BODY_POINTS
    assert pose.body.data.shape[:2] == (16, 2)  # frames 0..15, persons
    for frame in parse.frames:
        for place, person in enumerate(frame.persons):
            for name, keypoint in BODY_25:
                if keypoint is None:
                    continue
                x, y, confidence = person.keypoints[KEYPOINTS.index(keypoint)]
                row = BODY_POINTS.index(name)
                assert pose.body.data[frame.index, place, row].tolist() == pytest.approx([x, y])
                assert pose.body.confidence[frame.index, place, row] == pytest.approx(confidence)


def test_files_are_named_as_openpose_names_them(tmp_path: Path) -> None:
    folder = write_openpose(example_parse(), tmp_path / "openpose")
    assert sorted(path.name for path in folder.iterdir()) == [
        f"two people_{number:012d}_keypoints.json" for number in (0, 5, 10, 15)
    ]
    first = json.loads((folder / "two people_000000000000_keypoints.json").read_text(encoding="utf-8"))
    assert [person["person_id"] for person in first["people"]] == [[1], [2]]
    whats, spaces = ("pose", "face", "hand_left", "hand_right"), ("2d", "3d")
    lists = {f"{what}_keypoints_{space}" for what in whats for space in spaces}
    assert {name for person in first["people"] for name in person} == {"person_id"} | lists


def test_neck_and_middle_of_the_hips_are_derived_and_feet_are_not_found() -> None:
    keypoints = np.zeros((17, 3), np.float32)
    keypoints[KEYPOINTS.index("left_shoulder")] = (60, 100, 0.9)
    keypoints[KEYPOINTS.index("right_shoulder")] = (40, 104, 0.5)
    keypoints[KEYPOINTS.index("left_hip")] = (58, 200, 0.25)
    keypoints[KEYPOINTS.index("right_hip")] = (42, 200, 0.75)
    found = dict(zip((name for name, _ in BODY_25), body_25(keypoints).tolist(), strict=True))
    assert found["Neck"] == [50, 102, 0.5]
    assert found["MidHip"] == [50, 200, 0.25]
    assert found["RShoulder"] == [40, 104, 0.5]
    assert {tuple(found[name]) for name in ("LBigToe", "LHeel", "RSmallToe", "RHeel")} == {(0, 0, 0)}


def test_a_frame_without_persons_has_a_file(tmp_path: Path) -> None:
    parse = example_parse()
    folder = write_openpose(replace(parse, frames=(replace(parse.frames[0], persons=()),)), tmp_path / "o")
    (file,) = folder.iterdir()
    assert json.loads(file.read_text(encoding="utf-8")) == {"version": 1.3, "people": []}


def test_a_folder_of_such_files_is_replaced_and_any_other_is_left_alone(tmp_path: Path) -> None:
    folder = write_openpose(example_parse(), tmp_path / "openpose")
    write_openpose(replace(example_parse(), frames=()), folder)
    assert list(folder.iterdir()) == []
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match=r"keypoints.json, got notes.txt in it"):
        write_openpose(example_parse(), folder)
    assert (folder / "notes.txt").read_text() == "mine"
    with pytest.raises(OutputError, match="needs a folder, got a file"):
        write_openpose(example_parse(), folder / "notes.txt")
