"""The actions of SynthTPS: their motions, their scenery, and the bystanders.

Related actions share props and scenery on purpose: a single frame is often ambiguous, and only the motion decides.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from actparse.core.errors import ConfigError
from actparse.synth.actions.barbell import clean_and_jerk, deadlifting, snatch_weight_lifting
from actparse.synth.actions.baseball import hitting_baseball
from actparse.synth.actions.bodyweight import pull_ups, push_up
from actparse.synth.actions.bystander import BYSTANDERS, talking
from actparse.synth.actions.capoeira import capoeira
from actparse.synth.actions.dance import belly_dancing, country_line_dancing, salsa_dancing
from actparse.synth.actions.jump import hopscotch, skipping_rope
from actparse.synth.actions.lunge import lunge
from actparse.synth.actions.other import (
    clapping,
    cycling,
    jumping_jacks,
    looking_on,
    reaching,
    running,
    sitting_down,
    squatting,
    stepping_up,
    throwing_overhand,
    walking,
    waving,
)
from actparse.synth.actions.play import juggling_balls, punching_bag
from actparse.synth.actions.raises import front_raises
from actparse.synth.actions.throw import hammer_throw, throwing_discus
from actparse.synth.motion.figure import BodySizes
from actparse.synth.motion.phases import Performer, Routine, ScriptedPerformer
from actparse.synth.motion.style import Style

LOOKS: tuple[str, ...] = ("gloves", "cap", "midriff", "barefoot", "skirt", "tank")


@dataclass(frozen=True)
class SceneHints:
    """The scenery of an action, the size of a group, and the space for one performer."""

    places: tuple[str, ...]  # among "gym", "field", "street", "stage", "room", "park"
    max_group: int  # largest number of people who do the action together
    group_probability: float  # probability of more than one performer
    height_metres: float  # height above the floor of everything that must be visible
    width_metres: float  # width of the floor for one performer
    hides_performer: bool = False  # whether a prop hides the performer from a camera in front


@dataclass(frozen=True)
class Action:
    """The builder of an action's routine, and its scene hints."""

    build: Callable[[Style], Routine]
    hints: SceneHints


_REGISTRY: dict[str, Action] = {
    "deadlifting": Action(deadlifting, SceneHints(("gym", "room"), 2, 0.15, 1.9, 1.8)),
    "clean_and_jerk": Action(clean_and_jerk, SceneHints(("gym", "stage"), 1, 0.0, 2.4, 1.9)),
    "snatch_weight_lifting": Action(snatch_weight_lifting, SceneHints(("gym", "stage"), 1, 0.0, 2.4, 1.9)),
    "front_raises": Action(front_raises, SceneHints(("gym", "room", "park"), 3, 0.25, 1.9, 1.2)),
    "lunge": Action(lunge, SceneHints(("gym", "room", "park"), 3, 0.4, 2.0, 1.4)),
    "push_up": Action(push_up, SceneHints(("gym", "room", "park", "field"), 3, 0.4, 1.0, 1.8)),
    "pull_ups": Action(pull_ups, SceneHints(("gym", "park", "street"), 2, 0.15, 2.4, 1.6)),
    "punching_bag": Action(punching_bag, SceneHints(("gym", "room"), 1, 0.0, 2.3, 1.6, hides_performer=True)),
    "hitting_baseball": Action(hitting_baseball, SceneHints(("field", "park", "street"), 1, 0.0, 2.2, 2.0)),
    "belly_dancing": Action(belly_dancing, SceneHints(("stage", "room", "street"), 3, 0.4, 2.1, 1.6)),
    "salsa_dancing": Action(salsa_dancing, SceneHints(("stage", "room", "street"), 4, 0.5, 2.1, 1.6)),
    "country_line_dancing": Action(country_line_dancing, SceneHints(("stage", "room", "street"), 4, 0.6, 2.1, 2.0)),
    "capoeira": Action(capoeira, SceneHints(("street", "park", "stage", "gym"), 2, 0.4, 2.1, 2.0)),
    "skipping_rope": Action(skipping_rope, SceneHints(("gym", "park", "street", "room"), 3, 0.3, 2.4, 1.4)),
    "hopscotch": Action(hopscotch, SceneHints(("street", "park"), 1, 0.0, 2.0, 2.8)),
    "juggling_balls": Action(juggling_balls, SceneHints(("street", "park", "stage", "room"), 2, 0.2, 2.3, 1.4)),
    "throwing_discus": Action(throwing_discus, SceneHints(("field",), 1, 0.0, 2.2, 2.2)),
    "hammer_throw": Action(hammer_throw, SceneHints(("field",), 1, 0.0, 2.6, 3.0)),
}

ACTIONS: tuple[str, ...] = tuple(_REGISTRY)

_ALL_PLACES = ("street", "park", "room", "gym", "stage", "field")
_OTHERS: dict[str, Action] = {
    "walking": Action(walking, SceneHints(_ALL_PLACES, 2, 0.2, 2.0, 2.0)),
    "running": Action(running, SceneHints(("street", "park", "field", "gym"), 2, 0.2, 2.0, 2.0)),
    "sitting_down": Action(sitting_down, SceneHints(("room", "park", "gym", "stage"), 2, 0.1, 1.9, 1.4)),
    "squatting": Action(squatting, SceneHints(("gym", "room", "park"), 3, 0.3, 1.9, 1.4)),
    "waving": Action(waving, SceneHints(_ALL_PLACES, 2, 0.2, 2.1, 1.4)),
    "throwing_overhand": Action(throwing_overhand, SceneHints(("field", "park", "street"), 1, 0.0, 2.0, 2.0)),
    "stepping_up": Action(stepping_up, SceneHints(("gym", "room", "street", "park"), 2, 0.2, 2.2, 1.5)),
    "cycling": Action(cycling, SceneHints(("street", "park", "gym"), 1, 0.0, 1.9, 2.0)),
    "reaching": Action(reaching, SceneHints(("room", "gym", "street"), 1, 0.0, 2.1, 1.4)),
    "jumping_jacks": Action(jumping_jacks, SceneHints(("gym", "room", "park"), 3, 0.3, 2.2, 1.8)),
    "clapping": Action(clapping, SceneHints(_ALL_PLACES, 3, 0.3, 2.1, 1.4)),
    "talking": Action(talking, SceneHints(_ALL_PLACES, 2, 0.3, 1.9, 1.3)),
    "looking_on": Action(looking_on, SceneHints(_ALL_PLACES, 2, 0.3, 1.9, 1.3)),
}

OTHER_MOTIONS: tuple[str, ...] = tuple(_OTHERS)  # of a scene's main person; no actions, never in a dataset


def build_performer(action: str, rng: np.random.Generator, sizes: BodySizes) -> Performer:
    """Build a performer of an action or of another motion, with personal habits; `rng` determines everything.

    Raises:
        ConfigError: the action is not one of `ACTIONS` or `OTHER_MOTIONS`.
    """
    return _perform(_action(action).build, rng, sizes)


def build_routine(action: str, rng: np.random.Generator) -> Routine:
    """Build the phases of a performer with personal habits, without a body.

    Raises:
        ConfigError: the action is not one of `ACTIONS` or `OTHER_MOTIONS`.
    """
    return _action(action).build(Style(rng))


def build_bystander(rng: np.random.Generator, sizes: BodySizes) -> Performer:
    """Build a person who does none of the actions, or only warms up; `rng` determines everything."""
    shares = np.array([share for _, share in BYSTANDERS.values()])
    build = list(BYSTANDERS.values())[int(rng.choice(len(shares), p=shares / shares.sum()))][0]
    return _perform(build, rng, sizes)


def scene_hints(action: str) -> SceneHints:
    """Return the scenery of an action and the size of a group.

    Raises:
        ConfigError: the action is not one of `ACTIONS` or `OTHER_MOTIONS`.
    """
    return _action(action).hints


def _action(name: str) -> Action:
    action = _REGISTRY.get(name) or _OTHERS.get(name)
    if action is None:
        raise ConfigError(f"action must be one of {', '.join((*ACTIONS, *OTHER_MOTIONS))}, got {name!r}")
    return action


def _perform(build: Callable[[Style], Routine], rng: np.random.Generator, sizes: BodySizes) -> Performer:
    routine = build(Style(rng))
    script_seconds = sum(phase.seconds for phase in routine.phases)
    start_seconds = float(rng.uniform(0, script_seconds))
    return ScriptedPerformer(routine, sizes, start_seconds=start_seconds)
