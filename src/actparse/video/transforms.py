"""Preprocessing for video networks: sizes, crop boxes and layouts.

Crop boxes are whole pixels, xyxy on the resized frame, without the pixels at x2 and y2. Sizes are (height, width).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from actparse.core.errors import ConfigError, ShapeError, expect_shape
from actparse.video.resizing import fit_size

Size = tuple[int, int]  # height, width
Image = NDArray[np.uint8]
Box = NDArray[np.int64]  # (4,) xyxy
_SCALES = (1.0, 0.875, 0.75, 0.66)


def short_side_size(size: Size, short_side: int) -> Size:
    """Return a frame's size after scaling its short side, up or down, to `short_side` with the same aspect."""
    _expect_positive("short_side", short_side)
    return fit_size(size, short_side)


def resize(image: Image, size: Size) -> Image:
    """Resize (H, W, C) to `size` by OpenCV's bilinear rule on bytes."""
    return np.asarray(cv2.resize(image, (size[1], size[0]), interpolation=cv2.INTER_LINEAR), dtype=np.uint8)


def resize_short_side(image: Image, short_side: int) -> Image:
    """Resize (H, W, C) so that its short side is `short_side`."""
    return resize(image, short_side_size((image.shape[0], image.shape[1]), short_side))


def crop(images: NDArray[Any], box: Box) -> NDArray[Any]:
    """Crop images (..., H, W, C) to `box` (4,); returns a view."""
    x1, y1, x2, y2 = (int(v) for v in box)
    return images[..., y1:y2, x1:x2, :]


def center_crop_box(size: Size, crop_size: int) -> Box:
    """Return the square (4,) of side `crop_size` in the middle of a frame.

    Raises:
        ConfigError: the frame is smaller than the crop.
    """
    _expect_positive("crop_size", crop_size)
    if min(size) < crop_size:
        raise ConfigError(f"transforms.crop_size must be at most the frame's short side, {min(size)}, got {crop_size}")
    x, y = (size[1] - crop_size) // 2, (size[0] - crop_size) // 2
    return np.array([x, y, x + crop_size, y + crop_size], dtype=np.int64)


def multiscale_crop_boxes(
    size: Size, crop_size: int = 224, *, scales: Sequence[float] = _SCALES, max_gap: int = 1
) -> Box:
    """Return all boxes (N, 4) of the multi-scale training crop, for resizing to a square of `crop_size`.

    A side is the short side times a scale; the scales of a box's two sides are at most `max_gap` apart in the list; a
    side within 2 pixels of `crop_size` is set to it. The positions are the four corners and the centre.

    Source: Wang et al. 2016, section 4.1.
    """
    _expect_positive("crop_size", crop_size)
    sides = [int(min(size) * scale) for scale in scales]
    sides = [crop_size if abs(side - crop_size) < 3 else side for side in sides]
    boxes = [
        (x, y, x + width, y + height)
        for i, height in enumerate(sides)
        for j, width in enumerate(sides)
        if abs(i - j) <= max_gap
        for x, y in _five_corners(size, (height, width))
    ]
    return np.array(boxes, dtype=np.int64).reshape(-1, 4)


def random_resized_crop_box(
    size: Size,
    rng: np.random.Generator,
    *,
    area: tuple[float, float] = (0.08, 1.0),
    aspect: tuple[float, float] = (3 / 4, 4 / 3),
    num_attempts: int = 10,
) -> Box:
    """Draw a random box (4,): `area` is its share of the frame, `aspect` (width / height) is log-uniform.

    If no attempt fits, return the centred square of the short side.
    """
    height, width = size
    for _ in range(num_attempts):
        ratio = np.exp(rng.uniform(np.log(aspect[0]), np.log(aspect[1])))
        target = rng.uniform(*area) * height * width
        w, h = round(np.sqrt(target * ratio)), round(np.sqrt(target / ratio))
        if 0 < w <= width and 0 < h <= height:
            x, y = int(rng.integers(width - w + 1)), int(rng.integers(height - h + 1))
            return np.array([x, y, x + w, y + h], dtype=np.int64)
    return center_crop_box(size, min(size))


def mirror(images: NDArray[Any]) -> NDArray[Any]:
    """Mirror images (..., H, W, C) left to right; returns a view. For flow use `flow.mirror_flow_bytes`."""
    return images[..., ::-1, :]


def flow_to_stacks(flow: NDArray[Any], num_frames: int) -> NDArray[Any]:
    """Arrange flow (M*T, H, W, 2), clip after clip, as stacks (M, 2*T, H, W) with channels x1, y1, x2, y2, ...

    Raises:
        ShapeError: the fields do not fill whole clips.
    """
    expect_shape("flow", flow, (None, None, None, None))
    _expect_positive("num_frames", num_frames)
    if len(flow) % num_frames:
        raise ShapeError(f"flow must be a multiple of {num_frames} fields, got {len(flow)}")
    clips = flow.reshape(-1, num_frames, *flow.shape[1:]).transpose(0, 1, 4, 2, 3)  # (M, T, 2, H, W)
    return clips.reshape(clips.shape[0], -1, *clips.shape[3:])  # (M, 2*T, H, W)


def _five_corners(size: Size, crop_size: Size) -> list[tuple[int, int]]:
    x, y = (size[1] - crop_size[1]) // 4, (size[0] - crop_size[0]) // 4  # a quarter of the slack
    return [(0, 0), (4 * x, 0), (0, 4 * y), (4 * x, 4 * y), (2 * x, 2 * y)]


def _expect_positive(name: str, value: int) -> None:
    if value < 1:
        raise ConfigError(f"transforms.{name} must be at least 1, got {value}")
