from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from actparse.stages.actions.classifier import ClipConfig
from actparse.stages.actions.clips import FrameClips, SegmentClips, VideoClips

LINE = ClipConfig(num_frames=4, frame_stride=1, num_clips=3, frame_rate=10.0, short_side=8)


def gray(value: int, size: tuple[int, int] = (8, 10)) -> np.ndarray:
    return np.full((*size, 3), value, np.uint8)


def test_segment_and_video_agree_on_a_video_of_one_segment() -> None:
    segment, video = SegmentClips(LINE), VideoClips(LINE, duration_seconds=2.0, num_frames=40)
    for k in range(40):
        segment.add(gray(k), 3 + k / 20)
        video.add(gray(k), 3 + k / 20)
    assert np.array_equal(segment.clips(), video.clips())


@pytest.mark.parametrize(
    ("rate", "fps", "frame", "shown"),
    [
        pytest.param(None, 30, 10, [6, 8, 10, 12], id="native: as training has it"),
        pytest.param(None, 30, 0, [0, 0, 0, 2], id="before the first frame it stays"),
        pytest.param(None, 30, 39, [35, 37, 39, 39], id="after the last one it stays"),
        pytest.param(10.0, 10, 20, [16, 18, 20, 22], id="the line's own rate"),
        pytest.param(10.0, 30, 15, [3, 9, 15, 21], id="three times as many"),
        pytest.param(10.0, 5, 10, [8, 9, 10, 11], id="half as many"),
        pytest.param(10.0, 32.2, 39, [29, 35, 35, 35], id="a line that ends before the frame's own step"),
    ],
)
def test_a_clip_has_the_asked_frame_in_its_middle(rate: float | None, fps: float, frame: int, shown: list[int]) -> None:
    clips = FrameClips(replace(LINE, frame_stride=2, frame_rate=rate))
    found = []
    for k in range(40):
        found += clips.add(gray(k), 3 + k / fps, asked=k == frame)
        assert len(clips._images) <= 12
    found += clips.rest()
    assert [clip[:, 0, 0, 0].tolist() for clip in found] == [shown]


def test_clips_of_frames_come_in_order_when_they_are_whole() -> None:
    clips = FrameClips(replace(LINE, frame_rate=None))
    given = [len(clips.add(gray(k), k / 10, asked=k % 3 == 0)) for k in range(9)]
    assert given == [0, 0, 0, 1, 0, 0, 1, 0, 0]
    assert [int(clip[2, 0, 0, 0]) for clip in clips.rest()] == [6]


def test_a_video_that_ends_early_repeats_its_last_frame() -> None:
    video = VideoClips(LINE, duration_seconds=4.0, num_frames=40)
    for k in range(10):
        video.add(gray(k), k / 10)
    assert video.clips().shape == (3, 4, 8, 10, 3)
    assert (video.clips()[-1] == 9).all()
