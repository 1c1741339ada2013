"""Overlap of boxes as arrays. Boxes are (..., 4) xyxy in continuous coordinates; the evaluator's rule is in `tps`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from actparse.core.vocabulary import PART_FLIP

PART_PAIRS = [(left, right) for left, right in enumerate(PART_FLIP) if left < right]
MAX_PAIR_IOU = 0.2  # of the true boxes of a left-right pair; pairs that overlap more do not count
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


def swapped_pairs(truth: NDArray[np.float32], boxes: NDArray[np.float32]) -> float:
    """Return the share of left-right pairs whose boxes fit the other side's truth better, without overlapping pairs.

    Args:
        truth: (P, 10, 4) xyxy; zeros where a part is not annotated.
        boxes: (P, 10, 4) the predicted boxes.

    Returns:
        0..1; 0 if there is no pair.
    """
    exists = (truth != 0).any(axis=2)  # (P, 10)
    num_swapped, num_pairs = 0, 0
    for left, right in PART_PAIRS:
        is_valid = exists[:, left] & exists[:, right]  # (P,)
        is_valid[is_valid] = row_iou(truth[is_valid, left], truth[is_valid, right]) < MAX_PAIR_IOU
        same_side = row_iou(boxes[is_valid, left], truth[is_valid, left]) + row_iou(
            boxes[is_valid, right], truth[is_valid, right]
        )
        other_side = row_iou(boxes[is_valid, left], truth[is_valid, right]) + row_iou(
            boxes[is_valid, right], truth[is_valid, left]
        )
        num_swapped += int((other_side > same_side).sum())
        num_pairs += int(is_valid.sum())
    return num_swapped / max(num_pairs, 1)
