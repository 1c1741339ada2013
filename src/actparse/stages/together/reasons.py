"""Why an action: what each body part's states say for it and against it, from the networks' own label probabilities.

The weight of a part is the change of the action's log odds when the probabilities of the part's labels are replaced by
their prior. It is taken at every instant and averaged; what an instant adds is put down to the state that the part is
named in then. The two parts of a paired group are one witness: what the pair says is shared between them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from actparse.core.structures import FrameParse, PersonParse, Reason, SegmentParse
from actparse.core.vocabulary import GROUP_PARTS, GROUPS, PART_GROUP, PART_INDEX, PARTS, LabelSpace
from actparse.data.shares import Label, StateShares
from actparse.stages.actions.segments import SegmentScores
from actparse.stages.actions.tracks import TrackReadings, TrackRecognizer

Floats = NDArray[np.float64]
LEAST_PROBABILITY = 1e-4  # log odds are not taken nearer to 0 and 1


@dataclass(frozen=True)
class _Stretches:
    """N stretches of time in order, of one person, or of all alike."""

    starts: Sequence[float]  # seconds
    ends: Sequence[float]
    track_id: int | None


def track_reasons(
    recognizer: TrackRecognizer,
    shares: StateShares,
    frames: Sequence[FrameParse],
    readings: TrackReadings,
    action: str,
) -> tuple[Reason, ...]:
    """The reasons that the persons' tracks give; an instant counts as much as it adds to the action's score.

    Args:
        recognizer: the network on keypoints.
        shares: how often each label is seen in each action.
        frames: the sampled frames with their states.
        readings: of these frames, by the recognizer.
        action: that is explained, one of the recognizer's.

    Returns:
        The weightiest first; none where nobody was found.
    """
    counts = readings.weights * readings.action_scores[:, recognizer.actions.index(action)]  # (N,)
    counts = counts / max(float(counts.sum()), np.finfo(float).tiny)
    said = {}
    for group in GROUPS:
        labels = shares.groups[group].labels
        found = label_probabilities(group, labels, recognizer.states, readings.state_scores)  # (N, L)
        said[group] = counts * shares.weights(group, action, found)
    reasons: list[Reason] = []
    persons = [frames[frame].persons[at] for frame, at in readings.places]
    for track, rows in groupby(range(len(persons)), key=lambda row: persons[row].track_id):
        numbers = list(rows)
        times = [frames[readings.places[row][0]].time_seconds for row in numbers]
        shown = {part: [_state(persons[row], part) for row in numbers] for part in PARTS}
        own = {group: pieces[numbers] for group, pieces in said.items()}
        reasons += _reasons(own, shown, _Stretches(times, [*times[1:], times[-1]], track))
    return _sorted(reasons)


def _state(person: PersonParse, part: str) -> str | None:
    found = person.part(part)
    return None if found is None else found.state


def label_probabilities(
    group: str, labels: Sequence[Label], states: Sequence[Sequence[str]], scores: Sequence[NDArray[np.float32]]
) -> Floats:
    """Probabilities of a group's labels, the two sides of a pair taken as independent.

    Args:
        group: of vocabulary.GROUPS.
        labels: L of them, states sorted.
        states: of each of the ten parts.
        scores: of each of the ten parts (N, S) probabilities of its states.

    Returns:
        (N, L); rows sum to 1, or are 0 where the labels have none of the states that are likely.
    """
    parts = [PART_INDEX[part] for part in GROUP_PARTS[group]]
    orders = [labels, [label[::-1] if label[::-1] != label else None for label in labels]][: len(parts)]
    table = np.zeros((len(scores[0]), len(labels)))
    for order in orders:
        table += np.prod([_of_states(scores[p], states[p], order, side) for side, p in enumerate(parts)], axis=0)
    total = table.sum(axis=1, keepdims=True)
    table /= np.where(total > 0, total, 1)
    return table


def _of_states(scores: NDArray[np.float32], states: Sequence[str], labels: Sequence[Label | None], side: int) -> Floats:
    """(N, L) what a part (N, S) says of each label's state of its side; 0 for a state it does not know, or no label."""
    numbers = {name: number for number, name in enumerate(states)}
    columns = [len(states) if label is None else numbers.get(label[side], len(states)) for label in labels]
    return np.asarray(np.pad(scores.astype(np.float64), ((0, 0), (0, 1)))[:, columns], np.float64)


def segment_reasons(
    scored: Sequence[SegmentScores], segments: Sequence[SegmentParse], labels: LabelSpace, action: str
) -> tuple[Reason, ...]:
    """The reasons of the six group networks, whose labels name an action too, for all persons alike.

    Args:
        scored: the segments as their networks saw them.
        segments: the same with their states.
        labels: what the networks' outputs mean.
        action: that is explained.

    Returns:
        The weightiest first; none without scores.
    """
    if not segments or not all(set(GROUPS) <= set(item.group_scores) for item in scored):
        return ()
    lengths = np.array([max(s.end_seconds - s.start_seconds, 1e-6) for s in segments])
    counts = lengths / lengths.sum()  # (N,)
    said = {}
    for group in GROUPS:
        is_own = np.array([label[0] == action for label in labels.group_labels[group]])  # (L,)
        found = np.array([float(item.group_scores[group][is_own].sum()) for item in scored])  # (N,)
        said[group] = counts * (_log_odds(found) - _log_odds(np.array(1 / max(len(labels.actions), 2))))
    shown = {part: [segment.states.get(part) for segment in segments] for part in PARTS}
    starts, ends = [s.start_seconds for s in segments], [s.end_seconds for s in segments]
    return _sorted(_reasons(said, shown, _Stretches(starts, ends, None)))


def _log_odds(probabilities: Floats) -> Floats:
    clipped = np.clip(probabilities, LEAST_PROBABILITY, 1 - LEAST_PROBABILITY)
    odds: Floats = np.log(clipped / (1 - clipped))
    return odds


def _reasons(
    said: Mapping[str, Floats], shown: Mapping[str, Sequence[str | None]], stretches: _Stretches
) -> Iterator[Reason]:
    """`said`: what each group adds in each stretch, (N,) log odds; `shown`: the state of each part then."""
    for part, states in shown.items():
        group = PART_GROUP[part]
        yield from _of_part(part, states, said[group] / len(GROUP_PARTS[group]), stretches)


def _of_part(part: str, states: Sequence[str | None], pieces: Floats, stretches: _Stretches) -> Iterator[Reason]:
    runs: dict[str, list[tuple[float, int, int]]] = {}  # state -> weight, first and last stretch
    for state, run in groupby(range(len(states)), key=lambda n: states[n]):
        numbers = list(run)
        if state is not None:
            runs.setdefault(state, []).append((float(pieces[numbers].sum()), numbers[0], numbers[-1]))
    for state, found in runs.items():
        _, first, last = max(found, key=lambda run: abs(run[0]))
        weight = sum(run[0] for run in found)
        yield Reason(part, state, weight, stretches.starts[first], stretches.ends[last], stretches.track_id)


def _sorted(reasons: Iterable[Reason]) -> tuple[Reason, ...]:
    return tuple(sorted(reasons, key=lambda reason: -abs(reason.weight)))


def group_weights(reasons: Sequence[Reason]) -> dict[str, float]:
    """What each part group says in all: the sum over its parts and states."""
    weights = dict.fromkeys(GROUPS, 0.0)
    for reason in reasons:
        weights[PART_GROUP[reason.part]] += reason.weight
    return weights
