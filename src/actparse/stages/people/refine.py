"""Growth of person boxes to contain all confident keypoints. Source: PCF, section II-B, last paragraph."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from actparse.core.structures import Detections


def grow_boxes(
    boxes: NDArray[np.float32], keypoints: NDArray[np.float32], *, min_confidence: float, size: tuple[int, int]
) -> NDArray[np.float32]:
    """Extend each box to the keypoints that are outside it and in the frame.

    Args:
        boxes: (N, 4) xyxy, pixels; N may be 0.
        keypoints: (N, 17, 3) x, y in pixels, confidence.
        min_confidence: keypoints below it do not change a box.
        size: (height, width) of the frame.

    Returns:
        (N, 4) xyxy; each contains its original box; new sides are clipped to the frame.
    """
    confident = keypoints[..., 2:] >= min_confidence  # (N, 17, 1)
    xy = np.clip(keypoints[..., :2], 0, np.array(size[::-1], np.float32))  # (N, 17, 2)
    low = np.where(confident, xy, np.inf).min(axis=1, initial=np.inf)  # (N, 2)
    high = np.where(confident, xy, -np.inf).max(axis=1, initial=-np.inf)  # (N, 2)
    grown = np.concatenate((np.minimum(boxes[:, :2], low), np.maximum(boxes[:, 2:], high)), axis=1)
    return grown.astype(np.float32)


def grow_persons(
    persons: Detections, keypoints: NDArray[np.float32], *, min_confidence: float, size: tuple[int, int]
) -> Detections:
    """Return the N persons with boxes from `grow_boxes`; the other arguments are the same as there."""
    boxes = grow_boxes(persons.boxes, keypoints, min_confidence=min_confidence, size=size)
    return Detections(boxes, persons.scores, persons.labels)
