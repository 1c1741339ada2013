"""Joint angles on poses worked by hand. y grows downwards."""

from __future__ import annotations

import numpy as np
import pytest

from actparse.core.errors import ConfigError, ShapeError
from actparse.core.structures import PersonParse
from actparse.core.vocabulary import KEYPOINTS
from actparse.export.angles import ANGLES, joint_angles, person_angles

STANDING = {  # facing the camera, arms hanging, legs straight: the person's left is on the image's right
    "left_shoulder": (60, 100),
    "right_shoulder": (40, 100),
    "left_elbow": (60, 130),
    "right_elbow": (40, 130),
    "left_wrist": (60, 160),
    "right_wrist": (40, 160),
    "left_hip": (60, 200),
    "right_hip": (40, 200),
    "left_knee": (60, 250),
    "right_knee": (40, 250),
    "left_ankle": (60, 300),
    "right_ankle": (40, 300),
}


def pose(confidence: dict[str, float] | None = None, **moved: tuple[float, float]) -> np.ndarray:
    points = STANDING | moved
    sure = confidence or {}
    rows = [(*points.get(name, (50, 80)), sure.get(name, 0.9)) for name in KEYPOINTS]
    return np.array([rows], np.float32)


def angle(keypoints: np.ndarray, name: str) -> float:
    return float(joint_angles(keypoints)[0, ANGLES.index(name)])


def test_a_standing_pose_is_straight_and_upright() -> None:
    standing = dict(zip(ANGLES, joint_angles(pose())[0], strict=True))
    assert standing == {
        "left_elbow": 180,
        "right_elbow": 180,
        "left_shoulder": 0,
        "right_shoulder": 0,
        "left_hip": 180,
        "right_hip": 180,
        "left_knee": 180,
        "right_knee": 180,
        "trunk_lean": 0,
    }


@pytest.mark.parametrize(
    ("moved", "name", "degrees"),
    [
        pytest.param({"left_wrist": (90, 130)}, "left_elbow", 90, id="forearm outwards"),
        pytest.param({"left_wrist": (30, 130)}, "left_elbow", 90, id="forearm inwards, no sign"),
        pytest.param({"left_wrist": (60, 100)}, "left_elbow", 0, id="hand at the shoulder"),
        pytest.param({"left_elbow": (90, 100)}, "left_shoulder", 90, id="arm to the side"),
        pytest.param({"right_elbow": (40, 70)}, "right_shoulder", 180, id="arm overhead"),
        pytest.param({"left_knee": (110, 200)}, "left_hip", 90, id="sitting"),
        pytest.param({"right_ankle": (-10, 250)}, "right_knee", 90, id="heel lifted"),
        pytest.param({"right_ankle": (40 + 50, 300)}, "right_knee", 135, id="knee half bent"),
        pytest.param({"left_shoulder": (160, 100), "right_shoulder": (140, 100)}, "trunk_lean", 45, id="to the right"),
        pytest.param({"left_shoulder": (-40, 200), "right_shoulder": (-60, 200)}, "trunk_lean", -90, id="to the left"),
        pytest.param({"left_shoulder": (60, 300), "right_shoulder": (40, 300)}, "trunk_lean", 180, id="upside down"),
    ],
)
def test_bent_joints(moved: dict[str, tuple[float, float]], name: str, degrees: float) -> None:
    assert angle(pose(**moved), name) == pytest.approx(degrees)


def test_an_unsure_keypoint_leaves_its_angles_unknown() -> None:
    keypoints = pose({"left_elbow": 0.24})
    unknown = [name for name, value in zip(ANGLES, joint_angles(keypoints)[0], strict=True) if np.isnan(value)]
    assert unknown == ["left_elbow", "left_shoulder"]
    assert not np.isnan(joint_angles(keypoints, min_confidence=0.2)).any()
    assert not np.isnan(joint_angles(pose({"left_elbow": 0.25}))).any()


def test_a_limb_without_length_has_no_angle() -> None:
    assert np.isnan(angle(pose(left_wrist=(60, 130)), "left_elbow"))
    flat = dict.fromkeys(("left_shoulder", "right_shoulder", "left_hip", "right_hip"), (50.0, 100.0))
    assert np.isnan(angle(pose(**flat), "trunk_lean"))


def test_mirroring_changes_the_sides_and_the_sign_of_the_lean() -> None:
    keypoints = np.random.default_rng(3).uniform(1, 99, (5, 17, 3)).astype(np.float32)
    mirrored = keypoints * [-1, 1, 1]
    found, seen = joint_angles(keypoints), joint_angles(mirrored)
    assert np.allclose(found[:, :8], seen[:, :8])
    assert np.allclose(found[:, 8], -seen[:, 8])


def test_persons_and_the_empty_case() -> None:
    keypoints = pose(left_wrist=(90, 130))
    person = PersonParse(1, (0, 0, 1, 1), 0.9, tuple(map(tuple, keypoints[0].tolist())))
    assert np.array_equal(person_angles([person]), joint_angles(keypoints))
    assert person_angles([]).shape == (0, 9)


def test_wrong_input_is_named() -> None:
    with pytest.raises(ShapeError, match=r"keypoints must have shape \(any, 17, 3\)"):
        joint_angles(np.zeros((17, 3), np.float32))
    with pytest.raises(ConfigError, match="min_confidence must be between 0 and 1, got 2"):
        joint_angles(pose(), min_confidence=2)
