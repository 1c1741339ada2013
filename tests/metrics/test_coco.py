from __future__ import annotations

import math

import numpy as np
import pytest

from actparse.core.structures import Detections
from actparse.metrics.coco import average_precision, average_precision_by_size, keypoint_average_precision


def boxes(
    *rows: tuple[float, float, float, float], scores: list[float] | None = None, labels: list[int] | None = None
) -> Detections:
    count = len(rows)
    return Detections(
        np.array(rows, np.float32).reshape(-1, 4),
        np.array(scores or [1.0] * count, np.float32),
        np.array(labels or [0] * count, np.int64),
    )


NONE = boxes()


def test_perfect_boxes_score_100() -> None:
    truth = [boxes((0, 0, 10, 10), (20, 20, 50, 50)), boxes((5, 5, 9, 9))]
    result = average_precision(truth, truth, ["person"])
    assert (result.ap, result.ap50, result.ap75) == (100.0, 100.0, 100.0)


def test_an_overlap_of_two_thirds_counts_at_half_alone() -> None:
    result = average_precision([boxes((0, 0, 10, 10))], [boxes((0, 0, 10, 15))], ["person"])
    assert result.ap50 == 100.0
    assert result.ap75 == 0.0
    assert result.ap == pytest.approx(40.0)  # the thresholds .50, .55, .60, .65 of ten


def test_a_better_scored_false_box_halves_the_precision() -> None:
    found = [boxes((50, 50, 60, 60), (0, 0, 10, 10), scores=[0.9, 0.8])]
    assert average_precision([boxes((0, 0, 10, 10))], found, ["person"]).ap50 == pytest.approx(50.0)


def test_classes_are_kept_apart() -> None:
    truth = [boxes((0, 0, 10, 10), (20, 20, 30, 30), labels=[0, 1])]
    found = [boxes((0, 0, 10, 10), (20, 20, 30, 30), labels=[0, 0])]
    result = average_precision(truth, found, ["head", "hip", "foot"])
    assert result.ap50_by_class["head"] == pytest.approx(100.0)
    assert result.ap50_by_class["hip"] == 0.0
    assert math.isnan(result.ap50_by_class["foot"])
    assert result.ap50 == pytest.approx(50.0)


def test_nothing_found_and_nothing_there() -> None:
    assert average_precision([boxes((0, 0, 10, 10))], [NONE], ["person"]).ap50 == 0.0
    assert math.isnan(average_precision([NONE], [NONE], ["person"]).ap50)


def test_sizes_are_kept_apart() -> None:
    small, medium = (0, 0, 10, 10), (100, 100, 150, 150)
    result = average_precision_by_size([boxes(small, medium)], [boxes(medium)], ["person"])
    assert result["all"].ap50 == pytest.approx(50.5, abs=0.01)  # half the recall, at the 51 of 101 steps
    assert result["small"].ap50 == 0.0
    assert result["medium"].ap50 == pytest.approx(100.0)
    assert math.isnan(result["large"].ap50)
    assert result["all"] == average_precision([boxes(small, medium)], [boxes(medium)], ["person"])


def test_nothing_found_of_any_size() -> None:
    result = average_precision_by_size([boxes((0, 0, 10, 10))], [NONE], ["person"])
    assert (result["all"].ap, result["small"].ap) == (0.0, 0.0)
    assert math.isnan(result["medium"].ap)


def test_keypoints_by_similarity() -> None:
    points = np.random.default_rng(0).uniform(0, 100, (1, 17, 3)).astype(np.float32)
    points[..., 2] = 2
    truth = [(points, np.array([[0, 0, 100, 100]], np.float32))]
    exact = keypoint_average_precision(truth, [(points, np.ones(1, np.float32))])
    assert exact.ap == pytest.approx(100.0)
    moved = points + np.array([60, 60, 0], np.float32)
    assert keypoint_average_precision(truth, [(moved, np.ones(1, np.float32))]).ap50 == 0.0
    nothing = (np.zeros((0, 17, 3), np.float32), np.zeros(0, np.float32))
    assert keypoint_average_precision(truth, [nothing]).ap50 == 0.0


def test_a_box_in_a_crowd_counts_neither_way() -> None:
    truth, crowd = [boxes((0, 0, 10, 10))], [boxes((40, 40, 90, 90))]
    found = [boxes((50, 50, 60, 60), (0, 0, 10, 10), scores=[0.9, 0.8])]
    assert average_precision(truth, found, ["person"], crowd).ap50 == pytest.approx(100.0)
    assert average_precision(truth, [NONE], ["person"], crowd).ap50 == 0.0
    assert math.isnan(average_precision([NONE], [NONE], ["person"], crowd).ap50)


def poses(*corners: float) -> np.ndarray:
    """Persons (n, 17, 3), each spread over 100 x 100 pixels from (corner, corner) on."""
    points = np.random.default_rng(0).uniform(0, 100, (len(corners), 17, 3)).astype(np.float32)
    points[..., :2] += np.array(corners, np.float32)[:, None, None]
    points[..., 2] = 2
    return points


def test_a_pose_in_a_crowd_counts_neither_way() -> None:
    points, crowd = poses(0, 500), np.array([[500, 500, 600, 600]], np.float32)
    truth = [(points[:1], np.array([[0, 0, 100, 100]], np.float32))]
    found = [(points, np.array([0.8, 0.9], np.float32))]
    assert keypoint_average_precision(truth, found).ap50 == pytest.approx(50.0)
    assert keypoint_average_precision(truth, found, crowds=[crowd]).ap50 == pytest.approx(100.0)


def test_a_person_without_labelled_keypoints_counts_neither_way() -> None:
    points = poses(0, 500)
    unlabelled = points.copy()
    unlabelled[1] = 0
    truth = [(unlabelled, np.array([[0, 0, 100, 100], [500, 500, 600, 600]], np.float32))]
    found = [(points, np.array([0.8, 0.9], np.float32))]
    assert keypoint_average_precision(truth, found).ap50 == pytest.approx(100.0)
    nothing = (np.zeros((0, 17, 3), np.float32), np.zeros(0, np.float32))
    only_unlabelled = [(unlabelled[1:], truth[0][1][1:])]
    assert math.isnan(keypoint_average_precision(only_unlabelled, [nothing]).ap50)


def test_a_larger_area_forgives_more() -> None:
    points = poses(0)
    truth = [(points, np.array([[0, 0, 100, 100]], np.float32))]
    found = [(points + np.array([20, 0, 0], np.float32), np.ones(1, np.float32))]
    small, large = (keypoint_average_precision(truth, found, areas=[np.array([area])]).ap50 for area in (100.0, 1e6))
    assert (small, large) == (0.0, pytest.approx(100.0))
