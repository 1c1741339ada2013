"""Labels that do not lie on each other: a column of text beside each person, where there is room."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Color = tuple[int, int, int]
Line = tuple[str, Color]


HABIT = 0.3  # of a label's area that something else must free before it changes sides


@dataclass(frozen=True)
class Label:
    """Lines of text that belong to a box (4,) xyxy, pixels, of the person `number`."""

    box: NDArray[np.float64]
    lines: list[Line]
    number: int = 0


def text_size(lines: Sequence[Line], scale: float) -> tuple[int, int, int]:
    """Width and height of a label and the height of one line, pixels."""
    line_height = round(34 * scale)
    widths = [cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, 1)[0][0] for text, _ in lines]
    return max(widths, default=0) + 2 * (line_height // 3), round((len(lines) + 0.2) * line_height), line_height


def place_labels(
    labels: Sequence[Label], size: tuple[int, int], scale: float, sides: dict[int, int] | None = None
) -> list[tuple[Label, tuple[int, int]]]:
    """Choose the upper left corner of each label.

    Args:
        labels: one for each person.
        size: (height, width) that the labels may use, pixels.
        scale: of OpenCV's font.
        sides: by number the side that its label had in the frame before, which it would rather keep; updated in place.

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
        costs = np.array([_cost(spot, label.box, taken, others) for spot in spots]) + 0.01 * np.arange(len(spots))
        if sides is not None and label.number in sides:
            costs[sides[label.number]] -= HABIT
        side = int(np.argmin(costs))
        spot = spots[side]
        if sides is not None:
            sides[label.number] = side
        taken = np.concatenate((taken, spot[None]))
        placed.append((label, (round(float(spot[0])), round(float(spot[1])))))
    return placed


def _cost(
    spot: NDArray[np.float64], box: NDArray[np.float64], taken: NDArray[np.float64], others: NDArray[np.float64]
) -> float:
    """How bad it is to cover what the spot covers: other labels most, then other persons, then the own person."""
    return 4 * _covered(spot, taken) + _covered(spot, others) + 0.6 * _covered(spot, box[None])


def _spots(box: NDArray[np.float64], width: int, height: int, size: tuple[int, int]) -> list[NDArray[np.float64]]:
    """Places to try, the most natural first, moved into the picture."""
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
    for x, y in tries:
        left = min(max(x, 0.0), max(size[1] - width, 0.0))
        top = min(max(y, 0.0), max(size[0] - height, 0.0))
        spots.append(np.array([left, top, left + width, top + height]))
    return spots


def _covered(spot: NDArray[np.float64], boxes: NDArray[np.float64]) -> float:
    """Share of the spot that boxes (N, 4) cover, added up."""
    if not len(boxes):
        return 0.0
    sides = np.minimum(spot[2:], boxes[:, 2:]) - np.maximum(spot[:2], boxes[:, :2])
    area = max(float((spot[2] - spot[0]) * (spot[3] - spot[1])), 1.0)
    return float(np.clip(sides, 0, None).prod(axis=1).sum()) / area
