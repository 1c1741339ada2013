"""Buffers of the frames that clips need while a video is decoded: of a segment, around a frame, of a whole video."""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

from actparse.stages.actions.classifier import (
    ClipConfig,
    centred_steps,
    clip_frame_indices,
    clip_image,
    step_at,
    steps_of,
)
from actparse.video.sampling import test_clip_indices

MARGIN = 2  # steps by which a time line may end before the step of a frame


class SegmentClips:
    """A buffer of all frames of one segment, resized; a segment lasts some seconds, so memory is bounded."""

    def __init__(self, config: ClipConfig) -> None:
        self.config = config
        self._images: list[NDArray[np.uint8]] = []
        self._times: list[float] = []

    def add(self, image: NDArray[np.uint8], time_seconds: float) -> None:
        """Add the next frame (H, W, 3), which is visible from `time_seconds`."""
        self._images.append(clip_image(image, self.config))
        self._times.append(time_seconds)

    def clips(self) -> NDArray[np.uint8]:
        """Return the segment's clips (num_clips, T, h, w, 3); needs at least one added frame."""
        indices = clip_frame_indices(np.asarray(self._times), self.config)  # (num_clips, T)
        return np.stack([np.stack([self._images[i] for i in row]) for row in indices])

    def __len__(self) -> int:
        return len(self._images)


class FrameClips:
    """A buffer for one clip around each requested frame; it keeps only the frames that pending clips need."""

    def __init__(self, config: ClipConfig) -> None:
        self.config = config
        self._steps: deque[NDArray[np.uint8]] = deque()  # the frame at each step of the time line, from step `_dropped`
        self._dropped = 0
        self._pending: deque[int] = deque()  # the steps of requested clips that are not complete
        self._current: NDArray[np.uint8] | None = None  # the last frame
        self._start = self._last = 0.0  # seconds
        self._num_frames = 0

    def add(self, image: NDArray[np.uint8], time_seconds: float, *, asked: bool) -> list[NDArray[np.uint8]]:
        """Add the next frame (H, W, 3), which is visible from `time_seconds`; `asked` requests a clip around it.

        Returns:
            The clips (T, h, w, 3) that are complete now, in the order of their requests.
        """
        if self._num_frames == 0:
            self._start = time_seconds
        step = self._step_at(time_seconds)
        self._extend_to(step)
        if asked:
            self._pending.append(step)
        self._current = clip_image(image, self.config)
        self._last = time_seconds
        self._num_frames += 1
        clips = []
        while self._pending and self._pending[0] + self._after + MARGIN <= step:
            clips.append(self._clip(self._pending.popleft(), step))
        first_needed = min([step, *self._pending]) - self._before - MARGIN
        while self._steps and self._dropped < first_needed:
            self._steps.popleft()
            self._dropped += 1
        return clips

    def rest(self) -> list[NDArray[np.uint8]]:
        """Return the clips that are still pending when the video ends."""
        rate = self.config.frame_rate
        end = self._num_frames if rate is None else steps_of(self._last - self._start, self._num_frames, rate)
        self._extend_to(end)
        clips = [self._clip(step, end) for step in self._pending]
        self._pending.clear()
        return clips

    @property
    def _before(self) -> int:
        """Number of steps of a clip before its middle."""
        return self.config.num_frames * self.config.frame_stride // 2

    @property
    def _after(self) -> int:
        return (self.config.num_frames - 1) * self.config.frame_stride - self._before

    def _step_at(self, time_seconds: float) -> int:
        rate = self.config.frame_rate
        return self._num_frames if rate is None else step_at(time_seconds - self._start, rate)

    def _extend_to(self, step: int) -> None:
        while self._current is not None and self._dropped + len(self._steps) < step:
            self._steps.append(self._current)

    def _clip(self, step: int, num_steps: int) -> NDArray[np.uint8]:
        return np.stack([self._steps[at - self._dropped] for at in centred_steps(step, num_steps, self.config)])


class VideoClips:
    """A buffer of the frames that the clips of a whole video need, selected from its duration and number of frames.

    If the video ends earlier than its container states, the last frame replaces the missing ones.
    """

    def __init__(self, config: ClipConfig, *, duration_seconds: float, num_frames: int) -> None:
        self.config = config
        self._rate = config.frame_rate
        num_steps = num_frames if self._rate is None else round(duration_seconds * self._rate)
        self._steps = test_clip_indices(
            max(1, num_steps), config.num_frames, config.frame_stride, config.num_clips, rule=config.rule
        )  # (num_clips, T)
        self._needed = np.unique(self._steps)  # ascending
        self._images: list[NDArray[np.uint8]] = []  # the frame of each needed step so far
        self._last: NDArray[np.uint8] | None = None
        self._num_frames = 0
        self._start = 0.0

    def add(self, image: NDArray[np.uint8], time_seconds: float) -> None:
        """Add the next frame (H, W, 3), which is visible from `time_seconds`."""
        if self._last is None:
            self._start = time_seconds
        step = self._step_at(time_seconds)
        for needed_step in self._needed[len(self._images) :]:
            if self._last is None or needed_step >= step:
                break
            self._images.append(clip_image(self._last, self.config))
        self._last = image
        self._num_frames += 1

    def _step_at(self, time_seconds: float) -> int:
        """Return the first step of the time line at which this frame, not the previous one, is visible."""
        if self._rate is None:
            return self._num_frames
        return step_at(time_seconds - self._start, self._rate)

    def clips(self) -> NDArray[np.uint8]:
        """Return the video's clips (num_clips, T, h, w, 3); needs at least one added frame."""
        assert self._last is not None
        last = clip_image(self._last, self.config)
        images = self._images + [last] * (len(self._needed) - len(self._images))
        positions = np.searchsorted(self._needed, self._steps)  # (num_clips, T)
        return np.stack([np.stack([images[i] for i in row]) for row in positions])
