"""The assignment problem, for a handful of rows and columns: SciPy's solver takes half a second to import."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.int64]


def best_pairs(scores: NDArray[np.floating]) -> tuple[Indices, Indices]:
    """Pair rows with columns, each at most once, so that the sum of the pairs' scores is greatest.

    Args:
        scores: (M, N), finite; M or N may be 0.

    Returns:
        Rows and columns, each (min(M, N),), in the order of the rows.

    Source: the Hungarian method by shortest augmenting paths, Jonker and Volgenant, Computing 38 (1987).
    """
    is_wide = scores.shape[0] <= scores.shape[1]
    costs = -np.asarray(scores if is_wide else scores.T, np.float64)  # (m, n) with m <= n
    num_rows, num_columns = costs.shape
    row_of = np.full(num_columns + 1, -1)  # of each column; the last column is that of the row to be paired
    row_prices, column_prices = np.zeros(num_rows), np.zeros(num_columns + 1)
    for row in range(num_rows):
        column = num_columns
        row_of[column] = row
        distance, previous = np.full(num_columns, np.inf), np.full(num_columns, num_columns)  # of the shortest paths
        visited = np.zeros(num_columns + 1, bool)
        while row_of[column] >= 0:
            visited[column] = True
            is_open, last = ~visited[:-1], row_of[column]
            reduced = costs[last] - row_prices[last] - column_prices[:-1]
            is_nearer = is_open & (reduced < distance)
            distance[is_nearer], previous[is_nearer] = reduced[is_nearer], column
            column = int(np.where(is_open, distance, np.inf).argmin())
            step = distance[column]
            row_prices[row_of[visited]] += step
            column_prices[visited] -= step
            distance[is_open] -= step
        while column != num_columns:
            row_of[column] = row_of[previous[column]]
            column = previous[column]
    columns = np.flatnonzero(row_of[:-1] >= 0)
    assigned = row_of[columns]
    if not is_wide:
        return columns, assigned
    order = assigned.argsort()
    return assigned[order], columns[order]
