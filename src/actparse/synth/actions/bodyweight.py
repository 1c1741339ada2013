"""Exercises without weights: push-up and pull-up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from actparse.synth.motion.figure import SIDE_SIGN, HeldTube, Pose, Tube
from actparse.synth.motion.keys import NOTHING, Key, bump, half_bump, wave
from actparse.synth.motion.phases import Beat, Phase, PropMaker, Rhythm, Routine, loop_phases, states
from actparse.synth.motion.props import DARK, as_object, rod
from actparse.synth.motion.style import Style, other, rest, sided

PUSH_UP_SECONDS, PULL_UP_SECONDS = 3.4, 3.1  # of a repetition in real videos
SET_SECONDS = (4.5, 9.0)  # range of the length of a set without a pause


class PushUpPoses:
    """The poses of a push-up on toes or on knees, for one performer's width."""

    def __init__(self, style: Style, *, knees: bool) -> None:
        self.wide = style.chance(0.4)  # hands wide, elbows out
        self.width = style.uniform(0.31, 0.37) if self.wide else style.uniform(0.2, 0.25)
        self.knees = knees
        self.base = (
            style.stand.pair("elbow_pole", 1.0 if self.wide else 0.4, -0.6, -0.2)
            .pair("hand_direction", 0.1, -0.2, 1.0)
            .grip(0.0, 0.0)
        )
        self.base = self.base.pair("hand", self.width, 0.06, 0.42).pair("foot_direction", 0.0, -1.0, 0.3)
        self.base = self.base.put("head_rotation", style.uniform(-0.6, -0.3), 0.0, 0.0).pair(
            "knee_pole", 0.1, -1.0, 0.3
        )
        self.feet = style.uniform(0.05, 0.13)

    def body(self, up: float) -> Key:
        """Return the pose with the chest low (0) or high (1)."""
        low = 0.24 if self.knees else 0.2
        key = self.base.put("pelvis", 0.0, low + (0.4 - low) * up, 0.04 * (1 - up)).put(
            "pelvis_rotation", 1.5 - 0.29 * up, 0.0, 0.0
        )
        key = key.put("spine_rotation", -0.03, 0.0, 0.0)
        if self.knees:
            return key.pair("foot", self.feet, 0.42 - 0.08 * up, -0.6).pair("foot_direction", 0.0, 0.3, -1.0)
        return key.pair("foot", self.feet, 0.13, -0.85)

    def sitting_on_heels(self) -> Key:
        """Return the upright kneeling pose between two sets."""
        key = (
            self.base.put("pelvis", 0.0, 0.28, -0.25)
            .pair("foot", 0.1, 0.08, -0.31)
            .pair("foot_direction", 0.0, -0.1, -1.0)
        )
        key = (
            key.pair("knee_pole", 0.15, -0.1, 1.0).pair("hand", 0.15, 0.37, 0.02).pair("hand_direction", 0.0, -0.3, 1.0)
        )
        return (
            key.put("head_rotation", 0.1, 0.0, 0.0)
            .put("spine_rotation", 0.1, 0.0, 0.0)
            .pair("elbow_pole", 0.6, -0.5, -0.6)
        )


class PushUps:
    """Sets on toes or knees, with planks, low holds, shoulder taps, raised legs and rests on the heels."""

    def __init__(self, style: Style) -> None:
        self.style = style
        self.poses = PushUpPoses(style, knees=style.chance(0.25))
        self.period = style.repetition(PUSH_UP_SECONDS)
        self.low_share = style.uniform(0.4, 0.6)  # share of a repetition for going down and staying low
        self.leg, self.foot = ("bend", "none") if self.poses.knees else ("unbend", "tiptoe")
        self.extras = ["plank", "low", "taps", "raise", "heels"] + ([] if self.poses.knees else ["climbers"])
        self.likes = [str(name) for name in style.rng.permutation(self.extras)[:3]]

    def press(self) -> list[Phase]:
        low, high = (states(arm=arm, hand="push", leg=self.leg, foot=self.foot) for arm in ("bend", "unbend"))
        start = Phase(name="ready to press", seconds=1.0, goal=self.poses.body(1.0), states=high, move=1.0)
        depth = self.style.uniform(0.0, 0.12)
        repetition = [("go down", self.poses.body(depth), low), ("press up", self.poses.body(1.0), high)]
        return [start, *repetitions(self.style, repetition, self.period, self.low_share)]

    def plank(self) -> Phase:
        states_by_part = states(arm="unbend", hand="hold", leg=self.leg, foot=self.foot)
        return Phase(
            name="plank",
            seconds=self.style.seconds(2.2, 3.8),
            goal=self.poses.body(1.0),
            states=states_by_part,
            rhythm=_breath(),
        )

    def low(self) -> Phase:
        states_by_part = states(arm="bend", hand="push", leg=self.leg, foot=self.foot)
        return Phase(
            name="low hold",
            seconds=self.style.seconds(1.8, 3.2),
            goal=self.poses.body(0.15),
            states=states_by_part,
            move=0.9,
            rhythm=_breath(),
        )

    def taps(self) -> Phase:
        side = self.style.any_side()
        beat = self.style.rate(0.6, 0.9)
        key = (
            self.poses.body(1.0)
            .on(side, "hand", -0.1, 0.47, 0.36)
            .put("pelvis", 0.03 * SIDE_SIGN[other(side)], 0.4, 0.0)
        )

        def tap(seconds: float) -> Key:
            return NOTHING.nudge(side, "hand", 0.1 * bump(beat * seconds), -0.12 * bump(beat * seconds), 0.03)

        states_by_part = states(
            arm=sided(side, "bend", "unbend"), hand=sided(side, "none", "hold"), leg=self.leg, foot=self.foot
        )
        return Phase(
            name="tap a shoulder", seconds=self.style.seconds(2.2, 3.6), goal=key, states=states_by_part, rhythm=tap
        )

    def raise_leg(self) -> Phase:
        side = self.style.any_side()
        key = self.poses.body(1.0).on(side, "foot", 0.08, 0.5, -0.76).on(side, "foot_direction", 0.0, -0.6, -0.8)
        states_by_part = states(
            arm="unbend", hand="hold", leg=sided(side, "raise", self.leg), foot=sided(side, "none", self.foot)
        )
        return Phase(
            name="raise one leg",
            seconds=self.style.seconds(2.2, 3.6),
            goal=key,
            states=states_by_part,
            move=0.9,
            rhythm=_breath(),
        )

    def climbers(self) -> Phase:
        pace = self.style.rate(0.6, 0.95)

        def climb(seconds: float) -> Key:
            left, right = half_bump(pace * seconds), half_bump(pace * seconds + 0.5)
            return NOTHING.nudge("left", "foot", 0, 0.06 * left, 0.4 * left).nudge(
                "right", "foot", 0, 0.06 * right, 0.4 * right
            )

        states_by_part = states(arm="unbend", hand="hold", leg="step", foot=self.foot)
        return Phase(
            name="mountain climbers",
            seconds=self.style.seconds(2.4, 4.0),
            goal=self.poses.body(1.0),
            states=states_by_part,
            rhythm=climb,
        )

    def heels(self) -> Phase:
        states_by_part = states(arm="bend", hand="none", hip="sit", leg="bend", foot="none")
        return Phase(
            name="sit on the heels",
            seconds=self.style.seconds(2.4, 4.0),
            goal=self.poses.sitting_on_heels(),
            states=states_by_part,
            move=1.2,
            rhythm=_breath(),
        )

    def routine(self) -> Routine:
        """Build the routine with its props."""
        makers = {
            "plank": self.plank,
            "low": self.low,
            "taps": self.taps,
            "raise": self.raise_leg,
            "climbers": self.climbers,
            "heels": self.heels,
        }
        phases = loop_phases(lambda index: [*self.press(), makers[self.likes[int(self.style.rng.integers(3))]]()])
        return Routine(phases, None, {"tank": 0.5, "barefoot": 0.15})


def push_up(style: Style) -> Routine:
    """Build sets of push-ups with planks, low holds, shoulder taps, raised legs, mountain climbers and rests."""
    return PushUps(style).routine()


def repetitions(
    style: Style, repetition: Sequence[tuple[str, Key, dict[str, str]]], period: float, share: float
) -> list[Phase]:
    """Repeat two phases (name, goal, states), `period` seconds together, until the end of a set.

    The first phase takes `share` of the time. Each rests for a moment at its goal; the last repetitions are slower.
    """
    count = max(1, round(style.uniform(*SET_SECONDS) / period))
    fatigue = style.uniform(0.0, 0.35)
    phases = []
    for index in range(count):
        seconds = period * (1 + fatigue * (index / max(count - 1, 1) - 0.5)) * style.uniform(0.93, 1.07)
        for (name, goal, states_by_part), phase_share in zip(repetition, (share, 1 - share), strict=True):
            move = style.uniform(0.75, 1.0) * phase_share * seconds
            phases.append(Phase(name=name, seconds=phase_share * seconds, goal=goal, states=states_by_part, move=move))
    return phases


def _breath() -> Rhythm:
    return lambda seconds: NOTHING.put("pelvis", 0.0, 0.008 * wave(0.45 * seconds), 0.0)


class PullUpPoses:
    """The poses under and on a bar, for one performer's width and legs."""

    def __init__(self, style: Style) -> None:
        self.style = style
        self.bar = style.uniform(2.06, 2.14)
        style.stand = style.stand.put("prop", 0.0, self.bar, 0.0)
        self.wide = style.chance(0.4)
        self.width = style.uniform(0.34, 0.42) if self.wide else style.uniform(0.17, 0.24)
        self.legs = style.pick(("straight", "bent", "ahead"), (0.45, 0.35, 0.2))
        self.dangle = {"straight": (0.07, -0.83, 0.0), "bent": (0.07, -0.5, -0.36), "ahead": (0.08, -0.74, 0.3)}[
            self.legs
        ]
        self.low = self.bar - 0.06 - float(np.sqrt(0.54**2 - (self.width - 0.18) ** 2)) - 0.45
        self.high = self.bar - 0.2 - 0.45

    def on_bar(self, height: float) -> Key:
        """Return the hanging pose with the pelvis at `height`."""
        share = (height - self.low) / (self.high - self.low)
        key = self.style.stand.put("pelvis", 0.0, height, -0.1 * share).put("pelvis_rotation", -0.12 * share, 0.0, 0.0)
        key = key.pair("hand", self.width, self.bar - 0.06, 0.0).pair("hand_direction", 0.0, 1.0, 0.15).grip(1.0, 1.0)
        key = key.pair("elbow_pole", 1.0, -0.6, 0.1).put("head_rotation", -0.25, 0.0, 0.0)
        out, down, forward = self.dangle
        key = key.pair("foot", out, height + down, forward).pair(
            "foot_direction", 0.05, -0.8, -0.5 if self.legs == "bent" else 0.5
        )
        return key.pair("knee_pole", 0.1, 0.1, 1.0)


class PullUps:
    """Sets of pull-ups with hangs, holds over the bar, raised knees, one-arm hangs and rests on the floor."""

    def __init__(self, style: Style) -> None:
        self.style = style
        self.poses = PullUpPoses(style)
        self.period = style.repetition(PULL_UP_SECONDS)
        self.high_share = style.uniform(0.4, 0.6)  # share of a repetition for going up and staying high
        self.leg = {"straight": "unbend", "bent": "bend", "ahead": "raise"}[self.poses.legs]
        self.likes = [
            str(name) for name in style.rng.permutation(["hang", "chin", "knees", "one knee", "one arm", "floor"])[:3]
        ]
        self.hanging = self.poses.on_bar(self.poses.low)

    def swing(self, seconds: float) -> Key:
        x = 0.05 * wave(0.45 * seconds)
        return NOTHING.put("pelvis", 0.0, 0.0, 0.3 * x).nudge_pair("foot", 0.0, 0.0, x)

    def phase(
        self,
        name: str,
        low: float,
        high: float,
        goal: Key,
        states_by_part: dict[str, str],
        rhythm: Rhythm | None = None,
    ) -> Phase:
        return Phase(
            name=name,
            seconds=self.style.seconds(low, high),
            goal=goal,
            states=states_by_part,
            move=1.0,
            rhythm=rhythm or self.swing,
        )

    def pull(self) -> list[Phase]:
        high, low = (states(arm=arm, hand="grab", leg=self.leg, foot="none") for arm in ("bend", "unbend"))
        start = Phase(name="hang before the set", seconds=1.0, goal=self.hanging, states=low, move=1.0)
        repetition = [("pull up", self.poses.on_bar(self.poses.high), high), ("let down", self.hanging, low)]
        return [start, *repetitions(self.style, repetition, self.period, self.high_share)]

    def extra(self, name: str) -> list[Phase]:
        side = self.style.any_side()
        if name == "hang":
            return [
                self.phase("hang", 2.2, 3.8, self.hanging, states(arm="unbend", hand="grab", leg=self.leg, foot="none"))
            ]
        if name == "chin":
            states_by_part = states(arm="bend", hand="grab", leg=self.leg, foot="none", head="raise")
            return [
                self.phase("hold the chin over the bar", 2.0, 3.2, self.poses.on_bar(self.poses.high), states_by_part)
            ]
        if name == "knees":
            key = self.hanging.pair("foot", 0.08, self.poses.low - 0.36, 0.24)
            return [
                self.phase(
                    "raise the knees",
                    2.2,
                    3.4,
                    key,
                    states(arm="unbend", hand="grab", leg="raise", foot="none", hip="bend"),
                )
            ]
        if name == "one knee":
            key = self.hanging.on(side, "foot", 0.08, self.poses.low - 0.36, 0.24)
            return [
                self.phase(
                    "raise one knee",
                    2.2,
                    3.4,
                    key,
                    states(arm="unbend", hand="grab", leg=sided(side, "raise", self.leg), foot="none"),
                )
            ]
        if name == "one arm":
            key = self.hanging.on(side, "hand", 0.24, self.poses.low - 0.06, 0.05).on(
                side, "hand_direction", 0.0, -1.0, 0.0
            )
            key = key.shift("pelvis", -0.05 * SIDE_SIGN[side], 0.0, 0.0).on(side, "elbow_pole", 0.5, -0.6, -0.6)
            states_by_part = states(
                arm=sided(side, "swing", "unbend"), hand=sided(side, "none", "grab"), leg=self.leg, foot="none"
            )
            return [self.phase("shake one arm out", 2.0, 3.2, key, states_by_part)]
        ground = replace(rest(self.style, ("standing", "hips", "shaking", "wiping", "stepping")), move=1.0)
        reach = (
            self.style.stand.pair("hand", 0.22, 1.55, 0.22)
            .pair("elbow_pole", 0.8, -0.8, 0.0)
            .put("head_rotation", -0.4, 0.0, 0.0)
        )
        look = Phase(
            name="look up, chalked hands ready",
            seconds=self.style.seconds(1.0, 1.6),
            goal=reach,
            states=states(arm="lift", head="raise"),
        )
        return [ground, look]

    def turn(self, index: int) -> list[Phase]:
        return [*self.pull(), *self.extra(self.likes[int(self.style.rng.integers(3))])]

    def routine(self) -> Routine:
        """Build the routine with its props."""
        return Routine(loop_phases(self.turn), _pull_up_props(self.style), {"tank": 0.5, "gloves": 0.15})


def pull_ups(style: Style) -> Routine:
    """Build sets of pull-ups with hangs, holds over the bar, raised knees, one-arm hangs and rests on the floor."""
    return PullUps(style).routine()


def _pull_up_props(style: Style) -> PropMaker:
    half, post = style.uniform(0.65, 0.9), tuple(float(x) for x in style.rng.uniform(60, 160, 3))
    color = (post[0], post[1], post[2])

    def make(pose: Pose, position: NDArray[np.float64], beat: Beat) -> list[Tube | HeldTube]:
        height = float(position[1])
        parts: list[Tube | HeldTube] = [rod(np.array([-half, height, 0.0]), np.array([half, height, 0.0]), 0.018, DARK)]
        for sign in (-1.0, 1.0):
            parts.append(
                rod(np.array([sign * half, 0.0, 0.0]), np.array([sign * half, height + 0.1, 0.0]), 0.03, color)
            )
        return as_object("pull_up_bar", parts)

    return make
