"""Tobogganing: down a slope sitting on a sled or lying on it, and back up with the sled on a rope."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from actparse.synth.motion.figure import HeldTube, Pose, Tube
from actparse.synth.motion.keys import ANKLE, NOTHING, Key, wave
from actparse.synth.motion.phases import Beat, Phase, PropMaker, Routine, loop_phases, states
from actparse.synth.motion.props import DARK, STEEL, WOOD, as_object, line, palm, rod
from actparse.synth.motion.style import Style, arm_swinging, both, other, sided, stepping

SEAT = 0.24  # height of the seat, metres
ROPE_LENGTH = 0.95  # from a walking person to the middle of the sled


class SledPoses:
    """The poses on the sled and beside it; the middle of the seat is the free prop."""

    def __init__(self, style: Style) -> None:
        self.style = style
        self.lean = style.uniform(-0.35, 0.15)  # of the trunk while sitting, backwards below 0
        base = style.stand.put("prop", 0.0, SEAT, 0.0).put("travel", 0.0, 0.0, 0.0).put("heading", 0.0)
        self.base = base.grip(1.0, 1.0).pair("elbow_pole", 0.7, -0.7, -0.3)

    def sitting(self) -> Key:
        """Return the pose with the feet on the front of the sled and both hands on the rope."""
        key = self.base.put("pelvis", 0.0, SEAT + 0.1, -0.2).put("pelvis_rotation", 0.6 * self.lean, 0.0, 0.0)
        key = key.put("spine_rotation", 0.15 + 0.4 * self.lean, 0.0, 0.0).put(
            "head_rotation", -0.4 * self.lean, 0.0, 0.0
        )
        key = key.pair("foot", 0.12, 0.2, 0.42).pair("foot_direction", 0.15, 0.55, 0.8).pair("knee_pole", 0.3, 1.0, 0.1)
        return key.pair("hand", 0.09, 0.55, 0.24).pair("hand_direction", 0.0, -0.2, 0.9)

    def holding_sides(self) -> Key:
        """Return the seated pose with both hands at the edges of the seat."""
        key = self.sitting().pair("hand", 0.25, SEAT + 0.06, -0.12).pair("hand_direction", 0.0, -0.9, 0.2)
        return key.pair("elbow_pole", 0.5, 0.1, -1.0)

    def pushing_off(self) -> Key:
        """Return the seated pose with both hands in the snow."""
        key = self.sitting().pair("hand", 0.36, 0.12, 0.0).pair("hand_direction", 0.2, -0.6, 0.6).grip(0.1, 0.1)
        return (
            key.put("spine_rotation", 0.45, 0.0, 0.0)
            .put("head_rotation", -0.35, 0.0, 0.0)
            .put("pelvis_rotation", 0.15, 0.0, 0.0)
        )

    def braking(self) -> Key:
        """Return the seated pose leaning back, the heels in the snow."""
        key = self.sitting().pair("foot", 0.27, ANKLE + 0.01, 0.5).pair("foot_direction", 0.2, 0.5, 0.8)
        return key.put("pelvis_rotation", -0.3, 0.0, 0.0).put("spine_rotation", -0.1, 0.0, 0.0)

    def lying(self) -> Key:
        """Return the pose on the stomach, head first, hands at the front of the sled."""
        key = self.base.put("pelvis", 0.0, SEAT + 0.12, -0.22).put("pelvis_rotation", 1.52, 0.0, 0.0)
        key = key.put("spine_rotation", -0.2, 0.0, 0.0).put("head_rotation", -0.95, 0.0, 0.0)
        key = (
            key.pair("foot", 0.1, SEAT + 0.15, -1.02)
            .pair("foot_direction", 0.0, 0.1, -1.0)
            .pair("knee_pole", 0.2, -1.0, 0.2)
        )
        return (
            key.pair("hand", 0.24, SEAT + 0.08, 0.42)
            .pair("elbow_pole", 1.0, 0.2, 0.4)
            .pair("hand_direction", -0.4, -0.2, 0.9)
        )

    def kneeling(self) -> Key:
        """Return the pose on the knees, hands at the front of the sled."""
        key = self.base.put("pelvis", 0.0, SEAT + 0.36, -0.2).put("pelvis_rotation", 0.8, 0.0, 0.0)
        key = (
            key.put("spine_rotation", 0.3, 0.0, 0.0)
            .put("head_rotation", -0.8, 0.0, 0.0)
            .pair("knee_pole", 0.2, -0.6, 1.0)
        )
        key = key.pair("foot", 0.11, SEAT + 0.1, -0.42).pair("foot_direction", 0.0, 0.0, -1.0)
        return key.pair("hand", 0.2, SEAT + 0.1, 0.36).pair("hand_direction", 0.0, -0.4, 0.8)

    def pulling(self) -> Key:
        """Return the upright pose with the rope in one hand and the sled behind."""
        side = self.style.side
        key = self.style.stand.put("prop", 0.0, SEAT, -ROPE_LENGTH).put("spine_rotation", 0.22, 0.0, 0.0)
        return key.on(side, "hand", 0.2, 0.86, -0.28).put(f"{side}_grip", 1.0).on(side, "elbow_pole", 0.5, -0.4, -0.6)


class Tobogganist:
    """Rides down and climbs back, or a long ride before a camera that follows."""

    def __init__(self, style: Style) -> None:
        self.style = style
        self.poses = SledPoses(style)
        self.way = style.pick(("sit", "lie", "kneel"), (0.6, 0.28, 0.12))
        self.follows = style.chance(0.35)  # whether the camera follows
        self.reach = style.uniform(1.2, 1.7)  # metres from the middle to each end of the slope
        self.bumps = style.uniform(0.008, 0.022)
        self.heading, self.place = 0.0, -self.reach

    def at(self, key: Key, share: float = 0.0) -> Key:
        """Place a pose `share` of the slope further on."""
        if not self.follows:
            self.place += share * 2 * self.reach * float(np.cos(self.heading))
        return key.put("heading", self.heading).put("travel", 0.0, 0.0, 0.0 if self.follows else self.place)

    def bump(self, seconds: float) -> Key:
        x = wave(2.3 * seconds + self.style.phase) + 0.6 * wave(3.7 * seconds)
        y, z = self.bumps * x, 1.6 * self.bumps * wave(1.1 * seconds)
        key = (
            NOTHING.put("pelvis", z, y, 0.0).put("spine_rotation", 1.5 * y, 0.0, -2 * z).put("prop", 0.0, 0.5 * y, 0.0)
        )
        return key.nudge_pair("hand", 0.0, y, 0.0).nudge_pair("foot", 0.0, 0.5 * max(y, 0.0), 0.0)

    def ride(
        self, name: str, goal: Key, share: float, seconds: float, words: dict[str, str], move: float = 0.6
    ) -> Phase:
        """Build a phase on the moving sled."""
        return Phase(
            name=name, seconds=seconds, goal=self.at(goal, share), states=words, move=move, rolls=True, rhythm=self.bump
        )

    def rides(self, share: float) -> list[Phase]:
        """Build one or two ways of riding, one after the other, that cover `share` of the slope."""
        style, poses = self.style, self.poses
        long = 2.0 if self.follows else 1.0
        seconds = [style.seconds(1.0, 1.5) * long, style.seconds(0.9, 1.4) * long]
        if self.way == "lie":
            words = states(arm="bend", hand="hold", leg="unbend", foot="none")
            side = style.any_side()
            steer = poses.lying().on(side, "foot", 0.16, SEAT + 0.36, -0.72).on(side, "foot_direction", 0.0, 0.8, -0.5)
            steering = words | {f"{side}_leg": "bend"}
            return [
                self.ride("ride on the stomach", poses.lying(), share / 2, seconds[0], words),
                self.ride("ride, one leg bent", steer, share / 2, seconds[1], steering),
            ]
        if self.way == "kneel":
            words = states(arm="unbend", hand="hold", hip="stoop", leg="bend", foot="none")
            upright = poses.kneeling().put("pelvis_rotation", 0.3, 0.0, 0.0).put("head_rotation", -0.3, 0.0, 0.0)
            upright = upright.pair("hand", 0.36, SEAT + 0.62, 0.1).shift("pelvis", 0.0, 0.06, 0.0)
            loose = states(arm="lift", hand="none", leg="bend", foot="none")
            return [
                self.ride("ride on the knees", poses.kneeling(), share / 2, seconds[0], words),
                self.ride(
                    "upright on the knees", upright.pair("hand", 0.5, SEAT + 1.05, 0.0), share / 2, seconds[1], loose
                ),
            ]
        side = style.any_side()
        seated = {"hip": "sit", "leg": "bend"}
        hands = poses.sitting() if style.chance(0.5) else poses.holding_sides()
        rope_words = states(arm="bend", hand="hold", **seated)
        cheer = poses.sitting().on(side, "hand", 0.3, 1.32, -0.1).on(side, "hand_direction", 0.0, 0.0, 0.0)
        cheer_words = states(arm=sided(side, "lift", "bend"), hand=sided(side, "none", "hold"), **seated)
        steer = poses.sitting().on(side, "foot", 0.3, ANKLE + 0.01, 0.46).put("spine_rotation", 0.0, 0.0, 0.1)
        steer_words = rope_words | {f"{side}_leg": "unbend"}
        legs_up = poses.holding_sides().pair("foot", 0.1, 0.42, 0.56).put("pelvis_rotation", -0.35, 0.0, 0.0)
        legs_words = states(arm="unbend", hand="hold", hip="sit", leg="raise", foot="none")
        extras = ((cheer, cheer_words), (steer, steer_words), (legs_up, legs_words))
        goal, words = extras[int(style.rng.integers(3))]
        return [
            self.ride("ride sitting", hands, share / 2, seconds[0], rope_words),
            self.ride("ride: an arm up, a foot down or both legs up", goal, share / 2, seconds[1], words),
        ]

    def push_off(self) -> list[Phase]:
        """Build the start: push with both hands, or throw the body on the sled."""
        if self.way != "sit":
            return []
        rate = self.style.rate(0.8, 1.1)
        swing = both(
            self.bump,
            lambda seconds: NOTHING.nudge_pair(
                "hand", 0.0, 0.05 + 0.05 * wave(rate * seconds + 0.25), 0.2 * wave(rate * seconds)
            ),
        )
        words = states(arm="swing", hand="push", hip="sit", leg="bend")
        goal = self.at(self.poses.pushing_off(), 0.15)
        return [
            Phase(
                name="push off with both hands",
                seconds=self.style.seconds(1.2, 1.8),
                goal=goal,
                states=words,
                rolls=True,
                rhythm=swing,
            )
        ]

    def back(self) -> list[Phase]:
        """Build the climb back to the start, the sled behind on its rope."""
        side, rate = self.style.side, self.style.rate(0.7, 0.9)
        self.heading = np.pi
        words = states(arm=sided(side, "carry", "swing"), hand=sided(side, "hold", "none"), leg="step")
        swing, free_hand = arm_swinging(rate), f"{other(side)}_hand"
        walk = both(stepping(rate, lift=0.09), lambda seconds: NOTHING.put(free_hand, *swing(seconds).read(free_hand)))
        turn = self.at(self.poses.pulling())
        seconds = self.style.seconds(2.4, 3.2)
        climb = self.at(self.poses.pulling(), 1.0)
        self.heading = 2 * np.pi
        above = self.at(self.poses.pulling())
        self.heading = 0.0
        return [
            Phase(name="stand up and turn", seconds=1.5, goal=turn, states=words, move=1.4, rhythm=walk),
            Phase(
                name="climb with the sled", seconds=seconds, goal=climb, states=words, move=0.5, rolls=True, rhythm=walk
            ),
            Phase(name="turn downhill", seconds=1.5, goal=above, states=words, move=1.4, rhythm=walk),
        ]

    def turn(self, index: int) -> list[Phase]:
        if self.follows:
            return [*self.rides(0.0), *self.rides(0.0), *(self.push_off() if self.style.chance(0.4) else [])]
        phases = [*self.push_off(), *self.rides(0.7 if self.way == "sit" else 0.85)]
        brake = self.poses.braking() if self.way == "sit" else phases[-1].goal
        words = states(arm="bend", hand="hold", hip="sit", leg="unbend") if self.way == "sit" else phases[-1].states
        phases.append(self.ride("brake", brake, 0.15, self.style.seconds(0.9, 1.3), words))
        climb = self.back()
        shift = 2 * np.pi * index  # whole turns, so that the way back never unwinds the turns before it
        return [replace(phase, goal=phase.goal.shift("heading", shift)) for phase in (*phases, *climb)]

    def routine(self) -> Routine:
        """Build the routine with its props."""
        return Routine(
            loop_phases(self.turn),
            _sled_props(self.style),
            {"cap": 0.6, "gloves": 0.8, "barefoot": 0.0, "skirt": 0.0, "tank": 0.0, "midriff": 0.0},
        )


def tobogganing(style: Style) -> Routine:
    """Build a routine of rides down a slope, seated, kneeling or head first, and of climbs with the sled."""
    return Tobogganist(style).routine()


def _sled_props(style: Style) -> PropMaker:
    color = (WOOD, style.color, style.color)[int(style.rng.integers(3))]
    runner_color = (DARK, STEEL)[int(style.rng.integers(2))]

    def make(pose: Pose, position: NDArray[np.float64], beat: Beat) -> list[Tube | HeldTube]:
        ahead = np.array([np.sin(beat.heading), 0.0, np.cos(beat.heading)])
        across, up = np.array([ahead[2], 0.0, -ahead[0]]), np.array([0.0, 1.0, 0.0])

        def point(x: float, y: float, z: float) -> NDArray[np.float64]:
            placed: NDArray[np.float64] = position + x * across + y * up + z * ahead
            return placed

        parts: list[Tube | HeldTube] = []
        for x in (-0.15, -0.05, 0.05, 0.15):
            path = np.stack([point(x, -0.02, z) for z in (-0.5, -0.49, 0.0, 0.48, 0.5)])
            parts.append(Tube(path, np.array([1e-3, 0.047, 0.047, 0.047, 1e-3]), color, 6, 0.3))
        low = 0.02 - float(position[1])
        for x in (-0.2, 0.2):
            curve = [point(x, low, -0.52), point(x, low, 0.4), point(x, low + 0.07, 0.56), point(x, -0.02, 0.6)]
            parts.append(line(np.stack(curve), 0.016, runner_color, 5))
            parts += [rod(point(x, low, z), point(0.9 * x, -0.03, z), 0.014, runner_color, 4) for z in (-0.4, 0.35)]
        parts.append(rod(point(-0.2, -0.02, 0.6), point(0.2, -0.02, 0.6), 0.014, runner_color, 4))
        hands = {side: palm(hand, pose.hand_directions[side]) for side, hand in pose.hands.items()}
        near = {
            side: hand
            for side, hand in hands.items()
            if float((hand - position) @ ahead) > 0.1 and pose.hand_grip[side] > 0.6
        }
        for hand in near.values():
            parts.append(line(np.linspace(hand, point(0.0, 0.0, 0.6), 4), 0.008, DARK))
        return as_object("sled", parts)

    return make
