"""How often what is asked for stands first in a ranking, and among the first two."""

from __future__ import annotations

from collections.abc import Sequence


class Hits:
    """Counts rankings."""

    def __init__(self) -> None:
        self._places: list[int] = []

    def add(self, asked: str, ranking: Sequence[str]) -> None:
        """Take note of one ranking, which holds what is asked for."""
        self._places.append(ranking.index(asked))

    def figures(self) -> dict[str, float]:
        """Number of `videos` ranked, percent `first` and `first_two`; NaN where nothing was ranked."""
        count = len(self._places)
        of_rank = {name: sum(place < rank for place in self._places) for name, rank in (("first", 1), ("first_two", 2))}
        shares = {name: 100 * hits / count if count else float("nan") for name, hits in of_rank.items()}
        return {"videos": float(count), **shares}
