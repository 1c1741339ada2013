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


@dataclass(frozen=True)
class SceneHints:
    """The scenery of an action, the size of a group, and the space for one performer."""

    places: tuple[str, ...]  # names of `PLACES`
    max_group: int  # largest number of people who do the action together
    group_probability: float  # probability of more than one performer
    height_metres: float  # height above the floor of everything that must be visible
    width_metres: float  # width of the floor for one performer
    hides_performer: bool = False  # whether a prop hides the performer from a camera in front
    close: bool = False  # whether the camera shows the main performer and may cut the others
    slope: float = 0.0  # radians by which the ground falls in the direction that the performer faces at first
    helpers: tuple[Helper, ...] = ()
    bystanders: tuple[str, ...] = ()  # among `BYSTANDERS` and `OTHER_MOTIONS`; empty: all of `BYSTANDERS`


@dataclass(frozen=True)
class Action:
    """The builder of an action's routine, and its scene hints."""

    build: Callable[[Style], Routine]
    hints: SceneHints
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
    "crawling_baby": Action(
        crawling_baby,
        SceneHints(("room", "park"), 1, 0.0, 0.8, 1.3, close=True, bystanders=_NEAR_A_BABY),
        draw_baby_sizes,
    ),
    "skateboarding": Action(skateboarding, SceneHints(("street", "park"), 2, 0.15, 2.2, 2.8, bystanders=_OUTDOORS)),
    "tobogganing": Action(tobogganing, SceneHints(("snow",), 2, 0.2, 1.8, 2.8, slope=0.17, bystanders=_OUTDOORS)),
    "riding_mechanical_bull": Action(
        riding_mechanical_bull, SceneHints(("arena", "stage", "street"), 1, 0.0, 2.1, 2.4, bystanders=_AUDIENCE)
    ),
    "surfing_crowd": Action(
        surfing_crowd, SceneHints(("concert", "stage", "field"), 1, 0.0, 2.6, 2.2, helpers=_CROWD, bystanders=_AUDIENCE)
    ),
    "hurling_(sport)": Action(hurling, SceneHints(("field", "park"), 4, 0.5, 2.2, 2.0, bystanders=_OUTDOORS)),
}

ACTIONS: tuple[str, ...] = tuple(_REGISTRY)  # the 24 of Kinetics-TPS
ACTIONS_V1: tuple[str, ...] = ACTIONS[:18]  # of SynthTPS-1 and 1.1

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
    "lying_down": Action(lying_down, SceneHints(("room", "gym", "park", "field"), 1, 0.0, 1.9, 2.0)),
    "drinking": Action(drinking, SceneHints(_ALL_PLACES, 2, 0.3, 1.9, 1.3)),
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
