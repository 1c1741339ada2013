from __future__ import annotations

import math

import numpy as np
import pytest

from actparse.core.errors import ConfigError, DataError, ShapeError
from actparse.metrics.calibration import (
    MAX_TEMPERATURE,
    MIN_TEMPERATURE,
    Calibration,
    fit_calibration,
    fit_temperature,
    fit_threshold,
    with_temperature,
)


def softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def drawn(temperature: float, *, num_videos: int = 4000) -> tuple[np.ndarray, np.ndarray]:
    """Labels drawn from probabilities, and the scores of a network that is too sure by a factor."""
    rng = np.random.default_rng(3)
    logits = 2 * rng.normal(size=(num_videos, 5))
    labels = np.array([rng.choice(5, p=row) for row in softmax(logits)])
    return softmax(temperature * logits), labels


def test_a_temperature_by_hand() -> None:
    assert with_temperature(np.array([0.8, 0.2]), 2.0) == pytest.approx([2 / 3, 1 / 3])
    assert with_temperature(np.array([[0.8, 0.2], [0.5, 0.5]]), 0.5) == pytest.approx(
        np.array([[16 / 17, 1 / 17], [0.5, 0.5]])
    )
    assert with_temperature(np.array([1.0, 0.0, 1e-300]), 3.0).sum() == pytest.approx(1)


@pytest.mark.parametrize("temperature", [0.7, 1.0, 2.0], ids=str)
def test_the_temperature_that_made_the_scores_is_found(temperature: float) -> None:
    assert fit_temperature(*drawn(temperature)) == pytest.approx(temperature, rel=0.05)


def test_a_fitted_temperature_stays_in_its_range() -> None:
    right = np.array([[0.9, 0.1]])
    assert fit_temperature(right, np.array([0])) == pytest.approx(MIN_TEMPERATURE)
    assert fit_temperature(right, np.array([1])) == pytest.approx(MAX_TEMPERATURE)
    assert fit_temperature(np.array([[1.0, 0.0]]), np.array([1])) == pytest.approx(MAX_TEMPERATURE)


@pytest.mark.parametrize(
    ("right", "unknown", "threshold"),
    [
        pytest.param([0.6, 0.7, 0.8, 0.9], [0.2, 0.5], 0.55, id="apart"),
        pytest.param([0.6, 0.7, 0.8, 0.9], [0.5, 0.75], 0.55, id="too few to lose one"),
        pytest.param([0.3, *[0.8] * 9], [0.5, 0.7, 0.9], 0.75, id="one of ten may be lost"),
        pytest.param([0.6, 0.9], [0.95], 0.3, id="no unknown is below"),
        pytest.param([0.6] * 20, [0.6, 0.4], 0.5, id="equal values stay"),
        pytest.param([0.6], [], 0.3, id="no unknown at all"),
    ],
)
def test_a_threshold_by_hand(right: list[float], unknown: list[float], threshold: float) -> None:
    assert fit_threshold(np.array(right), np.array(unknown)) == pytest.approx(threshold)


def test_no_other_threshold_rejects_more() -> None:
    rng = np.random.default_rng(0)
    right, unknown = rng.beta(6, 2, size=57), rng.beta(3, 4, size=31)
    found = fit_threshold(right, unknown)
    allowed = [t for t in np.linspace(0, 1, 2001) if (right < t).mean() <= 0.1]
    assert (right < found).mean() <= 0.1
    assert (unknown < found).sum() == max((unknown < t).sum() for t in allowed)


def test_what_was_fitted_is_counted() -> None:
    known = np.array([[0.9, 0.1], [0.2, 0.8], [0.55, 0.45]])
    fitted = fit_calibration(known, np.array([0, 1, 1]), np.array([[0.5, 0.5], [0.99, 0.01]]))
    assert (fitted.num_right, fitted.num_wrong, fitted.num_unknown) == (2, 1, 2)
    assert (fitted.right_rejected, fitted.wrong_rejected, fitted.unknown_rejected) == (0.0, 1.0, 0.5)
    assert fitted.loss_after < fitted.loss_before
    assert fitted.loss_before == pytest.approx(-np.log([0.9, 0.8, 0.45]).mean())
    assert math.isnan(fit_calibration(known[:2], np.array([0, 1]), known).wrong_rejected)


def test_shares_of_the_weaker_half_separate_unknown_videos() -> None:
    known, unknown = np.array([[0.9, 0.1], [0.2, 0.8]]), np.array([[0.9, 0.1]])
    shares = {"known_shares": np.array([0.9, 1.0]), "unknown_shares": np.array([0.1])}
    without, fitted = (
        fit_calibration(known, np.array([0, 1]), unknown, consistency=consistency, **shares)
        for consistency in (0.0, 1.0)
    )
    assert (without.unknown_rejected, fitted.unknown_rejected) == (0.0, 1.0)
    assert fitted.calibration.consistency == 1.0


def test_what_cannot_be_fitted_is_named() -> None:
    known = np.array([[0.9, 0.1]])
    with pytest.raises(DataError, match="at least one known video whose best action is the true one, got none of 1"):
        fit_calibration(known, np.array([1]), known)
    with pytest.raises(DataError, match="at least one video that shows none of the actions, got none"):
        fit_calibration(known, np.array([0]), np.zeros((0, 2)))
    with pytest.raises(DataError, match="got none"):
        fit_threshold(np.zeros(0), np.zeros(0))
    with pytest.raises(ConfigError, match=r"max_rejected must be 0\.\.1, got 2"):
        fit_threshold(np.ones(1), np.zeros(0), max_rejected=2)
    with pytest.raises(ShapeError, match=r"unknown_scores must have shape \(any, 2\), got \(1, 3\)"):
        fit_calibration(known, np.array([0]), np.ones((1, 3)))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"temperature": 0.0}, "temperature must be greater than 0 and finite, got 0.0"),
        ({"temperature": math.inf}, "temperature must be greater than 0 and finite, got inf"),
        ({"temperature": math.nan}, "temperature must be greater than 0 and finite, got nan"),
        ({"consistency": -1.0}, "consistency must be at least 0 and finite, got -1.0"),
        ({"min_probability": 1.5}, r"min_probability must be 0\.\.1, got 1.5"),
    ],
    ids=str,
)
def test_a_calibration_checks_itself(fields: dict[str, float], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Calibration(**fields)
