"""Skateboarding, for a rider with the left foot in front; the others are mirrored."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from actparse.synth.motion.figure import HeldTube, Pose, Side, Tube
from actparse.synth.motion.keys import ANKLE, NOTHING, STAND, Key, half_bump, wave
from actparse.synth.motion.phases import Beat, Phase, PropMaker, Routine, loop_phases, states
from actparse.synth.motion.props import DARK, WHITE, as_object, disc, rod
from actparse.synth.motion.style import Style, handed

DECK = 0.11  # height of the deck, metres
ON_DECK = ANKLE + DECK  # height of an ankle over the deck
HALF_LENGTH = 0.4  # of a board, metres
TURNED = 1.25  # angle between the trunk of a rider and the direction of the ride, radians


class BoardPoses:
    """The poses of a rider; the board's middle is the free prop, at the height of the ankles over it."""

    def __init__(self, style: Style) -> None:
        self.crouch = style.uniform(0.08, 0.2)
        self.spread = style.uniform(0.19, 0.25)  # from the middle of the board to a foot
        self.arms_out = style.uniform(0.42, 0.58)
        base = style.stand.put("prop", 0.0, ON_DECK, 0.0).grip(0.15, 0.15).put("travel", 0.0, 0.0, 0.0)
        base = base.put("left_foot", 0.0, ON_DECK, self.spread).put("right_foot", 0.0, ON_DECK, -self.spread)
        base = base.put("left_foot_direction", -0.8, 0.0, 0.5).put("right_foot_direction", -1.0, 0.0, 0.1)
        base = base.put("left_knee_pole", -0.9, 0.0, 0.5).put("right_knee_pole", -0.9, 0.0, -0.3)
        base = base.put("pelvis_rotation", 0.12, -TURNED, 0.0).put("spine_rotation", 0.1, 0.3, 0.0)
        base = base.put("head_rotation", 0.0, 0.8, 0.0).pair("elbow_pole", 0.4, -0.8, -0.4)
        self.base = base.put("pelvis", 0.06, STAND + DECK - self.crouch, 0.0)

    def riding(self) -> Key:
        """Return the sideways stance with both arms out for balance."""
        height = 1.28 + DECK - self.crouch
        return self.base.put("left_hand", -0.05, height, self.arms_out).put("right_hand", -0.02, height, -self.arms_out)

    def low_arms(self) -> Key:
        """Return the sideways stance with loose arms."""
        return self.base.put("left_hand", -0.14, 1.02, 0.3).put("right_hand", -0.1, 1.0, -0.34)

    def crouched(self) -> Key:
        """Return the deep stance before a jump and in a tight turn."""
        key = self.base.put("pelvis", 0.16, 0.66 + DECK, 0.0).put("pelvis_rotation", 0.5, -TURNED, 0.0)
        key = key.put("spine_rotation", 0.3, 0.25, 0.0).put("head_rotation", -0.4, 0.8, 0.0)
        return key.put("left_hand", -0.2, 0.8, 0.42).put("right_hand", -0.2, 0.8, -0.42)

    def carving(self, lean: float) -> Key:
        """Return a turn: the body leans to the side, one hand low, the other high."""
        key = self.crouched().shift("pelvis", -0.1 * lean, 0.08, 0.0).put("pelvis_rotation", 0.4, -TURNED - 0.25, 0.0)
        key = key.put("left_hand", -0.1, 1.0 + 0.25 * lean, 0.5).put("right_hand", -0.1, 1.0 - 0.25 * lean, -0.5)
        return key.put("spine_rotation", 0.25, 0.6 * lean, 0.0)

    def popped(self) -> Key:
        """Return the highest pose of an ollie: knees up, arms up, the board under the feet."""
        key = self.base.put("pelvis", 0.12, STAND + DECK + 0.12, 0.0).put("pelvis_rotation", 0.35, -TURNED, 0.0)
        key = key.shift("left_foot", 0.0, 0.42, 0.0).shift("right_foot", 0.0, 0.3, 0.03)
        key = key.put("prop", 0.0, ON_DECK + 0.36, 0.0)
        return key.put("left_hand", -0.1, 1.68, 0.5).put("right_hand", -0.05, 1.62, -0.5)

    def pushing(self) -> Key:
        """Return the pose with one foot on the board, the other beside it, looking ahead."""
        key = self.base.put("pelvis", -0.06, 0.85, 0.08).put("pelvis_rotation", 0.25, -0.25, 0.0)
        key = key.put("spine_rotation", 0.3, 0.0, 0.0).put("head_rotation", -0.3, 0.15, 0.0)
        key = key.put("left_foot", 0.0, ON_DECK, 0.14).put("left_foot_direction", -0.2, 0.0, 1.0)
        key = key.put("right_foot", -0.24, ANKLE, -0.1).put("right_foot_direction", -0.15, -0.12, 1.0)
        key = key.put("left_knee_pole", 0.1, 0.0, 1.0).put("right_knee_pole", -0.1, 0.0, 1.0)
        return key.put("left_hand", 0.28, 1.0, 0.3).put("right_hand", -0.4, 1.0, 0.05)

    def waiting(self) -> Key:
        """Return the pose of standing beside the board with one foot on it."""
        key = self.base.put("pelvis", -0.14, STAND - 0.02, 0.0).put("pelvis_rotation", 0.0, -0.3, 0.0)
        key = key.put("spine_rotation", 0.03, 0.0, 0.0).put("head_rotation", 0.0, 0.2, 0.0)
        key = key.put("left_foot", 0.0, ON_DECK, 0.12).put("left_foot_direction", 0.1, 0.0, 1.0)
        key = key.put("right_foot", -0.24, ANKLE, -0.02).put("right_foot_direction", -0.3, -0.12, 1.0)
        key = key.put("left_knee_pole", 0.2, 0.0, 1.0).put("right_knee_pole", -0.2, 0.0, 1.0)
        return key.put("left_hand", 0.12, 0.86, 0.06).put("right_hand", -0.38, 0.86, 0.04)


class Skateboarder:
    """Pushes, rides, carves, jumps and turns, in passes before a fixed camera or before one that follows."""

    def __init__(self, style: Style) -> None:
        self.style = style
        self.poses = BoardPoses(style)
        self.passes = style.chance(0.65)  # whether the rider crosses the picture
        self.reach = style.uniform(1.1, 1.6)  # metres from the middle to each end of a pass
        self.rate = style.rate(0.75, 1.0)  # pushes per second
        self.tricks = [str(name) for name in style.rng.permutation(["ollie", "carve", "tuck", "loose"])[:3]]
        self.heading, self.place = 0.0, -self.reach

    def at(self, key: Key, share: float = 0.0) -> Key:
        """Place a pose `share` of a pass further on."""
        if self.passes:
            self.place += share * 2 * self.reach * float(np.cos(self.heading))
        return key.put("heading", self.heading).put("travel", 0.0, 0.0, self.place if self.passes else 0.0)

    def push(self, seconds: float) -> Key:
        back, ahead = wave(self.rate * seconds), half_bump(self.rate * seconds + 0.25)
        key = NOTHING.put("right_foot", 0.0, 0.1 * ahead, -0.26 * back).put(
            "right_foot_direction", 0.0, -0.5 * ahead, 0.0
        )
        key = key.put("left_hand", 0.0, 0.0, -0.14 * back).put("right_hand", 0.0, 0.0, 0.14 * back)
        return key.put("pelvis", 0.0, -0.02 * back, -0.02 * back).put("spine_rotation", 0.05 * back, 0.0, 0.0)

    def wobble(self, seconds: float) -> Key:
        x = wave(0.6 * seconds + self.style.phase)
        return (
            NOTHING.put("pelvis", 0.02 * x, 0.012 * x, 0.0)
            .put("left_hand", 0, 0.04 * x, 0)
            .put("right_hand", 0, -0.04 * x, 0)
        )

    def ride(self, name: str, goal: Key, share: float, seconds: float, **groups: str | tuple[str, str]) -> Phase:
        """Build a phase on the board."""
        words = states(**({"leg": "bend"} | groups))  # type: ignore[arg-type]
        return Phase(
            name=name,
            seconds=seconds,
            goal=self.at(goal, share),
            states=words,
            move=min(0.6, seconds),
            rolls=True,
            rhythm=self.wobble,
        )

    def trick(self, name: str, share: float) -> list[Phase]:
        style, poses = self.style, self.poses
        if name == "ollie":
            return [
                self.ride("crouch", poses.crouched(), 0.4 * share, style.seconds(0.7, 1.1), arm="unbend", hip="bend"),
                self.ride("jump", poses.popped(), 0.2 * share, 0.34, arm="lift", leg="raise"),
                self.ride("land", poses.crouched(), 0.1 * share, 0.32, arm="unbend", hip="bend"),
                self.ride("ride on", poses.riding(), 0.3 * share, style.seconds(0.8, 1.3), arm="unbend"),
            ]
        if name == "carve":
            return [
                self.ride(
                    "carve",
                    poses.carving(lean),
                    0.5 * share,
                    style.seconds(1.2, 1.8),
                    arm=("lift", "unbend") if lean > 0 else ("unbend", "lift"),
                    hip="turn",
                )
                for lean in (1.0, -1.0)
            ]
        if name == "tuck":
            goal = poses.crouched().put("left_hand", -0.26, 0.62, 0.3).put("right_hand", -0.26, 0.62, -0.12)
            return [self.ride("tuck", goal, share, style.seconds(2.0, 3.0), arm="bend", hand="hold", hip="bend")]
        return [
            self.ride("ride with loose arms", poses.low_arms(), share, style.seconds(2.0, 3.0), arm="bend", leg="stand")
        ]

    def turn_about(self) -> Phase:
        """Build the turn of rider and board on the rear wheels, at the end of a pass."""
        self.heading += np.pi
        seconds = self.style.seconds(0.9, 1.3)
        return self.ride("turn about", self.poses.carving(0.5), 0.0, seconds, arm="swing", hip="turn")

    def rest(self) -> Phase:
        """Build a rest beside the board, one foot on it."""
        one_hip = self.style.chance(0.4)
        goal = self.poses.waiting()
        if one_hip:
            goal = goal.put("right_hand", -0.31, 1.0, 0.05).put("right_elbow_pole", -1.0, -0.1, -0.5)
            goal = goal.put("right_hand_direction", 0.5, -0.5, 0.4)
        arm, hand = (("unbend", "bend"), ("none", "hold")) if one_hip else ("unbend", "none")
        return Phase(
            name="stand, one foot on the board",
            seconds=self.style.seconds(1.6, 2.8),
            goal=self.at(goal),
            states=states(arm=arm, hand=hand, leg=("bend", "stand")),
            rhythm=self.style.sway(0.01),
        )

    def turn(self, index: int) -> list[Phase]:
        phases = [self.rest()] if self.style.chance(0.35) else []
        phases.append(
            Phase(
                name="push",
                seconds=self.style.seconds(1.8, 2.6),
                goal=self.at(self.poses.pushing(), 0.4),
                states=states(arm="swing", leg=("bend", "step"), foot="step_on"),
                rolls=True,
                rhythm=self.push,
            )
        )
        phases += self.trick(self.tricks[int(self.style.rng.integers(3))], 0.6)
        return [*phases, self.turn_about()] if self.passes else phases

    def routine(self) -> Routine:
        """Build the routine with its props."""
        phases = handed(self.style, loop_phases(self.turn))
        return Routine(phases, _board_props(self.style), {"cap": 0.35, "tank": 0.2, "barefoot": 0.0, "skirt": 0.0})


def skateboarding(style: Style) -> Routine:
    """Build a routine of pushes, rides, turns and ollies on a skateboard."""
    return Skateboarder(style).routine()


def _board_props(style: Style) -> PropMaker:
    front: Side = "left" if style.side == "right" else "right"
    rear: Side = "right" if front == "left" else "left"
    wheel_color = (WHITE, DARK, style.color)[int(style.rng.integers(3))]
    along = HALF_LENGTH * np.array([-1.0, -0.99, -0.72, 0.0, 0.72, 0.99, 1.0])
    rise = np.array([0.05, 0.05, 0.0, 0.0, 0.0, 0.05, 0.05])
    widths = np.array([1e-3, 0.07, 0.1, 0.105, 0.1, 0.07, 1e-3])

    def make(pose: Pose, position: NDArray[np.float64], beat: Beat) -> list[Tube | HeldTube]:
        flat_axis = np.array([np.sin(beat.heading), 0.0, np.cos(beat.heading)])
        across = np.array([flat_axis[2], 0.0, -flat_axis[0]])
        beside = abs(float((pose.feet[rear] - position) @ across))  # metres from the rear foot to the board's axis
        on_board = float(np.clip((0.2 - beside) / 0.1, 0, 1))
        tilt = on_board * float(np.clip((pose.feet[front][1] - pose.feet[rear][1]) / 0.42, -0.5, 0.5))
        axis = np.cos(tilt) * flat_axis + np.array([0.0, np.sin(tilt), 0.0])
        up = np.cos(tilt) * np.array([0.0, 1.0, 0.0]) - np.sin(tilt) * flat_axis
        deck = position - ANKLE * np.array([0.0, 1.0, 0.0])
        path = deck + along[:, None] * axis + rise[:, None] * up
        parts: list[Tube | HeldTube] = [
            Tube(path, widths, style.color, 8, 0.12, (float(up[0]), float(up[1]), float(up[2])))
        ]
        for end in (-0.25, 0.25):
            axle = deck + end * axis - 0.05 * up
            parts.append(rod(axle - 0.08 * across, axle + 0.08 * across, 0.012, DARK, 4))
            parts += [
                disc(axle + sign * 0.085 * across - 0.015 * up, across, 0.032, 0.035, wheel_color, 8)
                for sign in (-1, 1)
            ]
        return as_object("skateboard", parts)

    return make
