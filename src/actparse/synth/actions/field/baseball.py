"""The action of hitting a baseball, for a right-hander; left-handers are mirrored."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from actparse.synth.motion.figure import HeldTube, Pose, Side, Tube
from actparse.synth.motion.keys import ANKLE, NOTHING, STAND, Key, wave
from actparse.synth.motion.phases import Beat, Phase, PropMaker, Routine, loop_phases, states
from actparse.synth.motion.props import DARK, STEEL, WOOD, palm
from actparse.synth.motion.reach import unit
from actparse.synth.motion.style import Style, between, handed, pumping, rest_wiping, stepping


class BatPoses:
    """The poses of a batter; the free prop is the tip of the bat. The left hand is the lower one on the bat."""

    def __init__(self, style: Style) -> None:
        width = style.uniform(0.22, 0.3)
        self.deep = style.chance(0.5)
        self.crouch = style.uniform(0.13, 0.18) if self.deep else style.uniform(0.02, 0.05)
        self.high = style.uniform(1.22, 1.4)
        base = style.stand.pair("foot", width, ANKLE, 0.0).put("pelvis", -0.04, STAND - self.crouch - 0.03, -0.02)
        base = base.pair("elbow_pole", 0.7, -0.7, -0.1).grip(1.0, 1.0).put("pelvis_rotation", 0.12, 0.0, 0.0)
        self.base = base.put("spine_rotation", 0.12, -0.35, 0.0).put("head_rotation", 0.0, 1.0, 0.0)

    def hold(self, key: Key, grip: tuple[float, float, float], tip: tuple[float, float, float]) -> Key:
        """Put both hands at `grip` and point the bat to `tip`."""
        hands, end = np.array(grip), np.array(tip)
        along = unit(end - hands)
        low, top = hands - 0.05 * along, hands + 0.06 * along
        return key.put("left_hand", *low).put("right_hand", *top).put("prop", *end)

    def ready(self) -> Key:
        """Return the pose with the bat over the right shoulder, eyes to the left, towards the ball."""
        return self.hold(self.base, (-0.17, self.high, 0.2), (-0.5, self.high + 0.75, -0.15))

    def loaded(self) -> Key:
        """Return the pose with the weight back and the left leg lifted."""
        key = self.hold(
            self.base.shift("pelvis", -0.1, 0.0, 0.0), (-0.27, self.high + 0.02, 0.12), (-0.6, self.high + 0.7, -0.25)
        )
        return key.shift("spine_rotation", 0.0, -0.25, 0.0).on("left", "foot", 0.16, 0.3, 0.05)

    def lagging(self) -> Key:
        """Return the pose with the hips already turning and the bat trailing."""
        key = self.hold(self.base.shift("pelvis", 0.06, -0.02, 0.0), (-0.05, 1.12, 0.34), (-0.8, 1.0, 0.2))
        return (
            key.put("pelvis_rotation", 0.12, 0.45, 0.0)
            .put("spine_rotation", 0.15, 0.0, 0.0)
            .put("head_rotation", 0.1, 0.7, 0.0)
        )

    def contact(self) -> Key:
        """Return the pose with the bat out in front."""
        key = self.hold(self.lagging(), (0.2, 1.05, 0.42), (0.6, 0.98, 1.1)).put("pelvis_rotation", 0.12, 0.8, 0.0)
        return key.put("spine_rotation", 0.12, 0.3, 0.0).put("head_rotation", 0.1, 0.2, 0.0)

    def followed(self) -> Key:
        """Return the pose with the bat swung around to the left shoulder."""
        key = self.hold(self.contact(), (0.36, 1.36, 0.1), (0.4, 1.7, -0.6)).put("pelvis_rotation", 0.08, 1.0, 0.0)
        key = (
            key.put("spine_rotation", 0.05, 0.55, 0.0)
            .put("head_rotation", 0.0, -0.4, 0.0)
            .shift("pelvis", 0.04, 0.03, 0.0)
        )
        return key.on("right", "foot", 0.2, ANKLE + 0.07, 0.05).put("right_foot_direction", 0.7, -0.8, 0.5)

    def lowered(self) -> Key:
        """Return the upright pose with the bat hanging from the left hand, the right hand on the hip."""
        key = (
            self.base.put("pelvis", 0.0, STAND - 0.02, 0.0)
            .put("pelvis_rotation", 0.0, 0.0, 0.0)
            .put("spine_rotation", 0.03, 0.0, 0.0)
        )
        key = (
            key.on("left", "hand", 0.28, 0.86, 0.08)
            .on("right", "hand", 0.17, 1.0, 0.05)
            .on("right", "elbow_pole", 1.0, -0.1, -0.5)
        )
        return key.put("prop", 0.4, 0.06, 0.45).put("right_grip", 0.4)

    def tapping(self) -> Key:
        """Return the pose bent over the plate, the tip of the bat on the floor, one hand on the bat."""
        key = self.base.put("spine_rotation", 0.45, 0.0, 0.0).put("pelvis_rotation", 0.3, 0.0, 0.0)
        key = key.put("left_hand", 0.05, 0.82, 0.52).put("prop", 0.05, 0.08, 0.95).on("right", "hand", 0.24, 0.92, 0.3)
        return key.put("head_rotation", 0.1, 0.5, 0.0)


class Batter:
    """A batter who waits, waggles and swings, with bat taps, practice swings and walks in between."""

    def __init__(self, style: Style) -> None:
        self.style = style
        self.poses = BatPoses(style)
        self.waggle_rate = style.uniform(0.5, 0.9)
        self.stance_word = "bend" if self.poses.deep else "stand"
        self.pauses = [
            str(name) for name in style.rng.permutation(["lowered", "tapping", "practice", "wipe", "steps"])[:3]
        ]
        self.swings_often = style.chance(0.6)

    def waggle(self, seconds: float) -> Key:
        x = wave(self.waggle_rate * seconds)
        return (
            NOTHING.put("prop", 0.1 * x, 0.0, 0.14 * x)
            .nudge_pair("hand", 0.0, 0.012 * x, 0.0)
            .put("pelvis", 0.02 * x, 0, 0)
        )

    def wait(self) -> Phase:
        away = self.style.chance(0.2)  # the batter looks back at the catcher
        states_by_part = states(arm="bend", hand="hold", leg=self.stance_word, head="turn" if away else "none")
        goal = self.poses.ready().put("head_rotation", 0.1, -0.6 if away else 1.0, 0.0)
        return Phase(
            name="wait for the ball",
            seconds=self.style.seconds(2.4, 4.0),
            goal=goal,
            states=states_by_part,
            rhythm=self.waggle,
        )

    def swing(self) -> list[Phase]:
        states_by_part = states(
            arm="swing", hand="hold", hip="turn", leg=("unbend", "bend"), foot=("step_on", "tiptoe")
        )
        lift_states = states(arm="bend", hand="hold", leg=("raise", "bend"), foot=("none", "step_on"))
        return [
            Phase(
                name="lift the front foot",
                seconds=self.style.seconds(0.8, 1.1),
                goal=self.poses.loaded(),
                states=lift_states,
                move=0.6,
            ),
            Phase(name="swing: hips first", seconds=0.2, goal=self.poses.lagging(), states=states_by_part, move=0.2),
            Phase(
                name="swing: through the ball",
                seconds=0.16,
                goal=self.poses.contact(),
                states=states_by_part,
                move=0.16,
            ),
            Phase(
                name="swing: follow through",
                seconds=self.style.seconds(1.6, 2.6),
                goal=self.poses.followed(),
                states=states_by_part,
                move=0.35,
            ),
        ]

    def practice(self) -> Phase:
        rate = self.style.rate(0.35, 0.5)
        middle = self.poses.lagging()
        slow = between(middle, self.poses.contact(), rate)
        states_by_part = states(arm="swing", hand="hold", hip="turn", leg="bend")
        return Phase(
            name="slow practice swings",
            seconds=self.style.seconds(2.6, 4.0),
            goal=middle,
            states=states_by_part,
            rhythm=slow,
        )

    def pause(self, name: str) -> Phase:
        if name == "practice":
            return self.practice()
        if name == "tapping":
            tap = pumping(NOTHING.put("prop", 0.0, 0.12, 0.0).put("left_hand", 0.0, 0.06, 0.0), 1.1)
            states_by_part = states(arm=("unbend", "bend"), hand=("hold", "none"), hip="stoop", leg="bend", head="bend")
            return Phase(
                name="tap the plate",
                seconds=self.style.seconds(2.0, 3.2),
                goal=self.poses.tapping(),
                states=states_by_part,
                rhythm=tap,
            )
        if name == "steps":
            states_by_part = states(arm=("carry", "bend"), hand=("hold", "hold"), leg="step")
            return Phase(
                name="step out with the bat",
                seconds=self.style.seconds(2.0, 3.2),
                goal=self.poses.lowered(),
                states=states_by_part,
                rhythm=stepping(0.8),
            )
        if name == "wipe":
            wiping = rest_wiping(self.style, "right")
            goal = (
                self.poses.lowered()
                .put("right_hand", *wiping.goal.read("right_hand"))
                .put("right_elbow_pole", -0.9, -0.3, 0.3)
            )
            states_by_part = states(arm=("unbend", "lift"), hand=("hold", "others"))
            return Phase(
                name="wipe the forehead",
                seconds=self.style.seconds(2.0, 3.0),
                goal=goal,
                states=states_by_part,
                rhythm=self.style.sway(0.01),
            )
        states_by_part = states(arm=("unbend", "bend"), hand=("hold", "hold"))
        return Phase(
            name="rest with the bat down",
            seconds=self.style.seconds(2.2, 3.6),
            goal=self.poses.lowered(),
            states=states_by_part,
            rhythm=self.style.sway(),
        )

    def turn(self, index: int) -> list[Phase]:
        phases = [self.wait(), *self.swing()] if self.swings_often or index % 2 else [self.wait()]
        return [*phases, self.pause(self.pauses[int(self.style.rng.integers(3))])]

    def routine(self) -> Routine:
        """Build the routine with its props."""
        return Routine(handed(self.style, loop_phases(self.turn)), _bat_props(self.style), {"cap": 0.75, "gloves": 0.1})


def hitting_baseball(style: Style) -> Routine:
    """Build a routine of waits, waggles and swings, with bat taps, practice swings and walks in between."""
    return Batter(style).routine()


def _bat_props(style: Style) -> PropMaker:
    low_hand: Side = "left" if style.side == "right" else "right"
    color = (WOOD, DARK, STEEL)[int(style.rng.integers(3))]
    shape = np.array(
        [[0.0, 0.001], [0.0, 0.022], [0.05, 0.014], [0.3, 0.017], [0.6, 0.03], [0.85, 0.034], [0.87, 0.001]]
    )

    def make(pose: Pose, position: NDArray[np.float64], beat: Beat) -> list[Tube | HeldTube]:
        start = palm(pose.hands[low_hand], pose.hand_directions[low_hand], 0.05)
        along = unit(position - start)
        path = start - 0.1 * along + shape[:, :1] * 0.95 * along
        return [Tube(path, shape[:, 1], color, 7, object_key=("baseball_bat", 0))]

    return make
