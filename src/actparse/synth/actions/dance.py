"""Dances: belly dance, salsa, country line dance. Arms and legs change at different times."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from actparse.synth.motion.figure import SIDE_SIGN, Side
from actparse.synth.motion.keys import ANKLE, NOTHING, Key, bump, half_bump, wave
from actparse.synth.motion.phases import Pair, Phase, Rhythm, Routine, loop_phases, states
from actparse.synth.motion.style import Style, arm_swinging, both, other, rest, sided, stepping


@dataclass(frozen=True)
class ArmFigure:
    """A figure of the arms in a dance: their position, their states and their rhythm."""

    place: Callable[[Key], Key]
    arm: Pair
    hand: Pair
    rhythm: Rhythm | None = None


@dataclass(frozen=True)
class LegFigure:
    """A figure of trunk and legs in a dance: their position, their states and their rhythm."""

    place: Callable[[Key], Key]
    leg: Pair
    foot: Pair
    hip: str
    rhythm: Rhythm | None = None
    heading: float = 0.0  # rotation by the end of the phase, radians
    sidewards: float = 0.0  # travel by the end of the phase, metres to the left; the next phase goes back


def dance(
    style: Style,
    arms: Mapping[str, ArmFigure],
    legs: Mapping[str, LegFigure],
    *,
    arm_changes: float,
    leg_changes: float,
    pauses: tuple[str, ...] = (),
) -> tuple[Phase, ...]:
    """Build phases of 2 to 4 s; arms and legs change independently, with the given probabilities."""
    heading, side_offset = 0.0, 0.0
    arm_name, leg_name = style.pick(list(arms)), style.pick(list(legs))

    def turn(index: int) -> list[Phase]:
        nonlocal heading, side_offset, arm_name, leg_name
        if pauses and style.chance(0.12):
            phase = rest(style, pauses)
            goal = phase.goal.put("heading", heading).put("travel", side_offset, 0.0, 0.0)
            return [Phase(name=phase.name, seconds=phase.seconds, goal=goal, states=phase.states, rhythm=phase.rhythm)]
        if style.chance(arm_changes):
            arm_name = style.pick(list(arms))
        if style.chance(leg_changes):
            leg_name = style.pick(list(legs))
        arm, leg = arms[arm_name], legs[leg_name]
        heading += leg.heading
        side_offset = 0.0 if abs(side_offset) > 0.01 else leg.sidewards
        goal = arm.place(leg.place(style.stand)).put("heading", heading).put("travel", side_offset, 0.0, 0.0)
        seconds = style.seconds(2.3, 3.9)
        moving = leg.heading != 0 or leg.sidewards != 0
        return [
            Phase(
                name=f"{leg_name}, arms {arm_name}",
                seconds=seconds,
                goal=goal,
                move=0.9 * seconds if moving else 0.8,
                states=states(arm=arm.arm, hand=arm.hand, hip=leg.hip, leg=leg.leg, foot=leg.foot),
                rhythm=both(arm.rhythm, leg.rhythm) if arm.rhythm and leg.rhythm else arm.rhythm or leg.rhythm,
            )
        ]

    return loop_phases(turn)


def _keep_pose(key: Key) -> Key:
    return key


def _hands(
    out: float, up: float, forward: float, pole: tuple[float, float, float] = (0.6, -0.6, -0.4)
) -> Callable[[Key], Key]:
    return lambda key: key.pair("hand", out, up, forward).pair("elbow_pole", *pole).grip(0.1, 0.1)


def _place_hands(
    side: Side, first: tuple[float, float, float], second: tuple[float, float, float]
) -> Callable[[Key], Key]:
    """Put one hand at `first` and the other at `second`."""

    def put(key: Key) -> Key:
        key = key.on(side, "hand", *first).on(other(side), "hand", *second)
        return key.pair("elbow_pole", 0.9, -0.3, -0.2).grip(0.3, 0.3)

    return put


def _waving(rate: float, amount: float) -> Rhythm:
    """Build the rhythm of hands that float up and down in opposite directions."""

    def beat(seconds: float) -> Key:
        x, y = amount * wave(rate * seconds), amount * wave(rate * seconds + 0.3)
        return NOTHING.nudge("left", "hand", 0.0, x, 0.4 * y).nudge("right", "hand", 0.0, -y, 0.4 * x)

    return beat


def _hips(rate: float, amount: float, *, drop: float = 0.03) -> Rhythm:
    """Build the rhythm of a pelvis that moves in a figure of eight under a quiet chest."""

    def beat(seconds: float) -> Key:
        x, y = wave(rate * seconds), wave(2 * rate * seconds)
        turn = wave(rate * seconds + 0.1)
        key = NOTHING.put("pelvis", amount * x, 0.25 * amount * y - drop, 0.4 * amount * wave(rate * seconds + 0.25))
        return key.put("pelvis_rotation", 0.0, 3.2 * amount * turn, 3.0 * amount * x).put(
            "spine_rotation", 0.0, -3.8 * amount * turn, -4.0 * amount * x
        )

    return beat


def _on_toes(side: Side, ahead: float = 0.12) -> Callable[[Key], Key]:
    """Put one foot forward on its toes, with the weight on the other."""

    def put(key: Key) -> Key:
        key = key.on(side, "foot", 0.1, ANKLE + 0.06, ahead).on(side, "foot_direction", 0.2, -0.9, 0.7)
        return key.shift("pelvis", -0.03 * SIDE_SIGN[side], -0.02, 0.0)

    return put


def belly_dancing(style: Style) -> Routine:
    """Build a routine of circles and drops of the hips under arms that float, cross and rise."""
    rate = style.rate(0.6, 0.85)
    quick = style.rate(1.3, 1.7)
    side = style.any_side()
    wave_arms = _waving(style.uniform(0.35, 0.5), 0.08)
    hips, shimmy = _hips(rate, style.uniform(0.05, 0.075)), _hips(quick, 0.028)
    arms = {
        "out": ArmFigure(_hands(0.68, 1.38, 0.1, (0.3, -0.8, -0.4)), "unbend", "none", wave_arms),
        "up": ArmFigure(_hands(0.16, 1.84, 0.06, (1.0, 0.0, -0.2)), "lift", "none", wave_arms),
        "before the chest": ArmFigure(_hands(0.22, 1.15, 0.32, (0.9, -0.3, -0.1)), "bend", "none", wave_arms),
        "one up": ArmFigure(
            _place_hands(side, (0.2, 1.84, 0.05), (0.65, 1.25, 0.1)), sided(side, "lift", "unbend"), "none", wave_arms
        ),
        "one on the hip": ArmFigure(
            _place_hands(side, (0.2, 1.0, 0.05), (0.62, 1.45, 0.12)),
            sided(side, "bend", "lift"),
            sided(side, "hold", "none"),
        ),
        "at the head": ArmFigure(_hands(0.12, 1.6, -0.08, (1.0, 0.2, -0.1)), "bend", "hold"),
    }
    legs = {
        "hip circles": LegFigure(_keep_pose, "bend", "step_on", "turn", hips),
        "shimmy": LegFigure(_keep_pose, "stand", "step_on", "turn", shimmy),
        "hip drops left": LegFigure(_on_toes("left"), ("bend", "stand"), ("tiptoe", "step_on"), "turn", hips),
        "hip drops right": LegFigure(_on_toes("right"), ("stand", "bend"), ("step_on", "tiptoe"), "turn", hips),
        "travelling steps": LegFigure(_keep_pose, "step", "tiptoe", "turn", both(stepping(rate, lift=0.07), hips)),
        "turn": LegFigure(
            _keep_pose, "step", "tiptoe", "turn", stepping(1.4 * rate), heading=2 * np.pi * SIDE_SIGN[side]
        ),
        "pose": LegFigure(
            _on_toes(side, 0.2),
            sided(side, "unbend", "stand"),
            sided(side, "tiptoe", "step_on"),
            "none",
            style.sway(0.01),
        ),
    }
    arm_names = style.rng.permutation(list(arms))[:4]
    leg_names = style.rng.permutation(list(legs))[:4]
    phases = dance(
        style,
        {str(name): arms[str(name)] for name in arm_names},
        {str(name): legs[str(name)] for name in leg_names},
        arm_changes=0.6,
        leg_changes=0.6,
    )
    return Routine(phases, None, {"midriff": 0.7, "barefoot": 0.6, "skirt": 0.6, "tank": 0.3})


def _salsa_step(rate: float, forward: float, sideways: float) -> Rhythm:
    """Build the rhythm of one foot that steps forward (or to its side) and back, then the other foot backwards."""

    def beat(seconds: float) -> Key:
        left, right = half_bump(rate * seconds), half_bump(rate * seconds + 0.5)
        hips = 0.045 * wave(2 * rate * seconds)
        key = NOTHING.nudge(
            "left", "foot", sideways * left, 0.05 * bump(2 * rate * seconds) * (left > 0), forward * left
        )
        key = key.nudge(
            "right", "foot", sideways * right, 0.05 * bump(2 * rate * seconds) * (right > 0), -forward * right
        )
        key = key.put("pelvis", hips + 0.4 * sideways * (left - right), -0.025, 0.4 * forward * (left - right))
        drift = 0.4 * forward * (left - right)
        key = key.nudge_pair("hand", 0.0, 0.0, drift)
        return key.put("pelvis_rotation", 0.0, 2.0 * hips, 2.5 * hips).put(
            "spine_rotation", 0.0, -2.0 * hips, -2.8 * hips
        )

    return beat


def salsa_dancing(style: Style) -> Routine:
    """Build a routine of basic steps to the front and the sides, turns, and arms in position for an unseen partner."""
    rate = style.rate(0.45, 0.6)
    lead: Side = style.side
    swinging = arm_swinging(2 * rate, 0.1)
    arms = {
        "in the frame": ArmFigure(
            _place_hands(lead, (0.26, 1.2, 0.36), (0.52, 1.42, 0.3)), sided(lead, "hug", "lift"), "hold"
        ),
        "both hands to the partner": ArmFigure(
            _hands(0.22, 1.08, 0.42, (0.7, -0.7, -0.2)), "bend", "hold", _waving(rate, 0.03)
        ),
        "free": ArmFigure(_hands(0.3, 1.08, 0.18), "swing", "none", swinging),
        "one raised": ArmFigure(
            _place_hands(lead, (0.2, 1.84, 0.12), (0.34, 1.05, 0.15)),
            sided(lead, "lift", "bend"),
            sided(lead, "hold", "none"),
        ),
        "open": ArmFigure(
            _place_hands(other(lead), (0.7, 1.3, 0.1), (0.25, 1.05, 0.1)),
            sided(other(lead), "unbend", "bend"),
            sided(other(lead), "hold", "none"),
        ),
    }
    legs = {
        "basic": LegFigure(_keep_pose, "step", "step_on", "none", _salsa_step(rate, 0.24, 0.0)),
        "side steps": LegFigure(_keep_pose, "step", "tiptoe", "turn", _salsa_step(rate, 0.0, 0.22)),
        "turn": LegFigure(
            _keep_pose, "step", "tiptoe", "turn", stepping(2 * rate), heading=2 * np.pi * SIDE_SIGN[lead]
        ),
        "sway left": LegFigure(
            _on_toes("left", 0.16), ("bend", "stand"), ("tiptoe", "step_on"), "swing", _hips(2 * rate, 0.04)
        ),
        "sway right": LegFigure(
            _on_toes("right", 0.16), ("stand", "bend"), ("step_on", "tiptoe"), "swing", _hips(2 * rate, 0.04)
        ),
        "hold": LegFigure(_keep_pose, "stand", "step_on", "none", style.sway(0.03)),
    }
    arm_names = style.rng.permutation(list(arms))[:3]
    leg_names = [
        "basic",
        *(str(name) for name in style.rng.permutation([name for name in legs if name != "basic"])[:3]),
    ]
    phases = dance(
        style,
        {str(name): arms[str(name)] for name in arm_names},
        {name: legs[name] for name in leg_names},
        arm_changes=0.65,
        leg_changes=0.65,
    )
    return Routine(phases, None, {"skirt": 0.35, "tank": 0.25, "cap": 0.05})


def _tap(side: Side, rate: float, ahead: float) -> Rhythm:
    """Build the rhythm of one heel that taps to the front."""
    return lambda seconds: NOTHING.nudge(side, "foot", 0.0, 0.07 * bump(rate * seconds), ahead * bump(rate * seconds))


def _kicking(side: Side, rate: float) -> Rhythm:
    def beat(seconds: float) -> Key:
        x = bump(rate * seconds)
        return NOTHING.nudge(side, "foot", 0.0, 0.4 * x, 0.5 * x).put("spine_rotation", -0.1 * x, 0.0, 0.0)

    return beat


def country_line_dancing(style: Style) -> Routine:
    """Build a routine of grapevines, heel taps, kicks and quarter turns, thumbs in the belt, hats and claps."""
    rate = style.rate(0.8, 1.0)
    side = style.any_side()
    arms = {
        "thumbs in the belt": ArmFigure(_hands(0.16, 0.98, 0.1, (1.0, -0.2, -0.4)), "bend", "hold"),
        "loose": ArmFigure(_hands(0.26, 0.87, 0.04), "swing", "none", arm_swinging(rate, 0.13)),
        "clapping": ArmFigure(
            _hands(0.03, 1.2, 0.33, (0.8, -0.8, -0.2)),
            "bend",
            "applaud",
            lambda seconds: NOTHING.nudge_pair("hand", 0.08 + 0.08 * wave(2 * rate * seconds), 0.0, 0.0),
        ),
        "hand on the hat": ArmFigure(
            _place_hands(side, (0.13, 1.66, 0.14), (0.16, 0.98, 0.1)),
            sided(side, "lift", "bend"),
            sided(side, "grab", "hold"),
        ),
        "hanging": ArmFigure(_hands(0.25, 0.86, 0.04), "unbend", "none"),
        "one arm circling": ArmFigure(
            _place_hands(side, (0.3, 1.75, 0.1), (0.16, 0.98, 0.1)),
            sided(side, "swing", "bend"),
            sided(side, "none", "hold"),
            lambda seconds: NOTHING.nudge(
                side, "hand", 0.14 * wave(rate * seconds), 0.02, 0.14 * wave(rate * seconds + 0.25)
            ),
        ),
    }
    legs = {
        "grapevine": LegFigure(
            _keep_pose, "step", "step_on", "none", stepping(rate, lift=0.08, sway=0.04), sidewards=0.7 * SIDE_SIGN[side]
        ),
        "left heel taps": LegFigure(
            _keep_pose, ("unbend", "stand"), ("step_on", "step_on"), "none", _tap("left", rate, 0.3)
        ),
        "right heel taps": LegFigure(
            _keep_pose, ("stand", "unbend"), ("step_on", "step_on"), "none", _tap("right", rate, 0.3)
        ),
        "left kicks": LegFigure(
            _keep_pose, ("raise", "stand"), ("none", "step_on"), "none", _kicking("left", 0.75 * rate)
        ),
        "right kicks": LegFigure(
            _keep_pose, ("stand", "raise"), ("step_on", "none"), "none", _kicking("right", 0.75 * rate)
        ),
        "quarter turn": LegFigure(
            _keep_pose, "step", "tiptoe", "turn", stepping(rate), heading=0.5 * np.pi * SIDE_SIGN[side]
        ),
        "knees bouncing": LegFigure(_keep_pose, "bend", "tiptoe", "swing", _hips(rate, 0.045, drop=0.06)),
        "marching": LegFigure(_keep_pose, "step", "step_on", "none", stepping(rate, lift=0.16)),
    }
    arm_names = style.rng.permutation(list(arms))[:3]
    leg_names = style.rng.permutation(list(legs))[:5]
    phases = dance(
        style,
        {str(name): arms[str(name)] for name in arm_names},
        {str(name): legs[str(name)] for name in leg_names},
        arm_changes=0.55,
        leg_changes=0.65,
        pauses=("standing", "clapping"),
    )
    return Routine(phases, None, {"cap": 0.6, "skirt": 0.15})
