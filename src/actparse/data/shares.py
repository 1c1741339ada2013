"""Shares of the states of body parts in each action, and the evidence that a state gives for an action.

A paired group's label is the sorted states of both sides: which side has which state is ignored.
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
COUNTED_STRIDE = 5  # minimum number of frames from one counted frame to the next
LEAST_MIXED = 0.02  # share of the mean of all actions that is mixed in, so that no label is impossible

States = Mapping[str, str]  # part -> state, of one person at one time
Label = tuple[str, ...]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class GroupShares:
    """L labels of a part group: `counts` (A, L) is how often each occurs in each action."""

    labels: tuple[Label, ...]
    counts: Floats

    @classmethod
    def from_dict(cls, raw: Any, group: str, num_actions: int) -> GroupShares:
        """Convert the JSON values of a group; raise ValueError if they are invalid."""
        labels = tuple(tuple(map(str, label)) for label in raw["labels"])
        counts = np.asarray(raw["counts"], np.float64).reshape(num_actions, len(labels))
        if any(len(label) != len(GROUP_PARTS[group]) for label in labels):
            raise ValueError(f"a label of {group} must name {len(GROUP_PARTS[group])} states")
        if not np.isfinite(counts).all() or (counts < 0).any():
            raise ValueError(f"counts of {group} must be 0 or more")
        return cls(labels, counts)

    def shares(self) -> Floats:
        """Return the share (A, L) of each label in each action; rows sum to 1, no share is 0. L may be 0."""
        totals = self.counts.sum(axis=1, keepdims=True)
        unmixed = np.divide(
            self.counts, totals, out=np.full_like(self.counts, 1 / max(len(self.labels), 1)), where=totals > 0
        )
        mixed: Floats = (1 - LEAST_MIXED) * unmixed + LEAST_MIXED * unmixed.mean(axis=0)
        return mixed


@dataclass(frozen=True)
class StateShares:
    """Counts of the labels of each part group in a dataset's annotation."""

    actions: tuple[str, ...]
    groups: dict[str, GroupShares]

    def weights(self, group: str, action: str, probabilities: Floats) -> Floats:
        """Return the evidence of a group's labels for an action: its log odds with them minus those with the prior.

        The prior of all actions is equal. The rule is Bayes' with soft evidence: a label counts by the ratio of its
        probability to its prior.

        Args:
            group: one of vocabulary.GROUPS.
            action: the result is 0 if it is unknown or the only action.
            probabilities: (N, L) of the group's labels; a row of zeros is no evidence and gives 0.

        Returns:
            (N,) log odds.
        """
        if action not in self.actions or len(self.actions) == 1 or not self.groups[group].labels:
            return np.zeros(len(probabilities))
        shares, index = self.groups[group].shares(), self.actions.index(action)
        ratios = probabilities / shares.mean(axis=0)  # (N, L)
        likelihood = ratios @ shares[index]  # (N,)
        others = ratios @ np.delete(shares, index, axis=0).mean(axis=0)  # (N,)
        is_valid = likelihood > 0
        return np.where(is_valid, np.log(np.where(is_valid, likelihood, 1)) - np.log(np.where(is_valid, others, 1)), 0)

    def weight_of_states(self, group: str, action: str, people: Iterable[States]) -> float:
        """Return the mean of `weights` over the observations of people with known labels; 0 if there are none."""
        labels = self.groups[group].labels
        person_labels = (group_label(group, states) for states in people)
        indices = [labels.index(label) for label in person_labels if label in labels]
        return float(self.weights(group, action, np.eye(len(labels))[indices]).mean()) if indices else 0.0

    def commonest(self) -> Mapping[str, Mapping[str, str]]:
        """Return the most frequent state of each part in each action, the same for both sides of a pair.

        Of equally frequent states the first in sorted order is used.
        """
        prior: dict[str, dict[str, str]] = {action: {} for action in self.actions}
        for group, shares in self.groups.items():
            states = sorted({state for label in shares.labels for state in label})
            occurrences = np.array([[label.count(state) for label in shares.labels] for state in states])  # (S, L)
            for action, counts in zip(self.actions, shares.counts, strict=True):
                if counts.any():
                    best = states[int((occurrences @ counts).argmax())]
                    prior[action] |= dict.fromkeys(GROUP_PARTS[group], best)
        return prior

    def to_json(self) -> str:
        """Return the counts as text that `from_json` reads."""
        groups = {
            group: {"labels": [list(label) for label in shares.labels], "counts": np.round(shares.counts, 3).tolist()}
            for group, shares in self.groups.items()
        }
        return json.dumps({"actions": list(self.actions), "groups": groups})

    @classmethod
    def from_json(cls, text: str, where: str) -> StateShares:
        """Read the text that `to_json` writes; `where` is the start of the error message.

        Raises:
            DataError: the text is not JSON, or a field is missing or invalid.
        """
        try:
            raw = json.loads(text)
            actions = tuple(map(str, raw["actions"]))
            return cls(
                actions, {group: GroupShares.from_dict(raw["groups"][group], group, len(actions)) for group in GROUPS}
            )
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise DataError(f"{where}: needs shares of states as actparse writes them, got: {error!r}") from None


def group_label(group: str, states: States) -> Label | None:
    """Return the group's label of a person: the states of its parts, sorted; None if one of them is unknown."""
    parts = GROUP_PARTS[group]
    return tuple(sorted(states[part] for part in parts)) if all(part in states for part in parts) else None


def count_states(observations: Iterable[tuple[str, States, float]]) -> StateShares:
    """Count observations of action, states of a person, and weight (number of occurrences, or seconds)."""
    counts: dict[str, defaultdict[tuple[str, Label], float]] = {group: defaultdict(float) for group in GROUPS}
    actions = set()
    for action, states, weight in observations:
        actions.add(action)
        for group in GROUPS:
            label = group_label(group, states)
            if label is not None:
                counts[group][action, label] += weight
    names = tuple(sorted(actions))
    shares = {}
    for group, by_label in counts.items():
        labels = tuple(sorted({label for _, label in by_label}))
        table = np.array([[by_label.get((action, label), 0.0) for label in labels] for action in names], np.float64)
        shares[group] = GroupShares(labels, table.reshape(len(names), len(labels)))
    return StateShares(names, shares)


def dataset_shares(root: Path, split: str = "train") -> StateShares:
    """Count the states in a split's annotation, in frames at least COUNTED_STRIDE apart.

    Raises:
        DataError: the dataset does not exist, or an annotation is damaged.
    """
    persons = annotated_persons(KineticsTps(root).videos(split), stride=COUNTED_STRIDE)
    return count_states((action, {name: part.state for name, part in p.parts.items()}, 1.0) for action, p in persons)


def load_shares(folder: Path) -> StateShares | None:
    """Return the shares in a bundle's folder; None if it has none.

    Raises:
        DataError: the file is damaged.
    """
    path = folder / SHARES_FILE
    return StateShares.from_json(path.read_text(encoding="utf-8"), str(path)) if path.is_file() else None
