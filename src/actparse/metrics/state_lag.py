"""How far part states come after the pose: the shift in time at which the two agree best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from actparse.core.errors import expect_shape
from actparse.core.vocabulary import KEYPOINTS, NUM_KEYPOINTS, PARTS

Floats = NDArray[np.float64]
MAX_LAG_SECONDS = 1.0
MIN_STD = 0.02  # torsos; a feature that moves less than that is noise

_JOINTS: dict[str, tuple[str, ...]] = {  # keypoints of a part; {side} is its side
    "head": ("nose", "left_ear", "right_ear"),
    "arm": ("{side}_elbow", "{side}_wrist"),
    "hand": ("{side}_elbow", "{side}_wrist"),
    "leg": ("{side}_knee", "{side}_ankle"),
    "foot": ("{side}_knee", "{side}_ankle"),
}


@dataclass(frozen=True)
class PoseTrack:
    """One person: `keypoints` (T, 17, 2) pixels, `states` (T, 10) in the order of `PARTS`, evenly spaced in time."""

    keypoints: Floats
    states: NDArray[np.str_]

    def __post_init__(self) -> None:
        expect_shape("keypoints", self.keypoints, (None, NUM_KEYPOINTS, 2))
        expect_shape("states", self.states, (len(self.keypoints), len(PARTS)))


def agreement_by_lag(tracks: Sequence[PoseTrack], step_seconds: float) -> tuple[Floats, Floats]:
    """Measure how much of the poses' movement the states explain at each shift in time.

    Args:
        tracks: people who do the same action; shorter ones than twice `MAX_LAG_SECONDS` are left out.
        step_seconds: from one instant to the next, greater than 0.

    Returns:
        Lags (L,) in seconds, greater than 0 where states come after the pose, and at each the share of the
        variance of the joints' places that lies between states, 0..1: the squared correlation of one-hot states and
        pose.
    """
    steps = round(MAX_LAG_SECONDS / step_seconds)
    lags = np.arange(-steps, steps + 1)
    explained, total = np.zeros(len(lags)), np.zeros(len(lags))
    for track in tracks:
        if len(track.keypoints) <= 4 * steps:
            continue
        for part, name in enumerate(PARTS):
            features = _features(track.keypoints, name)[steps:-steps]  # (T', F)
            spread = features.std(axis=0)
            features = (features - features.mean(axis=0))[:, spread > MIN_STD]
            codes = np.unique(track.states[:, part], return_inverse=True)[1]
            if features.shape[1] == 0 or codes.max() == 0:
                continue
            for row, lag in enumerate(lags):
                said = codes[steps + lag : steps + lag + len(features)]
                counts = np.bincount(said, minlength=codes.max() + 1)
                sums = np.stack([np.bincount(said, column, codes.max() + 1) for column in features.T])  # (F, S)
                explained[row] += (sums**2 / np.maximum(counts, 1)).sum()
                total[row] += (features**2).sum()
    agreement: Floats = explained / np.maximum(total, 1e-9)
    return np.asarray(lags * step_seconds, np.float64), agreement


def best_lag(tracks: Sequence[PoseTrack], step_seconds: float) -> float:
    """Find the seconds by which states come after the pose: the lag of the best agreement, below 0 where they lead.

    Between two steps a parabola through the best one and its neighbours is followed. NaN if nothing changes.
    """
    lags, agreement = agreement_by_lag(tracks, step_seconds)
    if agreement.max() <= 0:
        return float("nan")
    best = int(agreement.argmax())
    if best in (0, len(lags) - 1):
        return float(lags[best])
    before, at, after = agreement[best - 1 : best + 2]
    bend = before - 2 * at + after
    return float(lags[best] + (0.5 * (before - after) / bend * step_seconds if bend < 0 else 0.0))


def _features(keypoints: Floats, part: str) -> Floats:
    """Places of a part's joints relative to the trunk, in torsos: (T, F). Sideways they are distances, so that a body
    that turns about keeps them.
    """
    place = {name: keypoints[:, index] for index, name in enumerate(KEYPOINTS)}
    shoulders = (place["left_shoulder"] + place["right_shoulder"]) / 2
    hips = (place["left_hip"] + place["right_hip"]) / 2
    torso = max(float(np.percentile(np.linalg.norm(shoulders - hips, axis=1), 90)), 1e-6)
    side, _, group = part.partition("_")
    if part == "hip":
        feet = (place["left_ankle"] + place["right_ankle"]) / 2
        columns = np.concatenate((shoulders - hips, feet - hips), axis=1)
    elif part == "head":
        columns = np.concatenate([place[name] - shoulders for name in _JOINTS[part]], axis=1)
    else:
        root = place[f"{side}_shoulder" if group in ("arm", "hand") else f"{side}_hip"]
        columns = np.concatenate([place[name.format(side=side)] - root for name in _JOINTS[group]], axis=1)
    columns[:, ::2] = np.abs(columns[:, ::2])
    return columns / torso
