from __future__ import annotations

import numpy as np
import pytest

from actparse.core.vocabulary import PART_INDEX
from actparse.metrics.boxes import box_areas, box_iou, intersections, row_iou, swapped_pairs

BOXES = np.array([(0, 0, 10, 10), (0, 5, 10, 15), (3, 3, 3, 3)])


def test_overlap_of_all_pairs_by_hand() -> None:
    np.testing.assert_allclose(box_iou(BOXES[:1], BOXES)[0], [1, 1 / 3, 0])
    assert box_iou(BOXES[:0], BOXES).shape == (0, 3)
    assert box_iou(BOXES[2:], BOXES[2:])[0, 0] == 0


def test_overlap_of_rows_by_hand() -> None:
    a = np.array([[0, 0, 2, 2], [0, 0, 2, 2], [0, 0, 0, 0]], np.float32)
    b = np.array([[1, 0, 3, 2], [5, 5, 6, 6], [0, 0, 0, 0]], np.float32)
    assert row_iou(a, b) == pytest.approx([1 / 3, 0, 0])
    assert row_iou(a[None], b[:, None]).shape == (3, 3)


def test_areas_and_intersections() -> None:
    assert box_areas(BOXES).tolist() == [100, 100, 0]
    assert box_areas(np.array([5, 0, 0, 5])) == 0
    assert intersections(BOXES[0], BOXES).tolist() == [100, 50, 0]


def test_swapped_pairs_are_counted() -> None:
    truth = np.zeros((1, 10, 4), np.float32)
    left, right = PART_INDEX["left_foot"], PART_INDEX["right_foot"]
    truth[0, left], truth[0, right] = (0, 0, 10, 10), (50, 0, 60, 10)
    crossed = truth.copy()
    crossed[0, [left, right]] = truth[0, [right, left]]
    assert swapped_pairs(truth, truth) == 0
    assert swapped_pairs(truth, crossed) == 1
    truth[0, right] = (2, 0, 12, 10)  # overlaps the other: does not count
    assert swapped_pairs(truth, crossed) == 0
