"""The planted causes: the part groups that reveal an action of SynthTPS, computed from the generator itself.

The phases of a motion define what every part does and for how long. They give, without a picture or a network, the
share of an action's time that its performers spend in each state, and how well the states of one person distinguish
the action from the others. The group that distinguishes it best is the cause that the generator planted.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np

from actparse.core.vocabulary import GROUPS
from actparse.data.shares import States, StateShares, count_states
from actparse.synth.actions.registry import ACTIONS, build_routine
from actparse.synth.motion.phases import state_spans

NUM_ROUTINES = 40  # number of routines of each action that are counted
PERFORMER = 1  # identity of the main person of a scene in the annotation
SEED = 20_777  # different from the seeds of all datasets


@cache
def planted_shares(num_routines: int = NUM_ROUTINES) -> StateShares:
    """Return the share of time that performers of each action spend in each state, from new routines."""
    return count_states(
        (action, states_by_part, seconds)
        for index, action in enumerate(ACTIONS)
        for routine_index in range(num_routines)
        for states_by_part, seconds in state_spans(
            build_routine(action, np.random.default_rng([SEED, index, routine_index])).phases
        )
    )


def rank_causes(action: str, people: Sequence[States]) -> tuple[str, ...]:
    """Rank the part groups by how much their true states support the action, the planted cause first.

    Args:
        action: the action of the people.
        people: part -> state of a performer, one item for each time with known states.
    """
    shares = planted_shares()
    weights = {group: shares.weight_of_states(group, action, people) for group in GROUPS}
    return tuple(sorted(GROUPS, key=lambda group: -weights[group]))


def usual_causes(action: str) -> tuple[str, ...]:
    """Rank the part groups by how much they support the action on average, independent of any video."""
    shares = planted_shares()
    action_index = shares.actions.index(action)
    weights = {}
    for group, group_shares in shares.groups.items():
        label_weights = shares.weights(group, action, np.eye(len(group_shares.labels)))  # (L,)
        weights[group] = float(group_shares.shares()[action_index] @ label_weights)
    return tuple(sorted(GROUPS, key=lambda group: -weights[group]))
