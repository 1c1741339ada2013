"""Punching bag, skipping rope, hopscotch, juggling."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from actparse.data.synth.figure import SIDE_SIGN, SIDES, HeldTube, Pose, Side, Tube
from actparse.data.synth.motion_keys import ANKLE, NOTHING, STAND, Key, bump, half_bump, wave
from actparse.data.synth.motion_phases import Beat, Phase, PropMaker, Rhythm, Routine, loop_phases, states
from actparse.data.synth.motion_props import DARK, PLATES, WHITE, Color, ball, line, palm, rod
from actparse.data.synth.motion_style import Style, both, other, rest, sided, stepping

BAG = (0.0, 1.22, 0.82)  # the middle of the bag


def _bouncing(rate: float, height: float) -> Rhythm:
    """Small bounces of the whole body on the toes."""
    return lambda seconds: NOTHING.put("pelvis", 0.02 * wave(0.5 * rate * seconds), -height * bump(rate * seconds), 0.0)


def punching_bag(style: Style) -> Routine:
    """Jabs, crosses, hooks and combinations; guard, clinch and rests."""
    lead: Side = other(style.side)
    rear = style.side
    rate = style.rate(0.9, 1.2)
    power = style.uniform(0.3, 0.36)
    low, twist = style.chance(0.4), style.chance(0.4)  # deep in the knees; hips behind the combinations
    guard = style.stand.put("pelvis", 0.0, STAND - (0.17 if low else 0.05), 0.0).put("spine_rotation", 0.15, 0.0, 0.0)
    guard = (
        guard.on(lead, "foot", 0.12, ANKLE, 0.2)
        .on(rear, "foot", 0.17, ANKLE + 0.05, -0.2)
        .on(rear, "foot_direction", 0.3, -0.6, 1.0)
    )
    guard = guard.pair("hand", 0.13, 1.33, 0.28).pair("elbow_pole", 0.5, -1.0, -0.1).grip(1.0, 1.0).put("prop", *BAG)
    style.stand = style.stand.put("prop", *BAG)
    bounce = _bouncing(2 * rate, 0.02)
    feet = sided(lead, "step_on", "tiptoe")
    stance = "bend" if low else "stand"

    def punch(side: Side, offset: float, turns: int) -> Rhythm:
        """A straight punch in each cycle of `turns` beats; the bag swings after it."""

        def beat(seconds: float) -> Key:
            place = (rate * seconds / turns + offset) % 1.0 * turns
            x = bump(place) if place < 1 else 0.0
            key = NOTHING.nudge(side, "hand", -0.1 * x, 0.02 * x, power * x)
            key = key.put("prop", 0.0, 0.0, 0.06 * x * x)
            turned = -(0.5 if twist and turns == 2 else 0.15) * SIDE_SIGN[side] * x
            return key.put("pelvis_rotation", 0.0, turned, 0.0).put(
                "spine_rotation", 0.0, -0.25 * SIDE_SIGN[side] * x, 0.0
            )

        return beat

    def one_side(side: Side) -> Phase:
        said = states(arm=sided(side, "swing", "bend"), hand=sided(side, "strike", "none"), leg=stance, foot=feet)
        return Phase(
            name="punches of one hand",
            seconds=style.seconds(2.6, 4.0),
            goal=guard,
            states=said,
            rhythm=both(bounce, punch(side, 0.0, 1)),
        )

    def combination() -> Phase:
        both_hands = both(punch("left", 0.0, 2), punch("right", 0.5, 2))
        said = states(arm="swing", hand="strike", hip="turn" if twist else "none", leg=stance, foot=feet)
        return Phase(
            name="left and right",
            seconds=style.seconds(2.4, 3.8),
            goal=guard,
            states=said,
            rhythm=both(bounce, both_hands),
        )

    def circle() -> Phase:
        said = states(arm="bend", leg="step", foot="tiptoe")
        aside = style.uniform(-0.15, 0.15)  # the bag stays where it hangs
        return Phase(
            name="guard, moving on the feet",
            seconds=style.seconds(2.2, 3.6),
            goal=guard.put("travel", aside, 0.0, -0.16).put("prop", BAG[0] - aside, BAG[1], BAG[2] + 0.16),
            states=said,
            rhythm=stepping(1.2, lift=0.06, sway=0.05),
        )

    def clinch() -> Phase:
        hugs = style.chance(0.5)  # around the bag, or both palms against it
        key = guard.put("travel", 0.0, 0.0, 0.2 if hugs else 0.0).put(
            "prop", BAG[0], BAG[1], BAG[2] - (0.2 if hugs else 0.0)
        )
        key = (
            key.pair("hand", 0.2 if hugs else 0.1, 1.22, 0.52 if hugs else 0.5)
            .pair("hand_direction", -0.6 if hugs else 0.0, 0.3, 0.7)
            .grip(0.2, 0.2)
        )
        said = states(arm="hug" if hugs else "unbend", hand="grab" if hugs else "push", leg=stance, foot=feet)
        return Phase(
            name="steady the bag", seconds=style.seconds(2.0, 3.2), goal=key, states=said, rhythm=style.sway(0.01)
        )

    def kick(side: Side) -> Phase:
        beat_rate = 0.6 * rate

        def beat(seconds: float) -> Key:
            x = bump(beat_rate * seconds)
            return (
                NOTHING.nudge(side, "foot", 0.1 * x, 0.75 * x, 0.5 * x)
                .put("spine_rotation", -0.25 * x, 0.0, 0.0)
                .put("prop", 0, 0, 0.04 * x)
            )

        said = states(arm="bend", leg=sided(side, "swing", "unbend"), foot=sided(side, "strike", "step_on"))
        return Phase(
            name="kicks",
            seconds=style.seconds(2.2, 3.4),
            goal=guard.on(side, "foot", 0.16, ANKLE, 0.0),
            states=said,
            rhythm=beat,
        )

    likes = [
        str(name)
        for name in style.rng.permutation(["lead", "rear", "combination", "circle", "clinch", "kick", "rest"])[:4]
    ]

    def turn(index: int) -> list[Phase]:
        name = likes[int(style.rng.integers(4))] if index else "combination"
        if name == "rest":
            return [rest(style, ("standing", "wiping", "one hip", "hips", "shaking"))]
        if name in ("lead", "rear"):
            return [one_side(lead if name == "lead" else rear)]
        return [
            {"combination": combination, "circle": circle, "clinch": clinch}[name]() if name != "kick" else kick(rear)
        ]

    return Routine(loop_phases(turn), _bag_props(style), {"gloves": 0.65, "tank": 0.5})


def _bag_props(style: Style) -> PropMaker:
    color = (*PLATES, (150.0, 120.0, 90.0))[int(style.rng.integers(len(PLATES) + 1))]
    radius = style.uniform(0.14, 0.18)
    steps = np.array([-0.5, -0.49, -0.2, 0.1, 0.4, 0.49, 0.5])
    radii = radius * np.array([0.05, 0.92, 1.0, 1.0, 0.95, 0.85, 0.05])

    def make(pose: Pose, place: NDArray[np.float64], beat: Beat) -> list[Tube | HeldTube]:
        along = np.array([0.0, 1.0, 0.0])
        top, nail = place + 0.5 * along, np.array([place[0], 3.0, place[2]])
        return [Tube(place + steps[:, None] * along, radii, color, 12), rod(top, nail, 0.012, DARK, 4)]

    return make


def skipping_rope(style: Style) -> Routine:
    """Jumps on both feet, runs, hops on one foot, side swings and rests with the rope."""
    rate = style.rate(1.25, 1.6)
    hand_height = style.uniform(0.95, 1.08)
    wide = style.chance(0.6)  # arms that swing, or elbows at the ribs and turning wrists
    arm_word = "swing" if wide else "bend"
    base = (
        style.stand.pair("hand", 0.48 if wide else 0.3, hand_height, 0.1 if wide else 0.2)
        .pair("elbow_pole", 0.4, -0.3, -1.0)
        .grip(1.0, 1.0)
    )
    base = base.pair("hand_direction", 0.8, -0.3, 0.4).pair("foot", 0.08, ANKLE, 0.0)

    def hop(seconds: float) -> float:
        return max(0.0, wave(rate * seconds)) ** 1.2

    def turning(seconds: float) -> Key:
        x, z = wave(rate * seconds), wave(rate * seconds + 0.25)
        size = 0.08 if wide else 0.025
        return NOTHING.nudge_pair("hand", 0.5 * size * z, size * x, size * z)

    def jump(seconds: float) -> Key:
        h = hop(seconds)
        dip = max(0.0, -wave(rate * seconds))
        key = (
            turning(seconds).put("pelvis", 0.0, 0.1 * h - 0.035 * dip - 0.02, 0.0).nudge_pair("foot", 0.0, 0.1 * h, 0.0)
        )
        return key.put("left_foot_direction", 0.0, -0.5 * h, 0.0).put("right_foot_direction", 0.0, -0.5 * h, 0.0)

    def run(seconds: float) -> Key:
        left, right = half_bump(rate * seconds / 2), half_bump(rate * seconds / 2 + 0.5)
        key = turning(seconds).put("pelvis", 0.0, 0.03 * hop(seconds) - 0.02, 0.0)
        return key.nudge("left", "foot", 0, 0.2 * left, -0.12 * left).nudge(
            "right", "foot", 0, 0.2 * right, -0.12 * right
        )

    def jumps(seconds: float) -> Phase:
        said = states(arm=arm_word, hand="hold", leg="unbend", foot="tiptoe")
        return Phase(name="jump on both feet", seconds=seconds, goal=base, states=said, rhythm=jump, prop="turn")

    def runs(seconds: float) -> Phase:
        said = states(arm=arm_word, hand="hold", leg="step", foot="tiptoe")
        return Phase(name="run over the rope", seconds=seconds, goal=base, states=said, rhythm=run, prop="turn")

    def one_foot(seconds: float) -> Phase:
        side = style.any_side()
        key = base.on(other(side), "foot", 0.1, 0.4, -0.22).on(other(side), "foot_direction", 0.1, -0.9, 0.1)
        key = key.shift("pelvis", 0.05 * SIDE_SIGN[side], 0.0, 0.0).on(side, "foot", 0.04, ANKLE, 0.0)
        said = states(arm=arm_word, hand="hold", leg=sided(side, "unbend", "bend"), foot=sided(side, "tiptoe", "none"))
        return Phase(name="hop on one foot", seconds=seconds, goal=key, states=said, rhythm=jump, prop="turn")

    def side_swings(seconds: float) -> Phase:
        side = style.any_side()
        sign = SIDE_SIGN[side]
        key = base.put(f"{side}_hand", sign * 0.5, 1.0, 0.2).put(f"{other(side)}_hand", sign * 0.22, 0.98, 0.34)
        key = key.put("spine_rotation", 0.05, 0.3 * sign, 0.0)
        said = states(arm=sided(side, "swing", "bend"), hand="hold", leg="stand", foot="step_on")
        return Phase(
            name="swing the rope at one side",
            seconds=seconds,
            goal=key,
            states=said,
            rhythm=_small_circles(rate),
            prop="side",
        )

    def crossed(seconds: float) -> Phase:
        key = (
            base.pair("hand", -0.2, 0.95, 0.3)
            .pair("hand_direction", -0.8, -0.3, 0.4)
            .pair("elbow_pole", 0.7, -0.4, 0.0)
        )
        said = states(arm="bend", hand="hold", leg="unbend", foot="tiptoe")
        return Phase(name="jump with crossed arms", seconds=seconds, goal=key, states=said, rhythm=jump, prop="turn")

    def pause(seconds: float) -> Phase:
        kind = style.pick(("hang", "hips", "one hand"))
        key = style.stand.grip(1.0, 1.0)
        if kind == "hips":
            key = key.pair("hand", 0.18, 1.0, 0.06).pair("elbow_pole", 1.0, -0.1, -0.5)
            said = states(arm="bend", hand="hold")
        elif kind == "hang":
            said = states(arm="unbend", hand="hold")
        else:
            side = style.any_side()
            key = key.on(side, "hand", 0.08, 1.56, 0.2).on(side, "elbow_pole", 0.9, -0.3, 0.3)
            said = states(arm=sided(side, "lift", "unbend"), hand=sided(side, "others", "hold"))
        return Phase(
            name="rest with the rope", seconds=seconds, goal=key, states=said, rhythm=style.sway(), prop="rest"
        )

    makers = (jumps, runs, one_foot, side_swings, crossed, pause)
    shares = style.rng.dirichlet(np.array([1.2, 0.8, 0.9, 0.7, 0.5, 1.0]))

    def turn(index: int) -> list[Phase]:
        return [makers[int(style.rng.choice(len(makers), p=shares))](style.seconds(2.6, 4.4))]

    return Routine(loop_phases(turn), _rope_props(style, rate), {"tank": 0.4})


def _small_circles(rate: float) -> Rhythm:
    return lambda seconds: NOTHING.put(
        "left_hand", 0.0, 0.07 * wave(rate * seconds), 0.07 * wave(rate * seconds + 0.25)
    ).put("right_hand", 0.0, 0.07 * wave(rate * seconds), 0.07 * wave(rate * seconds + 0.25))


def _rope_props(style: Style, rate: float) -> PropMaker:
    color = style.color
    length = style.uniform(1.0, 1.15)
    steps = np.linspace(0.0, np.pi, 20)

    def make(pose: Pose, place: NDArray[np.float64], beat: Beat) -> list[Tube | HeldTube]:
        left, right = (palm(pose.hands[side], pose.hand_directions[side]) for side in SIDES)
        angle = 2 * np.pi * rate * beat.seconds + 0.9 * np.pi  # down while the feet are up
        if beat.phase.prop == "rest":
            angle = np.pi - 0.12
        reach = length * np.array([0.0, np.cos(angle), np.sin(angle)])
        path = (left + right) / 2 + np.cos(steps)[:, None] * (left - right) / 2 + np.sin(steps)[:, None] * reach
        path[:, 1] = np.maximum(path[:, 1], 0.012)
        return [line(path, 0.012, color)]

    return make


SQUARE = 0.4  # metres of a hopscotch field
NUM_SQUARES = 6


class HopscotchPoses:
    """Hops on one foot, landings on two, and the stone."""

    def __init__(self, style: Style) -> None:
        self.style = style
        self.rate = style.rate(1.4, 1.7)  # hops a second
        self.arms = style.pick(("out", "bent", "low"), (0.4, 0.35, 0.25))
        place, pole, self.arm = {
            "out": ((0.62, 1.25, 0.12), (0.4, -0.9, -0.3), "unbend"),
            "bent": ((0.3, 1.14, 0.28), (0.7, -0.8, -0.3), "bend"),
            "low": ((0.34, 0.92, 0.05), (0.6, -0.6, -0.5), "swing"),
        }[self.arms]
        self.base = style.stand.pair("hand", *place).pair("elbow_pole", *pole).put("pelvis", 0.0, STAND - 0.03, 0.0)

    def hopping(self, seconds: float) -> Key:
        """Little jumps of the whole body."""
        h = max(0.0, wave(self.rate * seconds)) ** 1.2
        dip = max(0.0, -wave(self.rate * seconds))
        key = NOTHING.put("pelvis", 0.0, 0.13 * h - 0.05 * dip, 0.0).nudge_pair("foot", 0.0, 0.13 * h, 0.0)
        return key.nudge_pair("hand", 0.0, 0.08 * h - 0.04 * dip, 0.0)

    def on_one(self, side: Side) -> Key:
        """On one foot, the other leg bent behind."""
        key = self.base.shift("pelvis", 0.06 * SIDE_SIGN[side], 0.0, 0.0).on(side, "foot", 0.03, ANKLE, 0.0)
        return key.on(other(side), "foot", 0.1, 0.42, -0.25).on(other(side), "foot_direction", 0.1, -0.8, -0.2)

    def on_two(self) -> Key:
        """Both feet apart."""
        return self.base.pair("foot", 0.21, ANKLE, 0.0).shift("pelvis", 0.0, -0.02, 0.0)

    def picking(self, side: Side) -> Key:
        """Bent to the floor on one foot, a hand at the stone."""
        key = self.on_one(side).put("pelvis", 0.05 * SIDE_SIGN[side], 0.7, -0.12).put("pelvis_rotation", 0.95, 0.0, 0.0)
        key = key.put("spine_rotation", 0.5, 0.0, 0.0).on(other(side), "foot", 0.1, 0.5, -0.6)
        key = key.on(other(side), "hand", 0.05, 0.22, 0.48).on(side, "hand", 0.5, 0.85, 0.1)
        return key.on(other(side), "foot_direction", 0.0, -0.7, -0.7)


def hopscotch(style: Style) -> Routine:
    """Through the squares and back, on one foot and on two, with the stone thrown and picked up."""
    poses = HopscotchPoses(style)
    end = NUM_SQUARES * SQUARE / 2
    place, heading = -end, 0.0
    hopping_side: Side = style.side
    changes_foot = style.chance(0.5)
    far = style.uniform(0.75, 1.0)

    def at(key: Key) -> Key:
        return key.put("heading", heading).put("travel", 0.0, 0.0, place)

    def hops(goal: Key, said: dict[str, str], name: str, squares: float) -> Phase:
        nonlocal place
        place = float(np.clip(place + squares * SQUARE * np.cos(heading), -end, end))
        seconds = style.seconds(2.0, 3.2)
        return Phase(name=name, seconds=seconds, goal=at(goal), states=said, move=0.95 * seconds, rhythm=poses.hopping)

    def one(side: Side) -> Phase:
        said = states(arm=poses.arm, leg=sided(side, "unbend", "bend"), foot=sided(side, "step_on", "none"))
        return hops(poses.on_one(side), said, "hop on one foot", 2.6 * far)

    def two() -> Phase:
        said = states(arm=poses.arm, leg="unbend", foot="step_on")
        return hops(poses.on_two(), said, "jump on two feet", 1.6 * far)

    def turn_about() -> Phase:
        nonlocal heading
        heading += np.pi * SIDE_SIGN[hopping_side]
        said = states(arm="swing", hip="turn", leg="unbend", foot="tiptoe")
        seconds = style.seconds(1.3, 1.9)
        return Phase(
            name="jump round",
            seconds=seconds,
            goal=at(poses.on_two()),
            states=said,
            move=0.9 * seconds,
            rhythm=poses.hopping,
        )

    def pick() -> Phase:
        side = hopping_side
        said = states(
            arm=sided(side, "unbend", "unbend"),
            hand=sided(side, "none", "grab"),
            hip="stoop",
            leg=sided(side, "stand", "raise"),
            foot=sided(side, "step_on", "none"),
        )
        return Phase(
            name="pick up the stone on one foot",
            seconds=style.seconds(1.8, 2.8),
            goal=at(poses.picking(side)),
            states=said,
            move=1.0,
        )

    def wait() -> Phase:
        phase = rest(style, ("standing", "hips", "clapping", "one hip"))
        return Phase(
            name=phase.name,
            seconds=phase.seconds,
            goal=at(phase.goal),
            states=phase.states,
            move=0.9,
            rhythm=phase.rhythm,
        )

    def toss() -> Phase:
        hand = style.side
        rate = style.rate(0.45, 0.6)
        key = (
            style.stand.on(hand, "hand", 0.24, 0.9, 0.15)
            .put("spine_rotation", 0.2, 0.0, 0.0)
            .put("pelvis", 0.0, STAND - 0.03, 0.0)
        )
        key = key.on(other(hand), "hand", 0.2, 1.0, 0.1)

        def aim(seconds: float) -> Key:
            x = wave(rate * seconds)
            return NOTHING.nudge(hand, "hand", 0.0, 0.07 + 0.12 * x * x, 0.28 * x)

        said = states(arm=sided(hand, "swing", "bend"), hand=sided(hand, "hold", "none"), leg="bend")
        return Phase(
            name="aim and toss the stone", seconds=style.seconds(2.2, 3.4), goal=at(key), states=said, rhythm=aim
        )

    def turn(index: int) -> list[Phase]:
        nonlocal hopping_side
        if changes_foot and index % 2:
            hopping_side = other(hopping_side)
        phases = [toss() if style.chance(0.6) else wait()]
        phases += [one(hopping_side), two()] if style.chance(0.7) else [one(hopping_side), one(hopping_side)]
        phases.append(turn_about())
        if style.chance(0.5):
            phases.append(pick())
        return [*phases, one(hopping_side), two(), turn_about()]

    return Routine(loop_phases(turn), _grid_props(style), {"cap": 0.15, "skirt": 0.15})


def _grid_props(style: Style) -> PropMaker:
    color: Color = style.color if style.chance(0.3) else WHITE
    half = NUM_SQUARES * SQUARE / 2
    lines: list[Tube | HeldTube] = []
    for index in range(NUM_SQUARES + 1):
        z = index * SQUARE - half
        lines.append(rod(np.array([-0.22, 0.004, z]), np.array([0.22, 0.004, z]), 0.01, color, 4))
    for x in (-0.22, 0.22):
        lines.append(rod(np.array([x, 0.004, -half]), np.array([x, 0.004, half]), 0.01, color, 4))
    return lambda pose, place, beat: list(lines)


BALL_COLORS: tuple[Color, ...] = ((215.0, 60.0, 50.0), (235.0, 200.0, 60.0), (60.0, 110.0, 215.0))
HAND_HEIGHT = 1.03


def juggling_balls(style: Style) -> Routine:
    """Cascades low and high, one hand alone, tricks on one leg, steps, pauses and drops."""
    rate = style.rate(0.8, 1.1)
    look_up = style.chance(0.25)
    base = (
        style.stand.pair("hand", 0.22, HAND_HEIGHT, 0.33)
        .pair("elbow_pole", 0.35, -1.0, -0.3)
        .pair("hand_direction", 0.0, 0.25, 1.0)
    )
    base = base.put("head_rotation", -0.45 if look_up else -0.05, 0.0, 0.0).grip(0.4, 0.4)
    head = "raise" if look_up else "none"
    sweeps = style.chance(0.4)  # wide scoops of the whole arm, or forearms alone
    works, size = ("swing", 0.13) if sweeps else ("bend", 0.07)

    def scoop(side: Side) -> Rhythm:
        start = 0.0 if side == "left" else 0.5

        def beat(seconds: float) -> Key:
            return NOTHING.nudge(
                side, "hand", size * wave(rate * seconds + start + 0.25), 1.3 * size * wave(rate * seconds + start), 0.0
            )

        return beat

    cascade = both(scoop("left"), scoop("right"))

    def phase(name: str, goal: Key, said: dict[str, str], rhythm: Rhythm, prop: str) -> Phase:
        return Phase(name=name, seconds=style.seconds(2.8, 4.4), goal=goal, states=said, rhythm=rhythm, prop=prop)

    def plain() -> Phase:
        return phase(
            "cascade", base, states(head=head, arm=works, hand="grab"), both(cascade, style.sway(0.015)), "cascade"
        )

    def high() -> Phase:
        goal = base.put("head_rotation", -0.5, 0.0, 0.0).pair("hand", 0.24, HAND_HEIGHT + 0.04, 0.34)
        return phase("high cascade", goal, states(head="raise", arm="lift", hand="lift"), cascade, "high")

    def one_hand() -> Phase:
        side = style.any_side()
        goal = base.on(other(side), "hand", 0.24, 0.9, 0.12).on(other(side), "hand_direction", 0.0, -0.8, 0.4)
        said = states(head=head, arm=sided(side, works, "unbend"), hand=sided(side, "grab", "hold"))
        return phase("two balls in one hand", goal, said, scoop(side), side)

    def one_leg() -> Phase:
        side = style.any_side()
        goal = base.on(side, "foot", 0.12, 0.45, 0.2).shift("pelvis", -0.07 * SIDE_SIGN[side], 0.0, 0.0)
        said = states(
            head=head, arm=works, hand="grab", leg=sided(side, "raise", "stand"), foot=sided(side, "none", "step_on")
        )
        return phase("cascade on one leg", goal, said, cascade, "cascade")

    def walking() -> Phase:
        said = states(head=head, arm=works, hand="grab", leg="step")
        return phase("cascade with steps", base, said, both(cascade, stepping(rate, lift=0.08)), "cascade")

    def low() -> Phase:
        goal = (
            base.put("pelvis", 0.0, STAND - 0.2, -0.06)
            .nudge_pair("hand", 0.0, -0.16, 0.0)
            .put("spine_rotation", 0.15, 0.0, 0.0)
        )
        return phase(
            "cascade with bent knees",
            goal,
            states(head=head, arm=works, hand="grab", leg="bend", foot="tiptoe"),
            cascade,
            "low",
        )

    def hold() -> Phase:
        kind = style.pick(("low", "show", "one up"))
        side = style.any_side()
        goal, arm = {
            "low": (style.stand, "unbend"),
            "show": (base.pair("hand", 0.3, 1.12, 0.3), "bend"),
            "one up": (style.stand.on(side, "hand", 0.25, 1.85, 0.12), sided(side, "lift", "unbend")),
        }[kind]
        return phase("pause with the balls", goal, states(arm=arm, hand="hold"), style.sway(), "held")

    def fetch() -> Phase:
        side = style.any_side()
        goal = (
            style.stand.put("pelvis", 0.0, 0.6, -0.2)
            .put("pelvis_rotation", 0.75, 0.0, 0.0)
            .put("spine_rotation", 0.5, 0.0, 0.0)
        )
        goal = goal.on(side, "hand", 0.1, 0.2, 0.45).on(other(side), "hand", 0.18, 0.55, 0.2)
        said = states(arm=sided(side, "unbend", "bend"), hand=sided(side, "grab", "hold"), hip="stoop", leg="bend")
        return Phase(
            name="fetch a dropped ball", seconds=style.seconds(1.6, 2.4), goal=goal, states=said, move=0.9, prop="held"
        )

    makers = (plain, high, one_hand, one_leg, walking, low, hold, fetch)
    shares = style.rng.dirichlet(np.array([1.0, 0.7, 1.3, 0.6, 0.6, 0.5, 0.9, 0.4]))

    def turn(index: int) -> list[Phase]:
        return [makers[int(style.rng.choice(len(makers), p=shares))]()]

    return Routine(loop_phases(turn), _ball_props(style, rate), {"cap": 0.2})


def _ball_props(style: Style, rate: float) -> PropMaker:
    size = style.uniform(0.035, 0.05)
    shade = style.uniform(0.7, 1.0)
    colors = [(r * shade, g * shade, b * shade) for r, g, b in BALL_COLORS]

    def make(pose: Pose, place: NDArray[np.float64], beat: Beat) -> list[Tube | HeldTube]:
        word = beat.phase.prop
        left, right = (palm(pose.hands[side], pose.hand_directions[side]) for side in SIDES)
        if word == "held":
            spots = [left, right, right + np.array([0.0, 0.05, 0.05])]
        elif word in ("left", "right"):
            busy, quiet = (left, right) if word == "left" else (right, left)
            spots = [quiet, *(_tossed(busy, busy, rate * beat.seconds * 1.0 + share, 0.55) for share in (0.0, 0.5))]
        else:
            rise = {"high": 0.95, "low": 0.3}.get(word, 0.5)
            spots = [_cascading(left, right, rate * beat.seconds * 2 / 3 + index / 3, rise) for index in range(3)]
        return [ball(spot, size, color) for spot, color in zip(spots, colors, strict=True)]

    return make


def _tossed(start: NDArray[np.float64], end: NDArray[np.float64], cycles: float, rise: float) -> NDArray[np.float64]:
    """A ball on its way from one hand to the other, `cycles` of the way."""
    share = cycles % 1.0
    return start + (end - start) * share + np.array([0.0, 4 * rise * share * (1 - share), 0.02])


def _cascading(
    left: NDArray[np.float64], right: NDArray[np.float64], cycles: float, rise: float
) -> NDArray[np.float64]:
    """A ball of a cascade: left to right in the first half of a cycle, back in the second."""
    way = (2 * cycles) % 2.0
    return _tossed(left, right, way, rise) if way < 1 else _tossed(right, left, way - 1, rise)
