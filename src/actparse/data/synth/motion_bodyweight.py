"""Exercises with the body's own weight: lunge, push-up, pull-up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from actparse.data.synth.figure import SIDE_SIGN, HeldTube, Pose, Side, Tube
from actparse.data.synth.motion_keys import ANKLE, NOTHING, STAND, Key, bump, half_bump, wave
from actparse.data.synth.motion_phases import Beat, Pair, Phase, PropMaker, Rhythm, Routine, loop_phases, states
from actparse.data.synth.motion_props import DARK, PLATES, barbell, dumbbell, rod
from actparse.data.synth.motion_style import Style, between, other, rest, sided

ArmPose = tuple[Callable[[Key, float, float], Key], Pair, Pair]  # (key, chest drop, chest ahead), arm, hand states


def _arms_on_hips(key: Key, drop: float, ahead: float) -> Key:
    key = key.pair("hand", 0.17, 1.0 - drop, 0.05 + ahead).pair("elbow_pole", 1.0, -0.1, -0.5)
    return key.pair("hand_direction", -0.5, -0.5, 0.4).grip(0.5, 0.5)


def _arms_hanging(key: Key, drop: float, ahead: float) -> Key:
    return key.pair("hand", 0.26, 0.86 - drop, 0.03 + ahead).pair("hand_direction", 0.0, -1.0, 0.0).grip(1, 1)


def _arms_clasped(key: Key, drop: float, ahead: float) -> Key:
    key = key.pair("hand", 0.03, 1.25 - drop, 0.26 + ahead).pair("elbow_pole", 0.7, -0.8, 0.0)
    return key.pair("hand_direction", -0.3, 0.8, 0.3).grip(0.7, 0.7)


def _arms_under_bar(key: Key, drop: float, ahead: float) -> Key:
    key = key.put("prop", 0.0, 1.44 - drop, ahead - 0.09).pair("elbow_pole", 0.4, -1.0, -0.3)
    return key.pair("hand", 0.4, 1.38 - drop, ahead - 0.06).pair("hand_direction", 0.1, 0.9, -0.3).grip(1, 1)


def _arms_up(key: Key, drop: float, ahead: float) -> Key:
    return key.pair("hand", 0.17, 1.88 - drop, 0.05 + ahead).pair("elbow_pole", 0.8, 0.0, 0.3).grip(0.1, 0.1)


def _arms_out(key: Key, drop: float, ahead: float) -> Key:
    return key.pair("hand", 0.715, 1.34 - drop, 0.08 + ahead).pair("elbow_pole", 0.3, -1.0, -0.3).grip(0.1, 0.1)


def _one_arm_up(side: Side) -> Callable[[Key, float, float], Key]:
    def put(key: Key, drop: float, ahead: float) -> Key:
        key = _arms_on_hips(key, drop, ahead).on(side, "hand", 0.2, 1.88 - drop, 0.05 + ahead)
        return key.on(side, "hand_direction", 0.0, 0.0, 0.0).on(side, "elbow_pole", 0.8, 0.0, 0.3)

    return put


LUNGE_ARMS: dict[str, ArmPose] = {
    "hips": (_arms_on_hips, "bend", "hold"),
    "dumbbells": (_arms_hanging, "unbend", "hold"),
    "clasped": (_arms_clasped, "bend", "grab"),
    "barbell": (_arms_under_bar, "bend", "hold"),
    "up": (_arms_up, "lift", "none"),
    "out": (_arms_out, "unbend", "none"),
    "hanging": (_arms_hanging, "unbend", "none"),
    "left up": (_one_arm_up("left"), ("lift", "bend"), ("none", "hold")),
    "right up": (_one_arm_up("right"), ("bend", "lift"), ("hold", "none")),
}


class LungePoses:
    """The lunges of one performer: how deep, how long, forward or back."""

    def __init__(self, style: Style) -> None:
        self.style = style
        self.low = style.uniform(0.5, 0.62)
        self.reach = style.uniform(0.36, 0.44)
        self.back = style.chance(0.3)  # steps back instead of forward

    def lunge(self, front: Side, depth: float, arms: ArmPose) -> Key:
        """The split stance, `depth` 0 (up) .. 1 (low), with the arms of `arms`."""
        height = 0.8 + (self.low - 0.8) * depth
        ahead = 0.0 if self.back else self.reach
        key = self.style.stand.put("pelvis", 0.0, height, ahead).put("spine_rotation", 0.06, 0.0, 0.0)
        rear = other(front)
        key = key.on(front, "foot", 0.1, ANKLE, ahead + self.reach).on(
            rear, "foot", 0.1, ANKLE + 0.07, ahead - self.reach
        )
        key = key.on(rear, "foot_direction", 0.05, -0.9, 0.6).on(front, "foot_direction", 0.1, -0.12, 1.0)
        return arms[0](key, STAND - height, ahead)

    def stand(self, arms: ArmPose) -> Key:
        """Between two lunges."""
        return arms[0](self.style.stand, 0.0, 0.0)


def lunge(style: Style) -> Routine:
    """Steps forward or back, one side after the other or in sets; or stays split and pulses."""
    mode = style.pick(("alternate", "sets", "split pulses"), (0.45, 0.25, 0.3))
    kit = style.pick(("none", "dumbbells", "barbell"), (0.55, 0.25, 0.2))
    free = ("hips", "clasped", "up", "out", "hanging", "left up", "right up")
    choice = style.rng.permutation(list(free))[:2] if kit == "none" else [kit, kit]
    poses = LungePoses(style)

    def down(front: Side, arms: ArmPose, hip: str) -> list[Phase]:
        said = states(
            arm=arms[1],
            hand=arms[2],
            hip=hip,
            leg=sided(front, "bend", "unbend"),
            foot=sided(front, "step_on", "tiptoe"),
        )
        if mode == "split pulses":
            rate = style.rate(0.35, 0.55)
            low = poses.lunge(front, 1.0, arms)
            pulse = between(low, poses.lunge(front, 0.15, arms), rate)
            return [
                Phase(
                    name="pulse in the split",
                    seconds=style.seconds(3.5, 5.5),
                    goal=low,
                    states=said,
                    move=1.0,
                    rhythm=pulse,
                )
            ]
        step = NOTHING.on(front if not poses.back else other(front), "foot", 0.0, 0.12, 0.0)
        key = poses.lunge(front, 1.0, arms)
        if hip == "turn":
            key = key.put("spine_rotation", 0.06, 0.5 * SIDE_SIGN[front], 0.0)
        return [
            Phase(
                name="step into the lunge and stay",
                seconds=style.seconds(2.0, 3.6),
                goal=key,
                states=said,
                move=1.1,
                arc=step,
            )
        ]

    def up(front: Side, arms: ArmPose) -> Phase:
        moved = front if not poses.back else other(front)
        return Phase(
            name="stand between two lunges",
            seconds=style.seconds(1.0, 2.2),
            goal=poses.stand(arms),
            move=1.0,
            arc=NOTHING.on(moved, "foot", 0.0, 0.1, 0.0),
            states=states(arm=arms[1], hand=arms[2]),
            rhythm=style.sway(0.01),
        )

    def turn(index: int) -> list[Phase]:
        arms = LUNGE_ARMS[str(choice[(index // 2) % 2])]
        sets = 1 if mode == "alternate" else 3
        front: Side = style.side if (index // sets) % 2 == 0 else other(style.side)
        phases = [*down(front, arms, "turn" if kit == "none" and style.chance(0.15) else "none"), up(front, arms)]
        if kit == "none" and style.chance(0.2):
            phases.append(rest(style, ("standing", "stepping", "wiping", "shaking")))
        return phases

    return Routine(loop_phases(turn), _lunge_props(style, kit), {"tank": 0.4})


def _lunge_props(style: Style, kit: str) -> PropMaker:
    color, plate = PLATES[int(style.rng.integers(len(PLATES)))], style.uniform(0.12, 0.2)

    def make(pose: Pose, place: NDArray[np.float64], beat: Beat) -> list[Tube | HeldTube]:
        if kit == "barbell":
            return list(barbell(place, np.array([1.0, 0.0, 0.0]), plate, color))
        return [*dumbbell("left"), *dumbbell("right")] if kit == "dumbbells" else []

    return make


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
        """The chest low (0) or high (1)."""
        low = 0.24 if self.knees else 0.2
        key = self.base.put("pelvis", 0.0, low + (0.4 - low) * up, 0.04 * (1 - up)).put(
            "pelvis_rotation", 1.5 - 0.29 * up, 0.0, 0.0
        )
        key = key.put("spine_rotation", -0.03, 0.0, 0.0)
        if self.knees:
            return key.pair("foot", self.feet, 0.42 - 0.08 * up, -0.6).pair("foot_direction", 0.0, 0.3, -1.0)
        return key.pair("foot", self.feet, 0.13, -0.85)

    def pressing(self, rate: float) -> Rhythm:
        """Full repetitions from the high position: down and up."""
        return between(self.body(1.0), self.body(0.0), rate)

    def sitting_on_heels(self) -> Key:
        """Kneels upright between two sets."""
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


def push_up(style: Style) -> Routine:
    """Sets on toes or knees, with planks, low holds, shoulder taps, raised legs and rests on the heels."""
    poses = PushUpPoses(style, knees=style.chance(0.25))
    rate = style.rate(0.35, 0.62)
    leg, foot = ("bend", "none") if poses.knees else ("unbend", "tiptoe")
    extras = ["plank", "low", "taps", "raise", "heels"] + ([] if poses.knees else ["climbers"])
    likes = [str(name) for name in style.rng.permutation(extras)[:3]]
    press_word = "bend" if poses.wide else "push"

    def press() -> Phase:
        said = states(arm=press_word, hand="push", leg=leg, foot=foot)
        return Phase(
            name="press",
            seconds=style.seconds(2.8, 5.0),
            goal=poses.body(1.0),
            states=said,
            move=1.0,
            rhythm=poses.pressing(rate),
        )

    def plank() -> Phase:
        said = states(arm="unbend", hand="hold", leg=leg, foot=foot)
        return Phase(name="plank", seconds=style.seconds(2.2, 3.8), goal=poses.body(1.0), states=said, rhythm=_breath())

    def low() -> Phase:
        said = states(arm="bend", hand="push", leg=leg, foot=foot)
        return Phase(
            name="low hold",
            seconds=style.seconds(1.8, 3.2),
            goal=poses.body(0.15),
            states=said,
            move=0.9,
            rhythm=_breath(),
        )

    def taps() -> Phase:
        side = style.any_side()
        beat = style.rate(0.6, 0.9)
        key = poses.body(1.0).on(side, "hand", -0.1, 0.47, 0.36).put("pelvis", 0.03 * SIDE_SIGN[other(side)], 0.4, 0.0)

        def tap(seconds: float) -> Key:
            return NOTHING.nudge(side, "hand", 0.1 * bump(beat * seconds), -0.12 * bump(beat * seconds), 0.03)

        said = states(arm=sided(side, "bend", "unbend"), hand=sided(side, "none", "hold"), leg=leg, foot=foot)
        return Phase(name="tap a shoulder", seconds=style.seconds(2.2, 3.6), goal=key, states=said, rhythm=tap)

    def raise_leg() -> Phase:
        side = style.any_side()
        key = poses.body(1.0).on(side, "foot", 0.08, 0.5, -0.76).on(side, "foot_direction", 0.0, -0.6, -0.8)
        said = states(arm="unbend", hand="hold", leg=sided(side, "raise", leg), foot=sided(side, "none", foot))
        return Phase(
            name="raise one leg", seconds=style.seconds(2.2, 3.6), goal=key, states=said, move=0.9, rhythm=_breath()
        )

    def climbers() -> Phase:
        pace = style.rate(0.6, 0.95)

        def climb(seconds: float) -> Key:
            left, right = half_bump(pace * seconds), half_bump(pace * seconds + 0.5)
            return NOTHING.nudge("left", "foot", 0, 0.06 * left, 0.4 * left).nudge(
                "right", "foot", 0, 0.06 * right, 0.4 * right
            )

        said = states(arm="unbend", hand="hold", leg="step", foot=foot)
        return Phase(
            name="mountain climbers", seconds=style.seconds(2.4, 4.0), goal=poses.body(1.0), states=said, rhythm=climb
        )

    def heels() -> Phase:
        said = states(arm="bend", hand="none", hip="sit", leg="bend", foot="none")
        return Phase(
            name="sit on the heels",
            seconds=style.seconds(2.4, 4.0),
            goal=poses.sitting_on_heels(),
            states=said,
            move=1.2,
            rhythm=_breath(),
        )

    makers = {"plank": plank, "low": low, "taps": taps, "raise": raise_leg, "climbers": climbers, "heels": heels}
    phases = loop_phases(lambda index: [press(), makers[likes[int(style.rng.integers(3))]]()])
    return Routine(phases, None, {"tank": 0.5, "barefoot": 0.15})


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
        """Hanging with the pelvis at `height`."""
        share = (height - self.low) / (self.high - self.low)
        key = self.style.stand.put("pelvis", 0.0, height, -0.1 * share).put("pelvis_rotation", -0.12 * share, 0.0, 0.0)
        key = key.pair("hand", self.width, self.bar - 0.06, 0.0).pair("hand_direction", 0.0, 1.0, 0.15).grip(1.0, 1.0)
        key = key.pair("elbow_pole", 1.0, -0.6, 0.1).put("head_rotation", -0.25, 0.0, 0.0)
        out, down, forward = self.dangle
        key = key.pair("foot", out, height + down, forward).pair(
            "foot_direction", 0.05, -0.8, -0.5 if self.legs == "bent" else 0.5
        )
        return key.pair("knee_pole", 0.1, 0.1, 1.0)

    def pulling(self, rate: float) -> Rhythm:
        """Repetitions from the hang."""
        return between(self.on_bar(self.low), self.on_bar(self.high), rate)

    def under_bar(self) -> Key:
        """Standing below, ready."""
        return self.style.stand


def pull_ups(style: Style) -> Routine:
    """Sets of pull-ups with hangs, holds over the bar, raised knees, one-arm hangs and rests on the floor."""
    poses = PullUpPoses(style)
    rate = style.rate(0.28, 0.48)
    leg = {"straight": "unbend", "bent": "bend", "ahead": "raise"}[poses.legs]
    pull_word = "lift" if poses.wide else "bend"
    likes = [str(name) for name in style.rng.permutation(["hang", "chin", "knees", "one knee", "one arm", "floor"])[:3]]
    hanging = poses.on_bar(poses.low)

    def swing(seconds: float) -> Key:
        x = 0.05 * wave(0.45 * seconds)
        return NOTHING.put("pelvis", 0.0, 0.0, 0.3 * x).nudge_pair("foot", 0.0, 0.0, x)

    def phase(name: str, low: float, high: float, goal: Key, said: dict[str, str], rhythm: Rhythm = swing) -> Phase:
        return Phase(name=name, seconds=style.seconds(low, high), goal=goal, states=said, move=1.0, rhythm=rhythm)

    def pull() -> Phase:
        said = states(arm=pull_word, hand="grab", leg=leg, foot="none")
        return phase("pull up again and again", 3.0, 5.0, hanging, said, poses.pulling(rate))

    def extra(name: str) -> list[Phase]:
        side = style.any_side()
        if name == "hang":
            return [phase("hang", 2.2, 3.8, hanging, states(arm="unbend", hand="grab", leg=leg, foot="none"))]
        if name == "chin":
            said = states(arm="bend", hand="grab", leg=leg, foot="none", head="raise")
            return [phase("hold the chin over the bar", 2.0, 3.2, poses.on_bar(poses.high), said)]
        if name == "knees":
            key = hanging.pair("foot", 0.08, poses.low - 0.36, 0.24)
            return [
                phase(
                    "raise the knees",
                    2.2,
                    3.4,
                    key,
                    states(arm="unbend", hand="grab", leg="raise", foot="none", hip="bend"),
                )
            ]
        if name == "one knee":
            key = hanging.on(side, "foot", 0.08, poses.low - 0.36, 0.24)
            return [
                phase(
                    "raise one knee",
                    2.2,
                    3.4,
                    key,
                    states(arm="unbend", hand="grab", leg=sided(side, "raise", leg), foot="none"),
                )
            ]
        if name == "one arm":
            key = hanging.on(side, "hand", 0.24, poses.low - 0.06, 0.05).on(side, "hand_direction", 0.0, -1.0, 0.0)
            key = key.shift("pelvis", -0.05 * SIDE_SIGN[side], 0.0, 0.0).on(side, "elbow_pole", 0.5, -0.6, -0.6)
            said = states(arm=sided(side, "swing", "unbend"), hand=sided(side, "none", "grab"), leg=leg, foot="none")
            return [phase("shake one arm out", 2.0, 3.2, key, said)]
        ground = replace(rest(style, ("standing", "hips", "shaking", "wiping", "stepping")), move=1.0)
        reach = (
            style.stand.pair("hand", 0.22, 1.55, 0.22)
            .pair("elbow_pole", 0.8, -0.8, 0.0)
            .put("head_rotation", -0.4, 0.0, 0.0)
        )
        look = Phase(
            name="look up, chalked hands ready",
            seconds=style.seconds(1.0, 1.6),
            goal=reach,
            states=states(arm="lift", head="raise"),
        )
        return [ground, look]

    def turn(index: int) -> list[Phase]:
        return [pull(), *extra(likes[int(style.rng.integers(3))])]

    return Routine(loop_phases(turn), _pull_up_props(style), {"tank": 0.5, "gloves": 0.15})


def _pull_up_props(style: Style) -> PropMaker:
    half, post = style.uniform(0.65, 0.9), tuple(float(x) for x in style.rng.uniform(60, 160, 3))
    color = (post[0], post[1], post[2])

    def make(pose: Pose, place: NDArray[np.float64], beat: Beat) -> list[Tube | HeldTube]:
        height = float(place[1])
        parts: list[Tube | HeldTube] = [rod(np.array([-half, height, 0.0]), np.array([half, height, 0.0]), 0.018, DARK)]
        for sign in (-1.0, 1.0):
            parts.append(
                rod(np.array([sign * half, 0.0, 0.0]), np.array([sign * half, height + 0.1, 0.0]), 0.03, color)
            )
        return parts

    return make
