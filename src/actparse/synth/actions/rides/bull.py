"""Riding a mechanical bull, for a rider who holds on with the right hand; left-handers are mirrored."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from actparse.synth.motion.figure import HeldTube, Pose, Tube
from actparse.synth.motion.keys import ANKLE, NOTHING, Key, wave
from actparse.synth.motion.phases import Beat, Phase, PropMaker, Rhythm, Routine, loop_phases, states
from actparse.synth.motion.props import DARK, WHITE, as_object, disc, line, rod
from actparse.synth.motion.reach import unit
from actparse.synth.motion.style import Style, handed, rest

BACK = 0.98  # height of the bull's back, metres
BARREL = 0.23  # radius of its trunk, metres
NOSE = 0.95  # metres from the axle of the bull to its nose
RING = 1.7  # radius of the soft ring around it, metres


class BullPoses:
    """The poses of a rider; the bull's nose is the free prop. The bull turns with the heading."""

    def __init__(self, style: Style) -> None:
        self.style = style
        base = style.stand.put("prop", 0.0, BACK - 0.1, NOSE).put("pelvis", 0.0, BACK + 0.1, -0.06)
        base = (
            base.pair("foot", 0.34, 0.5, 0.06).pair("foot_direction", 0.3, -0.3, 1.0).pair("knee_pole", 0.9, 0.5, 1.0)
        )
        base = base.put("right_hand", -0.03, BACK + 0.07, 0.26).put("right_hand_direction", 0.2, -0.7, 0.6)
        base = base.put("right_elbow_pole", -0.6, -0.5, -0.6).put("left_elbow_pole", 0.8, -0.5, 0.0)
        self.base = base.put("spine_rotation", 0.12, 0.0, 0.0).put("right_grip", 1.0).put("left_grip", 0.2)

    def arm_up(self) -> Key:
        """Return the seated pose with the free arm in the air."""
        return self.base.put("left_hand", 0.42, BACK + 0.78, 0.05)

    def arm_out(self) -> Key:
        """Return the seated pose with the free arm stretched out to the side."""
        return self.base.put("left_hand", 0.7, BACK + 0.42, 0.0).put("spine_rotation", -0.12, 0.2, 0.0)

    def both_hands(self) -> Key:
        """Return the pose with both hands on the rope, bent over it."""
        key = self.base.put("left_hand", 0.04, BACK + 0.07, 0.28).put("left_hand_direction", -0.2, -0.7, 0.6)
        key = key.put("left_grip", 1.0).put("left_elbow_pole", 0.6, -0.5, -0.6)
        return key.put("spine_rotation", 0.35, 0.0, 0.0).put("head_rotation", 0.2, 0.0, 0.0)

    def leaning_back(self) -> Key:
        """Return the pose leaning back, legs ahead."""
        key = self.base.put("left_hand", 0.5, BACK + 0.6, -0.35).put("pelvis_rotation", -0.25, 0.0, 0.0)
        key = key.put("right_hand", -0.03, BACK + 0.09, 0.24)
        return key.put("spine_rotation", -0.25, 0.0, 0.0).pair("foot", 0.35, 0.55, 0.34)

    def slipping(self) -> Key:
        """Return the pose of hanging to the left side, just before the fall."""
        key = self.base.put("pelvis", 0.22, BACK + 0.02, -0.05).put("spine_rotation", 0.1, 0.0, -0.45)
        return (
            key.put("left_hand", 0.75, BACK + 0.3, 0.1)
            .put("left_foot", 0.45, 0.35, 0.15)
            .put("right_foot", -0.22, 0.72, 0.12)
        )

    def fallen(self) -> Key:
        """Return the pose of sitting on the mat beside the bull, hands behind."""
        key = self.style.stand.put("prop", *self.base.read("prop")).put("pelvis", 0.95, 0.13, -0.05)
        key = (
            key.put("pelvis_rotation", -0.3, 0.0, 0.0)
            .put("spine_rotation", 0.2, 0.0, 0.0)
            .pair("knee_pole", 0.3, 1.0, 0.2)
        )
        key = (
            key.put("left_foot", 1.15, ANKLE, 0.55)
            .put("right_foot", 0.8, ANKLE, 0.5)
            .pair("foot_direction", 0.2, 0.4, 1.0)
        )
        key = key.put("left_hand", 1.25, 0.08, -0.3).put("right_hand", 0.65, 0.08, -0.3)
        return key.pair("hand_direction", 0.2, -0.3, -0.9).pair("elbow_pole", 0.5, 0.2, -1.0).grip(0.0, 0.0)

    def standing(self, key: Key) -> Key:
        """Move a standing pose beside the bull."""
        for name in ("pelvis", "left_foot", "right_foot", "left_hand", "right_hand"):
            key = key.shift(name, 0.9, 0.0, 0.0)
        return key.put("prop", *self.base.read("prop"))


class BullRider:
    """Slow and fast rides, with one hand or two, falls and remounts."""

    def __init__(self, style: Style) -> None:
        self.style = style
        self.poses = BullPoses(style)
        self.rate = style.rate(0.45, 0.65)  # bucks per second
        self.power = style.uniform(0.14, 0.24)  # radians
        self.spin = style.uniform(0.25, 0.7)  # radians
        self.falls = style.chance(0.6)
        self.heading = 0.0

    def bucking(self, share: float) -> Rhythm:
        """Build the rhythm of bull and rider; the rider leans back when the nose goes down."""
        power, spin, start = share * self.power, share * self.spin, self.style.phase

        def beat(seconds: float) -> Key:
            x, y = wave(self.rate * seconds + start), wave(0.37 * self.rate * seconds + start)
            dip = power * x  # radians, nose down
            key = NOTHING.put("prop", 0.0, -NOSE * dip, 0.0).put("heading", spin * y)
            key = key.put("pelvis", 0.0, 0.0, 0.28 * dip).put("pelvis_rotation", 0.7 * dip, 0.0, 0.0)
            key = key.put("spine_rotation", -1.3 * dip, 0.0, 0.12 * share * y).put("head_rotation", 0.5 * dip, 0.0, 0.0)
            key = key.put("left_hand", 0.05 * y, -0.2 * dip, 0.4 * dip - 0.06 * x * share)
            key = key.put("right_hand", 0.0, -0.26 * dip, 0.16 * dip)
            return key.pair("foot", 0.0, 0.0, 0.5 * dip)

        return beat

    def ride(
        self, name: str, goal: Key, seconds: float, share: float, words: dict[str, str], move: float = 0.8
    ) -> Phase:
        """Build a phase on the bull; it turns a bit further in each."""
        self.heading += share * self.style.uniform(-1.2, 1.2)
        key = goal.put("heading", self.heading)
        return Phase(name=name, seconds=seconds, goal=key, states=words, move=move, rhythm=self.bucking(share))

    def rides(self) -> list[Phase]:
        """Build some ways of riding, in random order, at random power."""
        style, poses = self.style, self.poses
        common = {"leg": "bend", "foot": "none"}
        ways = [
            (
                "an arm in the air",
                poses.arm_up(),
                states(arm=("lift", "bend"), hand=("none", "hold"), hip="swing", **common),
            ),
            ("an arm out", poses.arm_out(), states(arm=("swing", "bend"), hand=("none", "hold"), hip="sit", **common)),
            ("both hands", poses.both_hands(), states(arm="bend", hand="hold", hip="sit", **common)),
            (
                "lean back",
                poses.leaning_back(),
                states(arm=("lift", "unbend"), hand=("none", "hold"), hip="swing", **common),
            ),
        ]
        order = style.rng.permutation(len(ways))[: 2 + int(style.rng.integers(2))]
        phases = []
        for index in order:
            name, goal, words = ways[int(index)]
            share = style.uniform(0.9, 1.15) if words["hip"] == "swing" else style.uniform(0.35, 0.7)
            phases.append(self.ride(f"ride, {name}", goal, style.seconds(2.0, 3.2), share, words))
        return phases

    def fall(self) -> list[Phase]:
        """Build the slip, the fall, a rest beside the bull and the way back on it."""
        style, poses = self.style, self.poses
        slip_words = states(arm=("swing", "unbend"), hand=("none", "hold"), hip="bend", leg="bend", foot="none")
        mat_words = states(arm="unbend", hand="push", hip="sit", leg="bend")
        down = poses.fallen().put("heading", self.heading)
        up = rest(style, ("standing", "hips", "clapping", "shaking"))
        lift_leg = (
            NOTHING.put("right_foot", 0.0, 0.75, -0.1).put("left_foot", 0.1, 0.05, 0.0).put("pelvis", 0.0, 0.12, 0.0)
        )
        swing_leg = states(arm="unbend", hand=("hold", "hold"), leg=("unbend", "raise"), foot=("tiptoe", "none"))
        reach = (
            poses.standing(style.stand)
            .put("left_hand", 0.25, BACK + 0.06, 0.25)
            .put("right_hand", 0.1, BACK + 0.06, 0.1)
        )
        reach = reach.shift("pelvis", -0.2, -0.04, 0.0).shift("left_foot", -0.15, 0, 0).shift("right_foot", -0.15, 0, 0)
        reach = reach.put("spine_rotation", 0.25, 0.5, 0.0).grip(0.9, 0.9)
        return [
            self.ride("slip", poses.slipping(), 0.7, 0.6, slip_words),
            Phase(
                name="fall",
                seconds=style.seconds(1.2, 2.2),
                goal=down,
                states=mat_words,
                move=0.55,
                arc=NOTHING.put("right_foot", 0.0, 0.55, 0.2),
            ),
            Phase(
                name="stand beside the bull",
                seconds=style.seconds(1.5, 2.4),
                goal=poses.standing(up.goal).put("heading", self.heading),
                states=up.states,
                move=1.1,
                rhythm=up.rhythm,
            ),
            Phase(
                name="lean on the bull's back",
                seconds=style.seconds(0.8, 1.2),
                goal=reach.put("heading", self.heading),
                states=states(arm="unbend", hand="hold"),
                move=0.7,
            ),
            Phase(
                name="climb on",
                seconds=1.4,
                goal=poses.both_hands().put("heading", self.heading),
                states=swing_leg,
                move=1.2,
                arc=lift_leg,
            ),
        ]

    def turn(self, index: int) -> list[Phase]:
        return [*self.rides(), *(self.fall() if self.falls and index % 2 == 0 else [])]

    def routine(self) -> Routine:
        """Build the routine with its props."""
        phases = handed(self.style, loop_phases(self.turn))
        return Routine(phases, _bull_props(self.style), {"cap": 0.45, "skirt": 0.0, "tank": 0.3})


def riding_mechanical_bull(style: Style) -> Routine:
    """Build a routine of rides on a bull that rocks and turns, with falls and remounts."""
    return BullRider(style).routine()


def _bull_props(style: Style) -> PropMaker:
    hide = ((92, 62, 40), (52, 44, 40), (150, 110, 74), (190, 180, 165))[int(style.rng.integers(4))]
    ring_color = style.color
    angles = np.linspace(0, 2 * np.pi, 25)
    ring = np.stack((RING * np.cos(angles), np.full(25, 0.16), RING * np.sin(angles)), axis=1)
    trunk_steps = np.array([-0.56, -0.55, -0.4, 0.0, 0.35, 0.5, 0.51])
    trunk_radii = BARREL * np.array([1e-2, 0.6, 0.95, 1.0, 1.0, 0.75, 1e-2])
    axle = np.array([0.0, BACK - BARREL, 0.0])
    cushion = Tube(ring, np.full(25, 0.16), ring_color, 8)
    pedestal: list[Tube | HeldTube] = [
        rod(np.array([0.0, 0.0, 0.0]), np.array([0.0, BACK - BARREL, 0.0]), 0.1, DARK, 8),
        disc(np.array([0.0, 0.03, 0.0]), np.array([0.0, 1.0, 0.0]), 0.45, 0.06, DARK),
    ]

    def make(pose: Pose, position: NDArray[np.float64], beat: Beat) -> list[Tube | HeldTube]:
        along = unit(position - axle - np.array([0.0, BARREL - 0.1, 0.0]))
        across = unit(np.array([along[2], 0.0, -along[0]]))
        up = np.cross(along, across)

        def point(x: float, y: float, z: float) -> NDArray[np.float64]:
            placed: NDArray[np.float64] = axle + x * across + y * up + z * along
            return placed

        parts = [*pedestal, Tube(axle + trunk_steps[:, None] * along, trunk_radii, hide, 10)]
        neck = np.stack(
            [
                point(0, 0.06, 0.4),
                point(0, 0.16, 0.62),
                point(0, 0.13, 0.8),
                point(0, 0.02, NOSE),
                point(0, 0.01, NOSE + 0.01),
            ]
        )
        parts.append(Tube(neck, np.array([0.16, 0.14, 0.12, 0.075, 1e-3]), hide, 8))
        for x in (-1.0, 1.0):
            horn = np.stack([point(0.09 * x, 0.2, 0.68), point(0.26 * x, 0.24, 0.7), point(0.32 * x, 0.38, 0.74)])
            parts.append(Tube(horn, np.array([0.03, 0.022, 0.004]), WHITE, 5))
        parts.append(line(np.stack([point(0, 0.14, -0.52), point(0, 0.0, -0.64), point(0, -0.3, -0.66)]), 0.018, hide))
        handle = np.stack(
            [
                point(-0.09, BARREL, 0.3),
                point(-0.03, BARREL + 0.06, 0.3),
                point(0.03, BARREL + 0.06, 0.3),
                point(0.09, BARREL, 0.3),
            ]
        )
        return [cushion, *as_object("mechanical_bull", [*parts, line(handle, 0.016, DARK)])]

    return make
