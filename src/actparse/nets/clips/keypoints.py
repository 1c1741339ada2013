"""An auxiliary head of the clip networks: it locates the main performer's keypoints in the features of a stage.

With little training, the action alone hardly teaches a network to look at people. The head is dropped after training.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from actparse.core.vocabulary import NUM_KEYPOINTS
from actparse.nets.poses.heatmaps import VISIBILITY_WEIGHTS

KEYPOINT_STAGE = 2  # of the network, from 0: the last one but one


class KeypointHead(nn.Module):
    """A heat map for each keypoint; its mean position is that of the keypoint."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.maps = nn.Conv3d(width, NUM_KEYPOINTS, 1)

    def forward(self, features: Tensor, size: tuple[int, int]) -> Tensor:
        """Map features (N, C, T', H, W) of frames of `size` (height, width) to x and y (N, T', 17, 2).

        They are shares of the frame's sides; the network's convolutions centre the first cell on the first pixel.
        """
        maps = self.maps(features).float().transpose(1, 2)  # (N, T', 17, H, W)
        heat = maps.flatten(3).softmax(dim=3).view_as(maps)
        y, x = (_centres(cells, side, maps) for cells, side in zip(maps.shape[3:], size, strict=True))
        return torch.stack(((heat.sum(dim=3) * x).sum(dim=3), (heat.sum(dim=4) * y).sum(dim=3)), dim=3)


def _centres(cells: int, side: int, like: Tensor) -> Tensor:
    """Return the centres of cells, as shares of a side of `side` pixels."""
    stride = 2.0 ** math.ceil(math.log2(side / cells))  # a power of two; the last cell may reach beyond the frame
    return torch.arange(cells, device=like.device) * (stride / side) + 0.5 / side


def keypoint_loss(predicted: Tensor, keypoints: Tensor) -> Tensor:
    """Return the mean absolute error of x and y, weighted by visibility; 0 if no keypoint is annotated.

    Args:
        predicted: (N, T', 17, 2) shares of the frame's sides; step t is that of frame t * T / T', on which the network
            centres it.
        keypoints: (N, T, 17, 3) the true x, y, and visibility 0, 1 or 2.
    """
    num_steps, num_frames = predicted.shape[1], keypoints.shape[1]
    truth = keypoints[:, torch.arange(num_steps) * num_frames // num_steps].to(predicted.device)  # (N, T', 17, 3)
    weights = torch.tensor(VISIBILITY_WEIGHTS, device=truth.device)[truth[..., 2].long()]  # (N, T', 17)
    errors = (predicted - truth[..., :2]).abs().mean(dim=3) * weights
    return errors.sum() / weights.sum().clamp(min=1)
