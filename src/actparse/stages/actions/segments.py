"""Division of a video into segments during decoding: equal lengths of time, or one segment for each sampled frame."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from actparse.core.structures import FrameParse, SegmentParse
from actparse.stages.actions.classifier import Clips, StateRecognizer
from actparse.stages.actions.clips import FrameClips, SegmentClips
from actparse.stages.timing import StageTimer
from actparse.video.decode import DecodedFrame

GroupScores = dict[str, NDArray[np.float32]]  # group -> (num_labels,) probabilities
ParseFrames = Callable[[list[DecodedFrame]], list[FrameParse]]  # runs stage 1 on frames in the order of their times


@dataclass(frozen=True)
class SegmentScores:
    """A segment with the scores of its networks; stage 3 adds the states."""

    segment: SegmentParse
    group_scores: GroupScores


Closed = tuple[list[FrameParse], SegmentScores]  # a completed segment, after its sampled frames


class Segments(ABC):
    """A division into segments: it receives a video's frames one by one and yields each completed segment."""

    def __init__(
        self, parse_frames: ParseFrames, states: StateRecognizer | None, timer: StageTimer, *, batch_frames: int
    ) -> None:
        """Prepare a pass; without `states` segments have no scores. Stage 1 processes `batch_frames` at a time."""
        self._parse_frames, self._states, self._timer = parse_frames, states, timer
        self._batch_frames = batch_frames
        self._waiting: list[DecodedFrame] = []
        self._parsed: deque[FrameParse] = deque()  # of the segments that are not complete

    @abstractmethod
    def add(self, frame: DecodedFrame, *, is_sampled: bool) -> Iterator[Closed]:
        """Add the next frame; the first frame of a video is always sampled."""

    @abstractmethod
    def close(self, end_seconds: float, end_frame: int) -> Iterator[Closed]:
        """Yield the remaining segments at the end of the video; needs at least one added frame."""

    def _sample(self, frame: DecodedFrame) -> None:
        self._waiting.append(frame)
        if len(self._waiting) >= self._batch_frames:
            self._parse_waiting()

    def _parse_waiting(self) -> None:
        if self._waiting:
            self._parsed += self._parse_frames(self._waiting)
            self._waiting = []

    def _scores(self, clips: Clips) -> GroupScores:
        assert self._states is not None
        with self._timer("states"):
            return self._states.scores(clips)


class TimeSegments(Segments):
    """Segments of equal length, each with its clips. Source: PCF, section II-C."""

    def __init__(
        self,
        parse_frames: ParseFrames,
        states: StateRecognizer | None,
        timer: StageTimer,
        *,
        batch_frames: int,
        duration_seconds: float,
        segment_seconds: float,
    ) -> None:
        """Prepare a pass; `segment_seconds` is the approximate length of a segment."""
        super().__init__(parse_frames, states, timer, batch_frames=batch_frames)
        self._count = max(1, round(duration_seconds / segment_seconds))
        self._length = duration_seconds / self._count  # seconds
        self._start = 0.0  # of the video, seconds
        self._index = -1  # of the open segment
        self._first: DecodedFrame | None = None  # of the open segment
        self._clips: tuple[SegmentClips, ...] = ()  # of the open segment, for each reading

    def add(self, frame: DecodedFrame, *, is_sampled: bool) -> Iterator[Closed]:
        """Add the next frame; the first frame of a segment closes the previous segment."""
        if self._first is None:
            self._start = frame.time_seconds
        seconds = frame.time_seconds - self._start
        index = min(int(seconds / self._length) if self._length > 0 else 0, self._count - 1)
        if index > self._index:
            if self._first is not None:
                yield from self.close(frame.time_seconds, frame.index)
            self._index, self._first = index, frame
            self._clips = () if self._states is None else tuple(map(SegmentClips, self._states.readings))
        if self._clips:
            with self._timer("clips"):
                for clips in self._clips:
                    clips.add(frame.image, frame.time_seconds)
        if is_sampled:
            self._sample(frame)

    def close(self, end_seconds: float, end_frame: int) -> Iterator[Closed]:
        """Yield the open segment."""
        assert self._first is not None
        self._parse_waiting()
        scores = self._scores({clips.config: clips.clips() for clips in self._clips}) if self._clips else {}
        segment = SegmentParse(self._first.time_seconds, end_seconds, self._first.index, end_frame)
        frames = list(self._parsed)
        self._parsed.clear()
        yield frames, SegmentScores(segment, scores)


class FrameSegments(Segments):
    """One segment from each sampled frame to the next one, with a single clip around it. Source: PCF, table III."""

    def __init__(
        self, parse_frames: ParseFrames, states: StateRecognizer, timer: StageTimer, *, batch_frames: int
    ) -> None:
        super().__init__(parse_frames, states, timer, batch_frames=batch_frames)
        self._clips = tuple(map(FrameClips, states.readings))
        # The completed clips of each reading.
        self._completed: tuple[deque[NDArray[np.uint8]], ...] = tuple(deque() for _ in self._clips)
        self._starts: deque[tuple[float, int]] = deque()  # time and frame index of the segments that are not complete
        self._group_scores: deque[GroupScores] = deque()  # of the first of these segments

    def add(self, frame: DecodedFrame, *, is_sampled: bool) -> Iterator[Closed]:
        """Add the next frame; a segment is complete when its clip is complete and the next segment has begun."""
        if is_sampled:
            self._starts.append((frame.time_seconds, frame.index))
            self._sample(frame)
        with self._timer("clips"):
            for clips, completed in zip(self._clips, self._completed, strict=True):
                completed.extend(clips.add(frame.image, frame.time_seconds, asked=is_sampled))
        self._recognize()
        yield from self._pop_completed()

    def close(self, end_seconds: float, end_frame: int) -> Iterator[Closed]:
        """Yield all segments that are not complete."""
        self._parse_waiting()
        for clips, completed in zip(self._clips, self._completed, strict=True):
            completed.extend(clips.rest())
        self._recognize()
        self._starts.append((end_seconds, end_frame))
        yield from self._pop_completed()

    def _recognize(self) -> None:
        """Score the frames whose clips are complete for every reading."""
        while all(self._completed):
            pairs = zip(self._clips, self._completed, strict=True)
            self._group_scores.append(self._scores({clips.config: done.popleft()[None] for clips, done in pairs}))

    def _pop_completed(self) -> Iterator[Closed]:
        while len(self._starts) > 1 and self._group_scores and self._parsed:
            start_seconds, first_frame = self._starts.popleft()
            end_seconds, end_frame = self._starts[0]
            segment = SegmentParse(start_seconds, end_seconds, first_frame, end_frame)
            yield [self._parsed.popleft()], SegmentScores(segment, self._group_scores.popleft())
