"""Input of the public detectors: resized images, BGR, minus the mean, padded to a multiple of the stride.

Source: the preprocessing of the public YOLOF C5 models.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from actparse.core.errors import ShapeError, expect_shape

BGR_MEAN: tuple[float, float, float] = (103.53, 116.28, 123.675)  # ImageNet, grey levels
BGR_STD: tuple[float, float, float] = (1.0, 1.0, 1.0)  # the deviation is part of the first convolution


@dataclass(frozen=True)
class DetectorBatch:
    """A batch: `images` (N, 3, H, W) float32 BGR; `sizes` (height, width) without padding; `scales` (N, 2) float32.

    A box from the network divided by its row of `scales`, factors in x and y, is a box of the original image.
    """

    images: Tensor
    sizes: tuple[tuple[int, int], ...]
    scales: Tensor


def detector_resize_size(width: int, height: int, *, long_side: int = 1333, short_side: int = 800) -> tuple[int, int]:
    """Return the largest (width, height) of the same aspect within `short_side` and `long_side`; it may enlarge."""
    factor = min(long_side / max(width, height), short_side / min(width, height))
    return max(1, int(width * factor + 0.5)), max(1, int(height * factor + 0.5))


def detector_batch(
    images: Sequence[NDArray[np.uint8]], *, long_side: int = 1333, short_side: int = 800, divisor: int = 32
) -> DetectorBatch:
    """Resize, normalise and pad images to one batch.

    Args:
        images: one or more (H, W, 3) RGB uint8, of any sizes.
        long_side: limit of the longer side after the resize, pixels.
        short_side: limit of the shorter side, pixels.
        divisor: the batch's height and width are multiples of it; padding on the right and below is 0.

    Raises:
        ShapeError: there is no image, or one is not (H, W, 3) or empty.
    """
    if not images:
        raise ShapeError("images must have at least one image, got 0")
    resized, scales = [], []
    for index, image in enumerate(images):
        expect_shape(f"images[{index}]", image, (None, None, 3))
        height, width = image.shape[:2]
        if not image.size:
            raise ShapeError(f"images[{index}] must have pixels, got {height} x {width}")
        new_width, new_height = detector_resize_size(width, height, long_side=long_side, short_side=short_side)
        resized.append(cv2.resize(image, (new_width, new_height), interpolation=cv2.INTER_LINEAR))
        scales.append((new_width / width, new_height / height))
    sizes = tuple((image.shape[0], image.shape[1]) for image in resized)
    height, width = (-(-max(sides) // divisor) * divisor for sides in zip(*sizes, strict=True))
    batch = np.zeros((len(resized), 3, height, width), np.float32)
    mean, std = np.asarray(BGR_MEAN, np.float32), np.asarray(BGR_STD, np.float32)
    for row, pixels, (h, w) in zip(batch, resized, sizes, strict=True):
        row[:, :h, :w] = ((pixels[..., ::-1] - mean) / std).transpose(2, 0, 1)
    return DetectorBatch(torch.from_numpy(batch), sizes, torch.tensor(scales, dtype=torch.float32))
