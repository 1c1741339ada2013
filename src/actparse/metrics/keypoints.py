"""How near keypoints are to the truth, and whether left and right are told apart.

Truth is (N, 17, 3): x, y, pixels, and visibility, above 0 where the keypoint counts. Source: COCO keypoint evaluation.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from actparse.core.errors import ShapeError, expect_shape
from actparse.core.vocabulary import KEYPOINT_PAIRS, NUM_KEYPOINTS, OKS_SIGMAS

Array = NDArray[np.floating[Any]]
SHOULDERS, HIPS = [5, 6], [11, 12]
TORSO_OF_LIMBS = (  # from and to, and the torso's length over that of the limb
    *((11, 13, 0.85), (12, 14, 0.85), (13, 15, 0.85), (14, 16, 0.85)),  # thighs and shins
    *((5, 7, 1.3), (6, 8, 1.3)),  # upper arms
)


def oks(predictions: Array, truth: Array, areas: Array) -> NDArray[np.float64]:
    """Object keypoint similarity of each prediction with its own truth.

    Args:
        predictions: (N, 17, 2 or more) x, y, pixels.
        truth: (N, 17, 3).
        areas: (N,) of the persons, square pixels.

    Returns:
        (N,) in 0..1; NaN where no keypoint counts.

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
    """Similarity (N, N) of predicted poses (N, 17, 2 or more) among themselves, all keypoints, areas (N,) averaged.

    Raises:
        ShapeError: the arrays do not fit each other.
    """
    _expect_poses("poses", poses)
    expect_shape("areas", areas, (len(poses),))
    places = np.asarray(poses[..., :2], np.float64)  # (N, 17, 2)
    squares = ((places[:, None] - places[None]) ** 2).sum(axis=3)  # (N, N, 17)
    mean_areas = (areas[:, None] + areas[None]) / 2  # (N, N)
    result: NDArray[np.float64] = _similarity(squares, mean_areas[..., None]).mean(axis=2)
    return result


def oks_nms(poses: Array, scores: Array, areas: Array, max_oks: float) -> NDArray[np.int64]:
    """Greedy suppression of poses (N, 17, 2 or more) that resemble a better one by more than `max_oks`.

    Returns:
        The kept rows, best first.

    Raises:
        ShapeError: the arrays do not fit each other.
    """
    similar = pairwise_oks(poses, areas)  # (N, N)
    expect_shape("scores", scores, (len(poses),))
    kept: list[int] = []
    for row in np.argsort(-scores, kind="stable"):
        if (similar[row, kept] <= max_oks).all():
            kept.append(int(row))
    return np.array(kept, np.int64)


def pck(predictions: Array, truth: Array, sizes: Array, max_distance: float = 0.05) -> float:
    """Share of the keypoints that count which lie near enough.

    Args:
        predictions: (N, 17, 2 or more) x, y, pixels.
        truth: (N, 17, 3).
        sizes: (N,) of the persons, pixels.
        max_distance: in parts of the size.

    Returns:
        0..1; NaN where no keypoint counts.

    Raises:
        ShapeError: the arrays do not fit each other.
    """
    near = near_keypoints(predictions, truth, sizes, max_distance)  # (N, 17)
    return _share(near[truth[..., 2] > 0])


def near_keypoints(predictions: Array, truth: Array, sizes: Array, max_distance: float) -> NDArray[np.bool_]:
    """Tell which keypoints are near enough to the truth, (N, 17), whether they count or not; arguments as for `pck`.

    Raises:
        ShapeError: the arrays do not fit each other.
    """
    distances = _distances(predictions, truth)  # (N, 17)
    expect_shape("sizes", sizes, (len(truth),))
    return np.asarray(distances <= max_distance * np.asarray(sizes)[:, None], np.bool_)


def torso_lengths(truth: Array) -> NDArray[np.float64]:
    """Measure the torso of each person, pixels (N,), of keypoints (N, 17, 3) x, y, visibility.

    It is the distance between the middle of the shoulders and the middle of the hips; of a pair of which one keypoint
    is labelled, that one is the middle. Where both shoulders or both hips are missing it is estimated from the limbs:
    the longest of 0.85 x thigh, 0.85 x shin and 1.3 x upper arm. NaN where no limb is labelled either.

    Raises:
        ShapeError: `truth` is not (N, 17, 3).
    """
    expect_shape("truth", truth, (None, NUM_KEYPOINTS, 3))
    places = np.where(truth[..., 2:] > 0, truth[..., :2], np.nan).astype(np.float64)  # (N, 17, 2)
    torsos = _lengths(_middles(places[:, SHOULDERS]) - _middles(places[:, HIPS]))  # (N,)
    limbs = [factor * _lengths(places[:, start] - places[:, end]) for start, end, factor in TORSO_OF_LIMBS]
    estimates = np.fmax.reduce(limbs, axis=0)  # (N,) the longest that is labelled
    lengths = np.where(torsos > 0, torsos, estimates)
    return np.where(lengths > 0, lengths, np.nan)


def _lengths(steps: Array) -> NDArray[np.float64]:
    return np.hypot(steps[:, 0], steps[:, 1])


def _middles(pairs: Array) -> NDArray[np.float64]:
    """Middles (N, 2) of pairs (N, 2, 2), or the one that is no NaN."""
    first, second = pairs[:, 0], pairs[:, 1]
    either = np.where(np.isnan(first), second, first)
    return np.where(np.isnan(first) | np.isnan(second), either, (first + second) / 2)


def swap_rate(predictions: Array, truth: Array) -> float:
    """Share of the limbs' left and right pairs that fit the truth better with their names exchanged.

    Args:
        predictions: (N, 17, 2 or more) x, y, pixels.
        truth: (N, 17, 3); a pair counts where both of its keypoints do.

    Returns:
        0..1; NaN where no pair counts.

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


def _expect_poses(name: str, poses: Array) -> None:
    if poses.ndim != 3 or poses.shape[1] != NUM_KEYPOINTS or poses.shape[2] < 2:
        raise ShapeError(f"{name} must have shape (N, {NUM_KEYPOINTS}, 2 or more), got {poses.shape}")


def _distances(predictions: Array, truth: Array) -> NDArray[np.float64]:
    """Pixels (N, 17) from each prediction to its truth."""
    _expect_poses("predictions", predictions)
    expect_shape("truth", truth, (len(predictions), NUM_KEYPOINTS, 3))
    steps = np.asarray(predictions[..., :2], np.float64) - truth[..., :2]  # (N, 17, 2)
    return np.hypot(steps[..., 0], steps[..., 1])


def _similarity(squares: Array, areas: Array) -> NDArray[np.float64]:
    """exp(-d^2 / (2 (2 sigma)^2 area)), (..., 17), of squared distances (..., 17) and areas (..., 1)."""
    variances = (2 * np.array(OKS_SIGMAS)) ** 2  # (17,)
    result: NDArray[np.float64] = np.exp(-squares / (2 * variances * (areas + np.spacing(1.0))))
    return result


def _share(hits: NDArray[np.bool_]) -> float:
    return float(hits.mean()) if hits.size else float("nan")
