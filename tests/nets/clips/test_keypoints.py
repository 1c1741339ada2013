"""The auxiliary head for the main performer's keypoints."""

from __future__ import annotations

import pytest
import torch

from actparse.core.vocabulary import KEYPOINTS, NUM_KEYPOINTS
from actparse.nets.clips.keypoints import KeypointHead, keypoint_loss

LEFT_WRIST, RIGHT_WRIST = KEYPOINTS.index("left_wrist"), KEYPOINTS.index("right_wrist")


def test_the_head_finds_the_peak_of_each_map() -> None:
    head = KeypointHead(width=NUM_KEYPOINTS)
    torch.nn.init.zeros_(head.maps.bias)
    with torch.no_grad():
        head.maps.weight.copy_(torch.eye(NUM_KEYPOINTS)[..., None, None, None])
    features = torch.zeros(1, NUM_KEYPOINTS, 2, 6, 8)
    features[0, LEFT_WRIST, 1, 4, 2] = 50.0
    found = head(features)
    assert found.shape == (1, 2, NUM_KEYPOINTS, 2)
    assert found[0, 1, LEFT_WRIST].tolist() == pytest.approx([2.5 / 8, 4.5 / 6])
    assert found[0, 0, LEFT_WRIST].tolist() == pytest.approx([0.5, 0.5])


def test_the_loss_compares_a_step_with_the_middle_of_its_frames_by_visibility() -> None:
    predicted = torch.full((1, 2, NUM_KEYPOINTS, 2), 0.5)
    keypoints = torch.zeros(1, 8, NUM_KEYPOINTS, 3)
    keypoints[0, 2, LEFT_WRIST] = torch.tensor([0.7, 0.5, 2.0])  # middle of the first four frames
    keypoints[0, 6, RIGHT_WRIST] = torch.tensor([0.5, 0.9, 1.0])  # hidden
    keypoints[0, 3, LEFT_WRIST] = torch.tensor([0.0, 0.0, 2.0])  # not a middle
    assert keypoint_loss(predicted, keypoints).item() == pytest.approx((0.1 + 0.6 * 0.2) / 1.6)
    assert keypoint_loss(predicted, torch.zeros_like(keypoints)).item() == 0
