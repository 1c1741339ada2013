"""Accuracy of rankings: how often the expected item is first, and among the first two."""

from __future__ import annotations

from collections.abc import Sequence


class Hits:
    """Counts the ranks of the expected items."""

    def __init__(self) -> None:
        self._indices: list[int] = []

    def add(self, expected: str, ranking: Sequence[str]) -> None:
        """Count one ranking, which must contain the expected item."""
        self._indices.append(ranking.index(expected))

    def figures(self) -> dict[str, float]:
        """Return the number of `videos`, and the percentages `first` and `first_two`; NaN if nothing was ranked."""
        count = len(self._indices)
        hits = {name: sum(index < limit for index in self._indices) for name, limit in (("first", 1), ("first_two", 2))}
        shares = {name: 100 * hit / count if count else float("nan") for name, hit in hits.items()}
        return {"videos": float(count), **shares}
