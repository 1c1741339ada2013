"""Sizes (height, width) of resized frames, and the resize itself."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

MAX_ASPECT = 4  # longer side over shorter side of the clip networks' input; no camera's picture is longer

Size = tuple[int, int]  # height, width


def fit_size(size: Size, short_side: int, long_side: int | None = None) -> Size:
    """Return the size of the same aspect whose short side is `short_side`, pixels; it may be larger than `size`.

    If the long side would exceed `long_side`, it becomes `long_side` and the short side is shorter. No side is below 1.
    """
    factor = short_side / min(size)
    if long_side is not None:
        factor = min(factor, long_side / max(size))
    return max(1, int(size[0] * factor + 0.5)), max(1, int(size[1] * factor + 0.5))


def resize(image: NDArray[np.uint8], size: Size) -> NDArray[np.uint8]:
    """Resize (H, W, 3) to `size`, by area if the width shrinks to less than half, else bilinear."""
    if (image.shape[0], image.shape[1]) == size:
        return image
    shrinks = image.shape[1] > 2 * size[1]
    resized = cv2.resize(image, size[::-1], interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    return np.asarray(resized, np.uint8)
