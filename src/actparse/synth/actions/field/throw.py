"""Throws from turns: discus and hammer, for right-handers; left-handers are mirrored."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from actparse.synth.motion.figure import HeldTube, Pose, Tube
from actparse.synth.motion.keys import ANKLE, NOTHING, STAND, Key, wave
from actparse.synth.motion.phases import Beat, Phase, PropMaker, Rhythm, Routine, loop_phases, states
from actparse.synth.motion.props import DARK, STEEL, WHITE, WOOD, as_object, ball, disc, line
from actparse.synth.motion.style import Style, between, both, handed, pumping, rest, stepping

RELEASE_SECONDS = 0.15  # from the start of the release until the prop has left the hand


class DiscusPoses:
    """The poses of a discus thrower, facing away from the field at heading 0."""

    def __init__(self, style: Style) -> None:
        self.low = style.uniform(0.1, 0.18)
        self.base = style.stand.pair("foot", 0.24, ANKLE, 0.0).put("pelvis", 0.0, STAND - 0.06, 0.0).grip(0.2, 0.7)
        self.base = self.base.pair("elbow_pole", 0.5, -0.8, -0.3)

    def wound(self) -> Key:
        """Return the pose twisted to the right, the disc behind, the left arm across."""
        key = self.base.shift("pelvis", -0.05, -self.low + 0.03, 0.0).put("pelvis_rotation", 0.15, -0.45, 0.0)
        key = key.put("spine_rotation", 0.2, -0.65, 0.0).put("head_rotation", 0.0, 0.5, 0.0)
        return key.put("right_hand", -0.5, 1.08, -0.4).put("left_hand", -0.1, 1.22, 0.38)

    def forward(self) -> Key:
        """Return the pose with the disc swung to the left, both hands at it."""
        key = self.base.put("pelvis_rotation", 0.05, 0.25, 0.0).put("spine_rotation", 0.1, 0.35, 0.0)
        return key.put("right_hand", 0.2, 1.3, 0.42).put("left_hand", 0.36, 1.2, 0.3)

    def spinning(self) -> Key:
        """Return the pose low on bent legs, the disc trailing, the left arm leading."""
        key = (
            self.base.shift("pelvis", 0.0, -self.low, 0.0)
            .put("pelvis_rotation", 0.15, 0.1, 0.0)
            .put("spine_rotation", 0.2, -0.35, 0.0)
        )
        key = key.put("right_hand", -0.6, 1.05, -0.25).put("left_hand", 0.48, 1.18, 0.3)
        return key.pair("foot", 0.17, ANKLE + 0.05, 0.0).pair("foot_direction", 0.2, -0.8, 0.8)

    def released(self) -> Key:
        """Return the tall pose with the right arm thrown up ahead, the left leg braced."""
        key = (
            self.base.put("pelvis", 0.05, STAND - 0.03, 0.08)
            .put("pelvis_rotation", 0.0, 0.25, 0.0)
            .put("spine_rotation", -0.1, 0.3, 0.0)
        )
        key = (
            key.put("right_hand", -0.15, 1.62, 0.42)
            .put("left_hand", 0.4, 1.1, -0.15)
            .put("head_rotation", -0.3, 0.0, 0.0)
        )
        return (
            key.put("left_foot", 0.16, ANKLE, 0.16)
            .put("right_foot", -0.16, ANKLE + 0.07, -0.2)
            .put("right_foot_direction", 0.2, -0.9, 0.6)
        )

    def balanced(self) -> Key:
        """Return the pose on the right foot after the throw, the left leg up behind."""
        key = (
            self.base.put("pelvis", -0.12, STAND - 0.06, 0.1)
            .put("spine_rotation", 0.3, 0.1, 0.0)
            .pair("hand", 0.55, 1.12, 0.15)
        )
        key = (
            key.put("right_foot", -0.12, ANKLE, 0.12)
            .put("left_foot", 0.12, 0.42, -0.5)
            .put("left_foot_direction", 0.1, -0.7, -0.5)
        )
        return key.put("head_rotation", -0.3, 0.0, 0.0)

    def cradled(self) -> Key:
        """Return the standing pose with the disc in both hands in front of the belly."""
        return (
            self.base.put("pelvis", 0.0, STAND - 0.015, 0.0)
            .put("right_hand", -0.12, 1.05, 0.3)
            .put("left_hand", 0.08, 1.03, 0.32)
        )


class DiscusThrower:
    """Swings back and forth, one and a half turns, the throw, a balance, and the walk back."""

    def __init__(self, style: Style) -> None:
        self.style = style
        self.poses = DiscusPoses(style)
        self.only_swings = style.chance(0.3)  # whether every second attempt ends after the swings
        self.rate = style.rate(0.34, 0.45)
        self.one_arm_rest = style.chance(0.5)
        self.deep = style.chance(0.6)  # whether the knees are bent in the first swings
        self.wound = self.poses.wound() if self.deep else self.poses.wound().shift("pelvis", 0.0, self.poses.low, 0.0)
        self.free_arm = style.pick(("unbend", "bend"))  # state of the free arm while turning
        self.swinging = between(self.wound, self.poses.forward(), self.rate)
        self.start = 0.0

    def at(self, key: Key, heading: float, travel: float = 0.0) -> Key:
        return key.put("heading", heading).put("travel", 0.0, 0.0, -0.7 * travel)

    def prepare(self) -> list[Phase]:
        cradle_states = states(arm="bend", hand="hold")
        arm, hand = ("unbend", "bend"), ("none", "hold")
        one_arm = self.poses.cradled().put("left_hand", 0.25, 0.87, 0.05)
        stand = Phase(
            name="stand with the disc",
            seconds=self.style.seconds(2.0, 3.4),
            goal=self.at(one_arm if self.one_arm_rest else self.poses.cradled(), self.start),
            states=states(arm=arm, hand=hand) if self.one_arm_rest else cradle_states,
            rhythm=self.style.sway(),
        )
        states_by_part = states(
            arm=("bend", "swing"), hand=("none", "hold"), hip="turn", leg="bend" if self.deep else "stand"
        )
        swings = Phase(
            name="swing the disc back and forth",
            seconds=self.style.seconds(3.0, 4.2),
            goal=self.at(self.wound, self.start),
            states=states_by_part,
            move=0.9,
            rhythm=self.swinging,
        )
        return [stand, swings]

    def throw(self) -> list[Phase]:
        states_by_part = states(
            arm=(self.free_arm, "swing"), hand=("none", "hold"), hip="turn", leg="bend", foot="tiptoe"
        )
        spin = (
            self.poses.spinning()
            if self.free_arm == "unbend"
            else self.poses.spinning().put("left_hand", 0.2, 1.2, 0.26)
        )
        spin_seconds = self.style.seconds(1.8, 2.4)
        release_states = states(
            arm=("unbend", "lift"), hand="none", head="raise", leg="unbend", foot=("step_on", "tiptoe")
        )
        balance_states = states(arm="unbend", hand="none", leg=("raise", "stand"), foot=("none", "step_on"))
        field = self.start + 3 * np.pi
        steps = stepping(0.9, lift=0.08, sway=0.0)
        return [
            Phase(
                name="wind up",
                seconds=self.style.seconds(0.9, 1.3),
                goal=self.at(self.poses.wound(), self.start),
                states=states_by_part | {"left_foot": "step_on", "right_foot": "step_on"},
            ),
            Phase(
                name="one turn and a half",
                seconds=spin_seconds,
                goal=self.at(spin, field, 1.0),
                states=states_by_part,
                move=spin_seconds,
                rhythm=steps,
            ),
            Phase(
                name="release",
                seconds=self.style.seconds(1.2, 1.8),
                goal=self.at(self.poses.released(), field, 1.0),
                states=release_states,
                move=0.35,
                prop="gone",
            ),
            Phase(
                name="balance on one leg",
                seconds=self.style.seconds(1.6, 2.6),
                goal=self.at(self.poses.balanced(), field, 1.0),
                states=balance_states,
                prop="gone",
            ),
        ]

    def back(self) -> list[Phase]:
        walk_seconds = self.style.seconds(2.6, 3.6)
        walk = Phase(
            name="turn and walk back",
            seconds=walk_seconds,
            goal=self.at(self.style.stand, self.start, 0.0),
            states=states(arm="swing", leg="step"),
            move=walk_seconds,
            rhythm=both(
                stepping(0.9, lift=0.07),
                lambda seconds: NOTHING.put("left_hand", 0, 0, 0.1 * wave(0.9 * seconds)).put(
                    "right_hand", 0, 0, -0.1 * wave(0.9 * seconds)
                ),
            ),
            prop="gone",
        )
        stoop = (
            self.style.stand.put("pelvis", 0.0, 0.66, -0.18)
            .put("pelvis_rotation", 0.7, 0.0, 0.0)
            .put("spine_rotation", 0.55, 0.0, 0.0)
        )
        stoop = stoop.put("right_hand", -0.2, 0.2, 0.4).put("left_hand", 0.2, 0.55, 0.25)
        states_by_part = states(arm=("bend", "unbend"), hand=("none", "grab"), hip="stoop", leg="bend")
        pick = Phase(
            name="pick up a disc",
            seconds=self.style.seconds(1.3, 1.9),
            goal=self.at(stoop, self.start),
            states=states_by_part,
            move=0.9,
            prop="gone",
        )
        return [walk, pick]

    def turn(self, index: int) -> list[Phase]:
        phases = self.prepare()
        if self.only_swings and index % 2 == 0:
            return phases
        phases += self.throw()
        self.start += 4 * np.pi
        phases += (
            [] if self.style.chance(0.3) else [_watch(self.style, self.at(self.style.stand, self.start - np.pi, 1.0))]
        )
        return phases + self.back()

    def routine(self) -> Routine:
        """Build the routine with its props."""
        return Routine(handed(self.style, loop_phases(self.turn)), _disc_props(self.style), {"tank": 0.4})


def throwing_discus(style: Style) -> Routine:
    """Build a routine of swings back and forth, one and a half turns, the throw, a balance, and the walk back."""
    return DiscusThrower(style).routine()


def _watch(style: Style, key: Key) -> Phase:
    """Build a rest that watches the throw, hands on the hips or hanging."""
    phase = rest(style, ("hips", "standing"))
    goal = (
        phase.goal.put("heading", *key.read("heading"))
        .put("travel", *key.read("travel"))
        .put("head_rotation", -0.2, 0.0, 0.0)
    )
    return Phase(
        name="watch it fly", seconds=phase.seconds, goal=goal, states=phase.states, rhythm=phase.rhythm, prop="gone"
    )


def _disc_props(style: Style) -> PropMaker:
    hand, color = style.side, (STEEL, WOOD, DARK)[int(style.rng.integers(3))]
    plate = disc(np.array([0.0, -0.03, 0.0]), np.array([0.0, 1.0, 0.0]), 0.105, 0.04, color, 10)
    held: list[Tube | HeldTube] = [HeldTube(hand, plate.path, plate.radii, plate.color, plate.sides, ("discus", 0))]

    def make(pose: Pose, position: NDArray[np.float64], beat: Beat) -> list[Tube | HeldTube]:
        return [] if _is_released(beat) else held

    return make


def _is_released(beat: Beat) -> bool:
    """Return whether the prop has left the hand: shortly after the start of the release, until the next pick-up."""
    return beat.phase.prop == "gone" and (beat.previous.prop == "gone" or beat.elapsed > RELEASE_SECONDS)


class HammerPoses:
    """The poses of a hammer thrower; the free prop is the hammer's ball. The field is behind, at heading pi."""

    def __init__(self, style: Style) -> None:
        self.low = style.uniform(0.08, 0.15)
        self.swings_low = style.chance(0.5)  # whether the circles are around the waist; otherwise over the head
        self.sways = style.chance(0.4)  # whether the hips move against the ball
        self.base = style.stand.pair("foot", 0.2, ANKLE, 0.0).put("pelvis", 0.0, STAND - self.low, -0.04).grip(1.0, 1.0)
        self.base = self.base.pair("elbow_pole", 0.6, -0.8, -0.2).pair("knee_pole", 0.4, 0.0, 1.0)

    def hands(self, key: Key, x: float, y: float, z: float) -> Key:
        """Put both hands on the handle."""
        return key.put("left_hand", x + 0.04, y, z).put("right_hand", x - 0.04, y, z)

    def grounded(self) -> Key:
        """Return the pose with the ball behind to the right on the floor, trunk bent and twisted to it."""
        key = self.base.put("pelvis_rotation", 0.25, -0.3, 0.0).put("spine_rotation", 0.45, -0.4, 0.0)
        return self.hands(key, -0.25, 0.72, 0.38).put("prop", -1.05, 0.07, 0.1).put("head_rotation", -0.1, 0.2, 0.0)

    def winding(self) -> Key:
        """Return the middle pose of the circles over the head."""
        height = 1.2 if self.swings_low else 1.5
        key = self.base.put("spine_rotation", -0.02, 0.0, 0.0)
        return self.hands(key, 0.0, height, 0.16).put("prop", 0.0, height - 0.06, 0.15)

    def circles(self, rate: float) -> Rhythm:
        """Build the rhythm of ball and hands going round, low in front on the right, high behind on the left."""

        def beat(seconds: float) -> Key:
            x, z = wave(rate * seconds), wave(rate * seconds + 0.25)
            key = NOTHING.put("left_hand", 0.3 * x, 0.12 - 0.3 * z, 0.2 * z).put(
                "right_hand", 0.3 * x, 0.12 - 0.3 * z, 0.2 * z
            )
            key = key.put("prop", 1.15 * x, 0.2 - 0.75 * z, 1.1 * z)
            sway = 0.13 if self.sways else 0.04
            return key.put("pelvis", -sway * x, 0.0, -0.7 * sway * z).put("spine_rotation", 0.1 * z, 0.3 * x, 0.08 * x)

        return beat

    def spinning(self) -> Key:
        """Return the pose with straight arms, leaning back against the ball."""
        key = self.base.put("pelvis_rotation", -0.1, 0.0, 0.0).put("spine_rotation", 0.05, 0.0, 0.0)
        key = self.hands(key, 0.0, 1.1, 0.44).put("prop", 0.0, 0.95, 1.6)
        return key.pair("foot_direction", 0.2, -0.7, 0.8).pair("foot", 0.14, ANKLE + 0.03, 0.0)

    def released(self) -> Key:
        """Return the tall pose with both arms thrown up and back."""
        key = (
            self.base.put("pelvis", 0.0, STAND - 0.02, 0.0)
            .put("spine_rotation", -0.2, 0.25, 0.0)
            .put("head_rotation", -0.4, 0.2, 0.0)
        )
        return (
            self.hands(key, 0.22, 1.8, 0.14)
            .put("left_foot", 0.16, ANKLE, 0.05)
            .put("right_foot_direction", 0.2, -0.7, 0.7)
        )


class HammerThrower:
    """Circles over the head, turns on the spot, the release, and the wait after it."""

    def __init__(self, style: Style) -> None:
        self.style = style
        self.poses = HammerPoses(style)
        self.rate = style.rate(0.55, 0.75)
        self.turns = int(style.rng.integers(2, 4))
        self.grips_alone = style.chance(0.45)
        self.winds_only = style.chance(0.25)
        self.start = 0.0

    def at(self, key: Key, heading: float, travel: float = 0.0) -> Key:
        return key.put("heading", heading).put("travel", 0.0, 0.0, -0.6 * travel)

    def prepare(self) -> list[Phase]:
        states_by_part = states(arm="unbend", hand="grab", hip="stoop", leg="bend")
        phases = [
            Phase(
                name="grip the hammer on the floor",
                seconds=self.style.seconds(1.8, 3.0),
                goal=self.at(self.poses.grounded(), self.start),
                states=states_by_part,
                move=1.0,
            )
        ]
        if self.grips_alone:
            key = self.at(self.poses.grounded(), self.start).on("left", "hand", 0.22, 0.86, 0.12)
            one_hand_states = states(arm=("bend", "unbend"), hand=("none", "grab"), hip="stoop", leg="bend")
            phases.insert(
                0,
                Phase(
                    name="hold the handle in one hand",
                    seconds=self.style.seconds(1.6, 2.8),
                    goal=key,
                    states=one_hand_states,
                    move=1.0,
                ),
            )
        hip = "swing" if self.poses.sways else "none"
        circle_states = states(arm="swing" if self.poses.swings_low else "lift", hand="hold", hip=hip, leg="stand")
        circle = Phase(
            name="circles over the head",
            seconds=self.style.seconds(3.2, 4.4),
            goal=self.at(self.poses.winding(), self.start),
            states=circle_states,
            move=0.9,
            rhythm=self.poses.circles(self.rate),
        )
        return [*phases, circle]

    def throw(self) -> list[Phase]:
        field = self.start + 2 * np.pi * self.turns + np.pi
        spin_seconds = (self.turns + 0.5) * self.style.seconds(0.85, 1.05)
        turn_states = states(arm="unbend", hand="hold", hip="turn", leg=("bend", "step"), foot=("step_on", "tiptoe"))
        release_states = states(arm="lift", hand="none", head="raise", leg="unbend", foot=("step_on", "tiptoe"))
        pivot = pumping(NOTHING.put("right_foot", 0.05, 0.1, 0.0), (self.turns + 0.5) / spin_seconds)
        return [
            Phase(
                name="turns with the hammer",
                seconds=spin_seconds,
                goal=self.at(self.poses.spinning(), field, 1.0),
                states=turn_states,
                move=spin_seconds,
                rhythm=pivot,
            ),
            Phase(
                name="release",
                seconds=self.style.seconds(1.6, 2.4),
                goal=self.at(self.poses.released(), field, 1.0),
                states=release_states,
                move=0.4,
                prop="gone",
            ),
            _watch(self.style, self.at(self.style.stand, field, 1.0)),
        ]

    def back(self, heading: float) -> Phase:
        seconds = self.style.seconds(2.4, 3.4)
        return Phase(
            name="turn and walk back",
            seconds=seconds,
            goal=self.at(self.style.stand, heading).put("prop", -1.05, 0.07, 0.1),
            states=states(arm="unbend", leg="step"),
            move=seconds,
            rhythm=stepping(0.9, lift=0.07),
            prop="gone",
        )

    def turn(self, index: int) -> list[Phase]:
        phases = self.prepare()
        if self.winds_only and index % 2 == 0:
            return phases
        phases += self.throw()
        self.start += 2 * np.pi * (self.turns + 1)
        return [*phases, self.back(self.start)]

    def routine(self) -> Routine:
        """Build the routine with its props."""
        return Routine(handed(self.style, loop_phases(self.turn)), _hammer_props(), {"gloves": 0.3, "tank": 0.3})


def hammer_throw(style: Style) -> Routine:
    """Build a routine of circles over the head, turns on the spot, the release, and the wait after it."""
    return HammerThrower(style).routine()


def _hammer_props() -> PropMaker:
    def make(pose: Pose, position: NDArray[np.float64], beat: Beat) -> list[Tube | HeldTube]:
        if _is_released(beat):
            return []
        start = (pose.hands["left"] + pose.hands["right"]) / 2
        if np.linalg.norm(pose.hands["left"] - pose.hands["right"]) > 0.2:  # only one hand is on the handle
            start = min(pose.hands.values(), key=lambda hand: float(np.linalg.norm(hand - position)))
        wire = line(np.linspace(start, position, 4), 0.008, STEEL)
        return as_object("hammer", [wire, ball(position, 0.06, WHITE)])

    return make
