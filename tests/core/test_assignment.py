"""The assignment of rows to columns, against SciPy's."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from actparse.core.assignment import best_pairs


def test_a_small_case_by_hand() -> None:
    rows, columns = best_pairs(np.array([[0.9, 0.8, 0.0], [0.8, 0.1, 0.0]]))
    assert rows.tolist() == [0, 1]
    assert columns.tolist() == [1, 0]  # 0.8 + 0.8, more than 0.9 + 0.1


@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (3, 0), (1, 1), (4, 4), (3, 9), (10, 4)])
def test_the_pairs_are_those_of_scipy(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        scores = rng.normal(size=shape)
        for result, expected in zip(best_pairs(scores), linear_sum_assignment(scores, maximize=True), strict=True):
            assert result.tolist() == expected.tolist()


def test_equal_scores_have_a_greatest_sum() -> None:
    rng = np.random.default_rng(1)
    for _ in range(50):
        scores = rng.integers(0, 3, (6, 8)).astype(np.float32)
        rows, columns = best_pairs(scores)
        assert len(set(columns.tolist())) == 6
        assert scores[rows, columns].sum() == scores[linear_sum_assignment(scores, maximize=True)].sum()
