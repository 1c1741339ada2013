"""An auxiliary head of the clip networks: it locates the main performer's keypoints in the features of a stage.

With little training, the action alone hardly teaches a network to look at people. The head is dropped after training.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from actparse.core.vocabulary import NUM_KEYPOINTS
from actparse.nets.poses.heatmaps import VISIBILITY_WEIGHTS

STAGE = 2  # of the network, from 0: the last one but one, whose steps are fine enough to tell limbs apart


class KeypointHead(nn.Module):
    """A heat map for each keypoint; its mean position is the keypoint's place."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.maps = nn.Conv3d(width, NUM_KEYPOINTS, 1)

    def forward(self, features: Tensor) -> Tensor:
        """Map features (N, C, T', H, W) to x and y (N, T', 17, 2), as shares of the frame's sides."""
        maps = self.maps(features).float().transpose(1, 2)  # (N, T', 17, H, W)
        heat = maps.flatten(3).softmax(dim=3).view_as(maps)
        height, width = maps.shape[3:]
        x, y = ((torch.arange(side, device=maps.device) + 0.5) / side for side in (width, height))
        return torch.stack((heat.sum(dim=3) @ x, heat.sum(dim=4) @ y), dim=3)


def keypoint_loss(predicted: Tensor, keypoints: Tensor) -> Tensor:
    """Return the mean distance on each axis of `predicted` (N, T', 17, 2) from `keypoints` (N, T, 17, 3).

    A step of the T' is compared with the middle one of its frames. Without any visible keypoint, the loss is 0.
    """
    num_steps, num_frames = predicted.shape[1], keypoints.shape[1]
    middles = ((torch.arange(num_steps) + 0.5) * num_frames / num_steps).long()
    truth = keypoints[:, middles].to(predicted.device)  # (N, T', 17, 3)
    weights = torch.tensor(VISIBILITY_WEIGHTS, device=truth.device)[truth[..., 2].long()]  # (N, T', 17)
    errors = (predicted - truth[..., :2]).abs().mean(dim=3) * weights
    return errors.sum() / weights.sum().clamp(min=1)
