from __future__ import annotations

import pytest
import torch

from actparse.core.errors import ConfigError, ShapeError
from actparse.nets.part_regression import PartRegression, PartRegressionConfig, part_losses


def small_net() -> PartRegression:
    torch.manual_seed(0)
    return PartRegression(PartRegressionConfig(width=16, num_layers=2)).eval()


def test_boxes_are_boxes_and_there_is_one_logit_for_each() -> None:
    boxes, logits = small_net()(torch.randn(5, 17, 3) * 100)
    assert (boxes.shape, logits.shape) == ((5, 10, 4), (5, 10))
    assert (boxes[..., 2:] > boxes[..., :2]).all()
    assert small_net()(torch.zeros(0, 17, 3))[0].shape == (0, 10, 4)


def test_losses_are_those_of_the_visible_parts() -> None:
    boxes = torch.zeros(1, 10, 4)
    boxes[..., 2:] = 1.0
    targets = torch.zeros(1, 10, 4)
    targets[0, 0] = torch.tensor((0.0, 0.0, 1.0, 2.0))  # half of it is covered: IoU 0.5, no other box encloses both
    terms = part_losses(boxes, torch.zeros(1, 10), targets)
    assert terms["giou"] == pytest.approx(0.5)
    assert terms["l1"] == pytest.approx(0.95)  # 1 - 0.1 / 2, of one side of four
    assert terms["fit"] == pytest.approx(0.6931, abs=1e-4)


def test_the_expected_iou_of_a_part_that_is_not_visible_is_0() -> None:
    boxes, targets = torch.tensor([0.0, 0.0, 1.0, 1.0]).expand(1, 10, 4), torch.zeros(1, 10, 4)
    unsure = part_losses(boxes, torch.full((1, 10), -9.0), targets)["fit"]
    sure = part_losses(boxes, torch.full((1, 10), 9.0), targets)["fit"]
    assert unsure < 0.01 < sure


def test_poses_of_another_shape_are_an_error() -> None:
    with pytest.raises(ShapeError, match="poses"):
        small_net()(torch.zeros(1, 16, 3))


def test_a_network_without_layers_is_an_error() -> None:
    with pytest.raises(ConfigError, match=r"part_regression\.num_layers must be at least 1, got 0"):
        PartRegressionConfig(num_layers=0)
