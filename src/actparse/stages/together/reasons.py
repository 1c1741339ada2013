"""Reasons for an action: how each body part's states support it or speak against it, from label probabilities.

The weight of a part is the difference between the action's log odds with the probabilities of the part's labels and
with their prior. It is computed at every instant and averaged; the contribution of an instant belongs to the state of
the part at that instant. The two parts of a paired group are one source of evidence: each gets half of the pair's
weight.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from actparse.core.structures import FrameParse, Reason, SegmentParse
from actparse.core.vocabulary import GROUP_PARTS, GROUPS, PART_GROUP, PART_INDEX, PARTS, LabelSpace
from actparse.data.shares import Label, StateShares
from actparse.stages.actions.observers import SegmentScores
from actparse.stages.actions.tracks import TrackOutputs, TrackRecognizer

Floats = NDArray[np.float64]
LEAST_PROBABILITY = 1e-4  # probabilities are clipped to this distance from 0 and 1 before log odds


@dataclass(frozen=True)
class _Intervals:
    """N intervals of time in order, of one person, or of all persons together (`track_id` None)."""

    starts: Sequence[float]  # seconds
    ends: Sequence[float]
    track_id: int | None


def track_reasons(
    recognizer: TrackRecognizer,
    shares: StateShares,
    frames: Sequence[FrameParse],
    outputs: TrackOutputs,
    action: str,
) -> tuple[Reason, ...]:
    """Return the reasons from the persons' tracks; instants are weighted by their part of the action's score.

    Args:
        recognizer: the network on keypoints.
        shares: how often each label occurs in each action.
        frames: the sampled frames with their states.
        outputs: outputs of the recognizer for these frames.
        action: the action to explain, one of the recognizer's.

    Returns:
        The reasons with the greatest weight first; none without any person.
    """
    weights = outputs.weights * outputs.action_scores[:, recognizer.actions.index(action)]  # (N,)
    weights = weights / max(float(weights.sum()), np.finfo(float).tiny)
    contributions = {}
    for group in GROUPS:
        labels = shares.groups[group].labels
        probabilities = label_probabilities(group, labels, recognizer.states, outputs.state_scores)  # (N, L)
        contributions[group] = weights * shares.weights(group, action, probabilities)
    reasons: list[Reason] = []
    persons = [frames[m].persons[n] for m, n in outputs.positions]
    for track, run in groupby(range(len(persons)), key=lambda index: persons[index].track_id):
        indices = list(run)
        times = [frames[outputs.positions[index][0]].time_seconds for index in indices]
        by_name = [{part.name: part.state for part in persons[index].parts} for index in indices]
        states = {part: [states_of_person.get(part) for states_of_person in by_name] for part in PARTS}
        track_contributions = {group: values[indices] for group, values in contributions.items()}
        reasons += _reasons(track_contributions, states, _Intervals(times, [*times[1:], times[-1]], track))
    return _sort_by_weight(reasons)


def label_probabilities(
    group: str, labels: Sequence[Label], states: Sequence[Sequence[str]], scores: Sequence[NDArray[np.float32]]
) -> Floats:
    """Return the probabilities of a group's labels, with the two sides of a pair as independent.

    Args:
        group: one of vocabulary.GROUPS.
        labels: L of them, states sorted.
        states: names for each of the ten parts.
        scores: for each of the ten parts (N, S) probabilities of its states.

    Returns:
        (N, L); rows sum to 1, or are 0 if no label has one of the likely states.
    """
    parts = [PART_INDEX[part] for part in GROUP_PARTS[group]]
    orders = [labels, [label[::-1] if label[::-1] != label else None for label in labels]][: len(parts)]
    table = np.zeros((len(scores[0]), len(labels)))
    for order in orders:
        table += np.prod([_scores_by_label(scores[p], states[p], order, side) for side, p in enumerate(parts)], axis=0)
    total = table.sum(axis=1, keepdims=True)
    table /= np.where(total > 0, total, 1)
    return table


def _scores_by_label(
    scores: NDArray[np.float32], states: Sequence[str], labels: Sequence[Label | None], side: int
) -> Floats:
    """Return a part's scores (N, L) of each label's state of its side; 0 for unknown states, or a label of None."""
    indices = {name: index for index, name in enumerate(states)}
    columns = [len(states) if label is None else indices.get(label[side], len(states)) for label in labels]
    return np.asarray(np.pad(scores.astype(np.float64), ((0, 0), (0, 1)))[:, columns], np.float64)


def segment_reasons(
    scored: Sequence[SegmentScores], segments: Sequence[SegmentParse], labels: LabelSpace, action: str
) -> tuple[Reason, ...]:
    """Return the reasons from the six group networks, whose labels include an action, for all persons together.

    Args:
        scored: the segments with the scores of their networks.
        segments: the same segments with their states.
        labels: the labels of the networks' outputs.
        action: the action to explain.

    Returns:
        The reasons with the greatest weight first; none without scores.
    """
    pairs = [pair for pair in zip(scored, segments, strict=True) if set(GROUPS) <= set(pair[0].group_scores)]
    if not pairs:
        return ()
    scored, segments = zip(*pairs, strict=True)  # clips along tracks have no scores where nobody is visible
    lengths = np.array([max(s.end_seconds - s.start_seconds, 1e-6) for s in segments])
    weights = lengths / lengths.sum()  # (N,)
    contributions = {}
    for group in GROUPS:
        has_action = np.array([label[0] == action for label in labels.group_labels[group]])  # (L,)
        probabilities = np.array([float(item.group_scores[group][has_action].sum()) for item in scored])  # (N,)
        contributions[group] = weights * (
            _log_odds(probabilities) - _log_odds(np.array(1 / max(len(labels.actions), 2)))
        )
    states = {part: [segment.states.get(part) for segment in segments] for part in PARTS}
    starts, ends = [s.start_seconds for s in segments], [s.end_seconds for s in segments]
    return _sort_by_weight(_reasons(contributions, states, _Intervals(starts, ends, None)))


def _log_odds(probabilities: Floats) -> Floats:
    clipped = np.clip(probabilities, LEAST_PROBABILITY, 1 - LEAST_PROBABILITY)
    odds: Floats = np.log(clipped / (1 - clipped))
    return odds


def _reasons(
    contributions: Mapping[str, Floats], states_by_part: Mapping[str, Sequence[str | None]], intervals: _Intervals
) -> Iterator[Reason]:
    """Yield the reasons from each group's contributions, (N,) log odds, and each part's states in N intervals."""
    for part, states in states_by_part.items():
        group = PART_GROUP[part]
        yield from _part_reasons(part, states, contributions[group] / len(GROUP_PARTS[group]), intervals)


def _part_reasons(
    part: str, states: Sequence[str | None], contributions: Floats, intervals: _Intervals
) -> Iterator[Reason]:
    runs: dict[str, list[tuple[float, int, int]]] = {}  # state -> weight, first and last interval
    for state, run in groupby(range(len(states)), key=lambda n: states[n]):
        indices = list(run)
        if state is not None:
            runs.setdefault(state, []).append((float(contributions[indices].sum()), indices[0], indices[-1]))
    for state, state_runs in runs.items():
        _, first, last = max(state_runs, key=lambda run: abs(run[0]))
        weight = sum(run[0] for run in state_runs)
        yield Reason(part, state, weight, intervals.starts[first], intervals.ends[last], intervals.track_id)


def _sort_by_weight(reasons: Iterable[Reason]) -> tuple[Reason, ...]:
    return tuple(sorted(reasons, key=lambda reason: -abs(reason.weight)))


def group_weights(reasons: Sequence[Reason]) -> dict[str, float]:
    """Return the total weight of each part group: the sum over its parts and states."""
    weights = dict.fromkeys(GROUPS, 0.0)
    for reason in reasons:
        weights[PART_GROUP[reason.part]] += reason.weight
    return weights
