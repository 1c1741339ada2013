"""Crawling babies: on hands and knees, on the stomach, sitting, reaching for a toy.

Lengths are those of a person of scale 1, as in all keys; a baby's body has half of that and shorter limbs, so that
its pelvis over its knees is at 0.52 and its hands are 0.47 ahead of it.
"""

from __future__ import annotations

import numpy as np

from actparse.synth.motion.figure import Side
from actparse.synth.motion.keys import NOTHING, Key, bump, wave
from actparse.synth.motion.phases import Phase, Routine, loop_phases, states
from actparse.synth.motion.props import ball
from actparse.synth.motion.style import Style, sided

FLOOR = 0.06  # height of a wrist or an ankle of a baby on the floor


class BabyPoses:
    """The poses of a baby near the floor."""

    def __init__(self, style: Style) -> None:
        self.style = style
        self.look = style.uniform(-1.1, -0.75)  # of the head, upwards
        self.high = style.uniform(0.5, 0.54)
        base = style.stand.put("pelvis", 0.0, self.high, 0.0).put("pelvis_rotation", 1.42, 0.0, 0.0)
        base = base.put("spine_rotation", 0.04, 0.0, 0.0).put("head_rotation", self.look, 0.0, 0.0)
        base = base.pair("hand", 0.19, FLOOR, 0.45).pair("hand_direction", 0.1, -0.15, 1.0).grip(0.0, 0.0)
        base = base.pair("foot", 0.13, FLOOR, -0.26).pair("foot_direction", 0.0, 0.05, -1.0)
        self.base = base.pair("knee_pole", 0.15, -1.0, 0.5).pair("elbow_pole", 0.6, -0.2, 0.3)

    def on_all_fours(self) -> Key:
        """Return the pose on hands and knees."""
        return self.base

    def bear(self) -> Key:
        """Return the pose on hands and feet with high hips."""
        key = self.base.put("pelvis", 0.0, 0.86, -0.06).put("pelvis_rotation", 1.75, 0.0, 0.0)
        key = key.put("spine_rotation", 0.12, 0.0, 0.0).pair("foot", 0.14, 0.1, -0.14).pair("knee_pole", 0.2, 0.0, 1.0)
        return key.pair("foot_direction", 0.2, -0.3, 1.0)

    def on_stomach(self) -> Key:
        """Return the pose on the stomach with the chest up on the hands."""
        key = self.base.put("pelvis", 0.0, 0.24, 0.05).put("pelvis_rotation", 1.5, 0.0, 0.0)
        key = key.put("spine_rotation", -0.5, 0.0, 0.0).put("head_rotation", -0.55, 0.0, 0.0)
        key = key.pair("hand", 0.24, FLOOR, 0.48).pair("foot", 0.17, 0.09, -0.52).pair("elbow_pole", 0.7, -0.4, -0.5)
        return key.pair("knee_pole", 0.3, -1.0, 0.0)

    def sitting(self) -> Key:
        """Return the pose of sitting with the legs out, hands before the stomach."""
        key = self.base.put("pelvis", 0.0, 0.25, -0.05).put("pelvis_rotation", 0.1, 0.0, 0.0)
        key = key.put("spine_rotation", 0.15, 0.0, 0.0).put("head_rotation", 0.1, 0.0, 0.0)
        key = key.pair("foot", 0.26, 0.09, 0.45).pair("foot_direction", 0.4, 0.8, 0.4).pair("knee_pole", 1.0, 0.5, 0.1)
        key = (
            key.pair("hand", 0.12, 0.66, 0.3)
            .pair("hand_direction", -0.3, -0.1, 0.8)
            .pair("elbow_pole", 0.6, -0.6, -0.4)
        )
        return key.grip(0.5, 0.5)


class Baby:
    """A routine: crawl to and fro, stop, look around, reach for a toy, lie on the stomach, sit."""

    def __init__(self, style: Style) -> None:
        self.style = style
        self.poses = BabyPoses(style)
        self.rate = style.rate(0.75, 1.15)  # steps of each hand per second
        self.stride = style.uniform(0.1, 0.16)
        self.reach = style.uniform(0.7, 1.2)  # from the middle to each end
        self.stays = style.chance(0.25)  # whether the camera follows
        self.extras = [
            str(name) for name in style.rng.permutation(["pause", "look", "stomach", "sit", "toy", "bear"])[:4]
        ]
        self.heading, self.place = 0.0, -self.reach

    def at(self, key: Key, distance: float = 0.0) -> Key:
        """Place a pose, `distance` further on."""
        if not self.stays:
            self.place = float(np.clip(self.place + distance * np.cos(self.heading), -self.reach, self.reach))
        return key.put("heading", self.heading).put("travel", 0.0, 0.0, self.place)

    def creep(self, seconds: float) -> Key:
        """Return the offset of a crawl: a hand and the opposite knee move together."""
        phase = self.rate * seconds
        left, right = bump(phase) ** 2, bump(phase + 0.5) ** 2
        x = wave(phase - 0.25)
        key = NOTHING.put("left_hand", 0.0, 0.13 * left, self.stride * x).put(
            "right_hand", 0.0, 0.13 * right, -self.stride * x
        )
        key = key.put("left_foot", 0.0, 0.05 * right, -0.8 * self.stride * x).put(
            "right_foot", 0.0, 0.05 * left, 0.8 * self.stride * x
        )
        key = key.put("pelvis", 0.025 * x, 0.01 * wave(2 * phase), 0.0).put("pelvis_rotation", 0.0, 0.0, 0.07 * x)
        return key.put("spine_rotation", 0.0, 0.08 * x, 0.0).put("head_rotation", 0.04 * wave(2 * phase), -0.1 * x, 0.0)

    def rock(self, seconds: float) -> Key:
        return NOTHING.put("pelvis", 0.0, 0.0, 0.03 * wave(0.5 * seconds + self.style.phase))

    def crawl(self) -> Phase:
        seconds = self.style.seconds(1.9, 3.2)
        words = states(arm="swing", hand="push", leg="step", foot="none")
        goal = self.at(self.poses.on_all_fours(), 0.55 * seconds)
        return Phase(name="crawl", seconds=seconds, goal=goal, states=words, rolls=True, rhythm=self.creep)

    def turn_about(self) -> Phase:
        self.heading += np.pi
        words = states(arm="swing", hand="push", leg="step", foot="none", hip="turn")
        goal = self.at(self.poses.on_all_fours())
        return Phase(
            name="crawl round",
            seconds=self.style.seconds(1.8, 2.4),
            goal=goal,
            states=words,
            rolls=True,
            rhythm=self.creep,
        )

    def extra(self, name: str) -> list[Phase]:
        style, poses, side = self.style, self.poses, self.style.any_side()
        words = states(arm="unbend", hand="push", leg="bend", foot="none")
        goal, beat, move = poses.on_all_fours(), self.rock, 0.6
        if name == "look":
            turn = style.uniform(0.5, 0.8) * (1 if side == "left" else -1)
            goal, words = goal.put("head_rotation", poses.look + 0.3, turn, 0.0), words | {"head": "turn"}
        elif name == "stomach":
            goal, move = poses.on_stomach(), 1.0
            words = states(arm="bend", hand="push", leg="unbend", foot="none", head="raise")
        elif name == "bear":
            goal, words = poses.bear(), states(arm="unbend", hand="push", hip="raise", leg="unbend")
        elif name == "toy":
            goal = goal.on(side, "hand", 0.1, 0.2, 0.78).put(f"{side}_grip", 0.6).shift("pelvis", 0.0, -0.02, 0.05)
            words = states(arm="unbend", hand=sided(side, "none", "push"), leg="bend", foot="none") | {
                f"{side}_arm": "lift"
            }
        elif name == "sit":
            return self.sit(side)
        return [
            Phase(name=name, seconds=style.seconds(1.6, 2.8), goal=self.at(goal), states=words, move=move, rhythm=beat)
        ]

    def sit(self, side: Side) -> list[Phase]:
        style, poses = self.style, self.poses
        rate = style.rate(1.2, 1.8)
        sitting = {"hip": "sit", "leg": "bend", "foot": "none"}
        pat = poses.sitting()
        high = pat.put(f"{side}_hand", (0.3 if side == "left" else -0.3), 1.15, 0.18)

        def shake(seconds: float) -> Key:
            return NOTHING.put(f"{side}_hand", 0.0, 0.07 * wave(rate * seconds), 0.0)

        arms = sided(side, "lift", "bend")
        return [
            Phase(
                name="sit",
                seconds=style.seconds(1.6, 2.6),
                goal=self.at(pat),
                states=states(arm="bend", **sitting),
                move=1.1,
            ),
            Phase(
                name="sit, an arm up",
                seconds=style.seconds(1.4, 2.2),
                goal=self.at(high),
                states=states(arm=arms, **sitting),
                rhythm=shake,
            ),
        ]

    def turn(self, index: int) -> list[Phase]:
        phases = [self.crawl(), *self.extra(self.extras[int(self.style.rng.integers(4))])]
        if self.style.chance(0.4):
            phases.append(self.crawl())
        return phases if self.stays else [*phases, self.turn_about()]

    def routine(self) -> Routine:
        """Build the routine with its props."""
        look = {"barefoot": 0.5, "cap": 0.1, "gloves": 0.0, "skirt": 0.0, "tank": 0.2}
        phases = loop_phases(self.turn)
        has_toy = self.style.chance(0.6)
        toy = ball(np.array([0.3 * self.style.uniform(-1, 1), 0.06, 0.75]), 0.06, self.style.color)
        return Routine(phases, lambda pose, position, beat: [toy] if has_toy else [], look)


def crawling_baby(style: Style) -> Routine:
    """Build a routine of a baby that crawls, stops, looks around, reaches, lies on the stomach and sits."""
    return Baby(style).routine()
