"""Which state is taken for which, by part group, and how often the two sides of a person are taken for each other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from actparse.core.vocabulary import GROUP_PARTS, GROUPS
from actparse.metrics.outcomes import part_groups
from actparse.metrics.part_table import Column, PartTable

NO_STATE = -1  # of a part without proposal


@dataclass(frozen=True)
class GroupConfusion:
    """True against predicted states of the parts of persons that were found; boxes do not count.

    A part counts 1, spread evenly over its proposals.
    """

    group: str
    states: tuple[str, ...]  # (S,) the commonest true one first
    counts: NDArray[np.float64]  # (S, S) true, predicted
    not_proposed: NDArray[np.float64]  # (S,) by true state: parts without any proposal

    def commonest_errors(self) -> list[tuple[str, str, float]]:
        """(true state, predicted state, count) of what is off the diagonal, the most frequent first."""
        rows = [
            (true, predicted, float(self.counts[i, j]))
            for i, true in enumerate(self.states)
            for j, predicted in enumerate(self.states)
            if i != j and self.counts[i, j] > 0
        ]
        return sorted(rows, key=lambda row: (-row[2], row[0], row[1]))


@dataclass(frozen=True)
class SideSwaps:
    """Persons whose left and right part differ in truth, and those of them with the two states exchanged."""

    group: str
    num_tellable: int
    num_swapped: int


def state_confusions(table: PartTable) -> dict[str, GroupConfusion]:
    """By group; groups without an annotated part of a found person are left out."""
    groups, found = part_groups(table), table.part_of_found
    result = {}
    for code, group in enumerate(GROUPS):
        parts = (groups == code) & found
        if parts.any():
            result[group] = _confusion(table, group, parts)
    return result


def _confusion(table: PartTable, group: str, parts: NDArray[np.bool_]) -> GroupConfusion:
    size = len(table.states)
    counts = np.zeros((size, size))
    rows = parts[table.owner]  # (P,)
    owners = table.owner[rows]
    np.add.at(counts, (table.part_state[owners], table.proposed_state[rows]), 1.0 / table.num_proposals[owners])
    missing = np.bincount(table.part_state[parts & (table.num_proposals == 0)], minlength=size)
    num_true = np.bincount(table.part_state[parts], minlength=size)
    used = [code for code in range(size) if num_true[code] or counts[:, code].any()]
    order = sorted(used, key=lambda code: (-num_true[code], -counts[:, code].sum(), table.states[code]))
    return GroupConfusion(
        group, tuple(table.states[code] for code in order), counts[np.ix_(order, order)], missing[order].astype(float)
    )


def side_swaps(table: PartTable) -> dict[str, SideSwaps]:
    """By paired group, from the first proposal of each part of the persons that were found."""
    first = _first_proposals(table)
    result = {}
    for group, names in GROUP_PARTS.items():
        if len(names) == 2:
            left, right = (_row_by_person(table, table.names.index(name)) for name in names)
            both = (left >= 0) & (right >= 0) & table.person_found
            left, right = left[both], right[both]
            tellable = table.part_state[left] != table.part_state[right]
            swapped = (first[left] == table.part_state[right]) & (first[right] == table.part_state[left])
            result[group] = SideSwaps(group, int(tellable.sum()), int((tellable & swapped).sum()))
    return result


def _first_proposals(table: PartTable) -> Column:
    """State of the first proposal of each part, (N,)."""
    states = np.full(len(table.part_state), NO_STATE, np.int64)
    states[table.owner[::-1]] = table.proposed_state[::-1]  # the last one written is the first proposed
    return states


def _row_by_person(table: PartTable, name: int) -> Column:
    """The part of that name of each person, (H,); -1 where it is not annotated."""
    rows = np.full(len(table.person_frame), -1, np.int64)
    chosen = np.flatnonzero(table.part_name == name)
    rows[table.part_person[chosen]] = chosen
    return rows
