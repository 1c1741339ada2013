"""Equal division of a video into segments of a given length, about. Source: PCF, section II-A."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from actparse.core.errors import ConfigError

MIN_SEGMENT_SECONDS = 0.1  # some three frames; far shorter ones are more than memory holds


@dataclass(frozen=True)
class Segment:
    """A stretch of frames [first_frame, end_frame) and of time, seconds."""

    first_frame: int
    end_frame: int
    start_seconds: float
    end_seconds: float


def expect_segment_seconds(seconds: float, name: str = "segment_seconds") -> None:
    """Check the length of segments; `name` is the field's in the message.

    Raises:
        ConfigError: it is not a number, or below MIN_SEGMENT_SECONDS.
    """
    if not seconds >= MIN_SEGMENT_SECONDS:  # not a number is not, either
        raise ConfigError(f"{name} must be at least {MIN_SEGMENT_SECONDS}, got {seconds}")


def num_segments(duration_seconds: float, target_seconds: float) -> int:
    """How many equal segments of about `target_seconds` a video of this length has; at least 1.

    Raises:
        ConfigError: `target_seconds` is not above 0.
    """
    if not target_seconds > 0:
        raise ConfigError(f"segment_seconds must be greater than 0, got {target_seconds}")
    return max(1, round(duration_seconds / target_seconds))


def equal_segments(
    num_frames: int, times: Sequence[float] | NDArray[np.float64], target_seconds: float = 3.0
) -> tuple[Segment, ...]:
    """Divide a video's time equally; a frame belongs to the segment that it begins in.

    Args:
        num_frames: N.
        times: (N,) presentation times, seconds, ascending.
        target_seconds: about how long a segment is.

    Returns:
        Segments in order, without gaps; one that would hold no frame is left out. None where N is 0.
    """
    if num_frames == 0:
        return ()
    stamps = np.asarray(times, np.float64)
    last = float(np.median(np.diff(stamps))) if num_frames > 1 else 0.0  # how long the last frame is shown
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
