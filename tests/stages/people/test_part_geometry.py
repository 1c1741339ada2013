from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from actparse.core.errors import ShapeError
from actparse.core.vocabulary import KEYPOINT_FLIP, KEYPOINTS, PART_FLIP, PART_INDEX
from actparse.stages.people.part_geometry import located, rule_boxes, rule_scores, torso_lengths

Floats = NDArray[np.float32]

STANDING = {  # seen from the front, a torso of 100 pixels
    "nose": (0, -132),
    "left_eye": (8, -140),
    "right_eye": (-8, -140),
    "left_ear": (15, -135),
    "right_ear": (-15, -135),
    "left_shoulder": (30, -100),
    "right_shoulder": (-30, -100),
    "left_elbow": (40, -50),
    "right_elbow": (-40, -50),
    "left_wrist": (40, 0),
    "right_wrist": (-40, 0),
    "left_hip": (18, 0),
    "right_hip": (-18, 0),
    "left_knee": (18, 85),
    "right_knee": (-18, 85),
    "left_ankle": (18, 170),
    "right_ankle": (-18, 170),
}


def person(moved: dict[str, tuple[float, float]] | None = None, *, confidence: float = 0.9) -> Floats:
    """A standing person (1, 17, 3) with some keypoints elsewhere."""
    joints = {**STANDING, **(moved or {})}
    return np.array([[(x + 200, y + 200, confidence) for x, y in (joints[name] for name in KEYPOINTS)]], np.float32)


def box_of(part: str, keypoints: Floats) -> Floats:
    box = rule_boxes(keypoints)[0][0, PART_INDEX[part]]
    return np.asarray(box - 200, np.float32)


def test_the_torso_is_the_longest_of_what_bones_say() -> None:
    bent = person({"left_shoulder": (30, -20), "right_shoulder": (-30, -20), "left_elbow": (30, -10)})
    assert torso_lengths(person()) == pytest.approx([np.hypot(12, 100)])
    assert torso_lengths(bent) == pytest.approx([0.85 * 85])
    assert torso_lengths(np.zeros((1, 17, 3), np.float32)).tolist() == [1.0]


def test_unsure_bones_do_not_measure_the_torso() -> None:
    keypoints = person({"left_wrist": (900, 900), "left_knee": (900, 900)})
    keypoints[0, KEYPOINTS.index("left_knee"), 2] = 0.05
    assert torso_lengths(keypoints) == pytest.approx([np.hypot(12, 100)])


def test_parts_of_a_standing_person_are_where_they_must_be() -> None:
    keypoints = person()
    arm, hand, leg, hip = (box_of(part, keypoints) for part in ("left_arm", "left_hand", "left_leg", "hip"))
    torso = float(torso_lengths(keypoints)[0])
    assert arm == pytest.approx([30 - 0.1 * torso, -100 - 0.1 * torso, 40 + 0.1 * torso, 0.08 * torso], abs=0.1)
    assert (hand[[0, 2]].mean(), hand[[1, 3]].mean()) == pytest.approx((40, 0.12 * torso), abs=0.1)
    assert leg[1] > 0
    assert leg[3] == pytest.approx(170 + 0.08 * torso, abs=0.1)
    assert hip[1] < 0 < hip[3] < 85


def test_the_head_is_behind_the_face() -> None:
    front = box_of("head", person())
    right = box_of("head", person({"nose": (15, -132), "left_ear": (-8, -135), "right_ear": (-10, -135)}))
    assert front[0] == pytest.approx(-front[2], abs=1)
    assert front[1] < -150
    assert front[3] > -125
    assert -right[0] > right[2]


@pytest.mark.parametrize(("knee", "towards"), [(30, 1), (-30, -1)], ids=["right", "left"])
def test_toes_point_to_where_the_knee_bends(knee: int, towards: int) -> None:
    foot = box_of("left_foot", person({"left_knee": (18 + knee, 85)}))
    ahead, behind = (foot[2] - 18, 18 - foot[0]) if towards > 0 else (18 - foot[0], foot[2] - 18)
    assert ahead > behind + 8


def test_a_foot_seen_from_the_front_is_below_the_ankle() -> None:
    foot = box_of("left_foot", person())
    assert (foot[0] + foot[2]) / 2 == pytest.approx(18, abs=2)
    assert foot[1] < 170
    assert foot[3] > 185


def test_the_boxes_of_a_mirrored_person_are_mirrored() -> None:
    keypoints = person({"left_knee": (50, 80), "nose": (10, -130), "right_wrist": (-80, -90)})
    mirrored = keypoints[:, KEYPOINT_FLIP] * np.array((-1, 1, 1), np.float32)
    boxes, _ = rule_boxes(keypoints)
    flipped = (rule_boxes(mirrored)[0] * (-1, 1, -1, 1))[..., (2, 1, 0, 3)][:, PART_FLIP]
    assert np.abs(boxes - flipped).max() < 1e-3


def test_boxes_grow_with_the_person_and_move_with_them() -> None:
    boxes, _ = rule_boxes(person())
    keypoints = person() * np.array((2, 2, 1), np.float32) + np.array((30, 50, 0), np.float32)
    assert rule_boxes(keypoints)[0] == pytest.approx(boxes * 2 + np.array((30, 50, 30, 50)), abs=1e-3)


def test_scores_are_the_confidences_of_the_joints() -> None:
    keypoints = person()
    keypoints[0, KEYPOINTS.index("left_wrist"), 2] = 0.3
    keypoints[0, 3:5, 2] = 0  # the ears: three keypoints of the face are enough
    scores = rule_scores(keypoints)[0]
    assert scores[PART_INDEX["left_hand"]] == pytest.approx(0.6)
    assert scores[PART_INDEX["left_arm"]] == pytest.approx(0.7)
    assert scores[PART_INDEX["right_hand"]] == pytest.approx(0.9)
    assert scores[PART_INDEX["head"]] == pytest.approx(0.9)


def test_keypoints_without_a_position_are_where_their_neighbours_are() -> None:
    keypoints = person()
    for name in ("left_elbow", "left_wrist", "nose"):
        keypoints[0, KEYPOINTS.index(name)] = 0
    points = dict(zip(KEYPOINTS, located(keypoints)[0] - 200, strict=True))
    assert points["left_elbow"].tolist() == points["left_wrist"].tolist() == [30, -100]
    assert points["nose"].tolist() == [8, -140]
    assert points["right_wrist"].tolist() == [-40, 0]


def test_a_face_without_keypoints_is_above_the_shoulders() -> None:
    keypoints = person()
    keypoints[0, :5] = 0
    assert located(keypoints)[0, :5] - 200 == pytest.approx(np.tile((0, -135), (5, 1)), abs=1e-3)
    boxes, scores = rule_boxes(keypoints)
    assert boxes[0, 0] - 200 == pytest.approx(box_of("head", person()), abs=12)
    assert scores[0, 0] == 0


def test_nothing_located_has_finite_boxes_and_score_0() -> None:
    boxes, scores = rule_boxes(np.zeros((2, 17, 3), np.float32))
    assert np.isfinite(boxes).all()
    assert not scores.any()


def test_nobody_has_no_boxes() -> None:
    boxes, scores = rule_boxes(np.zeros((0, 17, 3), np.float32))
    assert boxes.shape == (0, 10, 4)
    assert scores.shape == (0, 10)


def test_keypoints_of_another_shape_are_an_error() -> None:
    with pytest.raises(ShapeError, match="keypoints"):
        rule_boxes(np.zeros((1, 16, 3), np.float32))
