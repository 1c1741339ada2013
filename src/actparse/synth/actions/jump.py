"""Jumps: skipping rope and hopscotch."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from actparse.synth.motion.figure import SIDE_SIGN, SIDES, HeldTube, Pose, Side, Tube
from actparse.synth.motion.keys import ANKLE, NOTHING, STAND, Key, half_bump, wave
from actparse.synth.motion.phases import Beat, Phase, PropMaker, Rhythm, Routine, loop_phases, states
from actparse.synth.motion.props import WHITE, Color, as_object, line, palm, rod
from actparse.synth.motion.style import Style, other, rest, sided


class RopeSkipper:
    """One performer's jumps, runs, hops, side swings, crossed arms and rests with a rope."""

    def __init__(self, style: Style) -> None:
        self.style = style
        self.rate = style.rate(1.25, 1.6)  # turns of the rope per second
        self.wide = style.chance(0.6)  # whether the arms swing; otherwise the wrists turn, elbows at the ribs
        self.arm = "swing" if self.wide else "bend"
        height = style.uniform(0.95, 1.08)
        base = style.stand.pair("hand", 0.48 if self.wide else 0.3, height, 0.1 if self.wide else 0.2).grip(1.0, 1.0)
        base = base.pair("elbow_pole", 0.4, -0.3, -1.0).pair("hand_direction", 0.8, -0.3, 0.4)
        self.base = base.pair("foot", 0.08, ANKLE, 0.0)

    def _turning(self, seconds: float) -> Key:
        x, z = wave(self.rate * seconds), wave(self.rate * seconds + 0.25)
        size = 0.08 if self.wide else 0.025
        return NOTHING.nudge_pair("hand", 0.5 * size * z, size * x, size * z)

    def _jumping(self, seconds: float) -> Key:
        height, dip = hop(self.rate * seconds), max(0.0, -wave(self.rate * seconds))
        key = self._turning(seconds).put("pelvis", 0.0, 0.1 * height - 0.035 * dip - 0.02, 0.0)
        return key.nudge_pair("foot", 0.0, 0.1 * height, 0.0).nudge_pair("foot_direction", 0.0, -0.5 * height, 0.0)

    def _running(self, seconds: float) -> Key:
        left, right = half_bump(self.rate * seconds / 2), half_bump(self.rate * seconds / 2 + 0.5)
        key = self._turning(seconds).put("pelvis", 0.0, 0.03 * hop(self.rate * seconds) - 0.02, 0.0)
        key = key.nudge("left", "foot", 0.0, 0.2 * left, -0.12 * left)
        return key.nudge("right", "foot", 0.0, 0.2 * right, -0.12 * right)

    def _circling(self, seconds: float) -> Key:
        x, z = 0.07 * wave(self.rate * seconds), 0.07 * wave(self.rate * seconds + 0.25)
        return NOTHING.nudge_pair("hand", 0.0, x, z)

    def _phase(self, name: str, goal: Key, states_by_part: dict[str, str], rhythm: Rhythm, prop: str = "turn") -> Phase:
        seconds = self.style.seconds(2.6, 4.4)
        return Phase(name=name, seconds=seconds, goal=goal, states=states_by_part, rhythm=rhythm, prop=prop)

    def jumps(self) -> Phase:
        """Build a phase of jumps on both feet."""
        states_by_part = states(arm=self.arm, hand="hold", leg="unbend", foot="tiptoe")
        return self._phase("jump on both feet", self.base, states_by_part, self._jumping)

    def runs(self) -> Phase:
        """Build a phase of steps over the rope, one foot after the other."""
        states_by_part = states(arm=self.arm, hand="hold", leg="step", foot="tiptoe")
        return self._phase("run over the rope", self.base, states_by_part, self._running)

    def hops(self) -> Phase:
        """Build a phase of hops on one foot, the other bent behind."""
        side = self.style.any_side()
        key = self.base.on(other(side), "foot", 0.1, 0.4, -0.22).on(other(side), "foot_direction", 0.1, -0.9, 0.1)
        key = key.shift("pelvis", 0.05 * SIDE_SIGN[side], 0.0, 0.0).on(side, "foot", 0.04, ANKLE, 0.0)
        legs, feet = sided(side, "unbend", "bend"), sided(side, "tiptoe", "none")
        return self._phase(
            "hop on one foot", key, states(arm=self.arm, hand="hold", leg=legs, foot=feet), self._jumping
        )

    def side_swings(self) -> Phase:
        """Build a phase of standing while the rope turns at one side."""
        side = self.style.any_side()
        key = self.base.on(side, "hand", 0.5, 1.0, 0.2).on(other(side), "hand", -0.22, 0.98, 0.34)
        key = key.put("spine_rotation", 0.05, 0.3 * SIDE_SIGN[side], 0.0)
        states_by_part = states(arm=sided(side, "swing", "bend"), hand="hold")
        return self._phase("swing the rope at one side", key, states_by_part, self._circling)

    def crossed(self) -> Phase:
        """Build a phase of jumps with the arms crossed."""
        key = self.base.pair("hand", -0.2, 0.95, 0.3).pair("hand_direction", -0.8, -0.3, 0.4)
        states_by_part = states(arm="bend", hand="hold", leg="unbend", foot="tiptoe")
        return self._phase(
            "jump with crossed arms", key.pair("elbow_pole", 0.7, -0.4, 0.0), states_by_part, self._jumping
        )

    def rests(self) -> Phase:
        """Build a rest with the rope down: in both hands, at the hips, or in one hand while the other wipes."""
        kind, side = self.style.pick(("hanging", "hips", "one hand")), self.style.any_side()
        key, states_by_part, prop = self.style.stand.grip(1.0, 1.0), states(hand="hold"), "down"
        if kind == "hips":
            key = key.pair("hand", 0.18, 1.0, 0.06).pair("elbow_pole", 1.0, -0.1, -0.5)
            states_by_part = states(arm="bend", hand="hold")
        elif kind == "one hand":
            key = key.on(side, "hand", 0.08, 1.56, 0.2).on(side, "elbow_pole", 0.9, -0.3, 0.3)
            states_by_part = states(arm=sided(side, "lift", "unbend"), hand=sided(side, "others", "hold"))
            prop = other(side)
        return self._phase("rest with the rope", key, states_by_part, self.style.sway(), prop)


def hop(cycles: float) -> float:
    """Return the height of a jump, 0..1: up in the first half of a cycle, on the floor in the second."""
    return float(max(0.0, wave(cycles)) ** 1.2)


def skipping_rope(style: Style) -> Routine:
    """Build a routine of jumps on both feet, runs, hops on one foot, side swings and rests with the rope."""
    skipper = RopeSkipper(style)
    makers = (skipper.jumps, skipper.runs, skipper.hops, skipper.side_swings, skipper.crossed, skipper.rests)
    shares = style.rng.dirichlet(np.array([1.2, 0.8, 0.9, 0.7, 0.5, 1.2]))
    phases = loop_phases(lambda index: [makers[int(style.rng.choice(len(makers), p=shares))]()])
    return Routine(phases, _rope_props(style, skipper.rate), {"tank": 0.4})


def _rope_props(style: Style, rate: float) -> PropMaker:
    color = style.color
    length = style.uniform(1.0, 1.15)
    steps = np.linspace(0.0, np.pi, 20)

    def make(pose: Pose, position: NDArray[np.float64], beat: Beat) -> list[Tube | HeldTube]:
        ends = {side: palm(pose.hands[side], pose.hand_directions[side]) for side in SIDES}
        word = beat.phase.prop
        angle = 2 * np.pi * rate * beat.seconds + 0.9 * np.pi  # down while the feet are up
        if word != "turn":
            angle = np.pi - 0.12
        left, right, depth = ends["left"], ends["right"], length
        span = (left - right) / 2
        if word in ("left", "right"):  # folded, in one hand
            left = right = ends["left" if word == "left" else "right"]
            span, depth = np.array([0.04, 0.0, 0.0]), 0.75 * length
        reach = depth * np.array([0.0, np.cos(angle), np.sin(angle)])
        path = (left + right) / 2 + np.cos(steps)[:, None] * span + np.sin(steps)[:, None] * reach
        path[:, 1] = np.maximum(path[:, 1], 0.012)
        return as_object("rope", [line(path, 0.012, color)])

    return make


SQUARE = 0.4  # side of a hopscotch square, metres
NUM_SQUARES = 6


class HopscotchPoses:
    """The poses of hopscotch: hops on one foot, landings on two, and picking up the stone."""

    def __init__(self, style: Style) -> None:
        self.style = style
        self.rate = style.rate(1.4, 1.7)  # hops per second
        self.arms = style.pick(("out", "bent", "low"), (0.4, 0.35, 0.25))
        hand_position, pole, self.arm = {
            "out": ((0.62, 1.25, 0.12), (0.4, -0.9, -0.3), "unbend"),
            "bent": ((0.3, 1.14, 0.28), (0.7, -0.8, -0.3), "bend"),
            "low": ((0.34, 0.92, 0.05), (0.6, -0.6, -0.5), "swing"),
        }[self.arms]
        self.base = (
            style.stand.pair("hand", *hand_position).pair("elbow_pole", *pole).put("pelvis", 0.0, STAND - 0.03, 0.0)
        )

    def hopping(self, seconds: float) -> Key:
        """Return the offset of small jumps of the whole body."""
        height = hop(self.rate * seconds)
        dip = max(0.0, -wave(self.rate * seconds))
        key = NOTHING.put("pelvis", 0.0, 0.13 * height - 0.05 * dip, 0.0).nudge_pair("foot", 0.0, 0.13 * height, 0.0)
        return key.nudge_pair("hand", 0.0, 0.08 * height - 0.04 * dip, 0.0)

    def on_one(self, side: Side) -> Key:
        """Return the pose on one foot, the other leg bent behind."""
        key = self.base.shift("pelvis", 0.06 * SIDE_SIGN[side], 0.0, 0.0).on(side, "foot", 0.03, ANKLE, 0.0)
        return key.on(other(side), "foot", 0.1, 0.42, -0.25).on(other(side), "foot_direction", 0.1, -0.8, -0.2)

    def on_two(self) -> Key:
        """Return the pose with both feet apart."""
        return self.base.pair("foot", 0.21, ANKLE, 0.0).shift("pelvis", 0.0, -0.02, 0.0)

    def picking(self, side: Side) -> Key:
        """Return the pose bent to the floor on one foot, a hand at the stone."""
        key = self.on_one(side).put("pelvis", 0.05 * SIDE_SIGN[side], 0.7, -0.12).put("pelvis_rotation", 0.95, 0.0, 0.0)
        key = key.put("spine_rotation", 0.5, 0.0, 0.0).on(other(side), "foot", 0.1, 0.5, -0.6)
        key = key.on(other(side), "hand", 0.05, 0.22, 0.48).on(side, "hand", 0.5, 0.85, 0.1)
        return key.on(other(side), "foot_direction", 0.0, -0.7, -0.7)


class Hopscotch:
    """A way through the squares and back, on one foot and on two; the stone is thrown and picked up."""

    def __init__(self, style: Style) -> None:
        self.style = style
        self.poses = HopscotchPoses(style)
        self.end = NUM_SQUARES * SQUARE / 2
        self.place, self.heading = -self.end, 0.0
        self.hopping_side: Side = style.side
        self.changes_foot = style.chance(0.5)
        self.far = style.uniform(0.75, 1.0)

    def at(self, key: Key) -> Key:
        return key.put("heading", self.heading).put("travel", 0.0, 0.0, self.place)

    def hops(self, goal: Key, states_by_part: dict[str, str], name: str, squares: float) -> Phase:
        self.place = float(np.clip(self.place + squares * SQUARE * np.cos(self.heading), -self.end, self.end))
        seconds = self.style.seconds(2.0, 3.2)
        return Phase(
            name=name,
            seconds=seconds,
            goal=self.at(goal),
            states=states_by_part,
            move=0.95 * seconds,
            rhythm=self.poses.hopping,
        )

    def one(self, side: Side) -> Phase:
        states_by_part = states(
            arm=self.poses.arm, leg=sided(side, "unbend", "bend"), foot=sided(side, "step_on", "none")
        )
        return self.hops(self.poses.on_one(side), states_by_part, "hop on one foot", 2.6 * self.far)

    def two(self) -> Phase:
        states_by_part = states(arm=self.poses.arm, leg="unbend", foot="step_on")
        return self.hops(self.poses.on_two(), states_by_part, "jump on two feet", 1.6 * self.far)

    def turn_about(self) -> Phase:
        self.heading += np.pi * SIDE_SIGN[self.hopping_side]
        states_by_part = states(arm="swing", hip="turn", leg="unbend", foot="tiptoe")
        seconds = self.style.seconds(1.3, 1.9)
        return Phase(
            name="jump round",
            seconds=seconds,
            goal=self.at(self.poses.on_two()),
            states=states_by_part,
            move=0.9 * seconds,
            rhythm=self.poses.hopping,
        )

    def pick(self) -> Phase:
        side = self.hopping_side
        states_by_part = states(
            arm=sided(side, "unbend", "unbend"),
            hand=sided(side, "none", "grab"),
            hip="stoop",
            leg=sided(side, "stand", "raise"),
            foot=sided(side, "step_on", "none"),
        )
        return Phase(
            name="pick up the stone on one foot",
            seconds=self.style.seconds(1.8, 2.8),
            goal=self.at(self.poses.picking(side)),
            states=states_by_part,
            move=1.0,
        )

    def wait(self) -> Phase:
        phase = rest(self.style, ("standing", "hips", "clapping", "one hip"))
        return Phase(
            name=phase.name,
            seconds=phase.seconds,
            goal=self.at(phase.goal),
            states=phase.states,
            move=0.9,
            rhythm=phase.rhythm,
        )

    def toss(self) -> Phase:
        hand = self.style.side
        rate = self.style.rate(0.45, 0.6)
        key = (
            self.style.stand.on(hand, "hand", 0.24, 0.9, 0.15)
            .put("spine_rotation", 0.2, 0.0, 0.0)
            .put("pelvis", 0.0, STAND - 0.03, 0.0)
        )
        key = key.on(other(hand), "hand", 0.2, 1.0, 0.1)

        def aim(seconds: float) -> Key:
            x = wave(rate * seconds)
            return NOTHING.nudge(hand, "hand", 0.0, 0.07 + 0.12 * x * x, 0.28 * x)

        states_by_part = states(arm=sided(hand, "swing", "bend"), hand=sided(hand, "hold", "none"), leg="bend")
        return Phase(
            name="aim and toss the stone",
            seconds=self.style.seconds(2.2, 3.4),
            goal=self.at(key),
            states=states_by_part,
            rhythm=aim,
        )

    def turn(self, index: int) -> list[Phase]:
        if self.changes_foot and index % 2:
            self.hopping_side = other(self.hopping_side)
        phases = [self.toss() if self.style.chance(0.6) else self.wait()]
        phases += (
            [self.one(self.hopping_side), self.two()]
            if self.style.chance(0.7)
            else [self.one(self.hopping_side), self.one(self.hopping_side)]
        )
        phases.append(self.turn_about())
        if self.style.chance(0.5):
            phases.append(self.pick())
        return [*phases, self.one(self.hopping_side), self.two(), self.turn_about()]

    def routine(self) -> Routine:
        """Build the routine with its props."""
        phases = loop_phases(self.turn)
        color: Color = self.style.color if self.style.chance(0.3) else WHITE
        half = NUM_SQUARES * SQUARE / 2
        lines: list[Tube | HeldTube] = []
        for z in np.arange(NUM_SQUARES + 1) * SQUARE - half:
            lines.append(rod(np.array([-0.22, 0.004, z]), np.array([0.22, 0.004, z]), 0.01, color, 4))
        for x in (-0.22, 0.22):
            lines.append(rod(np.array([x, 0.004, -half]), np.array([x, 0.004, half]), 0.01, color, 4))
        return Routine(phases, lambda pose, position, beat: list(lines), {"cap": 0.15, "skirt": 0.15})


def hopscotch(style: Style) -> Routine:
    """Build a routine of hops through the squares and back, with throws and pick-ups of a stone."""
    return Hopscotch(style).routine()
