"""Sampling of a clip's frames from a video: the test rules of both mmaction2 generations, and the training rule."""

# ruff: noqa: PT028  (the function with the name `test_` is not a test)
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
    """Return the frame indices of `num_clips` clips spread evenly over a video.

    Args:
        num_frames: frames in the video, at least 1.
        clip_len: frames in a clip.
        interval: video frames from one frame of a clip to the next.
        num_clips: number of clips.
        rule: "legacy" centres each clip in its interval of the video; "current" spreads the clips from the first frame
            to the last. The rules agree for clips of one frame.
        out_of_bound: what follows the last frame: "loop" starts at the first frame again, "repeat_last" repeats the
            clip's last frame inside the video.
        start_index: index of the video's first frame.
        twice: also sample the clips that start at the beginning of each interval.

    Returns:
        (num_clips, clip_len); with `twice` (2 * num_clips, clip_len), except for legacy clips longer than the video.

    Raises:
        ConfigError: a count is less than 1, or `twice` is used with one "current" clip of several frames.

    Source: SampleFrames of mmaction2, branch 0.x (current when the paper was written) and 1.x.
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
    """Return the first frames (num_clips,) of random clips, one from each equal interval of the video, in order.

    If the video is too short for that: sorted random positions, even steps or, if it is shorter than a clip, zeros.

    Raises:
        ConfigError: a count is less than 1.

    Source: SampleFrames of mmaction2, equal in both generations.
    """
    _expect_counts(num_frames=num_frames, clip_len=clip_len, interval=interval, num_clips=num_clips)
    span = clip_len * interval
    free = num_frames - span + 1  # positions where a clip can start
    interval_len = free // num_clips
    steps = np.arange(num_clips)  # (C,)
    if interval_len > 0:
        return np.asarray(steps * interval_len + rng.integers(interval_len, size=num_clips), dtype=np.int64)
    if num_frames > max(num_clips, span):
        return np.sort(rng.integers(free, size=num_clips))
    if interval_len == 0:
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
    """Return the frame indices (N, clip_len) of the clips that start at `offsets` (N,).

    `out_of_bound` and `start_index` are as in `test_clip_indices`.

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
    interval_len = (num_frames - span + 1) / num_clips
    starts = np.arange(num_clips) * interval_len  # (C,)
    return _truncated(starts + interval_len / 2, starts, twice)


def _current_offsets(num_frames: int, clip_len: int, interval: int, num_clips: int, twice: bool) -> NDArray[np.int64]:
    if clip_len == 1:
        interval_len = num_frames / num_clips
        starts = np.arange(num_clips) * interval_len  # (C,)
        return _truncated(starts + interval_len / 2, starts, twice)
    last = max(num_frames - (clip_len - 1) * interval - 1, 0)
    if num_clips == 1:
        if twice:
            raise ConfigError("sampling.num_clips must be at least 2 for twice under the current rule, got 1")
        return np.array([last // 2], dtype=np.int64)
    steps = np.arange(2 * num_clips if twice else num_clips)
    return np.around(steps * (last / (num_clips - 1))).astype(np.int64)


def _truncated(centred: NDArray[np.floating[Any]], starts: NDArray[np.floating[Any]], twice: bool) -> NDArray[np.int64]:
    return (np.concatenate((centred, starts)) if twice else centred).astype(np.int64)


def _expect_counts(**counts: int) -> None:
    for name, count in counts.items():
        if count < 1:
            raise ConfigError(f"sampling.{name} must be at least 1, got {count}")
