"""Crowd surfing: a person lies on the raised hands of a crowd, which carries the person on."""

from __future__ import annotations

import numpy as np

from actparse.synth.motion.figure import SIDE_SIGN, Side
from actparse.synth.motion.keys import ANKLE, NOTHING, STAND, Key, bump, wave
from actparse.synth.motion.phases import Phase, Rhythm, Routine, loop_phases, states
from actparse.synth.motion.style import Style, both, other, rest_clapping, sided

CARRIED = 2.08  # height of a carried pelvis, metres
PALMS = 1.88  # height of the wrists of those who carry, metres


class SurferPoses:
    """The poses of a person on the hands of others: on the back or on the stomach, the head at the rear."""

    def __init__(self, style: Style) -> None:
        self.style = style
        self.on_stomach = style.chance(0.3)
        self.apart = style.uniform(0.12, 0.3)  # from the middle of the body to a foot
        base = style.stand.put("pelvis", 0.0, CARRIED, 0.0).pair("elbow_pole", 0.9, -0.3, -0.3).grip(0.2, 0.2)
        if self.on_stomach:
            base = base.put("pelvis_rotation", 1.5, np.pi, 0.0).put("spine_rotation", -0.12, 0.0, 0.0)
            base = base.put("head_rotation", -0.7, 0.0, 0.0).put("left_foot", -self.apart, CARRIED, 0.84)
            base = base.put("right_foot", self.apart, CARRIED, 0.84).pair("foot_direction", 0.0, -0.3, 1.0)
            self.base = base.pair("knee_pole", 0.0, -1.0, 0.1)
        else:
            base = base.put("pelvis_rotation", -1.5, 0.0, 0.0).put("spine_rotation", 0.12, 0.0, 0.0)
            base = base.put("head_rotation", 0.35, 0.0, 0.0).pair("foot", self.apart, CARRIED + 0.02, 0.83)
            self.base = base.pair("foot_direction", 0.2, 0.8, 0.5).pair("knee_pole", 0.3, 1.0, 0.2)

    def out(self, side: Side) -> float:
        """Return the sign of the x axis on a side of the body, which is reversed on the stomach."""
        return -SIDE_SIGN[side] if self.on_stomach else SIDE_SIGN[side]

    def hand(self, key: Key, side: Side, outward: float, up: float, forward: float) -> Key:
        """Put a hand `up` metres over the back or the stomach and `forward` metres ahead of the pelvis."""
        return key.put(f"{side}_hand", self.out(side) * outward, CARRIED + up, forward)

    def arms(self, left: tuple[float, float, float], right: tuple[float, float, float]) -> Key:
        """Return the lying pose with the hands at two places."""
        return self.hand(self.hand(self.base, "left", *left), "right", *right)


SPREAD, REACHED, CHEER, FOLDED = (0.68, 0.0, -0.45), (0.28, 0.08, -0.92), (0.26, 0.5, -0.42), (0.2, 0.2, -0.3)


class CrowdSurfer:
    """Drifts over the crowd with arms spread, behind the head, in the air or on the chest, and kicks at times."""

    def __init__(self, style: Style) -> None:
        self.style = style
        self.poses = SurferPoses(style)
        self.drift = style.uniform(0.15, 0.4)  # metres from the middle
        self.side = 1.0
        self.bounce = style.uniform(0.015, 0.035)

    def carried(self, seconds: float) -> Key:
        x, y = wave(0.9 * seconds + self.style.phase), wave(0.53 * seconds)
        rise = self.bounce * x
        key = NOTHING.put("pelvis", 0.5 * self.bounce * y, rise, 0.0).put("pelvis_rotation", 0.0, 0.0, 0.06 * y)
        return (
            key.pair("hand", 0.0, rise, 0.0)
            .put("left_foot", 0, rise + 0.02 * y, 0)
            .put("right_foot", 0, rise - 0.02 * y, 0)
        )

    def phase(self, name: str, goal: Key, words: dict[str, str], rhythm: Rhythm | None = None) -> Phase:
        """Build a phase of drifting on to the other end."""
        self.side = -self.side
        beat = self.carried if rhythm is None else both(self.carried, rhythm)
        seconds = self.style.seconds(2.0, 3.4)
        key = goal.put("travel", 0.0, 0.0, self.drift * self.side)
        return Phase(name=name, seconds=seconds, goal=key, states=words, move=0.9, rolls=True, rhythm=beat)

    def lie(self) -> Phase:
        spread = self.style.chance(0.6)
        hand = "hold" if self.style.chance(0.5) else "none"  # of somebody below
        words = states(arm="unbend" if spread else "lift", hand=hand, leg="unbend", foot="none")
        return self.phase(
            "lie, arms spread", self.poses.arms(*((SPREAD, SPREAD) if spread else (REACHED, REACHED))), words
        )

    def cheer(self) -> Phase:
        side, rate = self.style.any_side(), self.style.rate(1.0, 1.5)
        height = 0.12 if self.poses.on_stomach else 0.5
        up = (0.5, height, -0.6) if self.poses.on_stomach else CHEER
        key = self.poses.hand(self.poses.hand(self.poses.base, other(side), *SPREAD), side, *up).put(
            f"{side}_grip", 1.0
        )
        words = states(arm=sided(side, "lift", "unbend"), leg="unbend", foot="none")
        return self.phase(
            "an arm up", key, words, lambda seconds: NOTHING.put(f"{side}_hand", 0.0, 0.05 * wave(rate * seconds), 0.0)
        )

    def both_up(self) -> Phase:
        rate = self.style.rate(0.8, 1.3)
        up = (0.45, 0.14, -0.7) if self.poses.on_stomach else CHEER
        words = states(arm="swing", leg="unbend", foot="none", head="raise")
        key = self.poses.arms(up, up).shift("head_rotation", 0.25 if not self.poses.on_stomach else -0.1, 0.0, 0.0)
        return self.phase(
            "wave both arms",
            key,
            words,
            lambda seconds: NOTHING.pair("hand", 0.12 * wave(rate * seconds), 0.0, 0.08 * wave(rate * seconds)),
        )

    def kick(self) -> Phase:
        side = self.style.any_side()
        up = 0.32 if not self.poses.on_stomach else 0.4
        key = self.poses.arms(SPREAD, SPREAD).put(f"{side}_foot", self.poses.out(side) * 0.14, CARRIED + up, 0.42)
        rate = self.style.rate(0.7, 1.0)
        words = states(arm="unbend", leg=sided(side, "raise", "unbend"), foot="none")
        return self.phase(
            "raise a leg", key, words, lambda seconds: NOTHING.put(f"{side}_foot", 0.0, 0.1 * bump(rate * seconds), 0.0)
        )

    def fold(self) -> Phase:
        words = states(arm="bend", leg="unbend", foot="none", hand="hold")
        place = (0.36, -0.02, -0.62) if self.poses.on_stomach else FOLDED
        return self.phase("arms bent", self.poses.arms(place, place), words)

    def routine(self) -> Routine:
        """Build the routine; the crowd is no prop."""
        makers = (self.lie, self.cheer, self.both_up, self.kick, self.fold)
        phases = loop_phases(lambda index: [makers[int(self.style.rng.choice(5, p=[0.3, 0.2, 0.2, 0.15, 0.15]))]()])
        return Routine(phases, None, {"skirt": 0.0, "cap": 0.1})


def surfing_crowd(style: Style) -> Routine:
    """Build a routine of lying on the hands of a crowd, arms spread, raised or bent, with kicks."""
    return CrowdSurfer(style).routine()


def carrying_overhead(style: Style) -> Routine:
    """Build a routine of one of the crowd: carries with both hands or one, lets go, cheers and claps."""
    base = style.stand.pair("elbow_pole", 0.8, -0.4, 0.3).pair("hand_direction", 0.0, 0.5, 0.6).grip(0.0, 0.0)
    base = base.put("head_rotation", -0.4, 0.0, 0.0)

    def carry(sides: tuple[Side, ...]) -> Phase:
        key = base
        for side in sides:
            key = key.on(side, "hand", style.uniform(0.1, 0.22), PALMS, style.uniform(0.12, 0.26))
        side = sides[0]
        free = "unbend" if len(sides) == 1 else "lift"
        touch = "none" if len(sides) == 1 else "push"
        if len(sides) == 1:
            key = key.on(other(side), "hand", 0.26, 0.9, 0.08).on(other(side), "hand_direction", 0.0, 0.0, 0.0)
        words = states(arm=sided(side, "lift", free), hand=sided(side, "push", touch), head="raise")
        return Phase(
            name="carry", seconds=style.seconds(2.0, 3.4), goal=key, states=words, move=0.6, rhythm=style.sway(0.015)
        )

    def jump() -> Phase:
        rate = style.rate(1.2, 1.7)

        def beat(seconds: float) -> Key:
            high = 0.07 * bump(rate * seconds)
            key = NOTHING.put("pelvis", 0.0, high - 0.03, 0.0).nudge_pair("foot", 0.0, high, 0.0)
            return key.nudge_pair("hand", 0.0, high, 0.0).nudge_pair("foot_direction", 0.0, -7 * high, 0.0)

        key = (
            base.put("pelvis", 0.0, STAND - 0.01, 0.0)
            .pair("hand", 0.28, 1.78, 0.12)
            .pair("hand_direction", 0.0, 0.0, 0.0)
        )
        key = key.pair("foot", style.stance, ANKLE, 0.0).grip(0.7, 0.7)
        words = states(arm="lift", leg="unbend", foot="tiptoe", head="raise")
        return Phase(
            name="jump with both arms up", seconds=style.seconds(1.4, 2.4), goal=key, states=words, rhythm=beat
        )

    def turn(index: int) -> list[Phase]:
        phases = [carry(("left", "right"))]
        if style.chance(0.5):
            phases.append(carry((style.any_side(),)))
        if style.chance(0.4):
            phases.append(jump() if style.chance(0.6) else rest_clapping(style))
        return phases

    return Routine(loop_phases(turn), None, {"cap": 0.2})
