"""Conversion of images to tensors: channel order, mean and standard deviation, from a checkpoint's settings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from actparse.core.errors import ConfigError

IMAGENET_MEAN = (123.675, 116.28, 103.53)  # RGB, 0..255; torchvision's constants times 255
IMAGENET_STD = (58.395, 57.12, 57.375)
IMAGENET_MEAN_BGR = (IMAGENET_MEAN[2], IMAGENET_MEAN[1], IMAGENET_MEAN[0])
IMAGENET_STD_BGR = (IMAGENET_STD[2], IMAGENET_STD[1], IMAGENET_STD[0])


@dataclass(frozen=True, kw_only=True)
class InputNorm:
    """Normalisation (x - mean) / std of 0..255 values; with `bgr` images become BGR first, and mean and std are BGR."""

    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD
    bgr: bool = False

    def __post_init__(self) -> None:
        if min(self.std) <= 0:
            raise ConfigError(f"norm.std must be greater than 0, got {self.std}")

    def __call__(self, images: Tensor) -> Tensor:
        """Normalise (N, 3, H, W) or (N, 3, T, H, W) RGB values in 0..255 to float32 of the same shape."""
        shape = (1, 3) + (1,) * (images.dim() - 2)
        values = images.flip(1) if self.bgr else images
        mean = torch.tensor(self.mean, device=images.device).view(shape)
        std = torch.tensor(self.std, device=images.device).view(shape)
        return (values.float() - mean) / std


def stack_images(images: Sequence[NDArray[np.uint8]], device: torch.device) -> Tensor:
    """Convert N images (H, W, 3) uint8 RGB of one size to (N, 3, H, W) uint8, channels last in memory."""
    return torch.from_numpy(np.stack(images)).to(device).permute(0, 3, 1, 2)
