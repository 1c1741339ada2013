"""Overlap of boxes as arrays. Boxes are (..., 4) xyxy in continuous coordinates; the evaluator's rule is in `tps`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MIN_UNION = 1e-9  # pixels squared; the IoU of two empty boxes is 0


def box_areas(boxes: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the areas (...,) of boxes (..., 4); 0 for a box whose corners are swapped on one axis."""
    corners = np.asarray(boxes, np.float64)
    return np.asarray((corners[..., 2:] - corners[..., :2]).clip(min=0).prod(axis=-1), np.float64)


def intersections(a: NDArray[np.floating], b: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the areas (...,) that the boxes of `a` and `b`, (..., 4) each, share in the same rows; axes broadcast."""
    first, second = np.asarray(a, np.float64), np.asarray(b, np.float64)
    sides = np.minimum(first[..., 2:], second[..., 2:]) - np.maximum(first[..., :2], second[..., :2])  # (..., 2)
    return np.asarray(sides.clip(min=0).prod(axis=-1), np.float64)


def row_iou(a: NDArray[np.floating], b: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the IoU (...,) of boxes (..., 4) with the boxes of `b` in the same rows; leading axes broadcast."""
    shared = intersections(a, b)
    return np.asarray(shared / np.maximum(box_areas(a) + box_areas(b) - shared, MIN_UNION), np.float64)


def box_iou(a: NDArray[np.floating], b: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the IoU (N, P) of every box of `a` (N, 4) with every box of `b` (P, 4)."""
    return row_iou(np.asarray(a)[:, None], np.asarray(b)[None])
