"""Capoeira: the swinging base step, dodges, kicks, spins, handstands."""

from __future__ import annotations

import numpy as np

from actparse.synth.motion.figure import SIDE_SIGN, Side
from actparse.synth.motion.keys import ANKLE, NOTHING, Key, bump, half_bump
from actparse.synth.motion.phases import Phase, Routine, loop_phases, states
from actparse.synth.motion.style import Style, other, rest, sided


class Capoeira:
    """The figures of capoeira for one performer: ginga, dodges, kicks, spins, a handstand."""

    def __init__(self, style: Style) -> None:
        self.style = style
        self.rate = style.rate(0.32, 0.42)
        self.base = (
            style.stand.put("pelvis", 0.0, 0.8, 0.0)
            .put("spine_rotation", 0.25, 0.0, 0.0)
            .pair("foot", 0.22, ANKLE, 0.0)
        )
        self.guard = self.base.pair("hand", 0.16, 1.15, 0.34).pair("elbow_pole", 0.8, -0.7, -0.2).grip(0.6, 0.6)

    def ginga(self) -> Phase:
        """Build the swinging base step: one leg goes back while the opposite arm comes up."""

        def beat(seconds: float) -> Key:
            left, right = half_bump(self.rate * seconds), half_bump(self.rate * seconds + 0.5)
            key = NOTHING.nudge("left", "foot", -0.04 * left, 0.04 * left, -0.5 * left)
            key = key.nudge("right", "foot", -0.04 * right, 0.04 * right, -0.5 * right)
            key = key.put("pelvis", 0.12 * (right - left), -0.1 * (left + right), -0.12 * (left + right))
            key = key.put("left_foot_direction", 0.0, -0.6 * left, 0.0).put(
                "right_foot_direction", 0.0, -0.6 * right, 0.0
            )
            key = key.put("spine_rotation", 0.15 * (left + right), 0.3 * (right - left), 0.0)
            for side, share in (("left", left - right), ("right", right - left)):
                key = key.shift(f"{side}_hand", 0.1 * (right - left), 0.12 * share - 0.1 * (left + right), 0.1 * share)
            return key

        states_by_part = states(arm="swing", leg="step", foot="tiptoe")
        return Phase(
            name="ginga",
            seconds=self.style.seconds(3.0, 4.0),
            goal=self.guard,
            states=states_by_part,
            move=0.9,
            rhythm=beat,
        )

    def dodge(self, side: Side) -> Phase:
        """Build a dodge low on one bent leg, the hand of that side on the floor."""
        out = SIDE_SIGN[side]
        key = self.guard.put("pelvis", 0.14 * out, 0.45, -0.05).put("spine_rotation", 0.75, 0.0, -0.35 * out)
        key = key.on(side, "foot", 0.28, ANKLE, 0.0).on(other(side), "foot", 0.55, ANKLE, -0.05)
        key = (
            key.on(side, "hand", 0.38, 0.1, 0.36)
            .on(side, "hand_direction", 0.4, -0.3, 0.9)
            .on(other(side), "hand", 0.12, 0.95, 0.45)
        )
        key = key.put("head_rotation", -0.4, -0.2 * out, 0.0).put(f"{side}_grip", 0.0)
        states_by_part = states(
            arm=sided(side, "unbend", "bend"),
            hand=sided(side, "push", "none"),
            hip="stoop",
            leg=sided(side, "bend", "unbend"),
        )
        return Phase(name="dodge low", seconds=self.style.seconds(1.8, 3.0), goal=key, states=states_by_part, move=0.9)

    def kick(self, side: Side) -> list[Phase]:
        """Build phases of repeated kicks: a knee is lifted and a foot swings high to the side."""
        standing_leg = other(side)
        rate = 0.62 * self.style.tempo
        key = self.guard.put("pelvis", -0.14 * SIDE_SIGN[side], 0.86, 0.0).on(standing_leg, "foot", 0.14, ANKLE, 0.0)
        key = key.put("spine_rotation", -0.05, 0.0, 0.28 * SIDE_SIGN[side]).on(side, "foot", 0.18, 0.5, 0.12)
        key = key.on(side, "foot_direction", 0.4, -0.6, 0.7)

        def beat(seconds: float) -> Key:
            x = bump(rate * seconds)
            return NOTHING.nudge(side, "foot", 0.4 * x, 0.75 * x, 0.5 * x)

        states_by_part = states(arm="bend", leg=sided(side, "swing", "unbend"), foot=sided(side, "strike", "step_on"))
        return [
            Phase(name="high kicks", seconds=self.style.seconds(2.2, 3.6), goal=key, states=states_by_part, rhythm=beat)
        ]

    def spin(self, side: Side, heading: float) -> list[Phase]:
        """Build a whole turn with one leg swung around; `heading` is its start, radians."""
        turn = 2 * np.pi * SIDE_SIGN[side]
        key = (
            self.guard.put("pelvis", 0.0, 0.84, 0.0)
            .on(other(side), "foot", 0.45, 0.75, 0.35)
            .on(side, "foot", 0.08, ANKLE, 0.0)
        )
        key = key.put("spine_rotation", 0.1, 0.2 * SIDE_SIGN[side], 0.2 * SIDE_SIGN[side]).pair("hand", 0.4, 1.12, 0.2)
        seconds = self.style.seconds(1.5, 2.1)
        states_by_part = states(
            arm="swing", hip="turn", leg=sided(side, "unbend", "swing"), foot=sided(side, "tiptoe", "none")
        )
        key = key.put("heading", heading + turn)
        return [Phase(name="spinning kick", seconds=seconds, goal=key, states=states_by_part, move=0.9 * seconds)]

    def handstand(self) -> list[Phase]:
        """Build a handstand: hands to the floor, legs up, and down again."""
        low = (
            self.guard.put("pelvis", 0.0, 0.55, -0.1)
            .put("pelvis_rotation", 1.3, 0.0, 0.0)
            .put("spine_rotation", 0.5, 0.0, 0.0)
        )
        low = (
            low.pair("hand", 0.22, 0.07, 0.45)
            .pair("hand_direction", 0.1, -0.25, 1.0)
            .grip(0.0, 0.0)
            .put("head_rotation", -0.5, 0, 0)
        )
        up = (
            low.put("pelvis", 0.0, 1.02, 0.43)
            .put("pelvis_rotation", np.pi - 0.05, 0.0, 0.0)
            .put("spine_rotation", 0.05, 0.0, 0.0)
        )
        up = (
            up.on("left", "foot", 0.2, 1.6, 0.1)
            .on("right", "foot", 0.2, 1.62, 0.72)
            .pair("foot_direction", 0.1, 0.8, 0.5)
        )
        up = up.pair("knee_pole", 0.3, 0.2, -1.0).put("head_rotation", -0.3, 0.0, 0.0)
        crouch_states = states(arm="unbend", hand="push", hip="stoop", leg="bend")
        handstand_states = states(arm="unbend", hand="push", leg="raise", foot="none")
        arc = NOTHING.pair("foot", 0.1, 0.0, -0.55)
        return [
            Phase(
                name="hands to the floor",
                seconds=self.style.seconds(1.0, 1.4),
                goal=low,
                states=crouch_states,
                move=0.9,
            ),
            Phase(
                name="handstand",
                seconds=self.style.seconds(2.2, 3.4),
                goal=up,
                states=handstand_states,
                move=1.0,
                arc=arc,
            ),
            Phase(
                name="come down",
                seconds=self.style.seconds(1.0, 1.4),
                goal=low,
                states=crouch_states,
                move=0.95,
                arc=arc,
            ),
        ]


def capoeira(style: Style) -> Routine:
    """Build a routine of ginga with dodges, kicks, spins and handstands in between."""
    figures = Capoeira(style)
    likes = [str(name) for name in style.rng.permutation(["dodge", "kick", "spin", "handstand", "wait"])[:3]]
    heading = 0.0

    def with_heading(phases: list[Phase], start: float) -> list[Phase]:
        return [
            Phase(
                name=p.name,
                seconds=p.seconds,
                goal=p.goal if p.goal.read("heading")[0] else p.goal.put("heading", start),
                states=p.states,
                move=p.move,
                arc=p.arc,
                rhythm=p.rhythm,
            )
            for p in phases
        ]

    def turn(index: int) -> list[Phase]:
        nonlocal heading
        side, start = style.any_side(), heading
        phases = [figures.ginga()] if style.chance(0.75) else []
        figure = likes[int(style.rng.integers(3))]
        if figure == "spin":
            phases = [*with_heading(phases, start), *figures.spin(side, heading)]
            heading += 2 * np.pi * SIDE_SIGN[side]
            return phases
        if figure == "wait":
            phases.append(rest(style, ("standing", "clapping", "hips")))
        elif figure == "handstand":
            phases += figures.handstand()
        else:
            phases += [figures.dodge(side)] if figure == "dodge" else figures.kick(side)
        return with_heading(phases, start)

    return Routine(loop_phases(turn), None, {"barefoot": 0.6, "tank": 0.3})
