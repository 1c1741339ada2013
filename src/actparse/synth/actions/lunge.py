"""Lunges: forward, back or in the split, with or without weights."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from actparse.synth.motion.figure import SIDE_SIGN, HeldTube, Pose, Side, Tube
from actparse.synth.motion.keys import ANKLE, NOTHING, STAND, Key
from actparse.synth.motion.phases import Beat, Pair, Phase, PropMaker, Routine, loop_phases, states
from actparse.synth.motion.props import PLATES, barbell, dumbbell
from actparse.synth.motion.style import Style, between, other, rest, sided

# (key, drop of the chest, its forward shift) -> key; states of arm and hand
ArmPose = tuple[Callable[[Key, float, float], Key], Pair, Pair]


def _arms_on_hips(key: Key, drop: float, ahead: float) -> Key:
    key = key.pair("hand", 0.17, 1.0 - drop, 0.05 + ahead).pair("elbow_pole", 1.0, -0.1, -0.5)
    return key.pair("hand_direction", -0.5, -0.5, 0.4).grip(0.5, 0.5)


def _arms_hanging(key: Key, drop: float, ahead: float) -> Key:
    return key.pair("hand", 0.26, 0.86 - drop, 0.03 + ahead).pair("hand_direction", 0.0, -1.0, 0.0).grip(1, 1)


def _arms_clasped(key: Key, drop: float, ahead: float) -> Key:
    key = key.pair("hand", 0.03, 1.25 - drop, 0.26 + ahead).pair("elbow_pole", 0.7, -0.8, 0.0)
    return key.pair("hand_direction", -0.3, 0.8, 0.3).grip(0.7, 0.7)


def _arms_under_bar(key: Key, drop: float, ahead: float) -> Key:
    key = key.put("prop", 0.0, 1.465 - drop, ahead - 0.09).pair("elbow_pole", 0.4, -1.0, -0.3)
    return key.pair("hand", 0.4, 1.4 - drop, ahead - 0.06).pair("hand_direction", 0.1, 0.9, -0.3).grip(1, 1)


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


REPETITION_SECONDS = 3.6  # of a lunge in real videos


class LungePoses:
    """The lunges of one performer: their depth, their length, and their direction."""

    def __init__(self, style: Style) -> None:
        self.style = style
        self.low = style.uniform(0.5, 0.62)
        self.reach = style.uniform(0.36, 0.44)
        self.back = style.chance(0.3)  # whether it steps back instead of forward

    def lunge(self, front: Side, depth: float, arms: ArmPose) -> Key:
        """Return the split stance, `depth` 0 (up) .. 1 (low), with the arms of `arms`."""
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
        """Return the pose between two lunges."""
        return arms[0](self.style.stand, 0.0, 0.0)


class Lunger:
    """Lunges forward or back, on alternating sides or in sets, or pulses in the split stance."""

    def __init__(self, style: Style) -> None:
        self.style = style
        self.mode = style.pick(("alternate", "sets", "split pulses"), (0.45, 0.25, 0.3))
        self.kit = style.pick(("none", "dumbbells", "barbell"), (0.55, 0.25, 0.2))
        self.free = ("hips", "clasped", "up", "out", "hanging", "left up", "right up")
        self.choice = style.rng.permutation(list(self.free))[:2] if self.kit == "none" else [self.kit, self.kit]
        self.poses = LungePoses(style)
        self.period = style.repetition(REPETITION_SECONDS)

    def down(self, front: Side, arms: ArmPose, hip: str) -> list[Phase]:
        states_by_part = states(
            arm=arms[1],
            hand=arms[2],
            hip=hip,
            leg=sided(front, "bend", "unbend"),
            foot=sided(front, "step_on", "tiptoe"),
        )
        if self.mode == "split pulses":
            rate = 1 / self.period
            low = self.poses.lunge(front, 1.0, arms)
            pulse = between(low, self.poses.lunge(front, 0.15, arms), rate)
            return [
                Phase(
                    name="pulse in the split",
                    seconds=self.style.seconds(3.5, 5.5),
                    goal=low,
                    states=states_by_part,
                    move=1.0,
                    rhythm=pulse,
                )
            ]
        step = NOTHING.on(front if not self.poses.back else other(front), "foot", 0.0, 0.12, 0.0)
        key = self.poses.lunge(front, 1.0, arms)
        if hip == "turn":
            key = key.put("spine_rotation", 0.06, 0.5 * SIDE_SIGN[front], 0.0)
        return [
            Phase(
                name="step into the lunge and stay",
                seconds=self.period * self.style.uniform(0.5, 0.66),
                goal=key,
                states=states_by_part,
                move=min(0.34 * self.period, 1.4),
                arc=step,
            )
        ]

    def up(self, front: Side, arms: ArmPose) -> Phase:
        stepping_side = front if not self.poses.back else other(front)
        return Phase(
            name="stand between two lunges",
            seconds=self.period * self.style.uniform(0.36, 0.48),
            goal=self.poses.stand(arms),
            move=min(0.3 * self.period, 1.2),
            arc=NOTHING.on(stepping_side, "foot", 0.0, 0.1, 0.0),
            states=states(arm=arms[1], hand=arms[2]),
            rhythm=self.style.sway(0.01),
        )

    def turn(self, index: int) -> list[Phase]:
        arms = LUNGE_ARMS[str(self.choice[(index // 2) % 2])]
        sets = 1 if self.mode == "alternate" else 3
        front: Side = self.style.side if (index // sets) % 2 == 0 else other(self.style.side)
        phases = [
            *self.down(front, arms, "turn" if self.kit == "none" and self.style.chance(0.15) else "none"),
            self.up(front, arms),
        ]
        if self.kit == "none" and self.style.chance(0.2):
            phases.append(rest(self.style, ("standing", "stepping", "wiping", "shaking")))
        return phases

    def routine(self) -> Routine:
        """Build the routine with its props."""
        return Routine(loop_phases(self.turn), _lunge_props(self.style, self.kit), {"tank": 0.4})


def lunge(style: Style) -> Routine:
    """Build a routine of lunges forward or back, on alternating sides or in sets, or pulses in the split stance."""
    return Lunger(style).routine()


def _lunge_props(style: Style, kit: str) -> PropMaker:
    color, plate = PLATES[int(style.rng.integers(len(PLATES)))], style.uniform(0.12, 0.2)

    def make(pose: Pose, position: NDArray[np.float64], beat: Beat) -> list[Tube | HeldTube]:
        if kit == "barbell":
            return list(barbell(position, np.array([1.0, 0.0, 0.0]), plate, color))
        return [*dumbbell("left"), *dumbbell("right")] if kit == "dumbbells" else []

    return make
