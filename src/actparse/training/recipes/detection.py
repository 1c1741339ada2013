"""Code that both detectors' recipes share: batches of images with boxes, and YOLOF's loss."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from actparse.core.structures import Detections
from actparse.metrics.coco import average_precision
from actparse.nets.detectors.yolof import YolofConfig
from actparse.nets.detectors.yolof_losses import yolof_loss
from actparse.stages.inputs import InputNorm
from actparse.training.task import Batch


def to_channels_last(images: Sequence[NDArray[np.uint8]]) -> Tensor:
    """Stack images (H, W, 3) of one size into (N, 3, H, W) uint8, channels last in memory."""
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2)


def detection_losses(net: nn.Module, batch: Batch, config: YolofConfig, norm: InputNorm) -> dict[str, Tensor]:
    """Return the terms of YOLOF's loss on a batch: `images` (N, 3, H, W) 0..255, `boxes` and `labels` by image."""
    images = norm(batch["images"]).contiguous(memory_format=torch.channels_last)
    cls, reg = net(images)
    with torch.autocast(images.device.type, enabled=False):
        losses = yolof_loss(cls.float(), reg.float(), config, batch["boxes"], batch["labels"])
    return {"classification": losses.classification, "boxes": losses.boxes}


def box_figures(truth: Sequence[Detections], detections: Sequence[Detections], names: Sequence[str]) -> dict[str, Any]:
    """Compute the AP of boxes in percent: over IoU .5 to .95, at .5 and at .75, and for several classes AP50 of each.

    Args:
        truth: annotated boxes by image; their scores are ignored.
        detections: detected boxes by image.
        names: of the labels.
    """
    result = average_precision(truth, detections, names)
    metrics: dict[str, Any] = {"ap": result.ap, "ap50": result.ap50, "ap75": result.ap75}
    return metrics if len(names) == 1 else {**metrics, "ap50_by_class": result.ap50_by_class}
