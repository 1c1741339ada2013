from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from actparse.core.errors import ConfigError, ShapeError
from actparse.stages.people.colors import person_colors
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
    with pytest.raises(ConfigError, match=r"tracker\.miss_share must be between 0 and 1, got 2"):
        TrackerConfig(miss_share=2)


Place = Callable[[float], tuple[float, float] | None]  # of a person at a time, pixels; None while they are hidden


def walker(x: float, speed: float, *, hidden: tuple[float, float] = (0.0, 0.0), y: float = 100.0) -> Place:
    """A person at `x` who moves right at `speed` pixels per second and is not detected for a while."""
    return lambda time: None if hidden[0] <= time < hidden[1] else (x + speed * time, y)


def followed(places: list[Place], step_seconds: float, seconds: float, scale: float) -> list[list[int]]:
    """The different numbers of each person, in order, with all lengths multiplied by `scale`."""
    tracker, numbers = Tracker(TrackerConfig()), [[] for _ in places]
    for time in np.arange(0.0, seconds, step_seconds):
        at = {n: place(float(time)) for n, place in enumerate(places)}
        there = {n: place for n, place in at.items() if place is not None}
        boxes, scores, keypoints = persons(*there.values())
        ids = tracker.update(float(time), boxes * scale, scores, keypoints * np.float32([scale, scale, 1]))
        for n, number in zip(there, ids.tolist(), strict=True):
            numbers[n].append(number)
    return [list(dict.fromkeys(row)) for row in numbers]


@pytest.mark.parametrize("scale", [0.5, 1.0, 4.0])
@pytest.mark.parametrize("step_seconds", [1 / 12, 1 / 6, 0.5])
@pytest.mark.parametrize(
    "places",
    [
        pytest.param([walker(20, 40), walker(260, -40)], id="two cross at a walk"),
        pytest.param([walker(0, 90), walker(400, -90)], id="two cross at a run"),
        pytest.param(
            [walker(20, 40), walker(260, -40, hidden=(2.4, 3.4))], id="the far one of two who cross is hidden"
        ),
        pytest.param([walker(20, 70, hidden=(2, 3))], id="behind a pillar for 1 s"),
        pytest.param([walker(20, 70, hidden=(2, 4))], id="behind a pillar for 2 s"),
        pytest.param([walker(10, 240)], id="a run"),
        pytest.param([walker(10, 400)], id="a sprint"),
        pytest.param([walker(60, 0, hidden=(1, 6))], id="sits still and is hidden for 5 s"),
        pytest.param([walker(60, 0, hidden=(1, 4)), walker(300, 0)], id="one of two who sit is hidden for 3 s"),
    ],
)
def test_a_person_keeps_one_number(places: list[Place], step_seconds: float, scale: float) -> None:
    assert followed(places, step_seconds, 8.0, scale) == [[n + 1] for n in range(len(places))]


def test_who_comes_far_from_where_another_left_is_new() -> None:
    places = [lambda time: (60, 100) if time < 2 else None, lambda time: (500, 100) if time >= 4 else None]
    assert followed(places, 1 / 6, 6.0, 1.0) == [[1], [2]]


@pytest.mark.parametrize(
    ("shirt", "number"),
    [pytest.param((200, 30, 30), 1, id="the same clothes"), pytest.param((30, 60, 200), 2, id="other clothes")],
)
def test_colors_tell_who_comes_to_the_place_where_another_left(shirt: tuple[int, int, int], number: int) -> None:
    tracker = Tracker(TrackerConfig())
    boxes, scores, keypoints = dressed(60)
    red = np.full((200, 200, 3), (200, 30, 30), np.uint8)
    for time in (0.0, 0.5, 1.0):
        assert tracker.update(time, boxes, scores, keypoints, person_colors(red, keypoints)).tolist() == [1]
    tracker.update(2.0, *persons())
    boxes, scores, keypoints = dressed(64)
    colors = person_colors(np.full((200, 200, 3), shirt, np.uint8), keypoints)
    assert tracker.update(3.0, boxes, scores, keypoints, colors).tolist() == [number]


def test_a_visible_person_stays_the_same_when_the_light_changes() -> None:
    tracker = Tracker(TrackerConfig())
    boxes, scores, keypoints = dressed(60)
    for step, light in enumerate((200, 200, 40, 40)):
        colors = person_colors(np.full((200, 200, 3), light, np.uint8), keypoints)
        assert tracker.update(0.5 * step, boxes, scores, keypoints, colors).tolist() == [1]


def test_a_second_box_of_a_person_does_not_take_their_number() -> None:
    tracker = Tracker(TrackerConfig())
    for step in range(4):
        boxes, scores, keypoints = persons((100, 100), (106, 104), score=0.8)
        scores[1] = 0.2
        assert tracker.update(0.5 * step, boxes, scores, keypoints).tolist() == [1, 2]
    assert tracker.update(2.0, *persons((104, 102))).tolist() == [1]


def dressed(x: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A standing person of 40 x 120 pixels whose shoulders, hips, knees and ankles are where they should be."""
    boxes, scores, keypoints = persons((x, 100))
    heights = [-50] * 5 + [-35] * 2 + [-20] * 2 + [0] * 4 + [28] * 2 + [55] * 2
    keypoints[0, :, 0] = x + np.where(np.arange(17) % 2, 10, -10)
    keypoints[0, :, 1] = 100 + np.array(heights)
    return boxes, scores, keypoints
