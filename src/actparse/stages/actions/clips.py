"""Frames kept for the clip networks while a video streams by: a segment's, those around a frame, a video's few."""

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

MARGIN = 2  # steps by which a time line may end before a frame's own step


class SegmentClips:
    """All frames of one segment, resized; a segment lasts some seconds, so memory stays bounded."""

    def __init__(self, config: ClipConfig) -> None:
        self.config = config
        self._images: list[NDArray[np.uint8]] = []
        self._times: list[float] = []

    def add(self, image: NDArray[np.uint8], time_seconds: float) -> None:
        """Keep the next frame (H, W, 3), on screen from `time_seconds` on."""
        self._images.append(clip_image(image, self.config))
        self._times.append(time_seconds)

    def clips(self) -> NDArray[np.uint8]:
        """The segment's clips (num_clips, T, h, w, 3); at least one frame was added."""
        indices = clip_frame_indices(np.asarray(self._times), self.config)  # (num_clips, T)
        return np.stack([np.stack([self._images[i] for i in row]) for row in indices])

    def __len__(self) -> int:
        return len(self._images)


class FrameClips:
    """One clip around each asked frame, when the frames after it have come; only what clips still need is kept."""

    def __init__(self, config: ClipConfig) -> None:
        self.config = config
        self._steps: deque[NDArray[np.uint8]] = deque()  # what the time line shows from step `_dropped` on
        self._dropped = 0
        self._asked: deque[int] = deque()  # the steps whose clips have not been given
        self._shown: NDArray[np.uint8] | None = None  # the last frame, which is on screen
        self._start = self._last = 0.0  # seconds
        self._num_frames = 0

    def add(self, image: NDArray[np.uint8], time_seconds: float, *, asked: bool) -> list[NDArray[np.uint8]]:
        """Take the next frame (H, W, 3), on screen from `time_seconds` on, and perhaps ask for a clip around it.

        Returns:
            The clips (T, h, w, 3) that are whole now, in the order in which they were asked for.
        """
        if self._num_frames == 0:
            self._start = time_seconds
        step = self._step_at(time_seconds)
        self._show_until(step)
        if asked:
            self._asked.append(step)
        self._shown = clip_image(image, self.config)
        self._last = time_seconds
        self._num_frames += 1
        clips = []
        while self._asked and self._asked[0] + self._after + MARGIN <= step:
            clips.append(self._clip(self._asked.popleft(), step))
        self._forget_before(min([step, *self._asked]) - self._before - MARGIN)
        return clips

    def rest(self) -> list[NDArray[np.uint8]]:
        """The clips that are still asked for, now that the video is over."""
        rate = self.config.frame_rate
        end = self._num_frames if rate is None else steps_of(self._last - self._start, self._num_frames, rate)
        self._show_until(end)
        clips = [self._clip(step, end) for step in self._asked]
        self._asked.clear()
        return clips

    @property
    def _before(self) -> int:
        """Steps of a clip before its middle."""
        return self.config.num_frames * self.config.frame_stride // 2

    @property
    def _after(self) -> int:
        return (self.config.num_frames - 1) * self.config.frame_stride - self._before

    def _step_at(self, time_seconds: float) -> int:
        rate = self.config.frame_rate
        return self._num_frames if rate is None else step_at(time_seconds - self._start, rate)

    def _show_until(self, step: int) -> None:
        while self._shown is not None and self._dropped + len(self._steps) < step:
            self._steps.append(self._shown)

    def _clip(self, step: int, num_steps: int) -> NDArray[np.uint8]:
        return np.stack([self._steps[at - self._dropped] for at in centred_steps(step, num_steps, self.config)])

    def _forget_before(self, step: int) -> None:
        while self._steps and self._dropped < step:
            self._steps.popleft()
            self._dropped += 1


class VideoClips:
    """The frames that the clips of a whole video need, chosen beforehand from its duration and number of frames.

    Where the video ends before its container said it would, the last frame stands for what is missing.
    """

    def __init__(self, config: ClipConfig, *, duration_seconds: float, num_frames: int) -> None:
        self.config = config
        self._rate = config.frame_rate
        num_steps = num_frames if self._rate is None else round(duration_seconds * self._rate)
        self._steps = test_clip_indices(
            max(1, num_steps), config.num_frames, config.frame_stride, config.num_clips, rule=config.rule
        )  # (num_clips, T)
        self._wanted = np.unique(self._steps)  # ascending
        self._kept: list[NDArray[np.uint8]] = []  # the frame of each wanted step so far
        self._last: NDArray[np.uint8] | None = None
        self._seen = 0
        self._start = 0.0

    def add(self, image: NDArray[np.uint8], time_seconds: float) -> None:
        """Take the next frame (H, W, 3); it is on screen from `time_seconds` on."""
        if self._last is None:
            self._start = time_seconds
        step = self._step_at(time_seconds)
        while len(self._kept) < len(self._wanted) and self._last is not None and self._wanted[len(self._kept)] < step:
            self._kept.append(clip_image(self._last, self.config))
        self._last = image
        self._seen += 1

    def _step_at(self, time_seconds: float) -> int:
        """The first step of the time line that this frame, not the one before, stands for."""
        if self._rate is None:
            return self._seen
        return step_at(time_seconds - self._start, self._rate)

    def clips(self) -> NDArray[np.uint8]:
        """The video's clips (num_clips, T, h, w, 3); at least one frame was added."""
        assert self._last is not None
        last = clip_image(self._last, self.config)
        images = self._kept + [last] * (len(self._wanted) - len(self._kept))
        rows = np.searchsorted(self._wanted, self._steps)  # (num_clips, T)
        return np.stack([np.stack([images[i] for i in row]) for row in rows])
