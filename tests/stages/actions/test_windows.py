from __future__ import annotations

import numpy as np
import pytest

from actparse.core.errors import ShapeError
from actparse.core.structures import FrameParse, PersonParse
from actparse.stages.actions.windows import keypoint_windows, person_windows


def track(values: list[float]) -> np.ndarray:
    return np.broadcast_to(np.array(values, np.float32)[:, None, None], (len(values), 17, 3)).copy()


@pytest.mark.parametrize(
    ("times", "instant", "seen"),
    [
        pytest.param([0.0, 0.5, 1.0], 0.5, [1, 2, 3], id="on the frames"),
        pytest.param([0.0, 0.5, 1.0], 0.0, [0, 1, 2], id="nothing before the first"),
        pytest.param([0.0, 0.5, 1.0], 1.0, [2, 3, 0], id="nothing after the last"),
        pytest.param([0.0, 1.0, 2.0], 1.0, [1.5, 2, 2.5], id="half way between frames"),
        pytest.param([0.0, 3.0, 3.5], 3.0, [0, 2, 3], id="a long gap"),
        pytest.param([0.2, 0.7, 1.2], 0.5, [1, 1.6, 2.6], id="between"),
    ],
)
def test_windows(times: list[float], instant: float, seen: list[float]) -> None:
    found = keypoint_windows(np.array(times), track([1, 2, 3]), np.array([instant]), num_instants=3, step_seconds=0.5)
    assert found.shape == (1, 3, 17, 3)
    assert found[0, :, 4, 1].tolist() == pytest.approx(seen)


def test_a_track_of_one_frame() -> None:
    found = keypoint_windows(np.array([2.0]), track([7]), np.array([2.0]), num_instants=3, step_seconds=0.5)
    assert found[0, :, 0, 0].tolist() == [0, 7, 0]


def test_times_and_keypoints_must_fit() -> None:
    with pytest.raises(ShapeError, match="keypoints must have shape"):
        keypoint_windows(np.array([2.0]), track([7, 8]), np.array([2.0]), num_instants=3, step_seconds=0.5)


def test_between_a_seen_and_an_unseen_keypoint_nothing_is_seen() -> None:
    seen = track([1, 3])
    seen[:, :, 2] = np.array([[0.9], [0.0]])
    found = keypoint_windows(np.array([0.0, 0.5]), seen, np.array([0.25]), num_instants=1, step_seconds=0.5)
    assert found[0, 0, 4].tolist() == pytest.approx([2, 2, 0])


def test_no_frame_is_an_error() -> None:
    with pytest.raises(ShapeError, match="times must hold at least one frame, got none"):
        keypoint_windows(np.zeros(0), track([]), np.array([2.0]), num_instants=3, step_seconds=0.5)


def test_frames_of_one_time_have_poses_of_their_own() -> None:
    frames = [FrameParse(0, 0.0, (person(1, 1),)), FrameParse(5, 0.0, (person(1, 2),))]
    _, windows = person_windows(frames, num_instants=1, step_seconds=0.5)
    assert windows[:, 0, 0, 0].tolist() == [1, 2]


def person(track_id: int, value: float) -> PersonParse:
    return PersonParse(track_id, (0.0, 0.0, 1.0, 1.0), 1.0, ((value, value, value),) * 17)


FRAMES = [
    FrameParse(0, 0.0, (person(1, 1), person(2, 10))),
    FrameParse(5, 0.5, (person(2, 20), person(1, 2))),
    FrameParse(10, 1.0, (person(1, 3),)),
]


def test_windows_follow_a_person_not_a_place() -> None:
    places, windows = person_windows(FRAMES, num_instants=3, step_seconds=0.5)
    seen = dict(zip(places, windows[:, :, 0, 0].tolist(), strict=True))
    assert seen == {
        (0, 0): [0, 1, 2],
        (0, 1): [0, 10, 20],
        (1, 1): [1, 2, 3],
        (1, 0): [10, 20, 0],
        (2, 0): [2, 3, 0],
    }


def test_frames_before_lend_their_part() -> None:
    places, windows = person_windows(FRAMES, first=2, num_instants=3, step_seconds=0.5)
    assert places == [(2, 0)]
    assert windows[0, :, 0, 0].tolist() == [2, 3, 0]


def test_frames_without_persons() -> None:
    places, windows = person_windows([FrameParse(0, 0.0)], num_instants=3, step_seconds=0.5)
    assert places == []
    assert windows.shape == (0, 3, 17, 3)
