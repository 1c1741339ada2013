"""Calibration of a video's action scores: a temperature, and the probability below which no action is asserted.

Source: Guo et al., On Calibration of Modern Neural Networks, 2017 (the temperature); Hendrycks and Gimpel, A Baseline
for Detecting Misclassified and Out-of-Distribution Examples, 2017 (the threshold on the largest probability).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from actparse.core.errors import ConfigError, DataError, expect_shape

Floats = NDArray[np.float64]

LEAST_PROBABILITY = 1e-12  # smaller probabilities are raised to this before taking logarithms
MIN_TEMPERATURE, MAX_TEMPERATURE = 0.5, 4.0  # bounds of the fit: a few videos cannot justify a stronger change
MAX_RIGHT_REJECTED = 0.1  # share of the correctly classified videos that may be called unknown
NUM_BISECTIONS = 60


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """Settings that turn action scores into a verdict. The defaults keep the scores and assert every action."""

    temperature: float = 1.0  # scores become softmax(log(score) / temperature); above 1 lowers the confidence
    consistency: float = 0.0  # exponent of the share of the score that the weaker half of the video reaches
    min_probability: float = 0.0  # of the best action, after both; if it is lower, no action is asserted

    def __post_init__(self) -> None:
        if not 0 < self.temperature < math.inf:
            raise ConfigError(f"calibration.temperature must be greater than 0 and finite, got {self.temperature}")
        if not 0 <= self.consistency < math.inf:
            raise ConfigError(f"calibration.consistency must be at least 0 and finite, got {self.consistency}")
        if not 0 <= self.min_probability <= 1:
            raise ConfigError(f"calibration.min_probability must be 0..1, got {self.min_probability}")


@dataclass(frozen=True)
class FittedCalibration:
    """A calibration and its effect on the videos used to fit it. Shares are 0..1, NaN if there is no such video."""

    calibration: Calibration
    num_right: int  # known videos whose best action is the true action
    num_wrong: int  # all other known videos
    num_unknown: int  # videos that show none of the actions
    right_rejected: float  # share of the `num_right` videos that is called unknown
    wrong_rejected: float  # the same for `num_wrong`
    unknown_rejected: float  # the same for `num_unknown`
    loss_before: float  # mean negative log probability of the known videos' true actions, nats
    loss_after: float  # the same after the temperature


def with_temperature(scores: Floats, temperature: float) -> Floats:
    """Return softmax(log(scores) / temperature).

    Args:
        scores: (..., A) probabilities, at least one of each row above 0.
        temperature: greater than 0; 1 leaves rows that sum to 1 as they are.
    """
    powers = (scores / scores.max(axis=-1, keepdims=True)) ** (1 / temperature)  # the largest is 1: no underflow
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True), np.float64)


def fit_temperature(scores: Floats, labels: NDArray[np.int64]) -> float:
    """Find the temperature with the smallest mean negative log probability of the true actions.

    The loss is convex in 1 / temperature, so its slope is bisected.

    Args:
        scores: (N, A) probabilities, N at least 1.
        labels: (N,) indices of the true actions.

    Returns:
        Between MIN_TEMPERATURE and MAX_TEMPERATURE.

    Raises:
        ShapeError: the arrays do not fit each other.
    """
    expect_shape("scores", scores, (len(labels), None))
    clipped = np.maximum(scores, LEAST_PROBABILITY)
    logs = np.log(clipped)  # (N, A)
    true_logs = logs[np.arange(len(labels)), labels]  # (N,)
    low, high = 1 / MAX_TEMPERATURE, 1 / MIN_TEMPERATURE  # of 1 / temperature
    for _ in range(NUM_BISECTIONS):
        middle = (low + high) / 2
        expected = (with_temperature(clipped, 1 / middle) * logs).sum(axis=1)  # (N,)
        if float((expected - true_logs).mean()) < 0:  # the slope of the loss
            low = middle
        else:
            high = middle
    return 2 / (low + high)


def fit_threshold(right: Floats, unknown: Floats, *, max_rejected: float = MAX_RIGHT_REJECTED) -> float:
    """Find the threshold that rejects as many unknown videos as possible, but few correctly classified ones.

    A video is rejected if its largest probability is below the threshold. Of all thresholds that reject the same
    videos, the middle is returned.

    Args:
        right: (R,) largest probabilities of the correctly classified videos, R at least 1.
        unknown: (U,) largest probabilities of the videos that show none of the actions.
        max_rejected: share of `right` that may be rejected, 0..1.

    Returns:
        0..1.

    Raises:
        DataError: `right` is empty.
        ConfigError: `max_rejected` is not 0..1.
    """
    if not len(right):
        raise DataError("calibration: needs at least one known video whose best action is the true one, got none")
    if not 0 <= max_rejected <= 1:
        raise ConfigError(f"max_rejected must be 0..1, got {max_rejected}")
    num_rejected = min(int(max_rejected * len(right) + 1e-9), len(right) - 1)
    upper = float(np.sort(right)[num_rejected])  # the lowest probability that must be accepted
    probabilities = np.concatenate((right, unknown))
    lower = float(probabilities[probabilities < upper].max(initial=0.0))
    middle = (lower + upper) / 2
    return middle if middle > lower else upper


def fit_calibration(
    known_scores: Floats,
    labels: NDArray[np.int64],
    unknown_scores: Floats,
    *,
    max_rejected: float = MAX_RIGHT_REJECTED,
    consistency: float = 0.0,
    known_shares: Floats | None = None,
    unknown_shares: Floats | None = None,
) -> FittedCalibration:
    """Fit the temperature on the known videos, then the threshold on known and unknown videos.

    Args:
        known_scores: (N, A) probabilities of the videos whose action is among the A.
        labels: (N,) indices of their true actions.
        unknown_scores: (U, A) probabilities of the videos that show none of the A actions.
        max_rejected: share of the correctly classified videos that may be called unknown, 0..1.
        consistency: exponent of the shares, see `Calibration`; it is not fitted.
        known_shares: (N,) share of the score that the weaker half of each known video reaches; None: all 1.
        unknown_shares: (U,) the same for the unknown videos.

    Raises:
        ShapeError: the arrays do not fit each other.
        DataError: no known video is classified correctly, or there is no unknown video.
    """
    expect_shape("known_scores", known_scores, (len(labels), None))
    expect_shape("unknown_scores", unknown_scores, (None, known_scores.shape[1]))
    is_right = known_scores.argmax(axis=1) == labels  # (N,)
    if not is_right.any():
        needs = "calibration: needs at least one known video whose best action is the true one"
        raise DataError(f"{needs}, got none of {len(labels)}")
    if not len(unknown_scores):
        raise DataError("calibration: needs at least one video that shows none of the actions, got none")
    temperature = fit_temperature(known_scores, labels)
    fitted = with_temperature(known_scores, temperature)
    best, best_unknown = fitted.max(axis=1), with_temperature(unknown_scores, temperature).max(axis=1)  # (N,), (U,)
    if known_shares is not None and unknown_shares is not None:
        expect_shape("known_shares", known_shares, best.shape)
        expect_shape("unknown_shares", unknown_shares, best_unknown.shape)
        best, best_unknown = best * known_shares**consistency, best_unknown * unknown_shares**consistency
    threshold = fit_threshold(best[is_right], best_unknown, max_rejected=max_rejected)
    return FittedCalibration(
        calibration=Calibration(temperature=temperature, consistency=consistency, min_probability=threshold),
        num_right=int(is_right.sum()),
        num_wrong=int((~is_right).sum()),
        num_unknown=len(unknown_scores),
        right_rejected=_share_below(best[is_right], threshold),
        wrong_rejected=_share_below(best[~is_right], threshold),
        unknown_rejected=_share_below(best_unknown, threshold),
        loss_before=_mean_loss(known_scores, labels),
        loss_after=_mean_loss(fitted, labels),
    )


def _share_below(values: Floats, threshold: float) -> float:
    return float((values < threshold).mean()) if len(values) else math.nan


def _mean_loss(scores: Floats, labels: NDArray[np.int64]) -> float:
    true_scores = scores[np.arange(len(labels)), labels]
    return float(-np.log(np.maximum(true_scores, LEAST_PROBABILITY)).mean())
