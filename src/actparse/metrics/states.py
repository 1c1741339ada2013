"""Accuracy of part states by group, the most common state as a prior, and the best label that all persons can share."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable

from actparse.core.vocabulary import GROUPS, PART_GROUP


class StateAccuracy:
    """Counts how many states are correct."""

    def __init__(self) -> None:
        self._num_right: Counter[str] = Counter()
        self._num_parts: Counter[str] = Counter()

    def add(self, part: str, true: str, predicted: str | None) -> None:
        """Count one annotated part of one person in one frame."""
        group = PART_GROUP[part]
        self._num_parts[group] += 1
        self._num_right[group] += true == predicted

    def by_group(self) -> dict[str, float]:
        """Return the percentage of correct states by group; NaN if nothing was annotated."""
        return {
            g: 100 * self._num_right[g] / self._num_parts[g] if self._num_parts[g] else float("nan") for g in GROUPS
        }


def commonest_states(labels: Iterable[tuple[str, str, str]]) -> dict[str, dict[str, str]]:
    """Find the most common state of each part in each action; ties go to the first in sorted order.

    Args:
        labels: (action, part, state) of every annotated part.

    Returns:
        {action: {part: state}}.
    """
    counts: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for action, part, state in labels:
        counts[action, part][state] += 1
    result: dict[str, dict[str, str]] = defaultdict(dict)
    for (action, part), state_counts in counts.items():
        result[action][part] = min(state_counts, key=lambda state: (-state_counts[state], state))
    return dict(result)


def shared_states(labels: Iterable[tuple[int, str, str]]) -> dict[int, dict[str, str]]:
    """Find the most common true state of each part in each segment, over all persons and frames.

    It is the best label that all persons of the segment can share.

    Args:
        labels: (segment, part, state) of every annotated part.

    Returns:
        {segment: {part: state}}.
    """
    by_segment = commonest_states((str(segment), part, state) for segment, part, state in labels)
    return {int(segment): states for segment, states in by_segment.items()}
