"""Bootstrap confidence intervals of a mean over videos, or of the difference of two means."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from actparse.core.errors import ConfigError

LEVEL = 0.95  # share of the resampled means between the bounds of an interval
NUM_RESAMPLES = 10_000
MAX_DRAWS = 2_000_000  # random indices in memory at a time


@dataclass(frozen=True)
class Interval:
    """A mean and its confidence interval: the bounds of the central part of the resampled means."""

    mean: float
    low: float
    high: float
    level: float = LEVEL  # share of the resampled means between the bounds, 0..1


def bootstrap_mean(values: NDArray[np.float64], *, seed: int = 0, num_resamples: int = NUM_RESAMPLES) -> Interval:
    """Compute a mean with its percentile bootstrap interval.

    To compare two runs, pass the differences of each video: that pairs the runs.

    Args:
        values: (V,) one per video.
        seed: seed of the random draws.
        num_resamples: number of times that V videos are drawn with replacement.

    Raises:
        ConfigError: `values` is empty.
    """
    if not len(values):
        raise ConfigError("bootstrap: needs at least one video, got none")
    rng = np.random.default_rng(seed)
    batch_size = max(1, MAX_DRAWS // len(values))
    means = [
        values[rng.integers(len(values), size=(min(batch_size, num_resamples - done), len(values)))].mean(axis=1)
        for done in range(0, num_resamples, batch_size)
    ]
    low, high = np.quantile(np.concatenate(means), ((1 - LEVEL) / 2, (1 + LEVEL) / 2))
    return Interval(float(values.mean()), float(low), float(high))
