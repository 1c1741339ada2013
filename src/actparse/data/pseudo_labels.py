"""Segment pseudo labels: what each part group mostly does in a stretch of video, with the video's action before it.

Source: PCF, section II-C; the pair of both sides' states as in its authors' challenge report.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from actparse.core.vocabulary import GROUP_PARTS, GROUPS, GroupLabel, LabelSpace
from actparse.data.kinetics_tps import FrameTruth, PersonTruth

UNSEEN = "none"  # the state of a group that nobody shows


def person_states(person: PersonTruth, group: str) -> tuple[str, ...] | None:
    """A person's states of a group's parts, left first; a side that is not annotated takes the other's.

    None where the person shows none of the group's parts.
    """
    found = [person.parts[part].state if part in person.parts else None for part in GROUP_PARTS[group]]
    seen = [state for state in found if state is not None]
    return tuple(state or seen[0] for state in found) if seen else None


def group_label(action: str, group: str, frames: Sequence[FrameTruth]) -> GroupLabel:
    """The commonest states of a group over all persons and frames; ties go to the first in sorted order."""
    counts = Counter(
        states for frame in frames for person in frame.persons if (states := person_states(person, group)) is not None
    )
    if not counts:
        return (action, *(UNSEEN for _ in GROUP_PARTS[group]))
    return (action, *min(counts, key=lambda states: (-counts[states], states)))


def label_space(stretches: Iterable[tuple[str, dict[str, GroupLabel]]]) -> LabelSpace:
    """All labels that a training split shows, sorted.

    Args:
        stretches: for each stretch its action and its label of each group.
    """
    actions: set[str] = set()
    labels: dict[str, set[GroupLabel]] = {group: set() for group in GROUPS}
    for action, by_group in stretches:
        actions.add(action)
        for group, label in by_group.items():
            labels[group].add(label)
    states = {state for group in GROUPS for label in labels[group] for state in label[1:]}
    return LabelSpace(
        tuple(sorted(actions)), tuple(sorted(states)), {group: tuple(sorted(labels[group])) for group in GROUPS}
    )
