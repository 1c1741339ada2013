"""The actions of SynthTPS: their motions, their scenery, and the bystanders.

Related actions share props and scenery on purpose: a single frame is often ambiguous, and only the motion decides.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from actparse.core.errors import ConfigError
from actparse.synth.actions.baby import crawling_baby
from actparse.synth.actions.barbell import clean_and_jerk, deadlifting, snatch_weight_lifting
from actparse.synth.actions.bodyweight import pull_ups, push_up
from actparse.synth.actions.bystander import BYSTANDERS, drinking, lying_down, talking
from actparse.synth.actions.capoeira import capoeira
from actparse.synth.actions.dance import belly_dancing, country_line_dancing, salsa_dancing
from actparse.synth.actions.field.baseball import hitting_baseball
from actparse.synth.actions.field.hurling import hurling
from actparse.synth.actions.field.throw import hammer_throw, throwing_discus
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
from actparse.synth.actions.rides.bull import riding_mechanical_bull
from actparse.synth.actions.rides.crowd import carrying_overhead, surfing_crowd
from actparse.synth.actions.rides.skateboard import skateboarding
from actparse.synth.actions.rides.sled import tobogganing
from actparse.synth.motion.figure import BodySizes
from actparse.synth.motion.phases import Performer, Routine, ScriptedPerformer
from actparse.synth.motion.style import Style
from actparse.synth.people.body import draw_baby_sizes, draw_sizes

BABY_ACTIONS = frozenset({"crawling_baby"})  # actions whose performers are babies
LOOKS: tuple[str, ...] = ("gloves", "cap", "midriff", "barefoot", "skirt", "tank")


@dataclass(frozen=True)
class Helper:
    """One more person whom an action needs: the builder of the routine, and the place beside the main performer."""

    build: Callable[[Style], Routine]
    x: float  # metres to the left of the main performer
    z: float  # metres ahead
    yaw: float  # radians, relative to the main performer


@dataclass(frozen=True, kw_only=True)
class SceneHints:
    """The scenery of an action, the size of a group, and the space for one performer."""

    places: tuple[str, ...]  # names of `PLACES`
    size_metres: tuple[float, float]  # height above the floor that must be visible, width of the floor for a performer
    max_group: int = 1  # largest number of people who do the action together
    group_share: float = 0.0  # probability of more than one performer
    hides_performer: bool = False  # whether a prop hides the performer from a camera in front
    close: bool = False  # whether the camera shows the main performer and may cut the others
    slope: float = 0.0  # radians by which the ground falls in the direction that the performer faces at first
    helpers: tuple[Helper, ...] = ()
    bystanders: tuple[str, ...] = ()  # among `BYSTANDERS` and `OTHER_MOTIONS`; empty: all of `BYSTANDERS`


@dataclass(frozen=True)
class Action(SceneHints):
    """An action with its scenery: the builder of its routine, and the sizes of those who perform it."""

    build: Callable[[Style], Routine]
    draw_sizes: Callable[[np.random.Generator], BodySizes] = draw_sizes


_CROWD = tuple(
    Helper(carrying_overhead, sign * x, z, -sign * np.pi / 2)
    for sign, x, z in (
        (1, 0.46, -0.72),
        (-1, 0.46, -0.6),
        (1, 0.45, 0.02),
        (-1, 0.46, 0.12),
        (1, 0.46, 0.7),
        (-1, 0.45, 0.8),
    )
)
_NEAR_A_BABY = ("sitting", "standing", "talking", "clapping", "lying_down", "squatting", "phone", "waving")
_OUTDOORS = ("standing", "talking", "walking", "running", "waving", "phone", "drinking", "sitting", "hands on hips")
_AUDIENCE = ("standing", "applauding", "clapping", "waving", "arms crossed", "talking", "phone", "drinking")
_REGISTRY: dict[str, Action] = {
    "deadlifting": Action(deadlifting, places=("gym", "room"), max_group=2, group_share=0.15, size_metres=(1.9, 1.8)),
    "clean_and_jerk": Action(clean_and_jerk, places=("gym", "stage"), size_metres=(2.4, 1.9)),
    "snatch_weight_lifting": Action(snatch_weight_lifting, places=("gym", "stage"), size_metres=(2.4, 1.9)),
    "front_raises": Action(
        front_raises, places=("gym", "room", "park"), max_group=3, group_share=0.25, size_metres=(1.9, 1.2)
    ),
    "lunge": Action(lunge, places=("gym", "room", "park"), max_group=3, group_share=0.4, size_metres=(2.0, 1.4)),
    "push_up": Action(
        push_up, places=("gym", "room", "park", "field"), max_group=3, group_share=0.4, size_metres=(1.0, 1.8)
    ),
    "pull_ups": Action(
        pull_ups, places=("gym", "park", "street"), max_group=2, group_share=0.15, size_metres=(2.4, 1.6)
    ),
    "punching_bag": Action(punching_bag, places=("gym", "room"), size_metres=(2.3, 1.6), hides_performer=True),
    "hitting_baseball": Action(hitting_baseball, places=("field", "park", "street"), size_metres=(2.2, 2.0)),
    "belly_dancing": Action(
        belly_dancing, places=("stage", "room", "street"), max_group=3, group_share=0.4, size_metres=(2.1, 1.6)
    ),
    "salsa_dancing": Action(
        salsa_dancing, places=("stage", "room", "street"), max_group=4, group_share=0.5, size_metres=(2.1, 1.6)
    ),
    "country_line_dancing": Action(
        country_line_dancing, places=("stage", "room", "street"), max_group=4, group_share=0.6, size_metres=(2.1, 2.0)
    ),
    "capoeira": Action(
        capoeira, places=("street", "park", "stage", "gym"), max_group=2, group_share=0.4, size_metres=(2.1, 2.0)
    ),
    "skipping_rope": Action(
        skipping_rope, places=("gym", "park", "street", "room"), max_group=3, group_share=0.3, size_metres=(2.4, 1.4)
    ),
    "hopscotch": Action(hopscotch, places=("street", "park"), size_metres=(2.0, 2.8)),
    "juggling_balls": Action(
        juggling_balls, places=("street", "park", "stage", "room"), max_group=2, group_share=0.2, size_metres=(2.3, 1.4)
    ),
    "throwing_discus": Action(throwing_discus, places=("field",), size_metres=(2.2, 2.2)),
    "hammer_throw": Action(hammer_throw, places=("field",), size_metres=(2.6, 3.0)),
    "crawling_baby": Action(
        crawling_baby,
        draw_baby_sizes,
        places=("room", "park"),
        size_metres=(0.8, 1.3),
        close=True,
        bystanders=_NEAR_A_BABY,
    ),
    "skateboarding": Action(
        skateboarding,
        places=("street", "park"),
        max_group=2,
        group_share=0.15,
        size_metres=(2.2, 2.8),
        bystanders=_OUTDOORS,
    ),
    "tobogganing": Action(
        tobogganing,
        places=("snow",),
        max_group=2,
        group_share=0.2,
        size_metres=(1.8, 2.8),
        slope=0.17,
        bystanders=_OUTDOORS,
    ),
    "riding_mechanical_bull": Action(
        riding_mechanical_bull, places=("arena", "stage", "street"), size_metres=(2.1, 2.4), bystanders=_AUDIENCE
    ),
    "surfing_crowd": Action(
        surfing_crowd,
        places=("concert", "stage", "field"),
        size_metres=(2.6, 2.2),
        helpers=_CROWD,
        bystanders=_AUDIENCE,
    ),
    "hurling_(sport)": Action(
        hurling, places=("field", "park"), max_group=4, group_share=0.5, size_metres=(2.2, 2.0), bystanders=_OUTDOORS
    ),
}

ACTIONS: tuple[str, ...] = tuple(_REGISTRY)  # the 24 of Kinetics-TPS
ACTIONS_V1: tuple[str, ...] = ACTIONS[:18]  # of SynthTPS-1 and 1.1

_ALL_PLACES = ("street", "park", "room", "gym", "stage", "field")
_OTHERS: dict[str, Action] = {
    "walking": Action(walking, places=_ALL_PLACES, max_group=2, group_share=0.2, size_metres=(2.0, 2.0)),
    "running": Action(
        running, places=("street", "park", "field", "gym"), max_group=2, group_share=0.2, size_metres=(2.0, 2.0)
    ),
    "sitting_down": Action(
        sitting_down, places=("room", "park", "gym", "stage"), max_group=2, group_share=0.1, size_metres=(1.9, 1.4)
    ),
    "squatting": Action(
        squatting, places=("gym", "room", "park"), max_group=3, group_share=0.3, size_metres=(1.9, 1.4)
    ),
    "waving": Action(waving, places=_ALL_PLACES, max_group=2, group_share=0.2, size_metres=(2.1, 1.4)),
    "throwing_overhand": Action(throwing_overhand, places=("field", "park", "street"), size_metres=(2.0, 2.0)),
    "stepping_up": Action(
        stepping_up, places=("gym", "room", "street", "park"), max_group=2, group_share=0.2, size_metres=(2.2, 1.5)
    ),
    "cycling": Action(cycling, places=("street", "park", "gym"), size_metres=(1.9, 2.0)),
    "reaching": Action(reaching, places=("room", "gym", "street"), size_metres=(2.1, 1.4)),
    "jumping_jacks": Action(
        jumping_jacks, places=("gym", "room", "park"), max_group=3, group_share=0.3, size_metres=(2.2, 1.8)
    ),
    "clapping": Action(clapping, places=_ALL_PLACES, max_group=3, group_share=0.3, size_metres=(2.1, 1.4)),
    "talking": Action(talking, places=_ALL_PLACES, max_group=2, group_share=0.3, size_metres=(1.9, 1.3)),
    "looking_on": Action(looking_on, places=_ALL_PLACES, max_group=2, group_share=0.3, size_metres=(1.9, 1.3)),
    "lying_down": Action(lying_down, places=("room", "gym", "park", "field"), size_metres=(1.9, 2.0)),
    "drinking": Action(drinking, places=_ALL_PLACES, max_group=2, group_share=0.3, size_metres=(1.9, 1.3)),
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


def build_helper(helper: Helper, rng: np.random.Generator, sizes: BodySizes) -> Performer:
    """Build a person whom an action needs beside its performers; `rng` determines everything."""
    return _perform(helper.build, rng, sizes)


def draw_body(action: str, rng: np.random.Generator) -> BodySizes:
    """Draw the sizes of a performer: those of a baby for crawling_baby, else of an adult.

    Raises:
        ConfigError: the action is not one of `ACTIONS` or `OTHER_MOTIONS`.
    """
    return _action(action).draw_sizes(rng)


def build_bystander(rng: np.random.Generator, sizes: BodySizes, kinds: Sequence[str] = ()) -> Performer:
    """Build a person who does none of the actions, or only warms up; `rng` determines everything.

    Args:
        rng: random generator.
        sizes: lengths of the body.
        kinds: names among `BYSTANDERS` and `OTHER_MOTIONS`; empty: those of `BYSTANDERS`, by their shares.
    """
    if kinds:
        kind = kinds[int(rng.integers(len(kinds)))]
        return _perform(BYSTANDERS[kind][0] if kind in BYSTANDERS else _OTHERS[kind].build, rng, sizes)
    shares = np.array([share for _, share in BYSTANDERS.values()])
    build = list(BYSTANDERS.values())[int(rng.choice(len(shares), p=shares / shares.sum()))][0]
    return _perform(build, rng, sizes)


def scene_hints(action: str) -> SceneHints:
    """Return the scenery of an action and the size of a group.

    Raises:
        ConfigError: the action is not one of `ACTIONS` or `OTHER_MOTIONS`.
    """
    return _action(action)


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
