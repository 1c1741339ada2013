"""MoveNet on person crops: keypoints in the frame, and which boxes hold a person."""

import numpy as np
import pytest
import torch

from actparse.core.errors import ConfigError
from actparse.core.structures import Detections
from actparse.nets.poses.movenet import Movenet, MovenetConfig
from actparse.stages.people.movenet_poses import MovenetPoses, MovenetPosesConfig


def estimator(**settings: float) -> MovenetPoses:
    torch.manual_seed(0)
    return MovenetPoses(Movenet(MovenetConfig(width=0.35, size=64)).eval(), MovenetPosesConfig(**settings))


def test_keypoints_are_near_their_boxes() -> None:
    boxes = np.array([[10, 20, 50, 100], [100, 40, 180, 80]], np.float32)
    (points,) = estimator().estimate([np.full((120, 200, 3), 90, np.uint8)], [boxes])
    assert points.shape == (2, 17, 3)
    assert ((points[..., 2] > 0) & (points[..., 2] < 1)).all()
    centers = (boxes[:, :2] + boxes[:, 2:]) / 2
    assert (np.abs(points[..., :2] - centers[:, None]) < 100).all()


def test_frames_keep_their_own_persons() -> None:
    image = np.full((64, 64, 3), 90, np.uint8)
    none, two = np.zeros((0, 4), np.float32), np.array([[0, 0, 30, 60], [30, 0, 60, 60]], np.float32)
    found = estimator().estimate([image, image, image], [two, none, two[:1]])
    assert [len(points) for points in found] == [2, 0, 1]
    np.testing.assert_allclose(found[0][0], found[2][0], atol=1e-3)
    assert estimator().estimate([], []) == []


def persons(*scores: float) -> tuple[Detections, np.ndarray]:
    boxes = np.array([[100 * n, 0, 100 * n + 50, 100] for n in range(len(scores))], np.float32).reshape(-1, 4)
    points = np.random.default_rng(0).uniform(0, 50, (17, 2))
    keypoints = np.array([np.c_[points + [100 * n, 0], np.full(17, 0.64)] for n in range(len(scores))], np.float32)
    count = len(scores)
    return Detections(boxes, np.array(scores, np.float32), np.zeros(count, np.int64)), keypoints.reshape(-1, 17, 3)


def test_the_score_is_the_boxs_times_the_root_of_the_mean_confidence() -> None:
    found, keypoints = estimator().select(*persons(0.5, 0.9, 0.1))
    np.testing.assert_allclose(found.scores, [0.72, 0.4], rtol=1e-5)  # best first; 0.1 * 0.8 is below 0.15
    assert found.boxes[0, 0] == 100
    assert keypoints.shape == (2, 17, 3)


def test_of_two_boxes_with_one_pose_the_better_stays() -> None:
    detections, keypoints = persons(0.5, 0.9)
    found, _ = estimator().select(detections, keypoints[[0, 0]])
    assert found.scores.shape == (1,)


def test_of_nobody_nobody_stays() -> None:
    found, keypoints = estimator().select(*persons())
    assert len(found) == 0
    assert keypoints.shape == (0, 17, 3)


@pytest.mark.parametrize(("field", "value"), [("padding", 0), ("max_oks", 2), ("min_score", -1)])
def test_a_wrong_field_is_named(field: str, value: float) -> None:
    with pytest.raises(ConfigError, match=rf"poses\.{field} must be"):
        MovenetPosesConfig(**{field: value})
