from __future__ import annotations

import numpy as np
import pytest

from actparse.errors import ConfigError, ShapeError
from actparse.stages.tracking import Tracker, TrackerConfig


def persons(*centers: tuple[float, float], score: float = 0.9) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """People of 40 x 120 pixels with all keypoints spread over their box."""
    boxes = np.array([[x - 20, y - 60, x + 20, y + 60] for x, y in centers], np.float32).reshape(-1, 4)
    spread = np.linspace(-1, 1, 17)
    keypoints = np.array([[[x + 15 * s, y + 55 * s, 0.9] for s in spread] for x, y in centers], np.float32)
    return boxes, np.full(len(centers), score, np.float32), keypoints.reshape(-1, 17, 3)


def test_ids_count_from_one_and_stay() -> None:
    tracker = Tracker(TrackerConfig())
    assert tracker.update(0.0, *persons((50, 100), (150, 100))).tolist() == [1, 2]
    assert tracker.update(0.5, *persons((152, 100), (55, 101))).tolist() == [2, 1]
    assert tracker.update(1.0, *persons((250, 100), (60, 100), (155, 99))).tolist() == [3, 1, 2]


def test_frames_without_persons() -> None:
    tracker = Tracker(TrackerConfig())
    assert tracker.update(0.0, *persons()).tolist() == []
    assert tracker.update(0.5, *persons((50, 100))).tolist() == [1]


def test_a_short_occlusion_is_bridged_and_a_long_one_is_not() -> None:
    tracker = Tracker(TrackerConfig(max_gap_seconds=2.0))
    tracker.update(0.0, *persons((50, 100), (150, 100)))
    for time in (0.5, 1.0):
        assert tracker.update(time, *persons((50, 100))).tolist() == [1]
    assert tracker.update(1.5, *persons((50, 100), (154, 100))).tolist() == [1, 2]
    for time in np.arange(2.0, 4.1, 0.5):
        tracker.update(float(time), *persons((50, 100)))
    assert tracker.update(4.5, *persons((50, 100), (154, 100))).tolist() == [1, 3]


def test_people_who_cross_keep_their_ids() -> None:
    tracker = Tracker(TrackerConfig())
    for step in range(9):
        ids = tracker.update(0.2 * step, *persons((50 + 25 * step, 100), (250 - 25 * step, 110)))
        assert ids.tolist() == [1, 2]


def test_a_person_who_comes_back_after_seconds_is_known_again() -> None:
    tracker = Tracker(TrackerConfig())
    tracker.update(0.0, *persons((50, 100), (150, 100)))
    for time in np.arange(0.5, 3.1, 0.5):
        tracker.update(float(time), *persons((50, 100)))
    assert tracker.update(3.5, *persons((50, 100), (165, 98))).tolist() == [1, 2]


def test_two_frames_of_one_time() -> None:
    tracker = Tracker(TrackerConfig())
    for time in (0.0, 0.0, 0.1, 0.1):
        assert tracker.update(time, *persons((50 + 20 * time, 100), (150, 100))).tolist() == [1, 2]


def test_persons_without_keypoints_are_linked_by_their_boxes() -> None:
    tracker = Tracker(TrackerConfig())
    for step in range(4):
        boxes, scores, keypoints = persons((50 + 5 * step, 100), (150 - 5 * step, 100))
        assert tracker.update(step / 2, boxes, scores, keypoints * 0).tolist() == [1, 2]


def test_a_wrong_shape_is_named() -> None:
    boxes, _, keypoints = persons((50, 100))
    with pytest.raises(ShapeError, match=r"scores must have shape \(1\), got \(2,\)"):
        Tracker(TrackerConfig()).update(0.0, boxes, np.ones(2, np.float32), keypoints)


def test_unsure_detections_come_second() -> None:
    tracker = Tracker(TrackerConfig())
    tracker.update(0.0, *persons((100, 100)))
    boxes, scores, keypoints = (
        np.concatenate(pair) for pair in zip(persons((96, 100), score=0.2), persons((108, 100)), strict=True)
    )
    assert tracker.update(0.5, boxes, scores, keypoints).tolist() == [2, 1]


def test_a_wrong_field_is_named() -> None:
    with pytest.raises(ConfigError, match=r"tracker\.min_similarity must be 0\.\.1, got 2"):
        TrackerConfig(min_similarity=2)
