"""Even steps of time in a video, and the frame that is visible at each step."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

LATE = 0.01  # of a step: steps are looked up slightly late, so that rounding selects the frame that starts there


class TimeLine:
    """The steps of a video while it is read: `frame_rate` steps a second from the first frame, or a step a frame."""

    def __init__(self, frame_rate: float | None) -> None:
        """Start before the first frame; with `frame_rate` None every frame is a step."""
        self.frame_rate = frame_rate
        self.num_frames = 0  # so far
        self._start_seconds = self._last_seconds = 0.0  # of the first and of the last frame

    def next_step(self, seconds: float) -> int:
        """Count the next frame, which is visible from `seconds`; return the first step at which it is visible."""
        if self.num_frames == 0:
            self._start_seconds = seconds
        frame_index, self._last_seconds = self.num_frames, seconds
        self.num_frames += 1
        return frame_index if self.frame_rate is None else step_at(seconds - self._start_seconds, self.frame_rate)

    @property
    def num_steps(self) -> int:
        """Number of steps if the video ends with the last frame."""
        if self.frame_rate is None:
            return self.num_frames
        return steps_of(self._last_seconds - self._start_seconds, self.num_frames, self.frame_rate)


def visible_frames(times: NDArray[np.float64], frame_rate: float | None) -> NDArray[np.int64]:
    """Return the frame that is visible at each step of a time line of `frame_rate` steps per second.

    Args:
        times: (N,) presentation times in seconds, ascending, N at least 1.
        frame_rate: steps per second; None makes every frame a step.

    Returns:
        (M,) indices of frames, ascending; M is at least 1.
    """
    if frame_rate is None:
        return np.arange(len(times))
    num_steps = steps_of(float(times[-1] - times[0]), len(times), frame_rate)
    steps = times[0] + (np.arange(num_steps) + LATE) / frame_rate
    frames: NDArray[np.int64] = np.clip(np.searchsorted(times, steps, side="right") - 1, 0, len(times) - 1)
    return frames


def steps_of(seconds: float, num_frames: int, frame_rate: float) -> int:
    """Return the number of steps, at least 1, of a time line whose first and last frame are `seconds` apart."""
    return max(1, round((seconds + seconds / max(num_frames - 1, 1)) * frame_rate))


def step_at(seconds: float, frame_rate: float) -> int:
    """Return the first step at which a frame is visible that comes `seconds` after the first frame."""
    return int(np.ceil(seconds * frame_rate - LATE))
