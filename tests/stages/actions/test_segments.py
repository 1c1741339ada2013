"""Reading of a video in segments: the sampled frames, bounds and clips of each."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from actparse.core.errors import VideoError
from actparse.stages.actions.classifier import ClipConfig, clip_image
from actparse.stages.actions.segments import ClippedSegment, FrameBatch, read_segments
from actparse.stages.config import ParserConfig
from actparse.stages.timing import StageTimer
from actparse.video.decode import read_frames

CLIPS = ClipConfig(num_frames=4, frame_stride=1, num_clips=2, frame_rate=10.0, short_side=32)
EQUAL = ParserConfig(batch_frames=3)
BY_FRAME = ParserConfig(batch_frames=3, level="frame")


def read(
    video: Path,
    config: ParserConfig,
    *,
    clips: tuple[ClipConfig, ...] = (CLIPS,),
    time_range: tuple[float, float] | None = None,
) -> list[FrameBatch]:
    return list(read_segments(video, config, segment_clips=clips, timer=StageTimer(), time_range=time_range))


def sampled(batches: list[FrameBatch]) -> list[list[int]]:
    return [[frame.index for frame in batch.sampled] for batch in batches]


def segments(batches: list[FrameBatch]) -> list[ClippedSegment]:
    return [segment for batch in batches for segment in batch.ended]


def bounds(batches: list[FrameBatch]) -> list[tuple[int, int]]:
    return [(item.segment.first_frame, item.segment.end_frame) for item in segments(batches)]


def test_equal_segments_come_with_their_frames_in_batches(small_video: Path) -> None:
    batches = read(small_video, EQUAL)
    assert sampled(batches) == [[0, 5, 10], [15, 20, 25], [30], [35, 40, 45], [50, 55, 60], [65]]
    assert [len(batch.ended) for batch in batches] == [0, 0, 1, 0, 0, 1]
    assert bounds(batches) == [(0, 35), (35, 70)]
    assert segments(batches)[1].segment.start_seconds == pytest.approx(3.5)
    assert segments(batches)[1].segment.end_seconds == pytest.approx(7.0)
    assert segments(batches)[0].clips[CLIPS].shape == (2, 4, 32, 43, 3)


def test_clips_are_of_their_segment(small_video: Path) -> None:
    images = [clip_image(frame.image, CLIPS) for frame in read_frames(small_video)]
    for index, segment in enumerate(segments(read(small_video, EQUAL))):
        clips = segment.clips[CLIPS]
        inside = images[35 * index : 35 * index + 35]
        assert all(any(np.array_equal(image, other) for other in inside) for clip in clips for image in clip)


def test_without_clips_to_cut_segments_are_equal_at_frame_level_too(small_video: Path) -> None:
    batches = read(small_video, BY_FRAME, clips=())
    assert bounds(batches) == [(0, 35), (35, 70)]
    assert all(segment.clips == {} for segment in segments(batches))


def test_at_frame_level_a_segment_lasts_until_the_next_sampled_frame(small_video: Path) -> None:
    batches = read(small_video, BY_FRAME, time_range=(2.0, 4.25))
    assert sampled(batches) == [[20, 25, 30], [35, 40]]
    assert bounds(batches) == [(20, 25), (25, 30), (30, 35), (35, 40), (40, 43)]
    images = [clip_image(frame.image, CLIPS) for frame in read_frames(small_video, time_range=(2.0, 4.25))]
    for index, segment in enumerate(segments(batches)):
        [clips] = segment.clips.values()
        expected = [images[min(max(5 * index - 2 + step, 0), len(images) - 1)] for step in range(4)]
        assert np.array_equal(clips, np.stack(expected)[None])


@pytest.mark.parametrize("config", [EQUAL, BY_FRAME], ids=["segment", "frame"])
def test_a_segment_ends_after_its_frames(small_video: Path, config: ParserConfig) -> None:
    last_frame = -1
    for batch in read_segments(small_video, config, segment_clips=(CLIPS,), timer=StageTimer()):
        last_frame = max([last_frame, *(frame.index for frame in batch.sampled)])
        assert len(batch.sampled) <= config.batch_frames
        for segment in batch.ended:
            assert last_frame >= (segment.segment.end_frame - 1) // config.stride * config.stride


def test_the_whole_video_is_complete_after_the_pass(small_video: Path) -> None:
    timer, progress = StageTimer(), list[tuple[int, int]]()
    reader = read_segments(
        small_video, EQUAL, video_clips=(CLIPS,), timer=timer, progress=lambda *counts: progress.append(counts)
    )
    assert sum(len(batch.ended) for batch in reader) == 2
    assert reader.clips()[CLIPS].shape == (2, 4, 32, 43, 3)
    assert (reader.info.num_frames, reader.warnings) == (70, ())
    assert progress == [(count, 70) for count in range(1, 71)]
    assert set(timer.seconds) == {"decode", "clips"}


def test_a_time_range_without_a_frame_is_an_error(small_video: Path) -> None:
    with pytest.raises(VideoError, match="needs at least one frame in the asked time, got none"):
        read(small_video, EQUAL, time_range=(100.0, 200.0))
