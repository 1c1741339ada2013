"""The actions of punching a bag and of juggling balls."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from actparse.synth.motion.figure import SIDE_SIGN, SIDES, HeldTube, Pose, Side, Tube
from actparse.synth.motion.keys import ANKLE, NOTHING, STAND, Key, bump, wave
from actparse.synth.motion.phases import Beat, Pair, Phase, PropMaker, Rhythm, Routine, loop_phases, states
from actparse.synth.motion.props import DARK, PLATES, Color, ball, palm, rod
from actparse.synth.motion.style import Style, both, other, rest, sided, stepping

BAG = (0.0, 1.22, 0.82)  # position of the middle of the bag, metres


class Boxer:
    """A boxer's jabs, crosses, hooks and combinations; guard, clinch and rests."""

    def __init__(self, style: Style) -> None:
        self.style = style
        self.lead: Side = other(style.side)
        self.rear = style.side
        self.rate = style.rate(0.9, 1.2)
        self.power = style.uniform(0.3, 0.36)
        self.low = style.chance(0.4)  # whether the knees are deep
        self.twist = style.chance(0.4)  # whether the hips turn with the combinations
        self.guard = style.stand.put("pelvis", 0.0, STAND - (0.17 if self.low else 0.05), 0.0).put(
            "spine_rotation", 0.15, 0.0, 0.0
        )
        self.guard = (
            self.guard.on(self.lead, "foot", 0.12, ANKLE, 0.2)
            .on(self.rear, "foot", 0.17, ANKLE + 0.05, -0.2)
            .on(self.rear, "foot_direction", 0.3, -0.6, 1.0)
        )
        self.guard = (
            self.guard.pair("hand", 0.13, 1.33, 0.28)
            .pair("elbow_pole", 0.5, -1.0, -0.1)
            .grip(1.0, 1.0)
            .put("prop", *BAG)
        )
        style.stand = style.stand.put("prop", *BAG)
        self.bounce: Rhythm = lambda seconds: NOTHING.put(
            "pelvis", 0.02 * wave(self.rate * seconds), -0.02 * bump(2 * self.rate * seconds), 0.0
        )
        self.feet = sided(self.lead, "step_on", "tiptoe")
        self.stance = "bend" if self.low else "stand"
        self.likes = [
            str(name)
            for name in style.rng.permutation(["lead", "rear", "combination", "circle", "clinch", "kick", "rest"])[:4]
        ]

    def punch(self, side: Side, offset: float, turns: int) -> Rhythm:
        """Build the rhythm of a straight punch in each cycle of `turns` beats; the bag swings after it."""

        def beat(seconds: float) -> Key:
            beats = (self.rate * seconds / turns + offset) % 1.0 * turns
            x = bump(beats) if beats < 1 else 0.0
            key = NOTHING.nudge(side, "hand", -0.1 * x, 0.02 * x, self.power * x)
            key = key.put("prop", 0.0, 0.0, 0.06 * x * x)
            hip_turn = -(0.5 if self.twist and turns == 2 else 0.15) * SIDE_SIGN[side] * x
            return key.put("pelvis_rotation", 0.0, hip_turn, 0.0).put(
                "spine_rotation", 0.0, -0.25 * SIDE_SIGN[side] * x, 0.0
            )

        return beat

    def one_side(self, side: Side) -> Phase:
        states_by_part = states(
            arm=sided(side, "swing", "bend"), hand=sided(side, "strike", "none"), leg=self.stance, foot=self.feet
        )
        return Phase(
            name="punches of one hand",
            seconds=self.style.seconds(2.6, 4.0),
            goal=self.guard,
            states=states_by_part,
            rhythm=both(self.bounce, self.punch(side, 0.0, 1)),
        )

    def combination(self) -> Phase:
        both_hands = both(self.punch("left", 0.0, 2), self.punch("right", 0.5, 2))
        states_by_part = states(
            arm="swing", hand="strike", hip="turn" if self.twist else "none", leg=self.stance, foot=self.feet
        )
        return Phase(
            name="left and right",
            seconds=self.style.seconds(2.4, 3.8),
            goal=self.guard,
            states=states_by_part,
            rhythm=both(self.bounce, both_hands),
        )

    def circle(self) -> Phase:
        states_by_part = states(arm="bend", leg="step", foot="tiptoe")
        aside = self.style.uniform(-0.15, 0.15)  # the bag does not move
        return Phase(
            name="guard, moving on the feet",
            seconds=self.style.seconds(2.2, 3.6),
            goal=self.guard.put("travel", aside, 0.0, -0.16).put("prop", BAG[0] - aside, BAG[1], BAG[2] + 0.16),
            states=states_by_part,
            rhythm=stepping(1.2, lift=0.06, sway=0.05),
        )

    def clinch(self) -> Phase:
        hugs = self.style.chance(0.5)  # whether the arms are around the bag; otherwise both palms push it
        key = self.guard.put("travel", 0.0, 0.0, 0.2 if hugs else 0.0).put(
            "prop", BAG[0], BAG[1], BAG[2] - (0.2 if hugs else 0.0)
        )
        key = (
            key.pair("hand", 0.2 if hugs else 0.1, 1.22, 0.52 if hugs else 0.5)
            .pair("hand_direction", -0.6 if hugs else 0.0, 0.3, 0.7)
            .grip(0.2, 0.2)
        )
        states_by_part = states(
            arm="hug" if hugs else "unbend", hand="grab" if hugs else "push", leg=self.stance, foot=self.feet
        )
        return Phase(
            name="steady the bag",
            seconds=self.style.seconds(2.0, 3.2),
            goal=key,
            states=states_by_part,
            rhythm=self.style.sway(0.01),
        )

    def kick(self, side: Side) -> Phase:
        beat_rate = 0.6 * self.rate

        def beat(seconds: float) -> Key:
            x = bump(beat_rate * seconds)
            return (
                NOTHING.nudge(side, "foot", 0.1 * x, 0.75 * x, 0.5 * x)
                .put("spine_rotation", -0.25 * x, 0.0, 0.0)
                .put("prop", 0, 0, 0.04 * x)
            )

        states_by_part = states(arm="bend", leg=sided(side, "swing", "unbend"), foot=sided(side, "strike", "step_on"))
        return Phase(
            name="kicks",
            seconds=self.style.seconds(2.2, 3.4),
            goal=self.guard.on(side, "foot", 0.16, ANKLE, 0.0),
            states=states_by_part,
            rhythm=beat,
        )

    def turn(self, index: int) -> list[Phase]:
        name = self.likes[int(self.style.rng.integers(4))] if index else "combination"
        if name == "rest":
            return [rest(self.style, ("standing", "wiping", "one hip", "hips", "shaking"))]
        if name in ("lead", "rear"):
            return [self.one_side(self.lead if name == "lead" else self.rear)]
        return [
            {"combination": self.combination, "circle": self.circle, "clinch": self.clinch}[name]()
            if name != "kick"
            else self.kick(self.rear)
        ]

    def routine(self) -> Routine:
        """Build the routine with its props."""
        return Routine(loop_phases(self.turn), _bag_props(self.style), {"gloves": 0.65, "tank": 0.5})


def punching_bag(style: Style) -> Routine:
    """Build a routine of jabs, crosses, hooks and combinations; guard, clinch and rests."""
    return Boxer(style).routine()


def _bag_props(style: Style) -> PropMaker:
    color = (*PLATES, (150.0, 120.0, 90.0))[int(style.rng.integers(len(PLATES) + 1))]
    radius = style.uniform(0.14, 0.18)
    steps = np.array([-0.5, -0.49, -0.2, 0.1, 0.4, 0.49, 0.5])
    radii = radius * np.array([0.05, 0.92, 1.0, 1.0, 0.95, 0.85, 0.05])

    def make(pose: Pose, position: NDArray[np.float64], beat: Beat) -> list[Tube | HeldTube]:
        along = np.array([0.0, 1.0, 0.0])
        top, nail = position + 0.5 * along, np.array([position[0], 3.0, position[2]])
        bag = Tube(position + steps[:, None] * along, radii, color, 12, object_key=("punching_bag", 0))
        return [bag, rod(top, nail, 0.012, DARK, 4)]

    return make


BALL_COLORS: tuple[Color, ...] = ((215.0, 60.0, 50.0), (235.0, 200.0, 60.0), (60.0, 110.0, 215.0))
HAND_HEIGHT = 1.03


class Juggler:
    """A juggler's cascades low and high, with one hand, on one leg and with steps; pauses and drops."""

    def __init__(self, style: Style) -> None:
        self.style = style
        self.rate = style.rate(0.8, 1.1)
        self.look_up = style.chance(0.25)
        self.base = (
            style.stand.pair("hand", 0.22, HAND_HEIGHT, 0.33)
            .pair("elbow_pole", 0.35, -1.0, -0.3)
            .pair("hand_direction", 0.0, 0.25, 1.0)
        )
        self.base = self.base.put("head_rotation", -0.45 if self.look_up else -0.05, 0.0, 0.0).grip(0.4, 0.4)
        self.head = "raise" if self.look_up else "none"
        self.sweeps = style.chance(0.4)  # whether the whole arm scoops wide; otherwise only the forearm moves
        self.works, self.size = ("swing", 0.13) if self.sweeps else ("bend", 0.07)
        self.cascade = both(self.scoop("left"), self.scoop("right"))
        self.makers = (
            self.plain,
            self.high,
            self.one_hand,
            self.one_leg,
            self.walking,
            self.low,
            self.hold,
            self.fetch,
        )
        self.shares = style.rng.dirichlet(np.array([1.0, 0.7, 1.3, 0.6, 0.6, 0.5, 0.9, 0.4]))

    def scoop(self, side: Side) -> Rhythm:
        start = 0.0 if side == "left" else 0.5

        def beat(seconds: float) -> Key:
            return NOTHING.nudge(
                side,
                "hand",
                self.size * wave(self.rate * seconds + start + 0.25),
                1.3 * self.size * wave(self.rate * seconds + start),
                0.0,
            )

        return beat

    def phase(self, name: str, goal: Key, states_by_part: dict[str, str], rhythm: Rhythm, prop: str) -> Phase:
        return Phase(
            name=name, seconds=self.style.seconds(2.8, 4.4), goal=goal, states=states_by_part, rhythm=rhythm, prop=prop
        )

    def plain(self) -> Phase:
        return self.phase(
            "cascade",
            self.base,
            states(head=self.head, arm=self.works, hand="grab"),
            both(self.cascade, self.style.sway(0.015)),
            "cascade",
        )

    def high(self) -> Phase:
        goal = self.base.put("head_rotation", -0.5, 0.0, 0.0).pair("hand", 0.24, HAND_HEIGHT + 0.04, 0.34)
        return self.phase("high cascade", goal, states(head="raise", arm="lift", hand="lift"), self.cascade, "high")

    def one_hand(self) -> Phase:
        side = self.style.any_side()
        goal = self.base.on(other(side), "hand", 0.24, 0.9, 0.12).on(other(side), "hand_direction", 0.0, -0.8, 0.4)
        states_by_part = states(head=self.head, arm=sided(side, self.works, "unbend"), hand=sided(side, "grab", "hold"))
        return self.phase("two balls in one hand", goal, states_by_part, self.scoop(side), side)

    def one_leg(self) -> Phase:
        side = self.style.any_side()
        goal = self.base.on(side, "foot", 0.12, 0.45, 0.2).shift("pelvis", -0.07 * SIDE_SIGN[side], 0.0, 0.0)
        states_by_part = states(
            head=self.head,
            arm=self.works,
            hand="grab",
            leg=sided(side, "raise", "stand"),
            foot=sided(side, "none", "step_on"),
        )
        return self.phase("cascade on one leg", goal, states_by_part, self.cascade, "cascade")

    def walking(self) -> Phase:
        states_by_part = states(head=self.head, arm=self.works, hand="grab", leg="step")
        return self.phase(
            "cascade with steps",
            self.base,
            states_by_part,
            both(self.cascade, stepping(self.rate, lift=0.08)),
            "cascade",
        )

    def low(self) -> Phase:
        goal = (
            self.base.put("pelvis", 0.0, STAND - 0.2, -0.06)
            .nudge_pair("hand", 0.0, -0.16, 0.0)
            .put("spine_rotation", 0.15, 0.0, 0.0)
        )
        return self.phase(
            "cascade with bent knees",
            goal,
            states(head=self.head, arm=self.works, hand="grab", leg="bend", foot="tiptoe"),
            self.cascade,
            "low",
        )

    def hold(self) -> Phase:
        kind = self.style.pick(("low", "show", "one up"))
        side = self.style.any_side()
        kinds: dict[str, tuple[Key, Pair]] = {
            "low": (self.style.stand, "unbend"),
            "show": (self.base.pair("hand", 0.3, 1.12, 0.3), "bend"),
            "one up": (self.style.stand.on(side, "hand", 0.25, 1.85, 0.12), sided(side, "lift", "unbend")),
        }
        goal, arm = kinds[kind]
        return self.phase("pause with the balls", goal, states(arm=arm, hand="hold"), self.style.sway(), "held")

    def fetch(self) -> Phase:
        side = self.style.any_side()
        goal = (
            self.style.stand.put("pelvis", 0.0, 0.6, -0.2)
            .put("pelvis_rotation", 0.75, 0.0, 0.0)
            .put("spine_rotation", 0.5, 0.0, 0.0)
        )
        goal = goal.on(side, "hand", 0.1, 0.2, 0.45).on(other(side), "hand", 0.18, 0.55, 0.2)
        states_by_part = states(
            arm=sided(side, "unbend", "bend"), hand=sided(side, "grab", "hold"), hip="stoop", leg="bend"
        )
        return Phase(
            name="fetch a dropped ball",
            seconds=self.style.seconds(1.6, 2.4),
            goal=goal,
            states=states_by_part,
            move=0.9,
            prop="held",
        )

    def turn(self, index: int) -> list[Phase]:
        return [self.makers[int(self.style.rng.choice(len(self.makers), p=self.shares))]()]

    def routine(self) -> Routine:
        """Build the routine with its props."""
        return Routine(loop_phases(self.turn), _ball_props(self.style, self.rate), {"cap": 0.2})


def juggling_balls(style: Style) -> Routine:
    """Build a routine of cascades low and high, with one hand, on one leg and with steps; pauses and drops."""
    return Juggler(style).routine()


def _ball_props(style: Style, rate: float) -> PropMaker:
    size = style.uniform(0.035, 0.05)
    shade = style.uniform(0.7, 1.0)
    colors = [(r * shade, g * shade, b * shade) for r, g, b in BALL_COLORS]

    def make(pose: Pose, position: NDArray[np.float64], beat: Beat) -> list[Tube | HeldTube]:
        word = beat.phase.prop
        left, right = (palm(pose.hands[side], pose.hand_directions[side]) for side in SIDES)
        if word == "held":
            spots = [left, right, right + np.array([0.0, 0.05, 0.05])]
        elif word in ("left", "right"):
            busy, quiet = (left, right) if word == "left" else (right, left)
            spots = [
                quiet,
                *(_toss_position(busy, busy, rate * beat.seconds * 1.0 + share, 0.55) for share in (0.0, 0.5)),
            ]
        else:
            rise = {"high": 0.95, "low": 0.3}.get(word, 0.5)
            spots = [
                _cascade_position(left, right, rate * beat.seconds * 2 / 3 + index / 3, rise) for index in range(3)
            ]
        balls = (ball(spot, size, color) for spot, color in zip(spots, colors, strict=True))
        return [replace(thrown, object_key=("ball", index)) for index, thrown in enumerate(balls)]

    return make


def _toss_position(
    start: NDArray[np.float64], end: NDArray[np.float64], cycles: float, rise: float
) -> NDArray[np.float64]:
    """Return the position of a ball on its path from one hand to the other, after `cycles` of the path."""
    share = cycles % 1.0
    position: NDArray[np.float64] = (
        start + (end - start) * share + np.array([0.0, 4 * rise * share * (1 - share), 0.02])
    )
    return position


def _cascade_position(
    left: NDArray[np.float64], right: NDArray[np.float64], cycles: float, rise: float
) -> NDArray[np.float64]:
    """Return the position of a ball of a cascade: left to right in the first half of a cycle, back in the second."""
    progress = (2 * cycles) % 2.0
    return (
        _toss_position(left, right, progress, rise) if progress < 1 else _toss_position(right, left, progress - 1, rise)
    )
