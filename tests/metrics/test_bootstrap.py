from __future__ import annotations

import numpy as np
import pytest

from actparse.core.errors import ConfigError
from actparse.metrics.bootstrap import bootstrap_mean


def test_equal_values_leave_no_doubt() -> None:
    interval = bootstrap_mean(np.full(7, 0.25))
    assert (interval.mean, interval.low, interval.high) == (0.25, 0.25, 0.25)


def test_the_width_is_that_of_the_normal_approximation() -> None:
    values = np.random.default_rng(1).normal(0.3, 0.1, 400)
    interval = bootstrap_mean(values)
    half = 1.96 * values.std() / np.sqrt(len(values))
    assert interval.mean == pytest.approx(values.mean())
    assert (interval.low, interval.high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.05 * half)


def test_a_seed_repeats_it() -> None:
    values = np.random.default_rng(2).uniform(size=50)
    assert bootstrap_mean(values, seed=3) == bootstrap_mean(values, seed=3)
    assert bootstrap_mean(values, seed=3) != bootstrap_mean(values, seed=4)


def test_many_videos_are_drawn_a_few_at_a_time() -> None:
    interval = bootstrap_mean(np.tile([0.0, 1.0], 1500), num_resamples=2000)  # more draws than are held at a time
    assert interval.low < 0.5 < interval.high
    assert interval.high - interval.low == pytest.approx(2 * 1.96 * 0.5 / np.sqrt(3000), rel=0.1)


def test_no_video() -> None:
    with pytest.raises(ConfigError, match="at least one video"):
        bootstrap_mean(np.zeros(0))
