"""Which frames a clip takes from a video: the test rules of both public generations, and the training rule."""

# ruff: noqa: PT028  (the function with the name `test_` is no test)
from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from actparse.core.errors import ConfigError

SamplingRule = Literal["legacy", "current"]
OutOfBound = Literal["loop", "repeat_last"]


def test_clip_indices(
    num_frames: int,
    clip_len: int,
    interval: int,
    num_clips: int,
    *,
    rule: SamplingRule = "legacy",
    out_of_bound: OutOfBound = "loop",
    start_index: int = 0,
    twice: bool = False,
) -> NDArray[np.int64]:
    """Frames of `num_clips` clips spread evenly over a video.

    Args:
        num_frames: frames in the video, at least 1.
        clip_len: frames in a clip.
        interval: video frames from one frame of a clip to the next.
        num_clips: clips to take.
        rule: "legacy" centres each clip in its stretch of the video; "current" runs from the first frame to the last.
            They agree for clips of one frame.
        out_of_bound: what follows the last frame: the first one again, or the clip's last frame inside the video.
        start_index: number of the video's first frame.
        twice: also take the clips that start at the head of each stretch.

    Returns:
        (num_clips, clip_len); with `twice` (2 * num_clips, clip_len), save for legacy clips longer than the video.

    Raises:
        ConfigError: a count is less than 1, or `twice` is asked of one "current" clip of several frames.

    Source: SampleFrames of mmaction2, branch 0.x (in force when the paper was written) and 1.x.
    """
    _expect_counts(num_frames=num_frames, clip_len=clip_len, interval=interval, num_clips=num_clips)
    if rule == "legacy":
        offsets = _legacy_offsets(num_frames, clip_len * interval, num_clips, twice)
    elif rule == "current":
        offsets = _current_offsets(num_frames, clip_len, interval, num_clips, twice)
    else:
        raise ConfigError(f"sampling.rule must be 'legacy' or 'current', got {rule!r}")
    return clip_indices(offsets, num_frames, clip_len, interval, out_of_bound=out_of_bound, start_index=start_index)


def train_clip_offsets(
    num_frames: int, clip_len: int, interval: int, num_clips: int, *, rng: np.random.Generator
) -> NDArray[np.int64]:
    """First frames (num_clips,) of random clips, one from each equal stretch of the video, in order.

    A video too short for that gives sorted random places, even steps, or, when shorter than a clip, zeros.

    Raises:
        ConfigError: a count is less than 1.

    Source: SampleFrames of mmaction2, the same in both generations.
    """
    _expect_counts(num_frames=num_frames, clip_len=clip_len, interval=interval, num_clips=num_clips)
    span = clip_len * interval
    free = num_frames - span + 1  # places where a clip can start
    stretch = free // num_clips
    steps = np.arange(num_clips)  # (C,)
    if stretch > 0:
        return np.asarray(steps * stretch + rng.integers(stretch, size=num_clips), dtype=np.int64)
    if num_frames > max(num_clips, span):
        return np.sort(rng.integers(free, size=num_clips))
    if stretch == 0:
        return np.around(steps * (free / num_clips)).astype(np.int64)
    return np.zeros(num_clips, dtype=np.int64)


def clip_indices(
    offsets: NDArray[np.int64],
    num_frames: int,
    clip_len: int,
    interval: int,
    *,
    out_of_bound: OutOfBound = "loop",
    start_index: int = 0,
) -> NDArray[np.int64]:
    """Frames (N, clip_len) of the clips that start at `offsets` (N,); places past the video as in `test_clip_indices`.

    Raises:
        ConfigError: `out_of_bound` is unknown.
    """
    indices = offsets[:, None] + np.arange(clip_len) * interval  # (N, T)
    if out_of_bound == "loop":
        inside = indices % num_frames
    elif out_of_bound == "repeat_last":
        valid = indices < num_frames
        last = np.where(valid, indices, 0).max(axis=1, keepdims=True)  # (N, 1)
        inside = np.where(valid, indices, last)
    else:
        raise ConfigError(f"sampling.out_of_bound must be 'loop' or 'repeat_last', got {out_of_bound!r}")
    return np.asarray(inside + start_index, dtype=np.int64)


def _legacy_offsets(num_frames: int, span: int, num_clips: int, twice: bool) -> NDArray[np.int64]:
    if num_frames < span:
        return np.zeros(num_clips, dtype=np.int64)
    stretch = (num_frames - span + 1) / num_clips
    heads = np.arange(num_clips) * stretch  # (C,)
    return _truncated(heads + stretch / 2, heads, twice)


def _current_offsets(num_frames: int, clip_len: int, interval: int, num_clips: int, twice: bool) -> NDArray[np.int64]:
    if clip_len == 1:
        stretch = num_frames / num_clips
        heads = np.arange(num_clips) * stretch  # (C,)
        return _truncated(heads + stretch / 2, heads, twice)
    last = max(num_frames - (clip_len - 1) * interval - 1, 0)
    if num_clips == 1:
        if twice:
            raise ConfigError("sampling.num_clips must be at least 2 for twice under the current rule, got 1")
        return np.array([last // 2], dtype=np.int64)
    steps = np.arange(2 * num_clips if twice else num_clips)
    return np.around(steps * (last / (num_clips - 1))).astype(np.int64)


def _truncated(centred: NDArray[np.floating[Any]], heads: NDArray[np.floating[Any]], twice: bool) -> NDArray[np.int64]:
    return (np.concatenate((centred, heads)) if twice else centred).astype(np.int64)


def _expect_counts(**counts: int) -> None:
    for name, count in counts.items():
        if count < 1:
            raise ConfigError(f"sampling.{name} must be at least 1, got {count}")
