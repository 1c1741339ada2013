"""Bystanders, who do none of the actions: they stand, talk, watch, applaud, walk by, sit, warm up."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from actparse.synth.motion.figure import SIDE_SIGN, HeldTube, Pose, Side, Tube
from actparse.synth.motion.keys import ANKLE, NOTHING, STAND, Key, half_bump, wave
from actparse.synth.motion.phases import Beat, Phase, PropMaker, Routine, loop_phases, states
from actparse.synth.motion.props import DARK, WOOD, as_object, rod
from actparse.synth.motion.style import (
    Style,
    arm_swinging,
    both,
    other,
    pumping,
    rest,
    rest_clapping,
    rest_hands_on_hips,
    rest_one_hand_on_hip,
    rest_standing,
    rest_stretching,
    rest_wiping,
    sided,
)

SEAT = 0.42  # height of the box, metres


def talking(style: Style) -> Routine:
    """Build a routine of talking to someone: one hand gestures, then the other, then both."""

    def gesture(side: Side | None) -> Phase:
        rate = style.uniform(0.5, 0.9)
        key = style.stand.put("head_rotation", 0.0, style.uniform(-0.5, 0.5), 0.0)
        for hand_side in ("left", "right") if side is None else (side,):
            key = key.put(f"{hand_side}_hand", SIDE_SIGN[hand_side] * 0.26, 1.12, 0.28).put(f"{hand_side}_grip", 0.1)

        def beat(seconds: float) -> Key:
            x, y = 0.07 * wave(rate * seconds), 0.06 * wave(1.7 * rate * seconds)
            key = NOTHING
            for hand_side in ("left", "right") if side is None else (side,):
                key = key.shift(f"{hand_side}_hand", SIDE_SIGN[hand_side] * x, y, 0.5 * x)
            return key

        arm = "swing" if side is None else sided(side, "swing", "unbend")
        return Phase(
            name="talk with the hands",
            seconds=style.seconds(2.4, 4.0),
            goal=key,
            states=states(arm=arm),
            rhythm=both(style.sway(0.015), beat),
        )

    def turn(index: int) -> list[Phase]:
        quiet = rest(style, ("standing", "one hip", "hips"))
        return [gesture(None if style.chance(0.35) else style.any_side()), *([quiet] if style.chance(0.5) else [])]

    return Routine(loop_phases(turn))


def crossing_arms(style: Style) -> Routine:
    """Build a routine of watching with crossed arms, sometimes with a hand at the chin."""

    def crossed() -> Phase:
        key = (
            style.stand.put("left_hand", -0.1, 1.17, 0.22)
            .put("right_hand", 0.1, 1.13, 0.2)
            .pair("elbow_pole", 0.8, -0.8, 0.1)
        )
        key = key.put("left_hand_direction", -0.9, 0.1, 0.0).put("right_hand_direction", 0.9, 0.1, 0.0)
        states_by_part = states(arm="bend", hand="hold")
        return Phase(
            name="arms crossed", seconds=style.seconds(3.0, 4.0), goal=key, states=states_by_part, rhythm=style.sway()
        )

    def thinking() -> Phase:
        side = style.any_side()
        key = style.stand.on(side, "hand", 0.02, 1.42, 0.22).on(side, "elbow_pole", 0.4, -1.0, 0.3)
        key = (
            key.on(other(side), "hand", -0.12, 1.13, 0.2)
            .on(other(side), "elbow_pole", 0.8, -0.8, 0.0)
            .put("head_rotation", 0.1, 0, 0)
        )
        states_by_part = states(arm="bend", hand=sided(side, "none", "hold"))
        return Phase(
            name="a hand at the chin",
            seconds=style.seconds(2.4, 3.8),
            goal=key,
            states=states_by_part,
            rhythm=style.sway(0.01),
        )

    return Routine(
        loop_phases(lambda index: [crossed(), *([thinking()] if style.chance(0.5) else [rest_standing(style)])])
    )


def hands_on_hips(style: Style) -> Routine:
    """Build a routine of standing with one or both hands on the hips."""
    makers: tuple[Callable[[], Phase], ...] = (
        lambda: rest_hands_on_hips(style),
        lambda: rest_one_hand_on_hip(style, style.any_side()),
        lambda: rest_wiping(style, style.any_side()),
    )
    return Routine(loop_phases(lambda index: [makers[int(style.rng.choice(3, p=[0.55, 0.3, 0.15]))]()]))


def walking_by(style: Style) -> Routine:
    """Build a routine of walking to one side, turning, standing for a moment, and walking back."""
    rate = style.rate(0.75, 0.95)
    distance = style.uniform(1.2, 2.4)
    sign = SIDE_SIGN[style.side]
    heading, position = sign * np.pi / 2, -distance / 2 * sign

    def stride(seconds: float) -> Key:
        x = wave(rate * seconds)
        key = NOTHING.put("left_foot", 0.0, 0.09 * half_bump(rate * seconds + 0.25), 0.26 * x)
        key = key.put("right_foot", 0.0, 0.09 * half_bump(rate * seconds + 0.75), -0.26 * x)
        key = key.put("pelvis", 0.0, -0.045 - 0.015 * wave(2 * rate * seconds), 0.0)
        return key.plus(arm_swinging(rate, -0.2)(seconds))

    def turn(index: int) -> list[Phase]:
        nonlocal heading, position
        stop = rest(style, ("standing", "one hip", "hips"))
        goal = stop.goal.put("heading", heading).put("travel", position, 0.0, 0.0)
        phases = [
            Phase(
                name=stop.name,
                seconds=min(stop.seconds, 2.0),
                goal=goal,
                states=stop.states,
                move=1.0,
                rhythm=stop.rhythm,
            )
        ]
        position = -position
        seconds = distance / style.uniform(0.65, 0.85)
        goal = style.stand.put("heading", heading).put("travel", position, 0.0, 0.0)
        states_by_part = states(arm="swing", leg="step")
        phases.append(
            Phase(name="walk", seconds=seconds, goal=goal, states=states_by_part, move=seconds, rhythm=stride)
        )
        heading += np.pi
        return phases

    return Routine(loop_phases(turn))


def sitting(style: Style) -> Routine:
    """Build a routine of sitting on a box: hands on the knees, leaning forward, drinking, one leg stretched out."""
    base = (
        style.stand.put("pelvis", 0.0, SEAT + 0.1, -0.12)
        .pair("foot", style.stance + 0.03, ANKLE, 0.3)
        .pair("hand", 0.16, 0.62, 0.22)
    )
    base = base.pair("hand_direction", 0.0, -0.4, 0.9).put("prop", 0.0, SEAT, -0.14).pair("elbow_pole", 0.6, -0.7, -0.4)

    def upright() -> Phase:
        states_by_part = states(arm="bend", hip="sit", leg="bend")
        return Phase(
            name="sit, hands on the knees",
            seconds=style.seconds(2.6, 4.0),
            goal=base,
            states=states_by_part,
            rhythm=_breath(),
        )

    def leaning() -> Phase:
        down = style.chance(0.5)  # looks at the floor
        key = base.put("head_rotation", 0.4 if down else -0.5, 0.0, 0.0).put("spine_rotation", 0.5, 0.0, 0.0)
        key = key.put("pelvis_rotation", 0.25, 0.0, 0.0).pair("hand", 0.05, 0.62, 0.44)
        states_by_part = states(arm="bend", hand="grab", hip="sit", leg="bend", head="bend" if down else "none")
        return Phase(
            name="sit, leaning forward",
            seconds=style.seconds(2.6, 4.0),
            goal=key,
            states=states_by_part,
            rhythm=_breath(),
        )

    def drinking() -> Phase:
        side = style.any_side()
        key = (
            base.on(side, "hand", 0.06, 1.05, 0.16)
            .on(side, "elbow_pole", 0.8, -0.5, 0.1)
            .put("head_rotation", -0.3, 0.0, 0.0)
        )
        key = key.on(side, "hand_direction", -0.4, 0.5, 0.2)
        states_by_part = states(
            arm=sided(side, "lift", "bend"), hand=sided(side, "hold", "none"), hip="sit", leg="bend", head="raise"
        )
        return Phase(
            name="sit and drink", seconds=style.seconds(1.8, 2.8), goal=key, states=states_by_part, rhythm=_breath()
        )

    def one_leg_out() -> Phase:
        side = style.any_side()
        key = base.on(side, "foot", style.stance, ANKLE + 0.02, 0.62).on(side, "foot_direction", 0.2, 0.6, 0.7)
        states_by_part = states(arm="bend", hip="sit", leg=sided(side, "unbend", "bend"))
        return Phase(
            name="sit, one leg out", seconds=style.seconds(2.4, 3.8), goal=key, states=states_by_part, rhythm=_breath()
        )

    makers = (upright, leaning, drinking, one_leg_out)
    return Routine(loop_phases(lambda index: [makers[int(style.rng.integers(4))]()]), _box_props(style))


def _breath() -> Callable[[float], Key]:
    return lambda seconds: NOTHING.put("spine_rotation", 0.02 * wave(0.3 * seconds), 0.02 * wave(0.17 * seconds), 0.0)


def _box_props(style: Style) -> PropMaker:
    color = (WOOD, DARK, style.color)[int(style.rng.integers(3))]

    def make(pose: Pose, position: NDArray[np.float64], beat: Beat) -> list[Tube | HeldTube]:
        return as_object("box", [rod(np.array([0.0, 0.0, position[2]]), position, 0.24, color, 4)])

    return make


def watching_a_phone(style: Style) -> Routine:
    """Build a routine of standing with a phone: the head is bent to it, or it is at the ear."""
    side = style.side

    def reading() -> Phase:
        key = (
            style.stand.on(side, "hand", 0.1, 1.17, 0.3)
            .put("head_rotation", 0.45, 0.1, 0.0)
            .on(side, "hand_direction", -0.2, 0.5, 0.6)
        )
        states_by_part = states(head="bend", arm=sided(side, "bend", "unbend"), hand=sided(side, "hold", "none"))
        return Phase(
            name="look at the phone",
            seconds=style.seconds(3.0, 4.0),
            goal=key,
            states=states_by_part,
            rhythm=style.sway(0.012),
        )

    def calling() -> Phase:
        key = (
            style.stand.on(side, "hand", 0.13, 1.55, 0.05)
            .on(side, "elbow_pole", 0.8, -0.8, 0.3)
            .on(side, "hand_direction", 0.0, 0.9, 0.1)
        )
        states_by_part = states(arm=sided(side, "lift", "unbend"), hand=sided(side, "hold", "none"))
        return Phase(
            name="a call", seconds=style.seconds(2.6, 4.0), goal=key, states=states_by_part, rhythm=style.sway()
        )

    def turn(index: int) -> list[Phase]:
        return [reading() if style.chance(0.65) else calling(), *([rest_standing(style)] if style.chance(0.2) else [])]

    phone = rod(np.array([0.0, -0.05, 0.03]), np.array([0.0, 0.09, 0.03]), 0.03, DARK, 4)
    tube = HeldTube(side, phone.path, phone.radii, phone.color, phone.sides, ("phone", 0))
    return Routine(loop_phases(turn), lambda pose, position, beat: [tube])


def drinking(style: Style) -> Routine:
    """Build a routine of standing with a bottle that goes to the mouth now and then."""
    side = style.side
    hands = sided(side, "hold", "none")
    low = style.stand.on(side, "hand", 0.2, 1.08, 0.26).on(side, "elbow_pole", 0.5, -0.8, -0.4).put(f"{side}_grip", 0.8)
    low = low.on(side, "hand_direction", -0.2, 0.1, 0.9)
    high = low.on(side, "hand", 0.09, 1.5, 0.2).on(side, "elbow_pole", 0.9, -0.5, 0.2).put("head_rotation", -0.4, 0, 0)
    high = high.on(side, "hand_direction", -0.6, 0.3, 0.4)
    down_states = states(arm=sided(side, "bend", "unbend"), hand=hands)
    up_states = states(arm=sided(side, "lift", "unbend"), hand=hands, head="raise")

    def turn(index: int) -> list[Phase]:
        return [
            Phase(
                name="hold the bottle",
                seconds=style.seconds(1.6, 3.2),
                goal=low,
                states=down_states,
                rhythm=style.sway(),
            ),
            Phase(name="drink", seconds=style.seconds(1.4, 2.4), goal=high, states=up_states, rhythm=style.sway(0.01)),
        ]

    bottle = rod(np.array([0.0, -0.07, 0.03]), np.array([0.0, 0.13, 0.03]), 0.032, style.color)
    held = HeldTube(side, bottle.path, bottle.radii, bottle.color, bottle.sides, ("bottle", 0))
    return Routine(loop_phases(turn), lambda pose, position, beat: [held])


def lying_down(style: Style) -> Routine:
    """Build a routine of lying down on the back, bending a knee or an arm, and getting up again."""
    seat = style.stand.put("pelvis", 0.0, 0.12, -0.1).put("pelvis_rotation", -0.25, 0.0, 0.0)
    seat = seat.put("spine_rotation", 0.2, 0.0, 0.0).pair("foot", 0.13, ANKLE, 0.45).pair("knee_pole", 0.25, 1.0, 0.2)
    seat = (
        seat.pair("hand", 0.3, 0.08, -0.42).pair("hand_direction", 0.2, -0.3, -0.9).pair("elbow_pole", 0.4, 0.2, -1.0)
    )
    seat = seat.grip(0.0, 0.0)
    flat = seat.put("pelvis", 0.0, 0.12, -0.1).put("pelvis_rotation", -1.52, 0.0, 0.0).put("spine_rotation", 0.0, 0, 0)
    flat = flat.pair("foot", 0.12, 0.09, 0.73).pair("foot_direction", 0.3, 0.9, 0.3).put("head_rotation", 0.2, 0.0, 0.0)
    flat = flat.pair("hand", 0.34, 0.08, -0.05).pair("elbow_pole", 0.7, -0.1, -0.4).pair("hand_direction", 0, 0, 0)
    lying = {"leg": "unbend", "foot": "none"}

    def turn(index: int) -> list[Phase]:
        side = style.any_side()
        knee = flat.on(side, "foot", 0.14, ANKLE, 0.32)
        behind = flat.on(side, "hand", 0.12, 0.13, -0.84).on(side, "elbow_pole", 1.0, 0.3, 0.4)
        middle = (
            (knee, states(**lying) | {f"{side}_leg": "bend", f"{side}_foot": "step_on"}, "a knee bent"),
            (behind, states(arm=sided(side, "lift", "unbend"), **lying), "a hand under the head"),
        )[int(style.rng.integers(2))]
        sit_states = states(arm="unbend", hand="push", hip="sit", leg="bend")
        return [
            Phase(name="sit down", seconds=style.seconds(1.2, 2.0), goal=seat, states=sit_states, move=1.3),
            Phase(name="lie", seconds=style.seconds(2.0, 3.4), goal=flat, states=states(**lying), move=1.2),
            Phase(name=f"lie, {middle[2]}", seconds=style.seconds(2.0, 3.4), goal=middle[0], states=middle[1]),
            Phase(name="sit up", seconds=style.seconds(1.4, 2.0), goal=seat, states=sit_states, move=1.2),
            Phase(
                name="stand up",
                seconds=style.seconds(1.8, 3.0),
                goal=style.stand,
                states=states(),
                move=1.4,
                arc=NOTHING.put("spine_rotation", 0.4, 0.0, 0.0).nudge_pair("hand", 0.0, 0.1, 0.25),
                rhythm=style.sway(),
            ),
        ]

    return Routine(loop_phases(turn))


def applauding(style: Style) -> Routine:
    """Build a routine of clapping, and of cheers with one arm up."""

    def cheer() -> Phase:
        side = style.any_side()
        rate = style.rate(1.0, 1.5)

        def beat(seconds: float) -> Key:
            return NOTHING.nudge(side, "hand", 0.02, 0.06 * wave(rate * seconds), 0.0)

        high = style.chance(0.3)  # the person looks up
        key = (
            style.stand.on(side, "hand", 0.25, 1.8, 0.1)
            .put(f"{side}_grip", 0.9)
            .put("head_rotation", -0.4 if high else 0.0, 0.0, 0.0)
        )
        states_by_part = states(arm=sided(side, "lift", "unbend"), head="raise" if high else "none")
        return Phase(
            name="cheer",
            seconds=style.seconds(1.8, 3.0),
            goal=key,
            states=states_by_part,
            rhythm=both(style.sway(), beat),
        )

    makers: tuple[Callable[[], Phase], ...] = (lambda: rest_clapping(style), cheer, lambda: rest_standing(style))
    return Routine(loop_phases(lambda index: [makers[int(style.rng.choice(3, p=[0.55, 0.25, 0.2]))]()]))


def warming_up(style: Style) -> Routine:
    """Build a routine of squats, arm stretches, arm circles, and holds of one foot."""

    def squats() -> Phase:
        rate = style.rate(0.3, 0.45)
        key = style.stand.pair("hand", 0.18, 1.3, 0.5).pair("foot", 0.2, ANKLE, 0.0)
        low = (
            NOTHING.put("pelvis", 0.0, 0.5 - STAND, -0.28)
            .put("pelvis_rotation", 0.5, 0.0, 0.0)
            .put("spine_rotation", 0.25, 0.0, 0.0)
        )
        low = low.nudge_pair("hand", 0.0, -0.38, 0.06)
        states_by_part = states(arm="unbend", hip="sit", leg="bend")
        return Phase(
            name="squats",
            seconds=style.seconds(2.8, 4.0),
            goal=key,
            states=states_by_part,
            rhythm=pumping(low, rate),
        )

    def circles() -> Phase:
        rate = style.rate(0.6, 0.9)

        def beat(seconds: float) -> Key:
            return NOTHING.nudge_pair("hand", 0.0, 0.13 * wave(rate * seconds), 0.13 * wave(rate * seconds + 0.25))

        key = style.stand.pair("hand", 0.66, 1.36, 0.02).pair("elbow_pole", 0.3, -0.8, -0.4)
        return Phase(
            name="arm circles", seconds=style.seconds(2.4, 3.8), goal=key, states=states(arm="swing"), rhythm=beat
        )

    def hold_foot() -> Phase:
        side = style.any_side()
        key = (
            style.stand.on(side, "foot", 0.1, 0.62, -0.3)
            .on(side, "hand", 0.17, 0.68, -0.3)
            .on(side, "foot_direction", 0.0, 0.3, -1.0)
        )
        key = (
            key.on(other(side), "hand", 0.5, 1.15, 0.12)
            .shift("pelvis", -0.07 * SIDE_SIGN[side], 0.0, 0.0)
            .on(side, "knee_pole", 0.0, -1.0, 0.2)
        )
        states_by_part = states(
            arm="unbend",
            hand=sided(side, "grab", "none"),
            leg=sided(side, "bend", "stand"),
            foot=sided(side, "none", "step_on"),
        )
        return Phase(
            name="hold a foot behind",
            seconds=style.seconds(2.6, 4.0),
            goal=key,
            states=states_by_part,
            rhythm=style.sway(0.008),
        )

    makers: tuple[Callable[[], Phase], ...] = (
        squats,
        circles,
        hold_foot,
        lambda: rest_stretching(style, style.any_side()),
    )
    return Routine(loop_phases(lambda index: [makers[int(style.rng.integers(4))]()]), None, {"tank": 0.4})


def standing_around(style: Style) -> Routine:
    """Build a routine of standing with shifts of the weight, steps and wipes of the forehead."""
    return Routine(loop_phases(lambda index: [rest(style, ("standing", "standing", "one hip", "stepping", "wiping"))]))


BYSTANDERS: dict[str, tuple[Callable[[Style], Routine], float]] = {  # routine, share
    "standing": (standing_around, 0.14),
    "talking": (talking, 0.16),
    "arms crossed": (crossing_arms, 0.12),
    "hands on hips": (hands_on_hips, 0.1),
    "walking by": (walking_by, 0.12),
    "sitting": (sitting, 0.1),
    "phone": (watching_a_phone, 0.09),
    "applauding": (applauding, 0.09),
    "warming up": (warming_up, 0.08),
}
