from __future__ import annotations

import numpy as np
import pytest
import torch

from actparse.core.errors import ConfigError
from actparse.core.structures import Detections
from actparse.nets.poses.hrnet import Hrnet, HrnetConfig
from actparse.stages.people.poses import HrnetPoses, PosesConfig, distinct_persons


def estimator(**settings: object) -> HrnetPoses:
    torch.manual_seed(0)
    net = Hrnet(
        HrnetConfig(width=8, num_modules=(1, 1, 1), num_blocks=1, stem_width=8, layer1_blocks=1, layer1_width=8)
    )
    return HrnetPoses(net.eval(), PosesConfig(**{"size": (64, 64), **settings}))


@pytest.mark.parametrize("decoding", ["standard", "dark", "udp"])
def test_every_box_gets_its_keypoints(decoding: str) -> None:
    images = [np.random.default_rng(n).integers(0, 255, (100, 120, 3), dtype=np.uint8) for n in range(3)]
    boxes = [
        np.array(rows, np.float32).reshape(-1, 4)
        for rows in ([[10, 10, 50, 90]], [], [[0, 0, 30, 30], [60, 20, 110, 95]])
    ]
    found = estimator(decoding=decoding, blur_kernel=3).estimate(images, boxes)
    assert [points.shape for points in found] == [(1, 17, 3), (0, 17, 3), (2, 17, 3)]
    for points in found:
        assert ((points[..., 2] >= 0) & (points[..., 2] <= 1)).all()


def test_keypoints_lie_in_their_boxes_area() -> None:
    image = np.random.default_rng(0).integers(0, 255, (100, 120, 3), dtype=np.uint8)
    (points,) = estimator().estimate([image], [np.array([[40, 40, 60, 80]], np.float32)])
    seen = points[points[..., 2] > 0]
    assert (np.abs(seen[:, :2] - [50, 60]) <= 0.5 * 1.25 * 40 + 2).all()


def test_nothing_in_nothing_out() -> None:
    assert estimator().estimate([], []) == []


def test_the_mirrored_view_is_averaged() -> None:
    image = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    boxes = [np.array([[0, 0, 64, 64]], np.float32)]
    one, both = estimator(flip_test=False).estimate([image], boxes), estimator().estimate([image], boxes)
    assert not np.array_equal(one[0], both[0])


def test_of_two_boxes_with_one_pose_the_better_stays() -> None:
    pose = np.random.default_rng(0).uniform(20, 60, (17, 3)).astype(np.float32)
    boxes = np.array([[10, 10, 60, 90], [12, 30, 62, 90], [110, 10, 160, 90]], np.float32)
    persons = Detections(boxes, np.array([0.4, 0.9, 0.3], np.float32), np.zeros(3, np.int64))
    poses = np.stack((pose + 0.5, pose, pose + [100, 0, 0])).astype(np.float32)
    found, keypoints = distinct_persons(persons, poses, 0.6)
    assert np.array_equal(found.boxes, boxes[[1, 2]])
    assert np.array_equal(keypoints, poses[[1, 2]])
    assert len(distinct_persons(persons, poses, 1.0)[0]) == 3


@pytest.mark.parametrize(
    ("box", "moved", "kept"),
    [
        pytest.param([12, 10, 58, 50], 0.0, False, id="half of the person"),
        pytest.param([12, 10, 58, 50], 60.0, True, id="another pose in the same place"),
        pytest.param([12, 10, 150, 150], 0.0, True, id="a box that is not inside"),
    ],
)
def test_a_box_inside_a_better_one_with_half_of_its_pose_is_dropped(box: list[float], moved: float, kept: bool) -> None:
    pose = np.random.default_rng(0).uniform(15, 55, (17, 3)).astype(np.float32)
    pose[:, 2] = 0.9
    half = pose + np.array([moved, 0, 0], np.float32)
    half[9:, :2] += 50  # the other half of the keypoints is elsewhere
    boxes = np.array([[10, 10, 60, 90], box], np.float32)
    persons = Detections(boxes, np.array([0.9, 0.5], np.float32), np.zeros(2, np.int64))
    distinct, _ = distinct_persons(persons, np.stack((pose, half)), 0.6, drop_repeats=True)
    assert len(distinct) == 1 + kept
    assert len(distinct_persons(persons, np.stack((pose, half)), 0.6)[0]) == 2


def test_persons_are_scored_by_their_pose_too() -> None:
    boxes = np.array([[10, 10, 60, 90], [110, 10, 160, 90], [210, 10, 260, 90]], np.float32)
    persons = Detections(boxes, np.array([0.9, 0.8, 0.3], np.float32), np.zeros(3, np.int64))
    keypoints = np.random.default_rng(0).uniform(0, 90, (3, 17, 3)).astype(np.float32)
    keypoints[..., 2] = np.array([0.01, 0.64, 0.25])[:, None]  # the first has hardly a pose
    found, points = estimator(min_score=0.12).select(persons, keypoints)
    assert np.array_equal(found.boxes, boxes[[1, 2]])
    assert np.allclose(found.scores, [0.8 * 0.8, 0.3 * 0.5])
    assert np.array_equal(points, keypoints[[1, 2]])
    assert np.allclose(estimator().select(persons, keypoints)[0].scores, persons.scores)


def test_no_persons_stay_none() -> None:
    none = Detections(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int64))
    found, keypoints = distinct_persons(none, np.zeros((0, 17, 3), np.float32), 0.6)
    assert len(found) == 0
    assert keypoints.shape == (0, 17, 3)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("size", (50, 64)),
        ("padding", 0),
        ("decoding", "other"),
        ("blur_kernel", 4),
        ("max_oks", 1.5),
        ("min_score", -1),
    ],
)
def test_a_wrong_field_is_named(field: str, value: object) -> None:
    with pytest.raises(ConfigError, match=rf"poses\.{field} must be"):
        PosesConfig(**{field: value})
