"""A small network that maps a pose to the boxes of the body parts, with the expected IoU of each box.

Positions are relative to the pose and in torso lengths; the stage that uses the network converts them.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from actparse.core.errors import ConfigError, expect_shape
from actparse.core.vocabulary import NUM_KEYPOINTS, PARTS
from actparse.nets.detectors.boxes import cxcywh_to_xyxy, giou, row_iou

MAX_LOG_SIDE = 3.0  # largest absolute logarithm of a box's side in torso lengths
MAX_POSITION = 8.0  # torso lengths from the pose's middle; farther keypoints are clipped to it


@dataclass(frozen=True, kw_only=True)
class PartRegressionConfig:
    """Size of the network."""

    width: int = 256  # channels of the hidden layers
    num_layers: int = 3  # hidden layers, at least 1
    dropout: float = 0.0

    def __post_init__(self) -> None:
        for name in ("width", "num_layers"):
            if getattr(self, name) < 1:
                raise ConfigError(f"part_regression.{name} must be at least 1, got {getattr(self, name)}")
        if not 0 <= self.dropout < 1:
            raise ConfigError(f"part_regression.dropout must be 0 to below 1, got {self.dropout}")


class PartRegression(nn.Module):
    """The network: fully connected layers on a pose."""

    def __init__(self, config: PartRegressionConfig) -> None:
        super().__init__()
        self.config = config
        channels = (3 * NUM_KEYPOINTS, *([config.width] * config.num_layers))
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(channels))
        self.dropout = nn.Dropout(config.dropout)
        self.output = nn.Linear(config.width, 5 * len(PARTS))

    def forward(self, poses: Tensor) -> tuple[Tensor, Tensor]:
        """Map poses to the boxes of their parts.

        Args:
            poses: (N, 17, 3) x, y from the pose's middle in torso lengths, confidence in [0, 1].

        Returns:
            Boxes (N, 10, 4) xyxy in the same units and logits (N, 10) of the expected IoU of each box, which is 0 for a
            part that is not visible.

        Raises:
            ShapeError: `poses` has another shape.
        """
        expect_shape("poses", poses, (None, NUM_KEYPOINTS, 3))
        x = torch.cat((poses[..., :2].clamp(-MAX_POSITION, MAX_POSITION), poses[..., 2:]), dim=2).flatten(1)  # (N, 51)
        for layer in self.layers:
            x = self.dropout(F.leaky_relu(layer(x), 0.1))
        values = self.output(x).float().reshape(-1, len(PARTS), 5)  # (N, 10, 5)
        sides = values[..., 2:4].clamp(-MAX_LOG_SIDE, MAX_LOG_SIDE).exp()  # (N, 10, 2)
        return cxcywh_to_xyxy(torch.cat((values[..., :2], sides), dim=2)), values[..., 4]


def part_losses(boxes: Tensor, logits: Tensor, targets: Tensor) -> dict[str, Tensor]:
    """Compute the losses of predicted boxes.

    Args:
        boxes: (N, 10, 4) xyxy in torso lengths.
        logits: (N, 10) of the expected IoU.
        targets: (N, 10, 4) xyxy in torso lengths; zeros for a part that is not visible.

    Returns:
        Scalars: "giou" and "l1", means over the visible parts, and "fit", the cross-entropy of the expected IoU.
    """
    visible = (targets != 0).any(dim=2)  # (N, 10)
    predicted, true = boxes[visible], targets[visible]  # (M, 4)
    count = visible.sum().clamp(min=1)
    fit = torch.zeros_like(logits)
    fit[visible] = row_iou(predicted.detach(), true)
    return {
        "giou": (1 - giou(predicted, true)).sum() / count,
        "l1": F.smooth_l1_loss(predicted, true, beta=0.1, reduction="sum") / count,
        "fit": F.binary_cross_entropy_with_logits(logits, fit),
    }
