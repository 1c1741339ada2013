"""The planted cause: which part group makes a person of SynthTPS do what they do, by the generator's own word.

A motion's phases say what every part does and for how long. So it is known, without a picture or a network, how much
of an action's time its people spend in each state, and how far the states of one person tell the action from the
others. The group that tells it best is the cause that the generator planted in them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache

import numpy as np

from actparse.core.vocabulary import GROUPS
from actparse.data.shares import States, StateShares, count_states
from actparse.synth.actions.registry import ACTIONS, build_routine
from actparse.synth.motion.phases import state_spans

NUM_ROUTINES = 40  # of each action that are counted
PERFORMER = 1  # identity of the person whom a scene is made about, in the annotation
SEED = 20_777  # far from that of any dataset


@cache
def planted_shares(num_routines: int = NUM_ROUTINES) -> StateShares:
    """How much of their time people who do an action spend in each state, from fresh routines, in seconds."""
    return count_states(_phases(num_routines))


def _phases(num_routines: int) -> Iterator[tuple[str, States, float]]:
    for number, action in enumerate(ACTIONS):
        for turn in range(num_routines):
            routine = build_routine(action, np.random.default_rng([SEED, number, turn]))
            yield from ((action, said, seconds) for said, seconds in state_spans(routine.phases))


def rank_causes(action: str, people: Sequence[States]) -> tuple[str, ...]:
    """The part groups by what their true states say of the action, the planted cause first.

    Args:
        action: that is done.
        people: part -> state of whoever does it, at as many times as are known.
    """
    shares = planted_shares()
    weights = {group: shares.weight_of_states(group, action, people) for group in GROUPS}
    return tuple(sorted(GROUPS, key=lambda group: -weights[group]))


def usual_causes(action: str) -> tuple[str, ...]:
    """The part groups by what they say of the action on the average, whatever a video shows."""
    shares = planted_shares()
    row = shares.actions.index(action)
    weights = {}
    for group, own in shares.groups.items():
        of_labels = shares.weights(group, action, np.eye(len(own.labels)))  # (L,)
        weights[group] = float(own.shares()[row] @ of_labels)
    return tuple(sorted(GROUPS, key=lambda group: -weights[group]))
