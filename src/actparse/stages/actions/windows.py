"""Windows of a person's keypoints: those of a track at even steps of time around an instant."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from actparse.core.errors import ShapeError, expect_shape
from actparse.core.structures import FrameParse
from actparse.core.vocabulary import NUM_KEYPOINTS

Keypoints = NDArray[np.float32]  # (..., 17, 3) x, y in pixels, confidence
NEAR_SHARE = 0.5  # of a step: largest distance of a frame that replaces an instant which is not between two frames


def keypoint_windows(
    times: NDArray[np.float64],
    keypoints: Keypoints,
    instants: NDArray[np.float64],
    *,
    num_instants: int,
    step_seconds: float,
) -> Keypoints:
    """Sample a track's keypoints at even steps before and after some instants.

    Between two frames at most two steps apart the keypoints are interpolated linearly, with the smaller of the two
    confidences; farther from any frame the keypoints are unknown, and all values are zeros.

    Args:
        times: (T,) seconds, ascending, of the frames in which the person was detected; T is at least 1.
        keypoints: (T, 17, 3).
        instants: (M,) seconds, the middles of the windows.
        num_instants: instants of a window, odd.
        step_seconds: from one instant to the next.

    Returns:
        (M, num_instants, 17, 3).

    Raises:
        ShapeError: times and keypoints do not fit each other, or there is no frame.
    """
    if not len(times):
        raise ShapeError("times must hold at least one frame, got none")
    expect_shape("keypoints", keypoints, (len(times), NUM_KEYPOINTS, 3))
    steps = (np.arange(num_instants) - num_instants // 2) * step_seconds  # (K,)
    seconds = (instants[:, None] + steps).ravel()  # (M * K,)
    following = np.clip(np.searchsorted(times, seconds), 0, len(times) - 1)
    previous = np.clip(following - 1, 0, len(times) - 1)
    gap = times[following] - times[previous]  # (M * K,) 0 for a track of one frame, or an instant before the first
    is_between = (gap > 0) & (gap <= 2 * step_seconds) & (times[previous] <= seconds) & (seconds <= times[following])
    share = np.where(is_between, (seconds - times[previous]) / np.where(gap > 0, gap, 1), 0)  # (M * K,)
    share = share[:, None, None]  # (M * K, 1, 1)
    interpolated = keypoints[previous] * (1 - share) + keypoints[following] * share
    is_mixed = ((share > 0) & (share < 1))[..., 0]  # (M * K, 1)
    least_sure = np.minimum(keypoints[previous][..., 2], keypoints[following][..., 2])  # (M * K, 17)
    interpolated[..., 2] = np.where(is_mixed, least_sure, interpolated[..., 2])
    nearest = np.where(np.abs(seconds - times[previous]) <= np.abs(times[following] - seconds), previous, following)
    is_near = np.abs(times[nearest] - seconds) <= NEAR_SHARE * step_seconds
    sampled = np.where(is_between[:, None, None], interpolated, np.where(is_near[:, None, None], keypoints[nearest], 0))
    return sampled.reshape(len(instants), num_instants, NUM_KEYPOINTS, 3).astype(np.float32)


def with_floor(windows: Keypoints, floor: float) -> Keypoints:
    """Raise the confidences above 0 in windows (N, K, 17, 3) to at least `floor`, 0..1."""
    if not floor:
        return windows
    raised = windows.copy()
    raised[..., 2] = np.where(windows[..., 2] > 0, np.maximum(windows[..., 2], floor), 0)
    return raised


def person_windows(
    frames: Sequence[FrameParse], *, first: int = 0, num_instants: int, step_seconds: float
) -> tuple[list[tuple[int, int]], Keypoints]:
    """Return the windows of the persons of `frames[first:]`; earlier frames only complete their tracks.

    Args:
        frames: sampled frames of one video, in the order of time, with track ids.
        first: index of the first frame whose persons get windows.
        num_instants: instants of a window, odd.
        step_seconds: from one instant to the next.

    Returns:
        N pairs (index of the frame, index of the person in it), in the order of tracks, and windows (N, K, 17, 3).
    """
    tracks: dict[int, list[tuple[int, int]]] = {}
    for frame_index, frame in enumerate(frames):
        for person_index, person in enumerate(frame.persons):
            tracks.setdefault(person.track_id, []).append((frame_index, person_index))
    positions: list[tuple[int, int]] = []
    windows = [np.zeros((0, num_instants, NUM_KEYPOINTS, 3), np.float32)]
    for track in tracks.values():
        selected = [position for position in track if position[0] >= first]
        start = len(track) - len(selected)
        times = np.array([frames[m].time_seconds for m, _ in track])  # (T,)
        keypoints = np.array([frames[m].persons[n].keypoints for m, n in track], np.float32)  # (T, 17, 3)
        window = keypoint_windows(times, keypoints, times[start:], num_instants=num_instants, step_seconds=step_seconds)
        window[:, num_instants // 2] = keypoints[start:]  # frames of the same time may differ in pose
        windows.append(window)
        positions += selected
    return positions, np.concatenate(windows)
