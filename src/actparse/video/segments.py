"""Division of a video into equal segments of approximately a given length. Source: PCF, section II-A."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from actparse.core.errors import ConfigError

MIN_SEGMENT_SECONDS = 0.1  # about three frames; with far shorter segments their number exceeds memory


@dataclass(frozen=True)
class Segment:
    """An interval of frames [first_frame, end_frame) and of time, in seconds."""

    first_frame: int
    end_frame: int
    start_seconds: float
    end_seconds: float


def expect_segment_seconds(seconds: float, name: str = "segment_seconds") -> None:
    """Check the length of segments; `name` is the field in the error message.

    Raises:
        ConfigError: it is NaN or below MIN_SEGMENT_SECONDS.
    """
    if not seconds >= MIN_SEGMENT_SECONDS:  # NaN compares false, so it is rejected too
        raise ConfigError(f"{name} must be at least {MIN_SEGMENT_SECONDS}, got {seconds}")


def num_segments(duration_seconds: float, target_seconds: float) -> int:
    """Return the number of equal segments of about `target_seconds` in a video of this length; at least 1.

    Raises:
        ConfigError: `target_seconds` is not above 0.
    """
    if not target_seconds > 0:
        raise ConfigError(f"segment_seconds must be greater than 0, got {target_seconds}")
    return max(1, round(duration_seconds / target_seconds))


@dataclass(frozen=True)
class EqualDivision:
    """A duration that is divided into equal segments, for a video that is still being decoded."""

    start_seconds: float  # time of the first frame
    duration_seconds: float
    target_seconds: float  # approximate length of a segment

    def index_at(self, seconds: float) -> int:
        """Return the segment, from 0, of a frame at a time; frames beyond the end belong to the last segment."""
        count = num_segments(self.duration_seconds, self.target_seconds)
        length = self.duration_seconds / count
        return min(int((seconds - self.start_seconds) / length) if length > 0 else 0, count - 1)


def equal_segments(
    num_frames: int, times: Sequence[float] | NDArray[np.float64], target_seconds: float = 3.0
) -> tuple[Segment, ...]:
    """Divide a video's duration equally; a frame belongs to the segment in which it begins.

    Args:
        num_frames: N.
        times: (N,) presentation times, seconds, ascending.
        target_seconds: approximate length of a segment.

    Returns:
        Segments in order, without gaps, except segments without a frame, which are omitted. No segments if N is 0.
    """
    if num_frames == 0:
        return ()
    stamps = np.asarray(times, np.float64)
    last = float(np.median(np.diff(stamps))) if num_frames > 1 else 0.0  # duration of the last frame
    start, duration = float(stamps[0]), float(stamps[-1] - stamps[0]) + last
    count = num_segments(duration, target_seconds)
    bounds = start + duration * np.arange(count + 1) / count
    firsts = np.searchsorted(stamps, bounds[:-1] - 1e-9)
    ends = np.append(firsts[1:], num_frames)
    return tuple(
        Segment(int(first), int(end), float(bounds[n]), float(bounds[n + 1]))
        for n, (first, end) in enumerate(zip(firsts, ends, strict=True))
        if end > first
    )
