"""Artificial errors in true keypoints of tracks, like those of a pose network on real videos.

Source: errors of MoveNet along tracks of rendered people; its confidences are used unchanged.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from actparse.core.vocabulary import KEYPOINT_FLIP, NUM_KEYPOINTS

Array = NDArray[np.float32]
Keypoints = NDArray[np.float32]  # (N, K, 17, 3) of windows of K instants

BODY = slice(5, 17)  # keypoints whose sides are swapped
JOINT_ERRORS = np.array([0.5] * 5 + [0.8, 0.8, 1.1, 1.1, 1.4, 1.4, 0.8, 0.8, 1.0, 1.0, 1.3, 1.3], np.float32)
BORDERS = ("bottom", "left", "right", "top")


@dataclass(frozen=True, kw_only=True)
class TrackErrors:
    """Sizes and rates of keypoint errors; a spread is the RMS distance of a person's keypoints from their middle."""

    lasting: float = 0.05  # median of the error that is constant in a window, in spreads; log-normal over windows
    jitter: float = 0.04  # the same, for the error of each instant
    deviation: float = 0.6  # standard deviation of the logarithm of both
    unsure: float = 0.25  # error of a joint at confidence 0, in spreads; 0 from confidence 0.5 on
    confidence_noise: float = 0.05  # standard deviation
    lost: float = 0.2  # highest share of missing keypoints; each window draws its share from 0 to this, also below
    lost_instants: float = 0.15  # highest share of missing instants
    swapped: float = 0.2  # highest share of instants with left and right swapped
    cut: tuple[float, float, float, float] = (0.3, 0.07, 0.07, 0.06)  # share of windows cut at each of BORDERS
    cut_confidence: float = 0.3  # highest confidence of a keypoint beyond the border
    stretch: float = 0.08  # standard deviation of a horizontal stretch
    shear: float = 0.06  # standard deviation of a horizontal shear


def with_track_errors(
    windows: Keypoints, confidences: Array, errors: TrackErrors, rng: np.random.Generator
) -> Keypoints:
    """Add the errors of a pose network to true keypoints.

    Args:
        windows: (N, K, 17, 3) x, y in pixels, 1 inside the frame and 0 outside or if there is no frame.
        confidences: (M, K, 17) of the network along other tracks with as many instants, 0 where it found no keypoint;
            M is at least 1.
        errors: sizes and rates of the errors.
        rng: for the random errors.

    Returns:
        (N, K, 17, 3) x, y, confidence.
    """
    windows = distorted(windows, errors, rng)
    count, num_instants = windows.shape[:2]
    spread = spreads(windows)  # (N, 1, 1, 1)
    confidence = drawn_confidences(count, confidences, errors, rng)  # (N, K, 17)
    noisy = windows.copy()
    rate = rng.random((3, count, 1, 1))
    swapped = rng.random((count, num_instants)) < rate[0, :, :, 0] * errors.swapped
    noisy[swapped, BODY] = noisy[swapped][:, KEYPOINT_FLIP][:, BODY]
    scale = np.exp(rng.normal(0, errors.deviation, (2, count, 1, 1, 1)))
    noise = scale[0] * errors.lasting * rng.standard_normal((count, 1, NUM_KEYPOINTS, 2))
    noise = noise + scale[1] * errors.jitter * rng.standard_normal((count, num_instants, NUM_KEYPOINTS, 2))
    doubt = np.clip(1 - confidence / 0.5, 0, 1)[..., None]  # (N, K, 17, 1)
    noise = noise + errors.unsure * doubt * rng.standard_normal((count, num_instants, NUM_KEYPOINTS, 2))
    noisy[..., :2] += noise * spread * JOINT_ERRORS[:, None]
    is_missing = rng.random((count, num_instants, NUM_KEYPOINTS)) < rate[1] * errors.lost
    is_missing |= rng.random((count, num_instants, 1)) < rate[2] * errors.lost_instants
    noisy[..., 2] *= np.where(is_missing, 0, confidence)
    return cut_at_borders(noisy.astype(np.float32), spread, errors, rng)


def drawn_confidences(count: int, confidences: Array, errors: TrackErrors, rng: np.random.Generator) -> Array:
    """Draw `count` windows of a network's confidences (M, K, 17) and add noise: (count, K, 17) above 0, at most 1."""
    drawn = confidences[rng.integers(0, len(confidences), count)]  # (N, K, 17)
    is_found = drawn > 0
    mean = (drawn.sum(axis=1, keepdims=True) + 0.5) / (is_found.sum(axis=1, keepdims=True) + 1)  # of each joint
    noisy = np.where(is_found, drawn, mean) + rng.normal(0, errors.confidence_noise, drawn.shape)
    return np.clip(noisy, 0.02, 1).astype(np.float32)


def distorted(windows: Keypoints, errors: TrackErrors, rng: np.random.Generator) -> Keypoints:
    """Stretch and shear every window of keypoints (N, K, 17, 3), to imitate other cameras and bodies."""
    count = len(windows)
    stretch = np.exp(rng.normal(0, errors.stretch, (count, 1, 1)))
    shear = rng.normal(0, errors.shear, (count, 1, 1))
    changed = windows.copy()
    changed[..., 0] = windows[..., 0] * stretch + windows[..., 1] * shear
    return changed


def cut_at_borders(windows: Keypoints, spread: Array, errors: TrackErrors, rng: np.random.Generator) -> Keypoints:
    """Cut some of the windows (N, K, 17, 3) as if the frame ended inside the person.

    Keypoints beyond the border are moved onto it with a low confidence, as a pose network places them.
    """
    exists = windows[..., 2:] > 0  # (N, K, 17, 1)
    count = np.maximum(exists.sum(axis=(1, 2)), 1)  # (N, 1)
    middle = (windows[..., :2] * exists).sum(axis=(1, 2)) / count  # (N, 2)
    changed = windows.copy()
    for share, border in zip(errors.cut, BORDERS, strict=True):
        axis, sign = (1 if border in ("bottom", "top") else 0), (1 if border in ("bottom", "right") else -1)
        is_cut = rng.random(len(windows)) < share  # (N,)
        position = middle[:, axis] + sign * rng.uniform(-0.1, 1.3, len(windows)) * spread[:, 0, 0, 0]  # (N,)
        beyond = (sign * (changed[..., axis] - position[:, None, None]) > 0) & is_cut[:, None, None]  # (N, K, 17)
        changed[..., axis] = np.where(beyond, position[:, None, None], changed[..., axis])
        low = rng.uniform(0, errors.cut_confidence, beyond.shape)
        changed[..., 2] = np.where(beyond, np.minimum(changed[..., 2], low), changed[..., 2])
    return changed.astype(np.float32)


def shortened(windows: Keypoints, share: float, rng: np.random.Generator) -> Keypoints:
    """Remove instants from a share of the windows (N, K, 17, 3), as at the ends of a short video; the middle stays."""
    count, num_instants = windows.shape[:2]
    half = num_instants // 2
    num_before, num_after = rng.integers(0, half + 1, (2, count))  # instants that remain on either side
    whole = np.asarray(rng.random(count) >= share)  # (N,)
    offsets = np.arange(num_instants) - half  # (K,)
    remains = whole[:, None] | ((offsets >= -num_before[:, None]) & (offsets <= num_after[:, None]))  # (N, K)
    changed = windows.copy()
    changed[~remains] = 0
    return changed


def spreads(windows: Keypoints) -> Array:
    """Return the RMS distance (N, 1, 1, 1), pixels, of keypoints (N, K, 17, 3) from the middle of their instant."""
    exists = windows[..., 2:] > 0  # (N, K, 17, 1)
    count = np.maximum(exists.sum(axis=2, keepdims=True), 1)
    middle = (windows[..., :2] * exists).sum(axis=2, keepdims=True) / count  # (N, K, 1, 2)
    squares = (((windows[..., :2] - middle) ** 2).sum(axis=3, keepdims=True) * exists).sum(axis=(1, 2), keepdims=True)
    spread: Array = np.sqrt(squares / np.maximum(exists.sum(axis=(1, 2), keepdims=True), 1))
    return spread
