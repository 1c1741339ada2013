from __future__ import annotations

import numpy as np

from actparse.core.structures import Detections
from actparse.stages.people.refine import grow_boxes, grow_persons


def keypoints_at(*points: tuple[float, float, float]) -> np.ndarray:
    keypoints = np.zeros((1, 17, 3), np.float32)
    keypoints[0, : len(points)] = points
    return keypoints


BOX = np.array([[10, 10, 20, 30]], np.float32)


def test_a_box_grows_to_confident_keypoints() -> None:
    grown = grow_boxes(BOX, keypoints_at((5, 12, 0.9), (15, 40, 0.3)), min_confidence=0.25, size=(100, 100))
    assert grown.tolist() == [[5, 10, 20, 40]]


def test_it_ignores_keypoints_below_the_threshold() -> None:
    assert grow_boxes(BOX, keypoints_at((0, 0, 0.2)), min_confidence=0.25, size=(100, 100)).tolist() == BOX.tolist()


def test_it_does_not_leave_the_frame() -> None:
    grown = grow_boxes(BOX, keypoints_at((-9, 50, 1.0)), min_confidence=0.25, size=(35, 100))
    assert grown.tolist() == [[0, 10, 20, 35]]


def test_no_rows_in_no_rows_out() -> None:
    none = grow_boxes(np.zeros((0, 4), np.float32), np.zeros((0, 17, 3), np.float32), min_confidence=0.25, size=(9, 9))
    assert none.shape == (0, 4)


def test_persons_keep_their_scores() -> None:
    persons = Detections(BOX, np.array([0.5], np.float32), np.array([0]))
    grown = grow_persons(persons, keypoints_at((5, 12, 0.9)), min_confidence=0.25, size=(100, 100))
    assert grown.boxes.tolist() == [[5, 10, 20, 30]]
    assert grown.scores.tolist() == [0.5]
