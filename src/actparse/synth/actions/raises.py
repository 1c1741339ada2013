"""Front raises: straight arms go up to the front, with dumbbells, a bar or a plate."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from actparse.synth.motion.figure import HeldTube, Pose, Side, Tube
from actparse.synth.motion.keys import ANKLE, NOTHING, Key, bump
from actparse.synth.motion.phases import Beat, Pair, Phase, PropMaker, Rhythm, Routine, loop_phases, states
from actparse.synth.motion.props import DARK, STEEL, as_object, disc, dumbbell, held_rod
from actparse.synth.motion.style import Style, both, other, rest, sided

KITS = ("dumbbells", "dumbbells by turns", "one dumbbell", "bar", "plate")


class RaisePoses:
    """The raises of one performer: stance, weights, height."""

    def __init__(self, style: Style) -> None:
        self.style = style
        self.kit = style.pick(KITS, (0.22, 0.28, 0.2, 0.15, 0.15))
        self.rate = style.rate(0.32, 0.5)
        self.high = style.uniform(1.32, 1.45)
        self.leg: Pair = "stand"
        self.foot: Pair = "step_on"
        self.narrow = 0.09 if self.kit == "plate" else 0.2
        base = style.stand
        stance = style.pick(("even", "split", "soft"), (0.5, 0.25, 0.25))
        if stance == "split":  # one foot ahead, its knee bent
            front = style.any_side()
            base = base.on(front, "foot", 0.12, ANKLE, 0.24).on(other(front), "foot", 0.12, ANKLE + 0.05, -0.24)
            base = base.on(other(front), "foot_direction", 0.15, -0.6, 0.9).shift("pelvis", 0.0, -0.09, 0.03)
            self.leg, self.foot = sided(front, "bend", "unbend"), sided(front, "step_on", "tiptoe")
        elif stance == "soft":
            base, self.leg = base.shift("pelvis", 0.0, -0.13, -0.05).pair("foot", 0.2, ANKLE, 0.0), "bend"
        self.base = base.pair("hand", self.narrow, 0.86, 0.14).pair("elbow_pole", 0.7, -0.5, -0.4).grip(1, 1)
        self.idle_side: Side | None = other(style.side) if self.kit == "one dumbbell" else None
        if self.idle_side:
            self.base = self.base.on(self.idle_side, "hand", 0.17, 1.0, 0.05).on(
                self.idle_side, "elbow_pole", 1.0, -0.1, -0.5
            )
            self.base = self.base.on(self.idle_side, "hand_direction", -0.5, -0.5, 0.4)
        self.lower = float(style.stand.read("pelvis")[1] - self.base.read("pelvis")[1])

    def raising(self, side: Side) -> Rhythm:
        """Build the rhythm of one arm that goes up to the front and down again."""
        climb, ahead = self.high - self.lower - 0.86, 0.38

        def beat(seconds: float) -> Key:
            angle = np.pi / 2 * bump(self.rate * seconds)
            return NOTHING.nudge(side, "hand", 0.0, climb * (1 - float(np.cos(angle))), ahead * float(np.sin(angle)))

        return beat

    def said(self, arm: Pair, hand: Pair | None = None) -> dict[str, str]:
        """Return the states in this performer's stance; the idle hand of a single dumbbell rests on the hip."""
        holds = "grab" if self.kit == "plate" else "hold"
        if self.idle_side and isinstance(arm, str):
            arm = sided(self.idle_side, "bend", arm)
        if hand is None:
            hand = holds if self.idle_side is None else sided(self.idle_side, "none", holds)
        return states(arm=arm, hand=hand, leg=self.leg, foot=self.foot)

    def held_up(self, side: Side | None) -> Key:
        """Return the pose with one arm, or both, straight out in front."""
        up = self.high - self.lower
        return (
            self.base.pair("hand", self.narrow, up, 0.52)
            if side is None
            else self.base.on(side, "hand", self.narrow, up, 0.52)
        )


def front_raises(style: Style) -> Routine:
    """Build a routine of sets with both arms, with one arm, or with alternating arms, with holds and rests."""
    poses = RaisePoses(style)
    kit = poses.kit
    together = both(poses.raising("left"), poses.raising("right"))
    kinds = [str(name) for name in style.rng.permutation(["low", "chest", "curl", "stretch"])[:2]]

    def sets(side: Side | None, seconds: float) -> Phase:
        arm: Pair = "lift" if side is None or poses.idle_side else sided(side, "lift", "unbend")
        rhythm = together if side is None else poses.raising(side)
        return Phase(
            name="raise again and again", seconds=seconds, goal=poses.base, states=poses.said(arm), rhythm=rhythm
        )

    def hold(side: Side | None) -> Phase:
        arm: Pair = "lift" if side is None or poses.idle_side else sided(side, "lift", "unbend")
        seconds = style.seconds(1.5, 2.8)
        return Phase(
            name="hold at the top", seconds=seconds, goal=poses.held_up(side), states=poses.said(arm), move=1.0
        )

    def pause(side: Side) -> Phase:
        kind = kinds[int(style.rng.integers(2))]
        seconds, sway = style.seconds(2.2, 3.6), style.sway(0.015)
        if kind == "stretch":
            return replace(rest(style, ("stepping", "standing", "shaking", "wiping", "toes")), prop="away")
        if kind == "low" or (kind == "curl" and kit in ("bar", "plate")):
            return Phase(
                name="rest with the weights", seconds=seconds, goal=poses.base, states=poses.said("unbend"), rhythm=sway
            )
        if kind == "curl":
            side = style.side if poses.idle_side else side
            key = poses.base.on(side, "hand", 0.16, 1.25 - poses.lower, 0.26)
            arm: Pair = "bend" if poses.idle_side else sided(side, "bend", "unbend")
            return Phase(name="curl one weight", seconds=seconds, goal=key, states=poses.said(arm), rhythm=sway)
        key = poses.base.pair("hand", 0.7 * poses.narrow, 1.18 - poses.lower, 0.3)
        if poses.idle_side:
            key = poses.base.on(style.side, "hand", 0.12, 1.18 - poses.lower, 0.3)
        return Phase(name="weights at the chest", seconds=seconds, goal=key, states=poses.said("bend"), rhythm=sway)

    def turn(index: int) -> list[Phase]:
        side: Side | None = None
        if kit == "dumbbells by turns":
            side = style.side if index % 2 == 0 else other(style.side)
        elif poses.idle_side:
            side = style.side
        phases = [sets(side, style.seconds(3.0, 4.4))]
        if style.chance(0.3):
            phases.append(hold(side))
        return [*phases, pause(side or style.any_side())] if kit != "dumbbells by turns" or index % 2 else phases

    return Routine(loop_phases(turn), _raise_props(style, kit), {"tank": 0.4, "gloves": 0.1})


def _raise_props(style: Style, kit: str) -> PropMaker:
    hands: tuple[Side, ...] = (style.side,) if kit == "one dumbbell" else ("left", "right")
    plate = disc(np.array([0.0, -0.03, 0.06]), np.array([0.0, 0.0, 1.0]), 0.17, 0.04, DARK)

    def make(pose: Pose, position: NDArray[np.float64], beat: Beat) -> list[Tube | HeldTube]:
        if beat.phase.prop == "away":
            return []
        if kit == "bar":
            return as_object("barbell", held_rod("both", 0.55, 0.016, STEEL, weight_radius=0.1))
        if kit == "plate":
            return [HeldTube("both", plate.path, plate.radii, plate.color, plate.sides, ("weight_plate", 0))]
        return [tube for side in hands for tube in dumbbell(side)]

    return make
