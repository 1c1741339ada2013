"""Frames kept for the clip networks while a video streams by: a segment's, and the few that the whole video needs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from actparse.stages.actions import ClipConfig, clip_frame_indices, clip_image
from actparse.video.sampling import test_clip_indices


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
        return int(np.ceil((time_seconds - self._start) * self._rate - 0.01))

    def clips(self) -> NDArray[np.uint8]:
        """The video's clips (num_clips, T, h, w, 3); at least one frame was added."""
        assert self._last is not None
        last = clip_image(self._last, self.config)
        images = self._kept + [last] * (len(self._wanted) - len(self._kept))
        rows = np.searchsorted(self._wanted, self._steps)  # (num_clips, T)
        return np.stack([np.stack([images[i] for i in row]) for row in rows])
