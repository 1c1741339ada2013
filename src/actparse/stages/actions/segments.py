"""Reading of a video: its sampled frames in batches, and the clips of each segment and of the whole video.

A segment is an equal part of the video of about three seconds or, at frame level, lasts from one sampled frame to the
next and has a single clip, around its frame. Source: PCF, section II-C and Table III.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from actparse.core.errors import VideoError
from actparse.core.structures import SegmentParse, VideoInfo
from actparse.stages.actions.classifier import ClipConfig, Clips
from actparse.stages.actions.clips import FrameClips, SegmentClips, VideoClips
from actparse.stages.config import ParserConfig
from actparse.stages.timing import StageTimer
from actparse.video.decode import DecodedFrame, TimeRange, VideoReader, probe, read_frames
from actparse.video.segments import EqualDivision

Progress = Callable[[int, int], None]  # frames read, frames expected
Bound = tuple[float, int]  # of a segment: seconds, frame index


@dataclass(frozen=True)
class ClippedSegment:
    """A segment, still without states, and its clips."""

    segment: SegmentParse
    clips: Clips


@dataclass(frozen=True)
class FrameBatch:
    """The next sampled frames, and the segments that have ended, whose frames are in this batch or earlier ones."""

    sampled: Sequence[DecodedFrame]
    ended: Sequence[ClippedSegment] = ()


def read_segments(
    path: Path,
    config: ParserConfig,
    *,
    segment_clips: Sequence[ClipConfig] = (),
    video_clips: Sequence[ClipConfig] = (),
    timer: StageTimer,
    time_range: TimeRange | None = None,
    frame_rate: float | None = None,
    progress: Progress | None = None,
) -> SegmentReader:
    """Open a video for one pass: `for batch in read_segments(...): ...`.

    Args:
        path: a file that FFmpeg can read, or an image sequence.
        config: how frames are sampled, and how the video is divided.
        segment_clips: how each segment is cut into clips, see `ClipConfig.sampling`.
        video_clips: how the whole video is cut into clips.
        timer: measures "decode" and "clips".
        time_range: (start, end) in seconds of presentation time; None on either side means no limit.
        frame_rate: frames a second of an image sequence.
        progress: called with the number of frames read so far and the number expected.

    Raises:
        VideoError: the file cannot be read as a video; during iteration, also if it has no frame in `time_range`.
    """
    with timer("decode"):
        info = probe(path, time_range=time_range, frame_rate=frame_rate)
        frames = read_frames(path, time_range=time_range, frame_rate=frame_rate)
    whole = [VideoClips(c, duration_seconds=info.duration_seconds, num_frames=info.num_frames) for c in video_clips]
    return SegmentReader(info, config, frames, tuple(segment_clips), whole, timer, progress)


@dataclass
class SegmentReader:
    """A video that is read once. `info`, `warnings` and `clips` are complete after the pass."""

    info: VideoInfo
    _config: ParserConfig
    _frames: VideoReader
    _segment_clips: tuple[ClipConfig, ...]
    _video_clips: list[VideoClips]
    _timer: StageTimer
    _progress: Progress | None
    warnings: tuple[str, ...] = ()

    def clips(self) -> Clips:
        """Return the clips of the whole video."""
        return {buffer.config: buffer.clips() for buffer in self._video_clips}

    def __iter__(self) -> Iterator[FrameBatch]:
        """Yield the sampled frames in batches, in the order of time, and each segment when it ends.

        Raises:
            VideoError: there is no frame.
        """
        frames = self._decode()
        first = next(frames)
        if self._config.level == "frame" and self._segment_clips:
            return self._segments_around_frames(first, self._with_ends(first, frames))
        return self._equal_segments(first, self._with_ends(first, frames))

    def _decode(self) -> Iterator[DecodedFrame]:
        num_read = 0
        with self._frames as reader:
            for frame in self._timer.timed("decode", reader):
                self._add_to(self._video_clips, frame)
                yield frame
                num_read += 1
                if self._progress:
                    self._progress(num_read, max(num_read, self.info.num_frames))
        if num_read == 0:
            raise VideoError(f"{self._frames.path}: needs at least one frame in the asked time, got none")
        self.info, self.warnings = reader.info, tuple(reader.warnings)

    def _with_ends(self, first: DecodedFrame, frames: Iterable[DecodedFrame]) -> Iterator[tuple[DecodedFrame, Bound]]:
        """Yield `first` and `frames`, each with the beginning of the next frame or the end of the video."""
        last = first
        for frame in frames:
            yield last, (frame.time_seconds, frame.index)
            last = frame
        yield last, (max(first.time_seconds + self.info.duration_seconds, last.time_seconds), last.index + 1)

    def _equal_segments(
        self, first: DecodedFrame, frames: Iterable[tuple[DecodedFrame, Bound]]
    ) -> Iterator[FrameBatch]:
        config = self._config
        division = EqualDivision(first.time_seconds, self.info.duration_seconds, config.segment_seconds)
        end = first.time_seconds, first.index
        for _, frames_of_segment in groupby(frames, key=lambda pair: division.index_at(pair[0].time_seconds)):
            buffers = [SegmentClips(sampling) for sampling in self._segment_clips]
            sampled: list[DecodedFrame] = []
            start = end
            for frame, end_of_frame in frames_of_segment:
                end = end_of_frame
                if len(sampled) == config.batch_frames:
                    yield FrameBatch(sampled)
                    sampled = []
                if (frame.index - first.index) % config.stride == 0:
                    sampled.append(frame)
                self._add_to(buffers, frame)
            yield FrameBatch(sampled, [_segment(start, end, {buffer.config: buffer.clips() for buffer in buffers})])

    def _segments_around_frames(
        self, first: DecodedFrame, frames: Iterable[tuple[DecodedFrame, Bound]]
    ) -> Iterator[FrameBatch]:
        config = self._config
        buffers = [FrameClips(sampling) for sampling in self._segment_clips]
        clips: list[deque[NDArray[np.uint8]]] = [deque() for _ in buffers]  # of each buffer, the complete ones
        starts: deque[Bound] = deque()  # of the segments that have not ended
        sampled: list[DecodedFrame] = []
        ended: list[ClippedSegment] = []
        end = first.time_seconds, first.index
        for frame, end_of_frame in frames:
            end = end_of_frame
            if len(sampled) == config.batch_frames:
                yield FrameBatch(sampled, ended)
                sampled, ended = [], []
            is_sampled = (frame.index - first.index) % config.stride == 0
            if is_sampled:
                sampled.append(frame)
                starts.append((frame.time_seconds, frame.index))
            with self._timer("clips"):
                for buffer, complete in zip(buffers, clips, strict=True):
                    complete.extend(buffer.add(frame.image, frame.time_seconds, asked=is_sampled))
            ended += self._end_segments(starts, clips)
        for buffer, complete in zip(buffers, clips, strict=True):
            complete.extend(buffer.rest())
        starts.append(end)
        yield FrameBatch(sampled, [*ended, *self._end_segments(starts, clips)])

    def _end_segments(
        self, starts: deque[Bound], clips: Sequence[deque[NDArray[np.uint8]]]
    ) -> Iterator[ClippedSegment]:
        """Yield the segments whose next one has begun and whose clips are complete; remove them from the queues."""
        while len(starts) > 1 and all(clips):
            start = starts.popleft()
            pairs = zip(self._segment_clips, clips, strict=True)
            yield _segment(start, starts[0], {sampling: complete.popleft()[None] for sampling, complete in pairs})

    def _add_to(self, buffers: Sequence[SegmentClips | VideoClips], frame: DecodedFrame) -> None:
        if buffers:
            with self._timer("clips"):
                for buffer in buffers:
                    buffer.add(frame.image, frame.time_seconds)


def _segment(start: Bound, end: Bound, clips: Clips) -> ClippedSegment:
    (start_seconds, first_frame), (end_seconds, end_frame) = start, end
    return ClippedSegment(SegmentParse(start_seconds, end_seconds, first_frame, end_frame), clips)
