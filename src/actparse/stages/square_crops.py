"""Square windows of a frame about boxes, cut out and resized; outside the frame they are black."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class SquareCrops:
    """Square windows of a frame: crop pixel = (frame pixel - `origins`) * `scales`."""

    origins: NDArray[np.float32]  # (N, 2) x, y of the window's corner, frame pixels
    scales: NDArray[np.float32]  # (N,) crop pixels per frame pixel

    def points_to_crop(self, points: NDArray[np.float32]) -> NDArray[np.float32]:
        """(N, K, 2) frame pixels -> (N, K, 2) crop pixels."""
        return (points - self.origins[:, None]) * self.scales[:, None, None]

    def points_to_frame(self, points: NDArray[np.float32]) -> NDArray[np.float32]:
        """(N, K, 2) crop pixels -> (N, K, 2) frame pixels."""
        return points / self.scales[:, None, None] + self.origins[:, None]

    def cut(self, image: NDArray[np.uint8], size: int) -> list[NDArray[np.uint8]]:
        """The windows as N images (size, size, 3); outside the frame they are black."""
        windows = zip(self.origins, self.scales, strict=True)
        return [_warp(image, origin, float(scale), size) for origin, scale in windows]


def square_crops(boxes: NDArray[np.float32], *, size: int, padding: float) -> SquareCrops:
    """Place a square window about each box.

    Args:
        boxes: (N, 4) xyxy, frame pixels; N may be 0.
        size: pixels of the window's sides in the crop.
        padding: side of the window over the longer side of the box.

    Returns:
        N windows with the centres of their boxes.
    """
    sides = np.maximum((boxes[:, 2:] - boxes[:, :2]).max(axis=1, initial=1), 1) * padding  # (N,)
    origins = (boxes[:, :2] + boxes[:, 2:]) / 2 - sides[:, None] / 2  # (N, 2)
    return SquareCrops(origins.astype(np.float32), (size / sides).astype(np.float32))


def _warp(image: NDArray[np.uint8], origin: NDArray[np.float32], scale: float, size: int) -> NDArray[np.uint8]:
    half_pixel = 0.5 * scale - 0.5  # pixel i's centre lies at i + 0.5 in continuous coordinates
    shift = -origin * scale + half_pixel
    matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]], np.float32)
    if scale < 0.5:  # bilinear sampling would alias: shrink the window by area first
        x1, y1 = np.floor(origin).astype(int).clip(0)
        x2, y2 = np.ceil(origin + size / scale).astype(int).clip(0) + 1
        window = image[y1:y2, x1:x2]
        if window.size:
            factor = 2 * scale
            small = cv2.resize(window, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
            exact = np.array([window.shape[1] / small.shape[1], window.shape[0] / small.shape[0]])
            corner = np.array([x1, y1])
            shift = ((0.5 * exact + corner) - origin) * scale - 0.5
            matrix = np.array([[scale * exact[0], 0, shift[0]], [0, scale * exact[1], shift[1]]], np.float32)
            image = np.asarray(small, np.uint8)
    crop = cv2.warpAffine(image, matrix, (size, size), flags=cv2.INTER_LINEAR, borderValue=(0, 0, 0))
    return np.asarray(crop, np.uint8)
