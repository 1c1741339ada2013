"""Distances of keypoints from the truth, and confusion of left and right.

Truth is (N, 17, 3): x and y in pixels, and visibility. A keypoint counts if its visibility is above 0.
Source: COCO keypoint evaluation.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from actparse.core.errors import ShapeError, expect_shape
from actparse.core.vocabulary import KEYPOINT_PAIRS, NUM_KEYPOINTS, OKS_SIGMAS

Array = NDArray[np.floating[Any]]
SHOULDERS, HIPS = [5, 6], [11, 12]
MIN_PAIR_SHARE = 0.06  # distance of a left-right pair that counts, as a share of the box's longer side
TORSO_OF_LIMBS = (  # start and end keypoint of a limb, and the ratio of the torso's length to the limb's
    *((11, 13, 0.85), (12, 14, 0.85), (13, 15, 0.85), (14, 16, 0.85)),  # thighs and shins
    *((5, 7, 1.3), (6, 8, 1.3)),  # upper arms
)


def oks(predictions: Array, truth: Array, areas: Array) -> NDArray[np.float64]:
    """Compute the object keypoint similarity of each prediction with its ground truth.

    Args:
        predictions: (N, 17, 2 or more) x, y, pixels.
        truth: (N, 17, 3).
        areas: (N,) of the persons, square pixels.

    Returns:
        (N,) in 0..1; NaN if no keypoint counts.

    Raises:
        ShapeError: the arrays do not fit each other.
    """
    distances = _distances(predictions, truth)  # (N, 17)
    expect_shape("areas", areas, (len(truth),))
    similar = _similarity(distances**2, np.asarray(areas, np.float64)[:, None])  # (N, 17)
    counts = truth[..., 2] > 0  # (N, 17)
    total = counts.sum(axis=1)  # (N,)
    return np.where(total > 0, (similar * counts).sum(axis=1) / np.maximum(total, 1), np.nan)


def pairwise_oks(poses: Array, areas: Array) -> NDArray[np.float64]:
    """Compute the object keypoint similarity (N, N) of every pair of predicted poses.

    All keypoints count, and the two areas are averaged.

    Args:
        poses: (N, 17, 2 or more) x, y, pixels.
        areas: (N,) of the persons, square pixels.

    Raises:
        ShapeError: the arrays do not fit each other.
    """
    _expect_poses("poses", poses)
    expect_shape("areas", areas, (len(poses),))
    points = np.asarray(poses[..., :2], np.float64)  # (N, 17, 2)
    squares = ((points[:, None] - points[None]) ** 2).sum(axis=3)  # (N, N, 17)
    mean_areas = (areas[:, None] + areas[None]) / 2  # (N, N)
    result: NDArray[np.float64] = _similarity(squares, mean_areas[..., None]).mean(axis=2)
    return result


def oks_nms(poses: Array, scores: Array, areas: Array, max_oks: float) -> NDArray[np.int64]:
    """Suppress the poses (N, 17, 2 or more) that resemble a better pose by more than `max_oks`, greedily.

    Returns:
        Indices of the remaining poses, best first.

    Raises:
        ShapeError: the arrays do not fit each other.
    """
    similar = pairwise_oks(poses, areas)  # (N, N)
    expect_shape("scores", scores, (len(poses),))
    selected: list[int] = []
    for index in np.argsort(-scores, kind="stable"):
        if (similar[index, selected] <= max_oks).all():
            selected.append(int(index))
    return np.array(selected, np.int64)


def pck(predictions: Array, truth: Array, sizes: Array, max_distance: float = 0.05) -> float:
    """Compute the percentage of correct keypoints (PCK), as a share: the keypoints close enough to the truth.

    Args:
        predictions: (N, 17, 2 or more) x, y, pixels.
        truth: (N, 17, 3).
        sizes: (N,) of the persons, pixels.
        max_distance: as a fraction of the size.

    Returns:
        0..1; NaN if no keypoint counts.

    Raises:
        ShapeError: the arrays do not fit each other.
    """
    is_near = near_keypoints(predictions, truth, sizes, max_distance)  # (N, 17)
    return _share(is_near[truth[..., 2] > 0])


def near_keypoints(predictions: Array, truth: Array, sizes: Array, max_distance: float) -> NDArray[np.bool_]:
    """Return which keypoints are close enough to the truth, (N, 17), whether they count or not.

    Arguments are as for `pck`.

    Raises:
        ShapeError: the arrays do not fit each other.
    """
    distances = _distances(predictions, truth)  # (N, 17)
    expect_shape("sizes", sizes, (len(truth),))
    return np.asarray(distances <= max_distance * np.asarray(sizes)[:, None], np.bool_)


def annotated_torsos(truth: Array) -> NDArray[np.float64]:
    """Measure the torso length (N,) of each person, in pixels, from keypoints (N, 17, 3) x, y, visibility.

    It is the distance between the middle of the shoulders and the middle of the hips. If only one keypoint of a pair
    is labelled, it is used as the middle. If both shoulders or both hips are missing, the length is estimated from the
    limbs: the longest of 0.85 x thigh, 0.85 x shin and 1.3 x upper arm. NaN if no limb is labelled either.

    Raises:
        ShapeError: `truth` is not (N, 17, 3).
    """
    expect_shape("truth", truth, (None, NUM_KEYPOINTS, 3))
    points = np.where(truth[..., 2:] > 0, truth[..., :2], np.nan).astype(np.float64)  # (N, 17, 2)
    torsos = _lengths(_middles(points[:, SHOULDERS]) - _middles(points[:, HIPS]))  # (N,)
    limbs = [factor * _lengths(points[:, start] - points[:, end]) for start, end, factor in TORSO_OF_LIMBS]
    estimates = np.fmax.reduce(limbs, axis=0)  # (N,) the longest of the labelled limbs
    lengths = np.where(torsos > 0, torsos, estimates)
    return np.where(lengths > 0, lengths, np.nan)


def _lengths(steps: Array) -> NDArray[np.float64]:
    return np.hypot(steps[:, 0], steps[:, 1])


def _middles(pairs: Array) -> NDArray[np.float64]:
    """Return the middles (N, 2) of pairs of points (N, 2, 2); if one point is NaN, the other point."""
    first, second = pairs[:, 0], pairs[:, 1]
    either = np.where(np.isnan(first), second, first)
    return np.where(np.isnan(first) | np.isnan(second), either, (first + second) / 2)


def swap_rate(predictions: Array, truth: Array) -> float:
    """Compute the share of left and right keypoint pairs that fit the truth better with their names exchanged.

    Args:
        predictions: (N, 17, 2 or more) x, y, pixels.
        truth: (N, 17, 3); a pair counts if both of its keypoints do.

    Returns:
        0..1; NaN if no pair counts.

    Raises:
        ShapeError: the arrays do not fit each other.
    """
    left, right = (list(side) for side in zip(*KEYPOINT_PAIRS, strict=True))
    straight = _distances(predictions, truth)  # (N, 17)
    exchanged = np.array(predictions[..., :2], np.float64)  # (N, 17, 2)
    exchanged[:, left + right] = exchanged[:, right + left]
    crossed = _distances(exchanged, truth)  # (N, 17)
    swapped = crossed[:, left] + crossed[:, right] < straight[:, left] + straight[:, right]  # (N, pairs)
    counts = truth[..., 2] > 0  # (N, 17)
    return _share(swapped[counts[:, left] & counts[:, right]])


def distinct_pairs(truth: Array, sizes: Array) -> Array:
    """Set the visibility of left-right pairs to 0 if they are too near to be told apart.

    Args:
        truth: (N, 17, 3).
        sizes: (N,) longer side of each person's box, pixels.

    Returns:
        (N, 17, 3) a changed copy.
    """
    changed = truth.copy()
    for left, right in KEYPOINT_PAIRS:
        near = np.hypot(*(truth[:, left, :2] - truth[:, right, :2]).T) < MIN_PAIR_SHARE * sizes  # (N,)
        changed[near, left, 2] = 0
        changed[near, right, 2] = 0
    return changed


def _expect_poses(name: str, poses: Array) -> None:
    if poses.ndim != 3 or poses.shape[1] != NUM_KEYPOINTS or poses.shape[2] < 2:
        raise ShapeError(f"{name} must have shape (N, {NUM_KEYPOINTS}, 2 or more), got {poses.shape}")


def _distances(predictions: Array, truth: Array) -> NDArray[np.float64]:
    """Compute the distance (N, 17) in pixels from each predicted keypoint to its truth."""
    _expect_poses("predictions", predictions)
    expect_shape("truth", truth, (len(predictions), NUM_KEYPOINTS, 3))
    steps = np.asarray(predictions[..., :2], np.float64) - truth[..., :2]  # (N, 17, 2)
    return np.hypot(steps[..., 0], steps[..., 1])


def _similarity(squares: Array, areas: Array) -> NDArray[np.float64]:
    """Compute exp(-d^2 / (2 (2 sigma)^2 area)), (..., 17), from squared distances (..., 17) and areas (..., 1)."""
    variances = (2 * np.array(OKS_SIGMAS)) ** 2  # (17,)
    result: NDArray[np.float64] = np.exp(-squares / (2 * variances * (areas + np.spacing(1.0))))
    return result


def _share(hits: NDArray[np.bool_]) -> float:
    return float(hits.mean()) if hits.size else float("nan")
