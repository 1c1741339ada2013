from __future__ import annotations

import numpy as np
import pytest

from actparse.video.time_line import TimeLine, visible_frames


@pytest.mark.parametrize(
    ("times", "rate", "frames"),
    [
        pytest.param([0.0, 0.1, 0.2], 10.0, [0, 1, 2], id="the line's own rate"),
        pytest.param([k / 30 for k in range(9)], 10.0, [0, 3, 6], id="three times as many"),
        pytest.param([0.0, 0.2, 0.4], 10.0, [0, 0, 1, 1, 2, 2], id="half as many"),
        pytest.param([0.0, 0.05, 0.5, 0.55], 10.0, [0, 1, 1, 1, 1, 2, 3], id="a pause"),
        pytest.param([5.0], 10.0, [0], id="one frame"),
        pytest.param([0.0, 0.7], None, [0, 1], id="native frames"),
    ],
)
def test_frames_visible_at_each_step(times: list[float], rate: float | None, frames: list[int]) -> None:
    assert visible_frames(np.array(times), rate).tolist() == frames


@pytest.mark.parametrize(
    ("rate", "steps", "num_steps"),
    [
        pytest.param(10.0, [0, 1, 5], 8, id="ten steps a second"),
        pytest.param(None, [0, 1, 2], 3, id="every frame is a step"),
    ],
)
def test_a_time_line_counts_from_the_first_frame(rate: float | None, steps: list[int], num_steps: int) -> None:
    line = TimeLine(rate)
    assert [line.next_step(seconds) for seconds in (3.0, 3.1, 3.5)] == steps
    assert (line.num_frames, line.num_steps) == (3, num_steps)
    assert num_steps == len(visible_frames(np.array([3.0, 3.1, 3.5]), rate))


def test_the_step_of_a_frame_is_the_first_that_shows_it() -> None:
    times = np.cumsum(np.random.default_rng(0).uniform(0.01, 0.2, 50))
    line, visible = TimeLine(7.0), visible_frames(times, 7.0)
    for frame, seconds in enumerate(times):
        step = line.next_step(float(seconds))
        assert (visible[:step] < frame).all()
        assert (visible[step:] >= frame).all()
