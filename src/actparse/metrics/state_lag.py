"""Lag of the part states behind the pose: the shift in time at which the two agree best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from actparse.core.errors import expect_shape
from actparse.core.vocabulary import KEYPOINTS, NUM_KEYPOINTS, PARTS

Floats = NDArray[np.float64]
MAX_LAG_SECONDS = 1.0
MIN_STD = 0.02  # torso lengths; a feature that moves less is noise

_JOINTS: dict[str, tuple[str, ...]] = {  # keypoints of a part; {side} stands for left or right
    "head": ("nose", "left_ear", "right_ear"),
    "arm": ("{side}_elbow", "{side}_wrist"),
    "hand": ("{side}_elbow", "{side}_wrist"),
    "leg": ("{side}_knee", "{side}_ankle"),
    "foot": ("{side}_knee", "{side}_ankle"),
}


@dataclass(frozen=True)
class PoseTrack:
    """Poses and states of one person at T evenly spaced times."""

    keypoints: Floats  # (T, 17, 2) x, y, pixels
    states: NDArray[np.str_]  # (T, 10) in the order of `PARTS`

    def __post_init__(self) -> None:
        expect_shape("keypoints", self.keypoints, (None, NUM_KEYPOINTS, 2))
        expect_shape("states", self.states, (len(self.keypoints), len(PARTS)))

    def features(self, part: str) -> Floats:
        """Return the positions of a part's joints relative to the trunk, in torso lengths: (T, F).

        Sideways they are absolute distances, which do not change when the person turns around.
        """
        positions = {name: self.keypoints[:, index] for index, name in enumerate(KEYPOINTS)}
        shoulders = (positions["left_shoulder"] + positions["right_shoulder"]) / 2
        hips = (positions["left_hip"] + positions["right_hip"]) / 2
        torso = max(float(np.percentile(np.linalg.norm(shoulders - hips, axis=1), 90)), 1e-6)
        side, _, group = part.partition("_")
        if part == "hip":
            feet = (positions["left_ankle"] + positions["right_ankle"]) / 2
            columns = np.concatenate((shoulders - hips, feet - hips), axis=1)
        elif part == "head":
            columns = np.concatenate([positions[name] - shoulders for name in _JOINTS[part]], axis=1)
        else:
            root = positions[f"{side}_shoulder" if group in ("arm", "hand") else f"{side}_hip"]
            columns = np.concatenate([positions[name.format(side=side)] - root for name in _JOINTS[group]], axis=1)
        columns[:, ::2] = np.abs(columns[:, ::2])
        return columns / torso


def agreement_by_lag(tracks: Sequence[PoseTrack], step_seconds: float) -> tuple[Floats, Floats]:
    """Measure how much of the poses' movement the states explain at each lag.

    Args:
        tracks: people who do the same action; those of at most four times `MAX_LAG_SECONDS` are ignored.
        step_seconds: time between two poses, greater than 0.

    Returns:
        Lags (L,) in seconds, greater than 0 if states come after the pose, and for each lag the share of the variance
        of the joints' positions that is between states, 0..1: the squared correlation of one-hot states and pose.
    """
    steps = round(MAX_LAG_SECONDS / step_seconds)
    lags = np.arange(-steps, steps + 1)
    explained, total = np.zeros(len(lags)), np.zeros(len(lags))
    for track in tracks:
        if len(track.keypoints) <= 4 * steps:
            continue
        for part, name in enumerate(PARTS):
            features = track.features(name)[steps:-steps]  # (T', F)
            spread = features.std(axis=0)
            features = (features - features.mean(axis=0))[:, spread > MIN_STD]
            codes = np.unique(track.states[:, part], return_inverse=True)[1]
            if features.shape[1] == 0 or codes.max() == 0:
                continue
            for index, lag in enumerate(lags):
                shifted = codes[steps + lag : steps + lag + len(features)]
                counts = np.bincount(shifted, minlength=codes.max() + 1)
                sums = np.stack([np.bincount(shifted, column, codes.max() + 1) for column in features.T])  # (F, S)
                explained[index] += (sums**2 / np.maximum(counts, 1)).sum()
                total[index] += (features**2).sum()
    agreement: Floats = explained / np.maximum(total, 1e-9)
    return np.asarray(lags * step_seconds, np.float64), agreement


def best_lag(tracks: Sequence[PoseTrack], step_seconds: float) -> float:
    """Find the lag in seconds with the best agreement; it is below 0 if the states come before the pose.

    A parabola through the best step and its neighbours refines the lag between steps. NaN if nothing changes.
    """
    lags, agreement = agreement_by_lag(tracks, step_seconds)
    if agreement.max() <= 0:
        return float("nan")
    best = int(agreement.argmax())
    if best in (0, len(lags) - 1):
        return float(lags[best])
    left, middle, right = agreement[best - 1 : best + 2]
    curvature = left - 2 * middle + right
    return float(lags[best] + (0.5 * (left - right) / curvature * step_seconds if curvature < 0 else 0.0))
