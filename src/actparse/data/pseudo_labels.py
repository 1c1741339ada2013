"""Segment pseudo labels: the video's action and the most common states of each part group in a segment.

Source: PCF, section II-C; the pair of both sides' states follows its authors' challenge report. The text of the paper
itself, six labels with "the most frequently frame-level action", can also mean one state for both sides; see `Pairs`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Literal

from actparse.core.vocabulary import GROUP_PARTS, GroupLabel
from actparse.data.kinetics_tps import FrameTruth, PersonTruth

Pairs = Literal["joint", "merged"]  # a paired group's label: the pair of its sides' states, or one state for both
UNSEEN = "none"  # the state of a group without annotated parts


def person_states(person: PersonTruth, group: str) -> tuple[str, ...] | None:
    """Return a person's states of a group's parts, left first; a side that is not annotated gets the other's state.

    None if none of the group's parts is annotated.
    """
    states = [person.parts[part].state if part in person.parts else None for part in GROUP_PARTS[group]]
    annotated = [state for state in states if state is not None]
    return tuple(state or annotated[0] for state in states) if annotated else None


def group_label(action: str, group: str, frames: Sequence[FrameTruth], pairs: Pairs = "joint") -> GroupLabel:
    """Return the action and the most common states of a group over all persons and frames, one state for each part.

    Of equally common states the first in sorted order is used. With `pairs` "merged", the states of both sides are
    counted together, and both parts get the most common one.
    """
    persons = [person for frame in frames for person in frame.persons]
    if pairs == "merged":
        annotated = (person.parts[part] for person in persons for part in GROUP_PARTS[group] if part in person.parts)
        counts = Counter((part.state,) * len(GROUP_PARTS[group]) for part in annotated)
    else:
        counts = Counter(states for person in persons if (states := person_states(person, group)) is not None)
    if not counts:
        return (action, *(UNSEEN for _ in GROUP_PARTS[group]))
    return (action, *min(counts, key=lambda states: (-counts[states], states)))
