"""Motions of daily life and sport that are no action of the vocabulary, for the main person of a scene.

They calibrate "none of these": the scores of the networks for somebody who walks, waves or cycles.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from actparse.synth.actions.bystander import SEAT, crossing_arms, watching_a_phone
from actparse.synth.motion.figure import SIDE_SIGN, HeldTube, Pose, Side, Tube
from actparse.synth.motion.keys import ANKLE, NOTHING, STAND, Key, bump, half_bump, wave
from actparse.synth.motion.phases import Beat, Phase, PropMaker, Rhythm, Routine, loop_phases, states
from actparse.synth.motion.props import DARK, WHITE, WOOD, as_object, ball, palm, rod
from actparse.synth.motion.style import (
    Style,
    both,
    other,
    rest,
    rest_clapping,
    rest_standing,
    sided,
)

SADDLE = 0.92  # height of a bicycle's saddle, metres
PEDAL = 0.17  # length of the crank, metres


def _gait(rate: float, *, stride: float, lift: float, sink: float, bounce: float, swing: float, bent: bool) -> Rhythm:
    """Build the rhythm of a walk or a run on the spot; each foot takes `rate` strides per second."""

    def beat(seconds: float) -> Key:
        x = wave(rate * seconds)
        left, right = half_bump(rate * seconds + 0.25), half_bump(rate * seconds + 0.75)
        key = NOTHING.put("left_foot", 0.0, lift * left, stride * x).put("right_foot", 0.0, lift * right, -stride * x)
        key = key.put("pelvis", 0.0, -sink - bounce * wave(2 * rate * seconds), 0.0)
        key = key.put("left_foot_direction", 0.0, -0.6 * left, 0.0).put("right_foot_direction", 0.0, -0.6 * right, 0.0)
        rise = 0.5 if bent else 0.2
        key = key.nudge("left", "hand", 0.0, -rise * swing * x, -swing * x)
        return key.nudge("right", "hand", 0.0, rise * swing * x, swing * x)

    return beat


def _go_to_and_fro(
    style: Style, name: str, goal: Key, states_by_part: dict[str, str], gait: Rhythm, speed: float
) -> Routine:
    """Build a routine of going to and fro before a fixed camera, or on the spot before a camera that follows."""
    distance = style.uniform(1.4, 2.6)
    camera_follows = style.chance(0.5)
    heading, position = 0.0, -distance / 2

    def turn(index: int) -> list[Phase]:
        nonlocal heading, position
        if camera_follows:
            phases = [Phase(name=name, seconds=style.seconds(2.8, 4.2), goal=goal, states=states_by_part, rhythm=gait)]
            return [*phases, rest(style, ("standing", "hips"))] if style.chance(0.12) else phases
        position = -position
        seconds = distance / speed
        end_pose = goal.put("heading", heading).put("travel", 0.0, 0.0, position)
        phases = [Phase(name=name, seconds=seconds, goal=end_pose, states=states_by_part, move=seconds, rhythm=gait)]
        heading += np.pi
        turned_pose = goal.put("heading", heading).put("travel", 0.0, 0.0, position)
        return [
            *phases,
            Phase(name="turn about", seconds=0.9, goal=turned_pose, states=states_by_part, move=0.9, rhythm=gait),
        ]

    return Routine(loop_phases(turn), None, {"tank": 0.2, "cap": 0.15})


def walking(style: Style) -> Routine:
    """Build a slow or brisk walk to and fro, or beside a camera that follows."""
    rate = style.rate(0.75, 1.05)
    gait = _gait(
        rate,
        stride=style.uniform(0.22, 0.32),
        lift=0.09,
        sink=0.04,
        bounce=0.015,
        swing=style.uniform(0.1, 0.24),
        bent=False,
    )
    key = style.stand.pair("hand", 0.26, 0.88, 0.04)
    return _go_to_and_fro(style, "walk", key, states(arm="swing", leg="step"), gait, 0.8 * style.tempo)


def running(style: Style) -> Routine:
    """Build a jog or a run with bent elbows."""
    rate = style.rate(1.25, 1.6)
    gait = _gait(
        rate,
        stride=style.uniform(0.26, 0.4),
        lift=style.uniform(0.2, 0.34),
        sink=0.07,
        bounce=0.04,
        swing=0.2,
        bent=True,
    )
    key = style.stand.pair("hand", 0.22, 1.1, 0.16).pair("elbow_pole", 0.3, -0.7, -0.8).grip(0.8, 0.8)
    key = key.put("spine_rotation", style.uniform(0.08, 0.2), 0.0, 0.0)
    return _go_to_and_fro(style, "run", key, states(arm="swing", leg="step", foot="tiptoe"), gait, 1.6 * style.tempo)


def sitting_down(style: Style) -> Routine:
    """Build a routine of sitting down on a box and standing up again, leaning forward in between."""
    style.stand = style.stand.put("prop", 0.0, SEAT, -0.34).pair("foot", style.stance + 0.02, ANKLE, 0.08)
    pose = style.stand.put("pelvis", 0.0, SEAT + 0.1, -0.32).pair("hand", 0.16, 0.64, 0.02)
    sitting_pose = pose.pair("hand_direction", 0.0, -0.4, 0.9).pair("elbow_pole", 0.6, -0.7, -0.4)
    lean = NOTHING.put("spine_rotation", 0.55, 0.0, 0.0).put("pelvis_rotation", 0.35, 0.0, 0.0)
    lean = lean.nudge_pair("hand", 0.0, 0.0, 0.25)
    sitting_states = states(arm="bend", hip="sit", leg="bend")

    def turn(index: int) -> list[Phase]:
        move = style.repetition(1.3)
        return [
            Phase(
                name="sit down",
                seconds=move + style.seconds(0.6, 3.0),
                goal=sitting_pose,
                states=sitting_states,
                move=move,
                arc=lean,
            ),
            Phase(
                name="stand up",
                seconds=move + style.seconds(0.5, 2.0),
                goal=style.stand,
                states=states(arm="unbend"),
                move=move,
                arc=lean,
                rhythm=style.sway(0.01),
            ),
        ]

    phases = loop_phases(turn)
    color = (WOOD, DARK, style.color)[int(style.rng.integers(3))]
    return Routine(
        phases,
        lambda pose, position, beat: as_object(
            "box", [rod(np.array([0.0, 0.0, position[2]]), position, 0.22, color, 4)]
        ),
    )


def squatting(style: Style) -> Routine:
    """Build a routine of squats without weights, arms ahead, on the hips or behind the head."""
    period = style.repetition(3.2)
    arms = style.pick(("ahead", "hips", "head", "clasped"))
    hand_position, arm, hand = {
        "ahead": ((0.18, 1.38, 0.5), "unbend", "none"),
        "hips": ((0.17, 1.02, 0.05), "bend", "hold"),
        "head": ((0.12, 1.64, -0.06), "bend", "hold"),
        "clasped": ((0.03, 1.28, 0.26), "bend", "grab"),
    }[arms]
    high = style.stand.pair("foot", style.uniform(0.14, 0.26), ANKLE, 0.0).pair("hand", *hand_position)
    high = high.pair("elbow_pole", 1.0, -0.2, -0.3).pair("knee_pole", 0.5, 0.0, 1.0)
    drop = style.uniform(0.32, 0.52)
    low = high.put("pelvis", 0.0, STAND - drop, -0.55 * drop).put("pelvis_rotation", 0.9 * drop, 0.0, 0.0)
    low = low.put("spine_rotation", 0.3, 0.0, 0.0).nudge_pair("hand", 0.0, -1.05 * drop, 0.0)
    up, down = states(arm=arm, hand=hand), states(arm=arm, hand=hand, hip="sit", leg="bend")

    def turn(index: int) -> list[Phase]:
        if style.chance(0.15):
            return [rest(style, ("standing", "hips", "shaking", "wiping"))]
        first, second = 0.5 * period, 0.5 * period
        return [
            Phase(name="squat", seconds=first, goal=low, states=down, move=0.85 * first),
            Phase(name="stand up", seconds=second, goal=high, states=up, move=0.85 * second),
        ]

    return Routine(loop_phases(turn), None, {"tank": 0.4})


def waving(style: Style) -> Routine:
    """Build a routine of waves with one hand or both, high or beside the shoulder, and standing in between."""

    def wave_once() -> Phase:
        is_two_handed, side = style.chance(0.25), style.any_side()
        high, rate = style.uniform(1.45, 1.85), style.rate(1.1, 1.9)
        size = style.uniform(0.06, 0.16)
        key = style.stand
        sides: tuple[Side, ...] = ("left", "right") if is_two_handed else (side,)
        for hand_side in sides:
            key = key.on(hand_side, "hand", 0.34, high, 0.15).on(hand_side, "elbow_pole", 0.8, -0.8, 0.0)
            key = key.on(hand_side, "hand_direction", 0.0, 1.0, 0.2).put(f"{hand_side}_grip", 0.0)

        def beat(seconds: float) -> Key:
            key = NOTHING
            for hand_side in sides:
                key = key.nudge(hand_side, "hand", size * wave(rate * seconds), 0.0, 0.0)
            return key

        states_by_part = states(
            arm="lift" if is_two_handed else sided(side, "lift", "unbend"),
            hand="others" if is_two_handed else sided(side, "others", "none"),
        )
        rhythm = both(beat, style.sway(0.01))
        return Phase(name="wave", seconds=style.seconds(1.6, 3.6), goal=key, states=states_by_part, rhythm=rhythm)

    return Routine(
        loop_phases(lambda index: [wave_once(), *([rest(style, ("standing", "one hip"))] if style.chance(0.5) else [])])
    )


def throwing_overhand(style: Style) -> Routine:
    """Build a routine of overhand throws, with a step ahead of the opposite foot and a new ball each time."""
    side, front = style.side, other(style.side)
    sign = SIDE_SIGN[side]
    ready = style.stand.on(side, "hand", 0.16, 1.25, 0.25).on(front, "hand", 0.02, 1.22, 0.3)
    back = style.stand.on(side, "hand", 0.46, 1.5, -0.22).on(front, "hand", 0.35, 1.35, 0.42)
    back = back.put("spine_rotation", -0.1, -0.6 * sign, 0.0).put("pelvis", -0.04 * sign, STAND - 0.05, -0.12)
    back = (
        back.on(front, "foot", 0.12, ANKLE + 0.1, 0.15).on(side, "elbow_pole", 1.0, -0.4, -0.4).put(f"{side}_grip", 0.8)
    )
    out = style.stand.on(side, "hand", -0.1, 1.2, 0.55).on(front, "hand", 0.3, 1.05, -0.1)
    out = out.put("spine_rotation", 0.4, 0.5 * sign, 0.0).put("pelvis", 0.0, STAND - 0.1, 0.16)
    out = out.on(front, "foot", 0.12, ANKLE, 0.36).on(side, "foot", 0.12, ANKLE + 0.06, -0.12)
    out = out.on(side, "foot_direction", 0.1, -0.8, 0.6)

    def turn(index: int) -> list[Phase]:
        hands = sided(side, "hold", "none")
        wind_up_states = states(arm=sided(side, "bend", "unbend"), hand=hands, leg=sided(front, "raise", "bend"))
        throw_states = states(arm=sided(side, "swing", "unbend"), leg="bend", foot=sided(front, "step_on", "tiptoe"))
        aim_states = states(arm="bend", hand=hands)
        return [
            Phase(
                name="hold the ball",
                seconds=style.seconds(1.0, 2.4),
                goal=ready,
                states=aim_states,
                rhythm=style.sway(0.01),
            ),
            Phase(name="wind up", seconds=style.seconds(0.5, 0.9), goal=back, states=wind_up_states, move=0.6),
            Phase(name="throw", seconds=style.seconds(0.7, 1.3), goal=out, states=throw_states, move=0.3, prop="gone"),
            Phase(
                name="look after it",
                seconds=style.seconds(0.8, 2.0),
                goal=style.stand,
                states=states(),
                rhythm=style.sway(0.01),
                prop="gone",
            ),
        ]

    def make(pose: Pose, position: NDArray[np.float64], beat: Beat) -> list[Tube | HeldTube]:
        is_released = beat.phase.prop == "gone" and (beat.previous.prop == "gone" or beat.elapsed > 0.12)
        return [] if is_released else [ball(palm(pose.hands[side], pose.hand_directions[side]), 0.037, WHITE)]

    return Routine(loop_phases(turn), make, {"cap": 0.4})


def stepping_up(style: Style) -> Routine:
    """Build a routine of steps onto a box or a stair and down again, alternating the legs."""
    height = style.uniform(0.2, 0.34)
    ahead = 0.36
    move = style.repetition(0.75)
    hands_on_hips = style.chance(0.3)  # whether the hands stay on the hips
    arm = "bend" if hands_on_hips else "swing"
    stand = style.stand
    if hands_on_hips:
        stand = stand.pair("hand", 0.17, 1.02, 0.05).pair("elbow_pole", 1.0, -0.1, -0.5)

    def turn(index: int) -> list[Phase]:
        first: Side = style.side if index % 2 == 0 else other(style.side)
        second = other(first)
        step_pose = stand.on(first, "foot", 0.1, ANKLE + height, ahead).put("pelvis", 0.0, STAND - 0.03, 0.12)
        step_pose = step_pose.put("spine_rotation", 0.12, 0.0, 0.0)
        up = stand.pair("foot", 0.1, ANKLE + height, ahead).put("pelvis", 0.0, STAND + height, ahead - 0.02)
        up = up.nudge_pair("hand", 0.0, height, ahead)
        arc = NOTHING.put("pelvis", 0.0, 0.0, 0.0)
        rise, fall = arc.on(first, "foot", 0.0, 0.14, 0.0), arc.on(second, "foot", 0.0, 0.14, 0.0)
        hand = "hold" if hands_on_hips else "none"
        step_states = states(arm=arm, hand=hand, leg=sided(first, "raise", "stand"))
        up_states = states(arm=arm, hand=hand)
        down_states = states(arm=arm, hand=hand, leg="step")
        return [
            Phase(
                name="a foot on the step", seconds=move, goal=step_pose, states=step_states, move=0.9 * move, arc=rise
            ),
            Phase(name="up", seconds=1.3 * move, goal=up, states=up_states, move=move, arc=fall),
            Phase(name="a foot down", seconds=move, goal=step_pose, states=step_states, move=0.9 * move, arc=fall),
            Phase(name="down", seconds=1.2 * move, goal=stand, states=down_states, move=0.9 * move, arc=rise),
        ]

    color = (WOOD, DARK, style.color)[int(style.rng.integers(3))]

    def make(pose: Pose, position: NDArray[np.float64], beat: Beat) -> list[Tube | HeldTube]:
        middle = np.array([0.0, 0.0, ahead + 0.06])
        return as_object("box", [rod(middle, middle + np.array([0.0, height, 0.0]), 0.24, color, 4)])

    return Routine(loop_phases(turn), make, {"tank": 0.3})


def cycling(style: Style) -> Routine:
    """Build a routine of pedalling on a fixed bicycle, or one that the camera follows; sometimes the feet stop."""
    rate = style.rate(0.8, 1.4)
    lean = style.uniform(0.35, 0.85)
    axle = np.array([0.0, 0.29, 0.2])
    grip = np.array([0.0, 0.98, 0.62])
    key = style.stand.put("pelvis", 0.0, SADDLE + 0.07, -0.05).put("pelvis_rotation", 0.5 * lean, 0.0, 0.0)
    key = key.put("spine_rotation", 0.5 * lean, 0.0, 0.0).put("head_rotation", -0.7 * lean, 0.0, 0.0)
    key = (
        key.pair("hand", 0.22, float(grip[1]) + 0.05, float(grip[2]) - 0.06)
        .pair("elbow_pole", 0.8, -0.6, -0.3)
        .grip(1, 1)
    )
    key = key.pair("foot", 0.1, float(axle[1]) + 0.1, float(axle[2]) - 0.1).pair("foot_direction", 0.0, -0.25, 1.0)
    key = key.pair("knee_pole", 0.1, 0.3, 1.0)
    pedal_states = states(arm="unbend" if lean < 0.6 else "bend", hand="hold", hip="sit", leg="step")
    roll_states = pedal_states | {"left_leg": "bend", "right_leg": "unbend"}

    def pedal(seconds: float) -> Key:
        y, z = PEDAL * wave(rate * seconds), PEDAL * wave(rate * seconds + 0.25)
        sway = NOTHING.put("pelvis", 0.012 * wave(rate * seconds), 0.0, 0.0)
        return sway.put("left_foot", 0.0, y, z).put("right_foot", 0.0, -y, -z)

    def turn(index: int) -> list[Phase]:
        phases = [Phase(name="pedal", seconds=style.seconds(2.8, 4.2), goal=key, states=pedal_states, rhythm=pedal)]
        if style.chance(0.3):
            roll = key.shift("left_foot", 0.0, PEDAL, 0.0).shift("right_foot", 0.0, -PEDAL, 0.0)
            phases.append(Phase(name="roll", seconds=style.seconds(1.2, 2.4), goal=roll, states=roll_states))
        return phases

    return Routine(loop_phases(turn), _bicycle_props(style, axle, grip), {"cap": 0.5, "gloves": 0.2})


def _bicycle_props(style: Style, axle: NDArray[np.float64], grip: NDArray[np.float64]) -> PropMaker:
    color = style.color
    saddle = np.array([0.0, SADDLE - 0.04, -0.1])
    hubs = [np.array([0.0, 0.34, -0.3]), np.array([0.0, 0.34, 0.75])]
    frame = [(axle, saddle, 0.02), (saddle, grip - [0, 0.1, 0.06], 0.02), (axle, grip - [0, 0.1, 0.06], 0.02)]
    frame += [(axle, hubs[0], 0.014), (saddle, hubs[0], 0.014), (grip, hubs[1], 0.02)]
    angles = np.linspace(0, 2 * np.pi, 17)
    ring = np.stack((np.zeros(17), 0.32 * np.cos(angles), 0.32 * np.sin(angles)), axis=1)
    parts: list[Tube | HeldTube] = [rod(start, end, radius, color, 5) for start, end, radius in frame]
    parts += [Tube(hub + ring, np.full(17, 0.018), DARK, 5) for hub in hubs]
    parts.append(rod(grip - [0.24, 0, 0], grip + [0.24, 0, 0], 0.014, DARK, 5))
    parts.append(rod(saddle - [0, 0, 0.1], saddle + [0, 0, 0.1], 0.04, DARK, 5))
    return lambda pose, position, beat: as_object("bicycle", parts)


def reaching(style: Style) -> Routine:
    """Build a routine of reaching up to a shelf, taking a thing and putting it down low; or in the opposite order."""
    is_two_handed = style.chance(0.4)

    def phase(kind: str, side: Side, holds: bool) -> Phase:
        stand = style.stand
        if kind == "high":
            key = stand.put("head_rotation", -0.35, 0.0, 0.0).shift("pelvis", 0.0, 0.01, 0.03)
            hand_position, arm_state, hip, leg, head = (0.14, 1.86, 0.22), "lift", "none", "stand", "raise"
        elif kind == "low":
            deep = style.chance(0.5)
            key = stand.put("pelvis", 0.0, 0.5 if deep else 0.74, -0.2).put("pelvis_rotation", 0.7, 0.0, 0.0)
            key = key.put("spine_rotation", 0.55, 0.0, 0.0)
            hand_position, arm_state, hip, leg, head = (0.12, 0.22, 0.45), "unbend", "stoop", "bend", "none"
        else:
            key = stand
            hand_position, arm_state, hip, leg, head = (0.14, 1.05, 0.3), "bend", "none", "stand", "none"
        sides: tuple[Side, ...] = ("left", "right") if is_two_handed else (side,)
        for hand_side in sides:
            key = key.on(hand_side, "hand", *hand_position)
        hand = "grab" if kind != "middle" else "hold"
        hand = hand if holds else "none"
        return Phase(
            name=f"a thing: {kind}",
            seconds=style.seconds(1.2, 2.2),
            goal=key,
            states=states(
                arm=arm_state if is_two_handed else sided(side, arm_state, "unbend"),
                hand=hand if is_two_handed else sided(side, hand, "none"),
                hip=hip,
                leg=leg,
                head=head,
            ),
            move=style.repetition(0.9),
            rhythm=style.sway(0.008),
        )

    def turn(index: int) -> list[Phase]:
        side = style.any_side()
        ends = ("high", "low") if style.chance(0.5) else ("low", "high" if style.chance(0.5) else "low")
        phases = [phase(ends[0], side, True), phase("middle", side, True), phase(ends[1], side, True)]
        return [*phases, rest_standing(style)]

    return Routine(loop_phases(turn))


def jumping_jacks(style: Style) -> Routine:
    """Build a routine of jumps to legs apart and arms up, and back."""
    half = style.repetition(0.55)
    wide = style.uniform(0.32, 0.42)
    together = (
        style.stand.pair("foot", 0.09, ANKLE, 0.0).pair("hand", 0.26, 0.88, 0.03).pair("elbow_pole", 0.3, -0.6, -0.6)
    )
    apart = together.pair("foot", wide, ANKLE, 0.0).put("pelvis", 0.0, STAND - 0.08, 0.0).pair("hand", 0.2, 1.86, 0.05)
    hop = NOTHING.put("pelvis", 0.0, 0.08, 0.0).nudge_pair("foot", 0.0, 0.08, 0.0).nudge_pair("hand", 0.4, 0.05, 0.0)
    out, back = states(arm="lift", leg="unbend", foot="tiptoe"), states(arm="unbend", leg="stand", foot="tiptoe")

    def turn(index: int) -> list[Phase]:
        if style.chance(0.08):
            return [rest(style, ("standing", "hips", "shaking"))]
        return [
            Phase(name="apart", seconds=half, goal=apart, states=out, move=0.85 * half, arc=hop),
            Phase(name="together", seconds=half, goal=together, states=back, move=0.85 * half, arc=hop),
        ]

    return Routine(loop_phases(turn), None, {"tank": 0.5})


def clapping(style: Style) -> Routine:
    """Build a routine of clapping in front of the chest or over the head."""

    def over_head() -> Phase:
        rate = style.rate(1.2, 2.0)
        key = style.stand.pair("hand", 0.05, 1.84, 0.1).pair("elbow_pole", 1.0, 0.0, 0.1).grip(0, 0)
        beat = both(
            lambda seconds: NOTHING.nudge_pair("hand", 0.12 * bump(rate * seconds), 0.0, 0.0), style.sway(0.015)
        )
        states_by_part = states(arm="lift", hand="applaud")
        return Phase(
            name="clap over the head", seconds=style.seconds(1.8, 3.4), goal=key, states=states_by_part, rhythm=beat
        )

    def turn(index: int) -> list[Phase]:
        phases = [over_head() if style.chance(0.3) else rest_clapping(style)]
        return [*phases, rest_standing(style)] if style.chance(0.25) else phases

    return Routine(loop_phases(turn))


def looking_on(style: Style) -> Routine:
    """Build a routine of standing with crossed arms or with a phone."""
    return crossing_arms(style) if style.chance(0.5) else watching_a_phone(style)
