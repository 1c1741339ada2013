"""Lifts: deadlift, clean and jerk, snatch. They share bar, plates, scenery and the pauses in between."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from actparse.synth.motion.figure import HeldTube, Pose, Side, Tube
from actparse.synth.motion.keys import ANKLE, NOTHING, STAND, Key, bump, wave
from actparse.synth.motion.phases import Beat, Phase, PropMaker, Rhythm, Routine, loop_phases, states
from actparse.synth.motion.props import PLATES, barbell
from actparse.synth.motion.style import Style, other, rest, sided

BAR_AHEAD = 0.15  # distance of the bar in front of the ankles, metres
BAR_NEAR = 0.1  # the same with the bar in front of the thighs, metres
HIP_DROP, HIP_OUT = 0.02, 0.095  # metres from the pelvis down and sideways to a hip, at scale 1
SHOULDER_RISE, SHOULDER_OUT = 0.45, 0.18  # metres from the pelvis up and sideways to a shoulder
STRAIGHT_LEG, STRAIGHT_ARM = 0.8495, 0.5498  # metres, hip to ankle and shoulder to wrist, joints at 176 degrees
PALM = 0.08  # metres from the wrist to the middle of the fist
REPETITION_SECONDS = 4.8  # of a deadlift in real videos: up, a moment at the top, down, a moment at the floor


class BarLift:
    """The poses of a lift with a barbell from the floor, for one performer's stance and grip."""

    def __init__(
        self, style: Style, *, grip_half_width: float, floor_height: float, stance: float = 0.14, lean: float = 1.05
    ) -> None:
        self.style = style
        self.lean = lean  # lean of the pelvis over the bar, radians
        self.stance = stance
        self.grip = grip_half_width
        self.floor_height = floor_height
        self.base = style.stand.pair("foot", stance, ANKLE, 0.0).pair("foot_direction", 0.4, -0.12, 1.0)
        style.stand = self.base.put("prop", 0.0, floor_height, BAR_AHEAD)  # rests do not move the bar

    def hold(
        self, key: Key, height: float, ahead: float, *, point: tuple[float, float, float] = (0.0, -1.0, 0.1)
    ) -> Key:
        """Put the bar at a position and both fists around it; `point` is the direction of the fingers."""
        out, up, forward = np.array(point) / np.linalg.norm(point) * PALM
        return (
            key.put("prop", 0.0, height, ahead)
            .pair("hand", self.grip - out, height - up, ahead - forward)
            .pair("hand_direction", *point)
            .grip(1.0, 1.0)
        )

    def bent_over(self) -> Key:
        """Return the pose bent over the bar on the floor, both hands on it."""
        stiff = (self.lean - 1.05) / 0.3  # 1 is a flatter back over straighter legs
        key = self.base.put("pelvis", 0.0, 0.6 + 0.13 * stiff, -0.3).put("pelvis_rotation", self.lean, 0.0, 0.0)
        key = key.put("spine_rotation", 0.2, 0.0, 0.0).put("head_rotation", -0.5, 0.0, 0.0)
        key = key.pair("knee_pole", 0.4, 0.0, 1.0).pair("elbow_pole", 0.3, 0.0, -1.0)
        return self.hold(key, self.floor_height, BAR_AHEAD)

    def hanging(self) -> Key:
        """Return the upright pose with the bar at arm's length in front of the thighs."""
        key = self.base.put("spine_rotation", -0.06, 0.0, 0.0).pair("elbow_pole", 0.3, 0.0, -1.0)
        aside = self.stance - HIP_OUT
        reserve = 0.05 * aside  # margin for bodies with longer legs for their width
        pelvis = ANKLE + HIP_DROP + float(np.sqrt(STRAIGHT_LEG**2 - aside**2)) + reserve
        shoulder = pelvis + SHOULDER_RISE
        hang = float(np.sqrt(STRAIGHT_ARM**2 - (self.grip - SHOULDER_OUT) ** 2 - BAR_NEAR**2))
        return self.hold(key.put("pelvis", 0.0, pelvis, 0.0), shoulder - hang - PALM, BAR_NEAR)

    def racked(self, *, squat: float = 0.0) -> Key:
        """Return the pose with the bar on the shoulders, elbows forward; `squat` 0..1 lowers the body."""
        drop = 0.36 * squat
        key = self.base.put("pelvis", 0.0, STAND - 0.01 - drop, -0.12 * squat).put(
            "pelvis_rotation", 0.3 * squat, 0.0, 0.0
        )
        key = key.pair("knee_pole", 0.6, 0.0, 1.0).pair("elbow_pole", 0.35, -0.3, 1.0)
        return self.hold(key, 1.42 - drop, 0.15 + 0.02 * squat, point=(0.15, 0.9, -0.25))

    def overhead(self, *, squat: float = 0.0) -> Key:
        """Return the pose with the bar over the head on straight arms; `squat` 0..1 lowers the body."""
        drop = 0.4 * squat
        key = self.base.put("pelvis", 0.0, STAND - 0.01 - drop, -0.16 * squat).put(
            "pelvis_rotation", 0.35 * squat, 0.0, 0.0
        )
        key = key.put("spine_rotation", -0.1 * squat, 0.0, 0.0).put("head_rotation", -0.1, 0.0, 0.0)
        key = key.pair("knee_pole", 0.6, 0.0, 1.0).pair("elbow_pole", 0.9, -0.2, -0.3)
        rise = np.sqrt(max(0.53**2 - (self.grip - 0.19) ** 2, 0.05))
        return self.hold(key, 1.385 - drop + float(rise) + PALM, 0.04 - 0.02 * squat, point=(0.2, 1.0, -0.15))

    def split(self, front: Side) -> Key:
        """Return the pose with the bar overhead, one foot forward and bent, the other back on its toes."""
        back = other(front)
        key = self.overhead().put("pelvis", 0.0, STAND - 0.13, 0.0).shift("prop", 0.0, -0.12, 0.0)
        key = key.nudge_pair("hand", 0.0, -0.12, 0.0)
        key = key.on(front, "foot", 0.12, ANKLE, 0.36).on(back, "foot", 0.12, ANKLE + 0.06, -0.38)
        return key.on(back, "foot_direction", 0.1, -0.8, 0.7)


def bar_props(style: Style, plate_radius: float) -> PropMaker:
    """Build a barbell with a random colour; the motion determines its position."""
    color = PLATES[int(style.rng.integers(len(PLATES)))]

    def make(pose: Pose, position: NDArray[np.float64], beat: Beat) -> list[Tube | HeldTube]:
        return list(barbell(position, np.array([1.0, 0.0, 0.0]), plate_radius, color))

    return make


def _adjust_grip(style: Style, lift: BarLift, side: Side) -> Phase:
    """Build a phase bent over, one hand on the bar, the other on the knee or moving to its position on the bar."""
    key = lift.bent_over()
    rate = style.uniform(0.4, 0.7)
    out = lift.grip

    def feel(seconds: float) -> Key:
        return NOTHING.nudge(side, "hand", 0.05 * wave(rate * seconds), 0.05 * bump(2 * rate * seconds), 0.0)

    key = key.on(side, "hand", out + 0.04, lift.floor_height + PALM + 0.05, BAR_AHEAD + 0.02).put(f"{side}_grip", 0.3)
    return Phase(
        name="adjust the grip of one hand",
        seconds=style.seconds(1.5, 2.6),
        goal=key,
        move=1.1,
        states=states(arm=sided(side, "bend", "unbend"), hand=sided(side, "grab", "hold"), hip="stoop", leg="bend"),
        rhythm=feel,
    )


def _set_up(style: Style, lift: BarLift, hand: str = "grab") -> Phase:
    return Phase(
        name="bend over the bar and grip it",
        seconds=style.seconds(1.8, 2.8),
        goal=lift.bent_over(),
        move=1.1,
        states=states(arm="unbend", hand=hand, hip="stoop", leg="bend"),
    )


def _lower(lift: BarLift, seconds: float, arm: str = "unbend") -> Phase:
    return Phase(
        name="lower the bar to the floor",
        seconds=seconds,
        goal=lift.bent_over(),
        move=0.8 * seconds,
        states=states(arm=arm, hand="hold", hip="stoop", leg="bend"),
    )


def _shrug(rate: float) -> Rhythm:
    """Build the rhythm of small breaths under a load."""
    return lambda seconds: NOTHING.put("spine_rotation", 0.02 * wave(rate * seconds), 0.0, 0.0)


def deadlifting(style: Style) -> Routine:
    """Build sets of deadlifts with stops at the floor, touch and go, or long holds at the top; rests in between."""
    mode = style.pick(("dead stops", "touch and go", "long holds"), (0.3, 0.45, 0.25))
    plate = style.uniform(0.19, 0.24)
    sumo = style.chance(0.35)  # feet wide, hands between the knees
    legs_up = "unbend" if sumo else "stand"
    grip = style.uniform(0.16, 0.2) if sumo else style.uniform(0.26, 0.34)
    lean = style.uniform(0.95, 1.2) if sumo else style.uniform(1.05, 1.45)
    lift = BarLift(style, grip_half_width=grip, floor_height=plate + 0.005, stance=0.34 if sumo else 0.14, lean=lean)
    period = style.repetition(REPETITION_SECONDS)
    pauses = ("hips", "standing", "wiping", "stepping", "one hip", "shaking", "toes")

    def pull(hold: float) -> list[Phase]:
        carry_states = states(arm="carry", hand="hold", leg=legs_up)
        rise = period * style.uniform(0.28, 0.34)
        return [
            Phase(name="pull the bar up", seconds=rise, goal=lift.hanging(), move=rise, states=carry_states),
            Phase(
                name="stand with the bar", seconds=hold, goal=lift.hanging(), states=carry_states, rhythm=_shrug(0.4)
            ),
        ]

    def turn(index: int) -> list[Phase]:
        phases = [rest(style, pauses)]
        if style.chance(0.45):
            phases.append(_adjust_grip(style, lift, style.any_side()))
        phases.append(_set_up(style, lift))
        for repetition in range(int(style.rng.integers(2, 5)) if mode == "touch and go" else 2):
            if repetition and mode == "dead stops":
                stop = _set_up(style, lift)
                phases.append(replace(stop, name="stop at the floor", seconds=period * style.uniform(0.14, 0.25)))
            hold = {"dead stops": (0.16, 0.3), "touch and go": (0.12, 0.24)}.get(mode, (0.45, 0.7))
            phases += pull(period * style.uniform(*hold))
            phases.append(_lower(lift, period * style.uniform(0.32, 0.4), "carry"))
        return phases

    return Routine(loop_phases(turn), bar_props(style, plate), {"tank": 0.4, "gloves": 0.1})


class CleanAndJerk:
    """A clean to the shoulders, a rest there, then a jerk overhead with split or bent legs."""

    def __init__(self, style: Style) -> None:
        self.style = style
        self.plate = style.uniform(0.19, 0.24)
        self.lift = BarLift(style, grip_half_width=style.uniform(0.25, 0.31), floor_height=self.plate + 0.005)
        self.front = style.any_side()
        self.splits = style.chance(0.7)
        self.cleans_only = style.chance(0.25)

    def clean(self) -> list[Phase]:
        catch_seconds = self.style.uniform(0.55, 0.75)
        catch_states = states(arm="bend", hand="hold", leg="bend")
        return [
            Phase(
                name="pull to the hips",
                seconds=0.8,
                goal=self.lift.hanging(),
                move=0.8,
                states=states(arm="unbend", hand="hold", leg="bend"),
            ),
            Phase(
                name="catch on the shoulders",
                seconds=catch_seconds + 0.5,
                goal=self.lift.racked(squat=0.8),
                move=catch_seconds,
                states=catch_states,
            ),
            Phase(
                name="stand with the bar on the shoulders",
                seconds=self.style.seconds(2.2, 3.6),
                goal=self.lift.racked(),
                move=0.9,
                states=states(arm="bend", hand="hold"),
                rhythm=_shrug(0.5),
            ),
        ]

    def jerk(self) -> list[Phase]:
        legs = sided(self.front, "bend", "unbend")
        dip = self.lift.racked().shift("pelvis", 0, -0.1, 0).shift("prop", 0, -0.1, 0).nudge_pair("hand", 0, -0.1, 0)
        phases = [
            Phase(name="dip", seconds=0.45, goal=dip, move=0.4, states=states(arm="bend", hand="push", leg="bend"))
        ]
        if self.splits:
            phases.append(
                Phase(
                    name="push overhead into the split",
                    seconds=self.style.seconds(1.3, 2.0),
                    goal=self.lift.split(self.front),
                    move=0.5,
                    states=states(arm="lift", hand="push", leg=legs, foot=sided(self.front, "step_on", "tiptoe")),
                )
            )
        phases.append(
            Phase(
                name="stand with the bar overhead",
                seconds=self.style.seconds(2.0, 3.4),
                goal=self.lift.overhead(),
                move=0.8,
                states=states(arm="lift", hand="hold"),
                rhythm=_shrug(0.6),
            )
        )
        return phases

    def drop(self) -> list[Phase]:
        back = Phase(
            name="bring the bar back to the shoulders",
            seconds=0.9,
            goal=self.lift.racked(squat=0.15),
            move=0.7,
            states=states(arm="bend", hand="hold", leg="bend"),
        )
        down = Phase(
            name="lower to the hips",
            seconds=0.7,
            goal=self.lift.hanging(),
            move=0.7,
            states=states(arm="unbend", hand="hold", leg="bend"),
        )
        return [back, down, _lower(self.lift, 1.0)]

    def turn(self, index: int) -> list[Phase]:
        phases = [rest(self.style, ("hips", "standing", "shaking", "one hip", "clapping", "toes"))]
        if self.style.chance(0.3):
            phases.append(_adjust_grip(self.style, self.lift, self.style.any_side()))
        phases += [_set_up(self.style, self.lift), *self.clean()]
        if not (self.cleans_only and index % 2 == 0):
            phases += self.jerk()
        return phases + self.drop()

    def routine(self) -> Routine:
        """Build the routine with its props."""
        return Routine(loop_phases(self.turn), bar_props(self.style, self.plate), {"tank": 0.5})


def clean_and_jerk(style: Style) -> Routine:
    """Build a routine of lifts from the floor to the shoulders, a rest there, then overhead with split or bent legs."""
    return CleanAndJerk(style).routine()


def snatch_weight_lifting(style: Style) -> Routine:
    """Build a routine of lifts from the floor overhead in one movement, a deep squat, and a long stand."""
    plate = style.uniform(0.19, 0.24)
    lift = BarLift(style, grip_half_width=style.uniform(0.38, 0.46), floor_height=plate + 0.005)
    squats = style.chance(0.75)
    looks_up = style.chance(0.25)

    def snatch() -> list[Phase]:
        phases = [
            Phase(
                name="pull to the hips",
                seconds=0.75,
                goal=lift.hanging(),
                move=0.75,
                states=states(arm="unbend", hand="hold", leg="unbend"),
            )
        ]
        if squats:
            phases.append(
                Phase(
                    name="catch overhead in a squat",
                    seconds=style.seconds(1.5, 2.6),
                    goal=lift.overhead(squat=0.95),
                    move=0.65,
                    states=states(arm="lift", hand="hold", hip="sit", leg="bend"),
                )
            )
        phases.append(
            Phase(
                name="stand with the bar overhead",
                seconds=style.seconds(2.2, 3.6),
                goal=lift.overhead().put("head_rotation", -0.45 if looks_up else -0.1, 0.0, 0.0),
                move=0.95 if squats else 0.65,
                states=states(arm="lift", hand="hold", head="raise" if looks_up else "none"),
                rhythm=_shrug(0.6),
            )
        )
        return phases

    def turn(index: int) -> list[Phase]:
        phases = [rest(style, ("standing", "hips", "clapping", "stepping", "one hip", "toes"))]
        if style.chance(0.35):
            phases.append(_adjust_grip(style, lift, style.any_side()))
        down = Phase(
            name="lower to the hips",
            seconds=0.9,
            goal=lift.hanging(),
            move=0.8,
            states=states(arm="unbend", hand="hold", leg="bend"),
        )
        return [*phases, _set_up(style, lift), *snatch(), down, _lower(lift, 1.1)]

    return Routine(loop_phases(turn), bar_props(style, plate), {"tank": 0.5})
