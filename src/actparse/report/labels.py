"""Placement of labels without overlap: a column of text beside each person, where there is space."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

Color = tuple[int, int, int]
Line = tuple[str, Color]


HABIT = 0.3  # share of its area that a label must save in covered pixels to change sides


@dataclass(frozen=True)
class Label:
    """The lines of text for the box (4,) xyxy, pixels, of the person `number`."""

    box: NDArray[np.float64]
    lines: list[Line]
    number: int = 0

    def spots(self, width: int, height: int, size: tuple[int, int]) -> NDArray[np.float64]:
        """Return candidate boxes (8, 4), the preferred first, moved into the picture of (height, width)."""
        x1, y1, x2, y2 = self.box
        gap = 4.0
        candidates = [
            (x2 + gap, y1),
            (x1 - gap - width, y1),
            (x2 + gap, y2 - height),
            (x1 - gap - width, y2 - height),
            (x1, y1 - gap - height),
            (x1, y2 + gap),
            (x2 - width, y1),
            (x1, y1),
        ]
        limits = (max(size[1] - width, 0.0), max(size[0] - height, 0.0))
        corners = np.clip(np.array(candidates), 0.0, limits)  # (8, 2)
        return np.concatenate((corners, corners + (width, height)), axis=1)


@dataclass(frozen=True)
class PlacedLabel:
    """A label with its position and size, pixels."""

    label: Label
    x: int
    y: int
    width: int
    height: int
    line_height: int

    def covers(self, x1: int, y1: int, x2: int, y2: int) -> bool:
        """Tell whether the label hides a part of the box."""
        return x1 < self.x + self.width and self.x < x2 and y1 < self.y + self.height and self.y < y2


def text_size(lines: Sequence[Line], scale: float) -> tuple[int, int, int]:
    """Return width and height of a label and the height of one line, pixels."""
    line_height = round(34 * scale)
    widths = [_text_width(text, scale) for text, _ in lines]
    return max(widths, default=0) + 2 * (line_height // 3), round((len(lines) + 0.2) * line_height), line_height


@lru_cache(maxsize=1000)
def _text_width(text: str, scale: float) -> int:
    return int(cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, 1)[0][0])


def place_labels(
    labels: Sequence[Label], size: tuple[int, int], scale: float, sides: dict[int, int] | None = None
) -> list[tuple[Label, tuple[int, int]]]:
    """Choose the upper left corner of each label.

    Args:
        labels: one for each person.
        size: (height, width) that the labels may use, pixels.
        scale: scale of OpenCV's font.
        sides: number of a person -> side of the label in the previous frame, which is preferred; updated in place.

    Returns:
        The labels with x, y; each is inside `size` if it fits at all.
    """
    placed: list[tuple[Label, tuple[int, int]]] = []
    taken = np.zeros((0, 4))
    boxes = np.array([label.box for label in labels]).reshape(-1, 4)
    for index in np.argsort([-(box[3] - box[1]) for box in boxes], kind="stable"):
        label = labels[index]
        width, height, _ = text_size(label.lines, scale)
        spots = label.spots(width, height, size)
        others = np.delete(boxes, index, axis=0)
        # worst is to cover other labels, then other persons, then the person itself; the first spots are preferred
        costs = 4 * _covered(spots, taken) + _covered(spots, others) + 0.6 * _covered(spots, label.box[None])
        costs += 0.01 * np.arange(len(spots))
        if sides is not None and label.number in sides:
            costs[sides[label.number]] -= HABIT
        side = int(np.argmin(costs))
        spot = spots[side]
        if sides is not None:
            sides[label.number] = side
        taken = np.concatenate((taken, spot[None]))
        placed.append((label, (round(float(spot[0])), round(float(spot[1])))))
    return placed


def _covered(spots: NDArray[np.float64], boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the share of each spot (M, 4) that is covered by boxes (N, 4), summed over the boxes."""
    sides = np.minimum(spots[:, None, 2:], boxes[:, 2:]) - np.maximum(spots[:, None, :2], boxes[:, :2])  # (M, N, 2)
    areas = np.maximum((spots[:, 2:] - spots[:, :2]).prod(axis=1), 1.0)  # (M,)
    shares: NDArray[np.float64] = np.maximum(sides, 0.0).prod(axis=2).sum(axis=1) / areas
    return shares
