"""Windows of a person's keypoints: what a track showed at even steps of time about an instant."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from actparse.core.errors import ShapeError, expect_shape
from actparse.core.structures import FrameParse
from actparse.core.vocabulary import NUM_KEYPOINTS

Keypoints = NDArray[np.float32]  # (..., 17, 3) x, y in pixels, confidence
NEAR_SHARE = 0.5  # of a step: a frame so near stands for an instant that lies between no two frames


def keypoint_windows(
    times: NDArray[np.float64],
    keypoints: Keypoints,
    instants: NDArray[np.float64],
    *,
    num_instants: int,
    step_seconds: float,
) -> Keypoints:
    """What a track shows at even steps before and after some instants.

    Between two frames at most two steps apart the keypoints move on a straight line, as sure as the less sure of both;
    farther from any frame nothing is known, and the keypoints are zeros.

    Args:
        times: (T,) seconds, ascending, of the frames in which the person was found; T is at least 1.
        keypoints: (T, 17, 3).
        instants: (M,) seconds, the middles of the windows.
        num_instants: of a window, odd.
        step_seconds: from one to the next.

    Returns:
        (M, num_instants, 17, 3).

    Raises:
        ShapeError: times and keypoints do not fit each other, or there is no frame.
    """
    if not len(times):
        raise ShapeError("times must hold at least one frame, got none")
    expect_shape("keypoints", keypoints, (len(times), NUM_KEYPOINTS, 3))
    steps = (np.arange(num_instants) - num_instants // 2) * step_seconds  # (K,)
    asked = (instants[:, None] + steps).ravel()  # (M * K,)
    after = np.clip(np.searchsorted(times, asked), 0, len(times) - 1)
    before = np.clip(after - 1, 0, len(times) - 1)
    gap = times[after] - times[before]  # (M * K,) 0 where the track has one frame, or the instant is before it
    within = (gap > 0) & (gap <= 2 * step_seconds) & (times[before] <= asked) & (asked <= times[after])
    share = np.where(within, (asked - times[before]) / np.where(gap > 0, gap, 1), 0)[:, None, None]  # (M * K, 1, 1)
    mixed = keypoints[before] * (1 - share) + keypoints[after] * share
    between = ((share > 0) & (share < 1))[..., 0]  # (M * K, 1)
    least_sure = np.minimum(keypoints[before][..., 2], keypoints[after][..., 2])  # (M * K, 17)
    mixed[..., 2] = np.where(between, least_sure, mixed[..., 2])
    nearest = np.where(np.abs(asked - times[before]) <= np.abs(times[after] - asked), before, after)
    is_near = np.abs(times[nearest] - asked) <= NEAR_SHARE * step_seconds
    found = np.where(within[:, None, None], mixed, np.where(is_near[:, None, None], keypoints[nearest], 0))
    return found.reshape(len(instants), num_instants, NUM_KEYPOINTS, 3).astype(np.float32)


def with_floor(windows: Keypoints, floor: float) -> Keypoints:
    """Return windows (N, K, 17, 3) whose keypoints are at least `floor` sure, 0..1, where anything was found."""
    if not floor:
        return windows
    raised = windows.copy()
    raised[..., 2] = np.where(windows[..., 2] > 0, np.maximum(windows[..., 2], floor), 0)
    return raised


def person_windows(
    frames: Sequence[FrameParse], *, first: int = 0, num_instants: int, step_seconds: float
) -> tuple[list[tuple[int, int]], Keypoints]:
    """The windows of the persons of `frames[first:]`; the frames before lend their part of the tracks.

    Args:
        frames: sampled frames of one video, in the order of time, with track ids.
        first: of the frames that are asked for.
        num_instants: of a window, odd.
        step_seconds: from one to the next.

    Returns:
        N places (number of the frame, place of the person in it), track by track, and windows (N, K, 17, 3).
    """
    tracks: dict[int, list[tuple[int, int]]] = {}
    for number, frame in enumerate(frames):
        for at, person in enumerate(frame.persons):
            tracks.setdefault(person.track_id, []).append((number, at))
    places: list[tuple[int, int]] = []
    windows = [np.zeros((0, num_instants, NUM_KEYPOINTS, 3), np.float32)]
    for track in tracks.values():
        asked = [place for place in track if place[0] >= first]
        times = np.array([frames[number].time_seconds for number, _ in track])  # (T,)
        keypoints = np.array([frames[number].persons[at].keypoints for number, at in track], np.float32)
        instants = times[len(track) - len(asked) :]
        found = keypoint_windows(times, keypoints, instants, num_instants=num_instants, step_seconds=step_seconds)
        found[:, num_instants // 2] = keypoints[len(track) - len(asked) :]  # frames of one time have poses of their own
        windows.append(found)
        places += asked
    return places, np.concatenate(windows)
