"""A video divided into segments while it streams by: its time divided equally, or a segment for each sampled frame."""

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

GroupScores = dict[str, NDArray[np.float32]]  # per group (num_labels,) probabilities
ParseFrames = Callable[[list[DecodedFrame]], list[FrameParse]]  # stage 1 on frames in the order of their times


@dataclass(frozen=True)
class SegmentScores:
    """A segment as its networks saw it; its states come with integration."""

    segment: SegmentParse
    group_scores: GroupScores


Closed = tuple[list[FrameParse], SegmentScores]  # a segment that is over, and its sampled frames


class Segments(ABC):
    """Takes a video's frames one by one, and gives the segments as they are over."""

    def __init__(
        self, parse_frames: ParseFrames, states: StateRecognizer | None, timer: StageTimer, *, batch_frames: int
    ) -> None:
        """`states`: None leaves the scores of all segments empty. `batch_frames`: that stage 1 takes together."""
        self._parse_frames, self._states, self._timer = parse_frames, states, timer
        self._batch_frames = batch_frames
        self._waiting: list[DecodedFrame] = []
        self._found: deque[FrameParse] = deque()  # of the segments that are not over

    @abstractmethod
    def add(self, frame: DecodedFrame, *, is_sampled: bool) -> Iterator[Closed]:
        """Take the next frame; a video's first one is always sampled."""

    @abstractmethod
    def close(self, end_seconds: float, end_frame: int) -> Iterator[Closed]:
        """The rest, where the video ends; a frame was added."""

    def _sample(self, frame: DecodedFrame) -> None:
        self._waiting.append(frame)
        if len(self._waiting) >= self._batch_frames:
            self._parse_waiting()

    def _parse_waiting(self) -> None:
        if self._waiting:
            self._found += self._parse_frames(self._waiting)
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
        """`segment_seconds`: about how long a segment is."""
        super().__init__(parse_frames, states, timer, batch_frames=batch_frames)
        self._count = max(1, round(duration_seconds / segment_seconds))
        self._length = duration_seconds / self._count  # seconds
        self._start = 0.0  # of the video, seconds
        self._number = -1  # of the open segment
        self._first: DecodedFrame | None = None  # of the open segment
        self._clips: tuple[SegmentClips, ...] = ()  # of the open segment, for each reading

    def add(self, frame: DecodedFrame, *, is_sampled: bool) -> Iterator[Closed]:
        """Take the next frame; the first one of a segment closes the one before."""
        if self._first is None:
            self._start = frame.time_seconds
        seconds = frame.time_seconds - self._start
        number = min(int(seconds / self._length) if self._length > 0 else 0, self._count - 1)
        if number > self._number:
            if self._first is not None:
                yield from self.close(frame.time_seconds, frame.index)
            self._number, self._first = number, frame
            self._clips = () if self._states is None else tuple(map(SegmentClips, self._states.readings))
        if self._clips:
            with self._timer("clips"):
                for clips in self._clips:
                    clips.add(frame.image, frame.time_seconds)
        if is_sampled:
            self._sample(frame)

    def close(self, end_seconds: float, end_frame: int) -> Iterator[Closed]:
        """The open segment."""
        assert self._first is not None
        self._parse_waiting()
        scores = self._scores({each.config: each.clips() for each in self._clips}) if self._clips else {}
        segment = SegmentParse(self._first.time_seconds, end_seconds, self._first.index, end_frame)
        found = list(self._found)
        self._found.clear()
        yield found, SegmentScores(segment, scores)


class FrameSegments(Segments):
    """Each sampled frame with those up to the next one, and a single clip around it. Source: PCF, table III."""

    def __init__(
        self, parse_frames: ParseFrames, states: StateRecognizer, timer: StageTimer, *, batch_frames: int
    ) -> None:
        super().__init__(parse_frames, states, timer, batch_frames=batch_frames)
        self._clips = tuple(map(FrameClips, states.readings))
        self._whole: tuple[deque[NDArray[np.uint8]], ...] = tuple(deque() for _ in self._clips)  # of each reading
        self._starts: deque[tuple[float, int]] = deque()  # time and frame of the segments that are not over
        self._known: deque[GroupScores] = deque()  # scores of the first of them

    def add(self, frame: DecodedFrame, *, is_sampled: bool) -> Iterator[Closed]:
        """Take the next frame; a segment is over when its clip is whole and the next segment has begun."""
        if is_sampled:
            self._starts.append((frame.time_seconds, frame.index))
            self._sample(frame)
        with self._timer("clips"):
            for clips, whole in zip(self._clips, self._whole, strict=True):
                whole.extend(clips.add(frame.image, frame.time_seconds, asked=is_sampled))
        self._recognize()
        yield from self._closed()

    def close(self, end_seconds: float, end_frame: int) -> Iterator[Closed]:
        """All segments that are not over."""
        self._parse_waiting()
        for clips, whole in zip(self._clips, self._whole, strict=True):
            whole.extend(clips.rest())
        self._recognize()
        self._starts.append((end_seconds, end_frame))
        yield from self._closed()

    def _recognize(self) -> None:
        """Score the frames whose clips are there for every reading."""
        while all(self._whole):
            pairs = zip(self._clips, self._whole, strict=True)
            self._known.append(self._scores({clips.config: whole.popleft()[None] for clips, whole in pairs}))

    def _closed(self) -> Iterator[Closed]:
        while len(self._starts) > 1 and self._known and self._found:
            start_seconds, first_frame = self._starts.popleft()
            end_seconds, end_frame = self._starts[0]
            segment = SegmentParse(start_seconds, end_seconds, first_frame, end_frame)
            yield [self._found.popleft()], SegmentScores(segment, self._known.popleft())
