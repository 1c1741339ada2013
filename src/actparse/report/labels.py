"""Labels that do not lie on each other: a column of text beside each person, where there is room."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Color = tuple[int, int, int]
Line = tuple[str, Color]


@dataclass(frozen=True)
class Label:
    """Lines of text that belong to a box (4,) xyxy, pixels."""

    box: NDArray[np.float64]
    lines: list[Line]


def text_size(lines: Sequence[Line], scale: float) -> tuple[int, int, int]:
    """Width and height of a label and the height of one line, pixels."""
    line_height = round(34 * scale)
    widths = [cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, 1)[0][0] for text, _ in lines]
    return max(widths, default=0) + 2 * (line_height // 3), round((len(lines) + 0.2) * line_height), line_height


def place_labels(labels: Sequence[Label], size: tuple[int, int], scale: float) -> list[tuple[Label, tuple[int, int]]]:
    """Choose the upper left corner of each label.

    Args:
        labels: one for each person.
        size: (height, width) that the labels may use, pixels.
        scale: of OpenCV's font.

    Returns:
        The labels with x, y; each is inside `size` if it fits at all.
    """
    placed: list[tuple[Label, tuple[int, int]]] = []
    taken = np.zeros((0, 4))
    boxes = np.array([label.box for label in labels]).reshape(-1, 4)
    for index in np.argsort([-(box[3] - box[1]) for box in boxes], kind="stable"):
        label = labels[index]
        width, height, _ = text_size(label.lines, scale)
        spots = _spots(label.box, width, height, size)
        others = np.delete(boxes, index, axis=0)
        costs = [
            4 * _covered(s, taken) + _covered(s, others) + 0.6 * _covered(s, label.box[None]) + rank
            for rank, s in spots
        ]
        _, spot = spots[int(np.argmin(costs))]
        taken = np.concatenate((taken, spot[None]))
        placed.append((label, (round(float(spot[0])), round(float(spot[1])))))
    return placed


def _spots(
    box: NDArray[np.float64], width: int, height: int, size: tuple[int, int]
) -> list[tuple[float, NDArray[np.float64]]]:
    """Places to try, moved into the picture, with a cost for those that are less natural."""
    x1, y1, x2, y2 = box
    gap = 4.0
    tries = [
        (x2 + gap, y1),
        (x1 - gap - width, y1),
        (x2 + gap, y2 - height),
        (x1 - gap - width, y2 - height),
        (x1, y1 - gap - height),
        (x1, y2 + gap),
        (x2 - width, y1),
        (x1, y1),
    ]
    spots = []
    for rank, (x, y) in enumerate(tries):
        left = min(max(x, 0.0), max(size[1] - width, 0.0))
        top = min(max(y, 0.0), max(size[0] - height, 0.0))
        spots.append((0.01 * rank, np.array([left, top, left + width, top + height])))
    return spots


def _covered(spot: NDArray[np.float64], boxes: NDArray[np.float64]) -> float:
    """Share of the spot that boxes (N, 4) cover, added up."""
    if not len(boxes):
        return 0.0
    sides = np.minimum(spot[2:], boxes[:, 2:]) - np.maximum(spot[:2], boxes[:, :2])
    area = max(float((spot[2] - spot[0]) * (spot[3] - spot[1])), 1.0)
    return float(np.clip(sides, 0, None).prod(axis=1).sum()) / area
