"""Confusion of states by part group, and exchanges of a person's left and right side."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from actparse.core.vocabulary import GROUP_PARTS, GROUPS
from actparse.metrics.outcomes import part_groups
from actparse.metrics.part_table import PartTable

NO_STATE = -1  # code of a part without a proposal


@dataclass(frozen=True)
class GroupConfusion:
    """Confusion matrix of the states of all detected persons' parts, whatever their boxes.

    A part counts 1, divided evenly among its proposals.
    """

    group: str
    states: tuple[str, ...]  # (S,) the most common true state first
    counts: NDArray[np.float64]  # (S, S) true state, predicted state
    not_proposed: NDArray[np.float64]  # (S,) by true state: parts without any proposal

    def commonest_errors(self) -> list[tuple[str, str, float]]:
        """Return (true state, predicted state, count) of all entries off the diagonal, the most frequent first."""
        errors = [
            (true, predicted, float(self.counts[i, j]))
            for i, true in enumerate(self.states)
            for j, predicted in enumerate(self.states)
            if i != j and self.counts[i, j] > 0
        ]
        return sorted(errors, key=lambda error: (-error[2], error[0], error[1]))


@dataclass(frozen=True)
class SideSwaps:
    """Number of persons whose left and right part have different true states, and of those with the two exchanged."""

    group: str
    num_tellable: int
    num_swapped: int


def state_confusions(table: PartTable) -> dict[str, GroupConfusion]:
    """Return the confusion by group, without the groups of which no detected person has an annotated part."""
    groups, is_detected, size = part_groups(table), table.part_of_found, len(table.states)
    result = {}
    for group_code, group in enumerate(GROUPS):
        parts = (groups == group_code) & is_detected
        if not parts.any():
            continue
        counts = np.zeros((size, size))
        has_part = parts[table.owner]  # (P,)
        owners = table.owner[has_part]
        np.add.at(counts, (table.part_state[owners], table.proposed_state[has_part]), 1.0 / table.num_proposals[owners])
        missing = np.bincount(table.part_state[parts & (table.num_proposals == 0)], minlength=size)
        num_true = np.bincount(table.part_state[parts], minlength=size)
        used = [code for code in range(size) if num_true[code] or counts[:, code].any()]
        order = sorted(used, key=lambda code: (-num_true[code], -counts[:, code].sum(), table.states[code]))
        states = tuple(table.states[code] for code in order)
        result[group] = GroupConfusion(group, states, counts[np.ix_(order, order)], missing[order].astype(float))
    return result


def side_swaps(table: PartTable) -> dict[str, SideSwaps]:
    """Count exchanged sides by paired group, from the first proposal for each part of the detected persons."""
    first = np.full(len(table.part_state), NO_STATE, np.int64)  # (N,)
    first[table.owner[::-1]] = table.proposed_state[::-1]  # the last one written is the first proposed
    result = {}
    for group, names in GROUP_PARTS.items():
        if len(names) == 2:
            left, right = (table.part_by_person(name) for name in names)
            both = (left >= 0) & (right >= 0) & table.person_found
            left, right = left[both], right[both]
            differs = table.part_state[left] != table.part_state[right]
            swapped = (first[left] == table.part_state[right]) & (first[right] == table.part_state[left])
            result[group] = SideSwaps(group, int(differs.sum()), int((differs & swapped).sum()))
    return result
