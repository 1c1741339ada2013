"""Windows of a frame around boxes, cut out and resized; outside the frame they are black."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class PersonCrops:
    """Windows of a frame: crop pixel = (frame pixel - `origins`) * `scales`."""

    origins: NDArray[np.float32]  # (N, 2) x, y of the window's corner, frame pixels
    scales: NDArray[np.float32]  # (N,) crop pixels per frame pixel
    sizes: NDArray[np.int64]  # (N, 2) width, height of the crop, pixels

    def points_to_crop(self, points: NDArray[np.float32]) -> NDArray[np.float32]:
        """Convert points (N, K, 2) from frame to crop pixels."""
        return (points - self.origins[:, None]) * self.scales[:, None, None]

    def points_to_frame(self, points: NDArray[np.float32]) -> NDArray[np.float32]:
        """Convert points (N, K, 2) from crop to frame pixels."""
        return points / self.scales[:, None, None] + self.origins[:, None]

    def keypoints_to_crop(self, keypoints: NDArray[np.float32]) -> NDArray[np.float32]:
        """Convert keypoints (N, K, 3) x, y, confidence from frame to crop pixels."""
        return np.concatenate((self.points_to_crop(keypoints[..., :2]), keypoints[..., 2:]), axis=2).astype(np.float32)

    def keypoints_to_frame(self, keypoints: NDArray[np.float32]) -> NDArray[np.float32]:
        """Convert keypoints (N, K, 3) x, y, confidence from crop to frame pixels."""
        return np.concatenate((self.points_to_frame(keypoints[..., :2]), keypoints[..., 2:]), axis=2).astype(np.float32)

    def cut(self, image: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
        """Return the windows as N images (height, width, 3); outside the frame they are black."""
        windows = zip(self.origins, self.scales.tolist(), self.sizes.tolist(), strict=True)
        return [_warp(image, origin, scale, (width, height)) for origin, scale, (width, height) in windows]


def square_crops(boxes: NDArray[np.float32], *, size: int, padding: float) -> PersonCrops:
    """Place a square window around each box.

    Args:
        boxes: (N, 4) xyxy, frame pixels; N may be 0.
        size: pixels of the window's sides in the crop.
        padding: side of the window relative to the longer side of the box.

    Returns:
        N windows with the centres of their boxes.
    """
    return _center_crops(boxes, _scales(boxes, size, padding), np.full((len(boxes), 2), size))


def fitted_crops(boxes: NDArray[np.float32], *, size: int, padding: float, multiple: int) -> PersonCrops:
    """Place a window around each box like `square_crops`, but not larger along the box's shorter side than needed.

    Args:
        boxes: (N, 4) xyxy, frame pixels; N may be 0.
        size: pixels of the window's longer side in the crop, a multiple of `multiple`.
        padding: longer side of the window relative to that of the box; the shorter side gets at least the same margin.
        multiple: pixels; the crop's sides are multiples of it.

    Returns:
        N windows with the centres of their boxes.
    """
    scales = _scales(boxes, size, padding)  # (N,)
    margin = size * (1 - 1 / padding)  # crop pixels, on both sides together
    needed = (boxes[:, 2:] - boxes[:, :2]) * scales[:, None] + margin  # (N, 2)
    sizes = np.ceil(np.clip(needed, 1, size) / multiple).astype(np.int64) * multiple
    return _center_crops(boxes, scales, sizes)


def _scales(boxes: NDArray[np.float32], size: int, padding: float) -> NDArray[np.float32]:
    """Return crop pixels per frame pixel (N,) for windows whose longer sides have `size` pixels."""
    sides = np.maximum((boxes[:, 2:] - boxes[:, :2]).max(axis=1, initial=1), 1) * padding  # (N,)
    return np.asarray(size / sides, np.float32)


def _center_crops(boxes: NDArray[np.float32], scales: NDArray[np.float32], sizes: NDArray[np.int64]) -> PersonCrops:
    origins = (boxes[:, :2] + boxes[:, 2:]) / 2 - sizes / scales[:, None] / 2  # (N, 2)
    return PersonCrops(origins.astype(np.float32), scales, sizes)


def _warp(
    image: NDArray[np.uint8], origin: NDArray[np.float32], scale: float, size: tuple[int, int]
) -> NDArray[np.uint8]:
    """Cut the window at `origin` out as a crop of `size` (width, height)."""
    half_pixel = 0.5 * scale - 0.5  # pixel i's centre is at i + 0.5 in continuous coordinates
    shift = -origin * scale + half_pixel
    matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]], np.float32)
    if scale < 0.5:  # bilinear sampling would alias, so shrink the window by area first
        x1, y1 = np.floor(origin).astype(int).clip(0)
        x2, y2 = np.ceil(origin + np.array(size) / scale).astype(int).clip(0) + 1
        window = image[y1:y2, x1:x2]
        if window.size:
            small_size = [max(1, round(2 * scale * side)) for side in (window.shape[1], window.shape[0])]
            small = cv2.resize(window, small_size, interpolation=cv2.INTER_AREA)
            exact = np.array([window.shape[1] / small.shape[1], window.shape[0] / small.shape[0]])
            corner = np.array([x1, y1])
            shift = ((0.5 * exact + corner) - origin) * scale - 0.5
            matrix = np.array([[scale * exact[0], 0, shift[0]], [0, scale * exact[1], shift[1]]], np.float32)
            image = np.asarray(small, np.uint8)
    crop = cv2.warpAffine(image, matrix, size, flags=cv2.INTER_LINEAR, borderValue=(0, 0, 0))
    return np.asarray(crop, np.uint8)
