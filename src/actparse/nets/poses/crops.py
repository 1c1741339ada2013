"""Transforms from a person's box to the pose network's crop and back: geometry in NumPy, pixels by OpenCV.

Pixels are counted from the centre of the first one, as the public networks and OpenCV do.
Sources: mmpose 1.x, top-down affine; Huang et al., Unbiased Data Processing, 2020 (`udp`).
"""

from __future__ import annotations

from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from actparse.core.errors import ConfigError, ShapeError, expect_shape

Size = tuple[int, int]  # (height, width)
Float = TypeVar("Float", np.float32, np.float64)


def box_to_center_scale(
    boxes: NDArray[Float], size: Size, padding: float = 1.25
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Compute the area of each crop: the padded box, enlarged to the crop's aspect.

    Args:
        boxes: (N, 4) xyxy, pixels of the image.
        size: (H, W) of the crop, pixels.
        padding: side of the crop relative to the box's, before it is enlarged.

    Returns:
        Centers (N, 2) x, y, and scales (N, 2) width, height of the crop's area; both in pixels of the image.

    Raises:
        ConfigError: `padding` is not above 0.
        ShapeError: `boxes` is not (N, 4).
    """
    expect_shape("boxes", boxes, (None, 4))
    if not padding > 0:
        raise ConfigError(f"padding must be above 0, got {padding}")
    corners = boxes.astype(np.float32)
    centers = (corners[:, :2] + corners[:, 2:]) * np.float32(0.5)  # (N, 2)
    width, height = ((corners[:, 2:] - corners[:, :2]) * np.float32(padding)).T  # (N,), (N,)
    aspect = np.float32(size[1] / size[0])
    wide = width > height * aspect  # (N,)
    scales = np.stack((np.where(wide, width, height * aspect), np.where(wide, width / aspect, height)), axis=1)
    return centers, scales.astype(np.float32)


def crop_matrix(
    center: NDArray[np.float32], scale: NDArray[np.float32], size: Size, rotation: float = 0.0, udp: bool = False
) -> NDArray[np.float64]:
    """Compute the transform from the image to the crop.

    Args:
        center: (2,) x, y, pixels of the image.
        scale: (2,) width, height of the crop's area, pixels of the image, above 0.
        size: (H, W) of the crop, pixels.
        rotation: degrees, of the crop's area in the image.
        udp: measure from the centre of the first pixel to that of the last, instead of by numbers of pixels.

    Returns:
        (2, 3), for points (x, y, 1).
    """
    angle = np.deg2rad(rotation)
    cos, sin = np.cos(angle), np.sin(angle)
    extent = np.array(size[::-1], np.float64) - (1 if udp else 0)  # (2,) width, height
    # the two conventions rotate in opposite directions
    turn = np.array([[cos, -sin], [sin, cos]]) if udp else np.array([[cos, sin], [-sin, cos]])
    zoom = extent / scale if udp else np.full(2, extent[0] / scale[0])  # (2,)
    linear = zoom[:, None] * turn  # (2, 2)
    offset = extent / 2 - linear @ np.asarray(center, np.float64)  # (2,)
    return np.concatenate((linear, offset[:, None]), axis=1)


def inverse(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the inverse (2, 3) of a transform (2, 3)."""
    linear = np.linalg.inv(matrix[:, :2])
    return np.concatenate((linear, -linear @ matrix[:, 2:]), axis=1)


def warp_crops(
    image: NDArray[np.uint8],
    centers: NDArray[np.float32],
    scales: NDArray[np.float32],
    size: Size,
    udp: bool = False,
) -> NDArray[np.uint8]:
    """Cut crops out of an image, bilinear, black outside it.

    Args:
        image: (H, W, 3).
        centers: (N, 2) x, y, pixels.
        scales: (N, 2) width, height, pixels.
        size: (h, w) of the crops.
        udp: as in `crop_matrix`.

    Returns:
        (N, h, w, 3); N may be 0.

    Raises:
        ShapeError: an array has another shape.
    """
    expect_shape("image", image, (None, None, 3))
    expect_shape("centers", centers, (None, 2))
    expect_shape("scales", scales, (len(centers), 2))
    crops = np.empty((len(centers), *size, 3), np.uint8)
    for crop, center, scale in zip(crops, centers, scales, strict=True):
        matrix = crop_matrix(center, scale, size, udp=udp)
        cv2.warpAffine(image, matrix, size[::-1], dst=crop, flags=cv2.INTER_LINEAR)
    return crops


def points_to_image(
    points: NDArray[Float], centers: NDArray[np.float32], scales: NDArray[np.float32], size: Size
) -> NDArray[np.float32]:
    """Convert points from crops to the image; columns after x and y are unchanged.

    Args:
        points: (N, K, 2 or more) x, y, pixels of the crop, ...
        centers: (N, 2) x, y, pixels of the image.
        scales: (N, 2) width, height, pixels of the image.
        size: (H, W) of the crops.

    Returns:
        The shape of `points`, x and y in pixels of the image.

    Raises:
        ShapeError: the arrays do not fit each other.
    """
    if points.ndim != 3 or points.shape[2] < 2:
        raise ShapeError(f"points must have shape (N, K, 2 or more), got {points.shape}")
    expect_shape("centers", centers, (len(points), 2))
    expect_shape("scales", scales, (len(points), 2))
    converted = points.astype(np.float32)
    extent = np.array(size[::-1], np.float32)  # (2,)
    converted[..., :2] = converted[..., :2] / extent * scales[:, None] + (centers - scales / 2)[:, None]
    return converted
