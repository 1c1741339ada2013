"""The auxiliary head for the main performer's keypoints."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from actparse.core.vocabulary import KEYPOINTS, NUM_KEYPOINTS
from actparse.nets.clips.csn import Csn
from actparse.nets.clips.keypoints import KEYPOINT_STAGE, KeypointHead, keypoint_loss
from actparse.training.recipes import tiny

LEFT_WRIST, RIGHT_WRIST = KEYPOINTS.index("left_wrist"), KEYPOINTS.index("right_wrist")


def test_the_head_finds_the_peak_of_each_map() -> None:
    head = KeypointHead(width=NUM_KEYPOINTS)
    torch.nn.init.zeros_(head.maps.bias)
    with torch.no_grad():
        head.maps.weight.copy_(torch.eye(NUM_KEYPOINTS)[..., None, None, None])
    features = torch.zeros(1, NUM_KEYPOINTS, 2, 5, 6)  # of frames of 72x96, with a stride of 16
    features[0, LEFT_WRIST, 1, 4, 2] = 50.0
    positions = head(features, (72, 96))
    assert positions.shape == (1, 2, NUM_KEYPOINTS, 2)
    assert positions[0, 1, LEFT_WRIST].tolist() == pytest.approx([32.5 / 96, 64.5 / 72])
    assert positions[0, 0, LEFT_WRIST].tolist() == pytest.approx([40.5 / 96, 32.5 / 72])


def test_cells_lie_where_the_network_centres_them() -> None:
    """A pixel of one frame changes the features of the cell and the step around it most."""
    torch.manual_seed(0)
    net = Csn(replace(tiny.CLIPS_NET, num_classes=2)).eval()
    clips = torch.randn(8, 3, 12, 72, 96, requires_grad=True)
    features = net.stage_features(clips)[KEYPOINT_STAGE]
    assert features.shape[2:] == (3, 5, 6)
    features[:, :, 1, 2, 3].square().sum().backward()  # type: ignore[no-untyped-call]
    assert clips.grad is not None
    influence = clips.grad.abs().sum(dim=(0, 1))  # (T, H, W)
    t, y, x = (
        (influence.sum(dim=tuple({0, 1, 2} - {axis})) * torch.arange(influence.shape[axis])).sum() / influence.sum()
        for axis in range(3)
    )
    assert t.item() == pytest.approx(4, abs=1)  # frame 1 * 12 / 3
    assert y.item() == pytest.approx(32, abs=3)
    assert x.item() == pytest.approx(48, abs=3)


def test_the_loss_compares_a_step_with_its_frame_by_visibility() -> None:
    predicted = torch.full((1, 2, NUM_KEYPOINTS, 2), 0.5)
    keypoints = torch.zeros(1, 8, NUM_KEYPOINTS, 3)
    keypoints[0, 0, LEFT_WRIST] = torch.tensor([0.7, 0.5, 2.0])
    keypoints[0, 4, RIGHT_WRIST] = torch.tensor([0.5, 0.9, 1.0])  # hidden
    keypoints[0, 3, LEFT_WRIST] = torch.tensor([0.0, 0.0, 2.0])  # in no frame of a step
    assert keypoint_loss(predicted, keypoints).item() == pytest.approx((0.1 + 0.6 * 0.2) / 1.6)
    assert keypoint_loss(predicted, torch.zeros_like(keypoints)).item() == 0
