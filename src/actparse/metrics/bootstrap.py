"""How far a mean over videos, or the difference of two, could be off by the choice of the videos."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from actparse.core.errors import ConfigError

NUM_RESAMPLES = 10_000
MAX_DRAWS = 2_000_000  # numbers held at a time


@dataclass(frozen=True)
class Interval:
    """A mean and the bounds that hold the middle of its resampled values."""

    mean: float
    low: float
    high: float
    level: float = 0.95


def bootstrap_mean(
    values: NDArray[np.float64], *, seed: int = 0, level: float = 0.95, num_resamples: int = NUM_RESAMPLES
) -> Interval:
    """Percentile bootstrap of a mean; for two runs, `values` are the differences by video, which pairs them.

    Args:
        values: (V,) one for each video.
        seed: of the draws.
        level: share of the resampled means between the bounds, 0..1.
        num_resamples: how often V videos are drawn with replacement.

    Raises:
        ConfigError: there is no value.
    """
    if not len(values):
        raise ConfigError("bootstrap: needs at least one video, got none")
    rng = np.random.default_rng(seed)
    at_a_time = max(1, MAX_DRAWS // len(values))
    means = [
        values[rng.integers(len(values), size=(min(at_a_time, num_resamples - done), len(values)))].mean(axis=1)
        for done in range(0, num_resamples, at_a_time)
    ]
    low, high = np.quantile(np.concatenate(means), ((1 - level) / 2, (1 + level) / 2))
    return Interval(float(values.mean()), float(low), float(high), level)
