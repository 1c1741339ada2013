"""Buffers of the frames that clips need while a video is decoded: of a segment, around a frame, of a whole video."""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

from actparse.stages.actions.classifier import ClipConfig, centred_steps, clip_frame_indices, clip_image
from actparse.video.sampling import test_clip_indices
from actparse.video.time_line import TimeLine

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


class FrameClips:
    """A buffer for one clip around each requested frame; it keeps only the frames that pending clips need."""

    def __init__(self, config: ClipConfig) -> None:
        self.config = config
        self._line = TimeLine(config.frame_rate)
        self._images: deque[NDArray[np.uint8]] = deque()  # visible at each step from `_first_step` on
        self._first_step = 0
        self._pending: deque[int] = deque()  # the steps of requested clips that are not complete
        self._num_before = config.num_frames * config.frame_stride // 2  # steps of a clip before its middle
        self._num_after = (config.num_frames - 1) * config.frame_stride - self._num_before

    def add(self, image: NDArray[np.uint8], time_seconds: float, *, asked: bool) -> list[NDArray[np.uint8]]:
        """Add the next frame (H, W, 3), which is visible from `time_seconds`; `asked` requests a clip around it.

        Returns:
            The clips (T, h, w, 3) that are complete now, in the order of their requests.
        """
        step = self._line.next_step(time_seconds)
        if self._line.num_frames > 1:
            self._repeat_until(step)
        if asked:
            self._pending.append(step)
        self._current = clip_image(image, self.config)
        clips = []
        while self._pending and self._pending[0] + self._num_after + MARGIN <= step:
            clips.append(self._clip(self._pending.popleft(), step))
        first_needed = min([step, *self._pending]) - self._num_before - MARGIN
        while self._images and self._first_step < first_needed:
            self._images.popleft()
            self._first_step += 1
        return clips

    def rest(self) -> list[NDArray[np.uint8]]:
        """Return the clips that are still pending when the video ends; needs at least one added frame."""
        end = self._line.num_steps
        self._repeat_until(end)
        clips = [self._clip(step, end) for step in self._pending]
        self._pending.clear()
        return clips

    def _repeat_until(self, step: int) -> None:
        """Let the last frame be visible until `step`."""
        while self._first_step + len(self._images) < step:
            self._images.append(self._current)

    def _clip(self, step: int, num_steps: int) -> NDArray[np.uint8]:
        return np.stack([self._images[at - self._first_step] for at in centred_steps(step, num_steps, self.config)])


class VideoClips:
    """A buffer of the frames that the clips of a whole video need, selected from its duration and number of frames.

    If the video ends earlier than its container states, the last frame replaces the missing ones.
    """

    def __init__(self, config: ClipConfig, *, duration_seconds: float, num_frames: int) -> None:
        self.config = config
        self._line = TimeLine(config.frame_rate)
        num_steps = num_frames if config.frame_rate is None else round(duration_seconds * config.frame_rate)
        self._steps = test_clip_indices(
            max(1, num_steps), config.num_frames, config.frame_stride, config.num_clips, rule=config.rule
        )  # (num_clips, T)
        self._needed = np.unique(self._steps)  # ascending
        self._images: list[NDArray[np.uint8]] = []  # visible at the first of the needed steps

    def add(self, image: NDArray[np.uint8], time_seconds: float) -> None:
        """Add the next frame (H, W, 3), which is visible from `time_seconds`."""
        step = self._line.next_step(time_seconds)
        num_visible = np.searchsorted(self._needed, step) if self._line.num_frames > 1 else 0  # steps before this frame
        if len(self._images) < num_visible:
            self._repeat_last(int(num_visible))
        self._last = image

    def clips(self) -> NDArray[np.uint8]:
        """Return the video's clips (num_clips, T, h, w, 3); needs at least one added frame."""
        self._repeat_last(len(self._needed))
        positions = np.searchsorted(self._needed, self._steps)  # (num_clips, T)
        return np.stack([np.stack([self._images[i] for i in row]) for row in positions])

    def _repeat_last(self, count: int) -> None:
        """Let the last frame be visible at the needed steps up to the first `count`."""
        if len(self._images) < count:
            last = clip_image(self._last, self.config)
            self._images += [last] * (count - len(self._images))
