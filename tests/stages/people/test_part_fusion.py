from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from actparse.core.errors import ConfigError
from actparse.core.vocabulary import PART_INDEX
from actparse.nets.part_regression import PartRegression, PartRegressionConfig
from actparse.stages.people.part_fusion import (
    GroupFusion,
    PartFusion,
    PartFusionConfig,
    PartSource,
    fuse,
    regressed,
    to_poses,
)

Floats = NDArray[np.float32]
SIZE = (100, 200)  # height, width


def source(box: tuple[float, float, float, float], score: float) -> PartSource:
    """One person, all of whose parts have the same box and score."""
    return PartSource(np.full((1, 10, 4), box, np.float32), np.full((1, 10), score, np.float32))


def fused(
    rule: PartSource, regression: PartSource | None, detector: PartSource | None, **changes: GroupFusion
) -> tuple[Floats, Floats]:
    boxes, scores = fuse(rule, regression, detector, PartFusionConfig(**changes), size=SIZE)
    return boxes[0], scores[0]


def small_net() -> PartRegression:
    torch.manual_seed(0)
    return PartRegression(PartRegressionConfig(width=16, num_layers=1)).eval()


def people(count: int) -> Floats:
    keypoints = np.random.default_rng(0).uniform(10, 90, (count, 17, 3)).astype(np.float32)
    keypoints[..., 2] = 0.8
    return keypoints


class FixedDetector:
    """Says that each part is in one box."""

    def __init__(self, box: tuple[float, float, float, float], score: float) -> None:
        self.box, self.score = box, score

    def detect(self, images: object, boxes: object, keypoints: list[Floats]) -> list[tuple[Floats, Floats]]:
        return [
            (np.full((len(k), 10, 4), self.box, np.float32), np.full((len(k), 10), self.score, np.float32))
            for k in keypoints
        ]


def test_the_rule_alone_stays_as_it_is() -> None:
    boxes, scores = fused(source((10, 10, 30, 30), 0.6), None, None)
    assert boxes[0].tolist() == [10, 10, 30, 30]
    assert scores == pytest.approx(np.full(10, 0.6))


def test_rule_and_regression_are_averaged_by_their_weights() -> None:
    rule, regression = source((10, 10, 30, 30), 0.9), source((14, 18, 34, 46), 0.4)
    hand = GroupFusion(rule=3, regression=1)
    boxes, scores = fused(rule, regression, None, head=GroupFusion(), hand=hand)
    assert boxes[PART_INDEX["head"]].tolist() == [12, 14, 32, 38]
    assert boxes[PART_INDEX["left_hand"]].tolist() == [11, 12, 31, 34]
    assert scores == pytest.approx(np.full(10, 0.6))  # the root of 0.9 x 0.4


def test_the_detector_counts_by_its_score_where_it_agrees() -> None:
    rule, regression = source((0, 0, 20, 20), 0.9), source((0, 0, 20, 20), 0.9)
    group = GroupFusion(detector=2, min_iou=0.5)
    boxes, _ = fused(rule, regression, source((0, 0, 20, 30), 1.0), head=group)
    unsure, _ = fused(rule, regression, source((0, 0, 20, 30), 0.25), head=group)
    apart, _ = fused(rule, regression, source((0, 0, 20, 50), 1.0), head=group)
    assert boxes[0].tolist() == [0, 0, 20, 25]  # 2 of the 4 weights
    assert unsure[0].tolist() == [0, 0, 20, 22]  # 0.5 of 2.5
    assert apart[0].tolist() == [0, 0, 20, 20]  # IoU 0.4


def test_a_part_outside_the_frame_has_a_low_score_and_a_box_at_the_border() -> None:
    boxes, scores = fused(source((190, 0, 290, 20), 0.9), None, None)
    assert boxes[0].tolist() == [190, 0, 200, 20]
    assert scores[0] == pytest.approx(0.9 * 0.1 / 0.3)
    _, gone = fused(source((250, 0, 290, 20), 0.9), None, None)
    assert gone[0] == 0


def test_poses_are_in_torsos_about_the_middle() -> None:
    keypoints = np.zeros((1, 17, 3), np.float32)
    keypoints[0, (5, 6, 11, 12)] = [[20, 10, 1], [40, 10, 1], [20, 60, 1], [40, 60, 1]]
    poses, middles, torsos = to_poses(keypoints)
    assert (middles.tolist(), torsos.tolist()) == ([[30, 35]], [50])
    assert poses[0, 5] == pytest.approx([-0.2, -0.5, 1])


def test_regressed_boxes_move_and_grow_with_the_person() -> None:
    net, keypoints = small_net(), people(3)
    near, far = regressed(net, keypoints), regressed(net, keypoints * np.array((3, 3, 1), np.float32) + (50, 20, 0))
    assert far.boxes == pytest.approx(near.boxes * 3 + (50, 20, 50, 20), abs=1e-2)
    assert far.scores == pytest.approx(near.scores, abs=1e-4)


def test_detect_keeps_frames_apart_and_stays_in_the_frame() -> None:
    fusion = PartFusion(FixedDetector((10, 10, 20, 20), 0.5), small_net())
    images = [np.zeros((60, 80, 3), np.uint8)] * 3
    keypoints = [people(1), np.zeros((0, 17, 3), np.float32), people(2)]
    boxes = [np.zeros((len(k), 4), np.float32) for k in keypoints]
    found = fusion.detect(images, boxes, keypoints)
    assert [b.shape for b, _ in found] == [(1, 10, 4), (0, 10, 4), (2, 10, 4)]
    assert found[0][0] == pytest.approx(found[2][0][:1])
    for part_boxes, scores in found:
        assert ((part_boxes >= 0) & (part_boxes <= [80, 60, 80, 60])).all()
        assert ((scores >= 0) & (scores <= 1)).all()
    assert fusion.detect([], [], []) == []
    assert PartFusion(None, None).detect(images[:1], boxes[:1], keypoints[:1])[0][0].shape == (1, 10, 4)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param({"rule": -1.0}, "part_fusion.rule must be at least 0, got -1.0", id="weight"),
        pytest.param({"rule": 0.0, "regression": 0.0}, "weight above 0 for the rule", id="no rule"),
        pytest.param({"min_iou": 1.5}, "part_fusion.min_iou must be 0..1, got 1.5", id="iou"),
    ],
)
def test_weights_out_of_range_are_errors(changes: dict[str, float], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        GroupFusion(**changes)
