from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actparse.core.errors import ConfigError
from actparse.video.segments import EqualDivision, Segment, equal_segments, num_segments


@pytest.mark.parametrize(
    ("duration", "count"),
    [(0.0, 1), (0.4, 1), (3.0, 1), (4.4, 1), (4.6, 2), (10.0, 3), (12.0, 4)],
)
def test_number_of_segments(duration: float, count: int) -> None:
    assert num_segments(duration, 3.0) == count


def test_ten_seconds_at_ten_frames() -> None:
    segments = equal_segments(100, np.arange(100) / 10)
    assert [(s.first_frame, s.end_frame) for s in segments] == [(0, 34), (34, 67), (67, 100)]
    assert [s.start_seconds for s in segments] == pytest.approx([0, 10 / 3, 20 / 3])
    assert segments[-1].end_seconds == pytest.approx(10)


def test_a_frame_on_the_border_begins_the_next_segment() -> None:
    segments = equal_segments(12, np.arange(12) / 2, target_seconds=3.0)
    assert [(s.first_frame, s.end_frame) for s in segments] == [(0, 6), (6, 12)]


def test_time_divides_not_the_number_of_frames() -> None:
    times = [0.0, 0.1, 0.2, 0.3, 0.4, 5.0, 5.1]
    segments = equal_segments(7, times, target_seconds=2.6)
    assert [(s.first_frame, s.end_frame) for s in segments] == [(0, 5), (5, 7)]


def test_a_segment_without_frames_is_left_out() -> None:
    assert [(s.first_frame, s.end_frame) for s in equal_segments(4, [0, 0.1, 8.9, 9.0])] == [(0, 2), (2, 4)]


def test_no_frame_and_one_frame() -> None:
    assert equal_segments(0, []) == ()
    assert equal_segments(1, [0.7]) == (Segment(0, 1, 0.7, 0.7),)


@pytest.mark.parametrize("target", [0.0, -1.0, float("nan")])
def test_a_wrong_length_is_named(target: float) -> None:
    with pytest.raises(ConfigError, match="segment_seconds must be greater than 0, got"):
        num_segments(10.0, target)


@given(
    st.lists(st.floats(0.001, 5.0), min_size=1, max_size=60),
    st.floats(0.5, 10.0),
)
def test_every_frame_is_in_one_segment(steps: list[float], target: float) -> None:
    times = np.cumsum(steps)
    segments = equal_segments(len(times), times, target)
    assert [n for s in segments for n in range(s.first_frame, s.end_frame)] == list(range(len(times)))
    for segment in segments:
        inside = times[segment.first_frame : segment.end_frame]
        assert (inside >= segment.start_seconds - 1e-6).all()
        assert (inside <= segment.end_seconds + 1e-6).all()


@pytest.mark.parametrize(
    ("seconds", "index"),
    [(2.0, 0), (6.9, 0), (7.1, 1), (12.0, 1), (99.0, 1)],
)
def test_a_frame_belongs_to_the_segment_of_its_time(seconds: float, index: int) -> None:
    assert EqualDivision(2.0, 10.0, 5.0).index_at(seconds) == index


def test_a_video_without_a_duration_is_one_segment() -> None:
    assert EqualDivision(0.0, 0.0, 3.0).index_at(0.0) == 0
