"""Accuracy of part states by group, the commonest-state prior, and the ceiling of labels that all persons share."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

from actparse.core.vocabulary import GROUPS, PART_GROUP


class StateAccuracy:
    """Counts how many states are right, part by part."""

    def __init__(self) -> None:
        self._right: Counter[str] = Counter()
        self._seen: Counter[str] = Counter()

    def add(self, part: str, true: str, predicted: str | None) -> None:
        """Take note of one annotated part of one person in one frame."""
        group = PART_GROUP[part]
        self._seen[group] += 1
        self._right[group] += true == predicted

    def by_group(self) -> dict[str, float]:
        """Percent right of each group; NaN where nothing was annotated."""
        return {g: 100 * self._right[g] / self._seen[g] if self._seen[g] else float("nan") for g in GROUPS}


def commonest_states(rows: Iterable[tuple[str, str, str]]) -> dict[str, dict[str, str]]:
    """The commonest state of each part in each action; ties go to the first in sorted order.

    Args:
        rows: (action, part, state) of every annotated part.

    Returns:
        {action: {part: state}}.
    """
    counts: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for action, part, state in rows:
        counts[action, part][state] += 1
    result: dict[str, dict[str, str]] = defaultdict(dict)
    for (action, part), seen in counts.items():
        result[action][part] = _commonest(seen)
    return dict(result)


def shared_states(rows: Iterable[tuple[int, str, str]]) -> dict[int, dict[str, str]]:
    """For each segment the true majority state of each part, over all persons and frames: the best shared label.

    Args:
        rows: (segment, part, state) of every annotated part.

    Returns:
        {segment: {part: state}}.
    """
    by_segment = commonest_states((str(segment), part, state) for segment, part, state in rows)
    return {int(segment): states for segment, states in by_segment.items()}


def _commonest(counts: Mapping[str, int]) -> str:
    return min(counts, key=lambda state: (-counts[state], state))
