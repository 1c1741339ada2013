"""The pose-guided embedding X' = X + G(K): a disc for every confident keypoint, drawn on the person's crop.

The paper specifies "dots of different colors and radius". The colours (warm for the left side, cold for the right) and
the radii, relative to the crop, are our choice, in `core.vocabulary`; a trained part detector stores those it has seen.
Source: PCF, section II-B, equation 3.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from actparse.core.errors import ConfigError, expect_shape
from actparse.core.vocabulary import DOT_COLORS, DOT_RADII, NUM_KEYPOINTS


@dataclass(frozen=True, kw_only=True)
class DotsConfig:
    """Colours and radii of the dots; a part detector needs the dots that it was trained with, so it stores them."""

    colors: tuple[tuple[int, int, int], ...] = DOT_COLORS  # RGB 0..255, one per keypoint
    radii: tuple[float, ...] = DOT_RADII  # relative to the crop's longer side, one per keypoint
    min_confidence: float = 0.25  # keypoints below it are not drawn

    def __post_init__(self) -> None:
        if len(self.colors) != NUM_KEYPOINTS or len(self.radii) != NUM_KEYPOINTS:
            raise ConfigError(
                f"dots.colors and dots.radii need {NUM_KEYPOINTS} rows, got {len(self.colors)} and {len(self.radii)}"
            )
        if min(self.radii) <= 0:
            raise ConfigError(f"dots.radii must be greater than 0, got {min(self.radii)}")


def draw_dots(crops: Tensor, keypoints: Tensor, config: DotsConfig) -> Tensor:
    """Draw every confident keypoint as a filled disc with a soft edge of one pixel; later keypoints are drawn on top.

    Args:
        crops: (N, 3, H, W) RGB, 0..255, any dtype; N may be 0.
        keypoints: (N, 17, 3) x, y in pixels of the crop, confidence.

    Returns:
        (N, 3, H, W) float32, 0..255.

    Raises:
        ShapeError: `keypoints` is not (N, 17, 3).
    """
    expect_shape("keypoints", keypoints, (crops.shape[0], NUM_KEYPOINTS, 3))
    height, width = crops.shape[-2:]
    drawn = crops.float().clone(memory_format=torch.contiguous_format)
    side = float(max(height, width))
    half = int(max(config.radii) * side) + 2  # of the square window that holds any disc
    offsets = torch.arange(-half, half + 1, device=crops.device)
    for k, (color, radius) in enumerate(zip(config.colors, config.radii, strict=True)):
        indices = (keypoints[:, k, 2] >= config.min_confidence).nonzero().flatten()  # (M,)
        centers = keypoints[indices, k, :2]  # (M, 2)
        x = centers[:, :1].floor().long() + offsets  # (M, S)
        y = centers[:, 1:].floor().long() + offsets  # (M, S)
        dx, dy = x + 0.5 - centers[:, :1], y + 0.5 - centers[:, 1:]
        distance = (dx[:, None, :] ** 2 + dy[:, :, None] ** 2).sqrt()  # (M, S, S)
        inside = ((x >= 0) & (x < width))[:, None, :] & ((y >= 0) & (y < height))[:, :, None]
        opacity = (radius * side - distance + 0.5).clamp(0, 1) * inside  # (M, S, S)
        m, j, i = opacity.nonzero(as_tuple=True)
        alpha = opacity[m, j, i][:, None]  # (P, 1)
        at = (indices[m], slice(None), y[m, j], x[m, i])
        drawn[at] = drawn[at] * (1 - alpha) + torch.tensor(color, dtype=drawn.dtype, device=drawn.device) * alpha
    return drawn
