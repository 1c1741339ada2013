"""How often body parts are in a state in each action, and so what a state says of the action.

A paired group's label is the states of both sides, sorted: which side does what is not counted.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from actparse.core.errors import DataError
from actparse.core.vocabulary import GROUP_PARTS, GROUPS
from actparse.data.kinetics_tps import KineticsTps, annotated_persons

SHARES_FILE = "shares.json"  # in a bundle's folder
COUNTED_STRIDE = 5  # frames from one that is counted to the next, at least
LEAST_MIXED = 0.02  # of an action's labels are as those of all actions: none is impossible

States = Mapping[str, str]  # part -> state, of one person at one time
Label = tuple[str, ...]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class GroupShares:
    """L labels of a part group: `counts` (A, L) says how often each was seen in each action."""

    labels: tuple[Label, ...]
    counts: Floats

    def shares(self) -> Floats:
        """(A, L) of each action's labels; rows sum to 1, and no number is 0. Zero labels give (A, 0)."""
        totals = self.counts.sum(axis=1, keepdims=True)
        own = np.divide(
            self.counts, totals, out=np.full_like(self.counts, 1 / max(len(self.labels), 1)), where=totals > 0
        )
        mixed: Floats = (1 - LEAST_MIXED) * own + LEAST_MIXED * own.mean(axis=0)
        return mixed


@dataclass(frozen=True)
class StateShares:
    """What a dataset's annotation says of each part group."""

    actions: tuple[str, ...]
    groups: dict[str, GroupShares]

    def weights(self, group: str, action: str, probabilities: Floats) -> Floats:
        """What a group's labels say of an action: its log odds with them, less those with the prior in their place.

        All actions are held to be as likely before. By Bayes' rule, with soft evidence: a label's probability counts
        as much as it exceeds the prior's.

        Args:
            group: of vocabulary.GROUPS.
            action: 0 comes out for one that is not known, and where there is no other.
            probabilities: (N, L) of the group's labels; a row of zeros says nothing and gives 0.

        Returns:
            (N,) log odds.
        """
        if action not in self.actions or len(self.actions) == 1 or not self.groups[group].labels:
            return np.zeros(len(probabilities))
        shares, row = self.groups[group].shares(), self.actions.index(action)
        exceeds = probabilities / shares.mean(axis=0)  # (N, L)
        with_it = exceeds @ shares[row]  # (N,)
        without = exceeds @ np.delete(shares, row, axis=0).mean(axis=0)  # (N,)
        says = with_it > 0
        return np.where(says, np.log(np.where(says, with_it, 1)) - np.log(np.where(says, without, 1)), 0)

    def weight_of_states(self, group: str, action: str, people: Iterable[States]) -> float:
        """The mean of `weights` over people at their times whose states are known; 0 where there are none."""
        labels = self.groups[group].labels
        known = (group_label(group, states) for states in people)
        seen = [labels.index(label) for label in known if label in labels]
        return float(self.weights(group, action, np.eye(len(labels))[seen]).mean()) if seen else 0.0

    def to_json(self) -> str:
        """As text that `from_json` reads."""
        groups = {
            group: {"labels": [list(label) for label in own.labels], "counts": np.round(own.counts, 3).tolist()}
            for group, own in self.groups.items()
        }
        return json.dumps({"actions": list(self.actions), "groups": groups})

    @classmethod
    def from_json(cls, text: str, where: str) -> StateShares:
        """Read what `to_json` wrote; `where` begins the error's line.

        Raises:
            DataError: the text is not JSON, or a field is missing or of another form.
        """
        try:
            raw = json.loads(text)
            actions = tuple(map(str, raw["actions"]))
            return cls(actions, {group: _group_shares(raw["groups"][group], group, len(actions)) for group in GROUPS})
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise DataError(f"{where}: needs shares of states as actparse writes them, got: {error!r}") from None


def _group_shares(raw: Any, group: str, num_actions: int) -> GroupShares:
    labels = tuple(tuple(map(str, label)) for label in raw["labels"])
    counts = np.asarray(raw["counts"], np.float64).reshape(num_actions, len(labels))
    if any(len(label) != len(GROUP_PARTS[group]) for label in labels):
        raise ValueError(f"a label of {group} must name {len(GROUP_PARTS[group])} states")
    if not np.isfinite(counts).all() or (counts < 0).any():
        raise ValueError(f"counts of {group} must be 0 or more")
    return GroupShares(labels, counts)


def group_label(group: str, states: States) -> Label | None:
    """The group's label of a person: the states of its parts, sorted; None where one of them is not known."""
    parts = GROUP_PARTS[group]
    return tuple(sorted(states[part] for part in parts)) if all(part in states for part in parts) else None


def count_states(rows: Iterable[tuple[str, States, float]]) -> StateShares:
    """Count rows of action, states of a person, and how much they count (times seen, or seconds)."""
    counts: dict[str, defaultdict[tuple[str, Label], float]] = {group: defaultdict(float) for group in GROUPS}
    actions = set()
    for action, states, weight in rows:
        actions.add(action)
        for group in GROUPS:
            label = group_label(group, states)
            if label is not None:
                counts[group][action, label] += weight
    names = tuple(sorted(actions))
    return StateShares(names, {group: _tabulated(counts[group], names) for group in GROUPS})


def _tabulated(counts: Mapping[tuple[str, Label], float], actions: tuple[str, ...]) -> GroupShares:
    labels = tuple(sorted({label for _, label in counts}))
    table = np.array([[counts.get((action, label), 0.0) for label in labels] for action in actions], np.float64)
    return GroupShares(labels, table.reshape(len(actions), len(labels)))


def dataset_shares(root: Path, split: str = "train") -> StateShares:
    """The shares of a split's annotation, frames at least COUNTED_STRIDE apart.

    Raises:
        DataError: the dataset is not there, or an annotation is damaged.
    """
    persons = annotated_persons(KineticsTps(root).videos(split), stride=COUNTED_STRIDE)
    return count_states((action, {name: part.state for name, part in p.parts.items()}, 1.0) for action, p in persons)


def load_shares(folder: Path) -> StateShares | None:
    """The shares that a bundle's folder holds; None where it holds none.

    Raises:
        DataError: the file is damaged.
    """
    path = folder / SHARES_FILE
    return StateShares.from_json(path.read_text(encoding="utf-8"), str(path)) if path.is_file() else None
