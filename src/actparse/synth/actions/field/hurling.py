"""Hurling, for a player with the right hand on the end of the stick; left-handers are mirrored."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from actparse.synth.motion.figure import HeldTube, Pose, Side, Tube
from actparse.synth.motion.keys import ANKLE, NOTHING, STAND, Key, half_bump, wave
from actparse.synth.motion.phases import Beat, Phase, PropMaker, Rhythm, Routine, loop_phases, states
from actparse.synth.motion.props import WHITE, WOOD, ball, palm
from actparse.synth.motion.reach import unit
from actparse.synth.motion.style import Style, handed, rest

STICK = 0.9  # length of the stick, metres
BALL = 0.04  # radius of the ball; a little larger than real, metres
TOSS_SECONDS = 0.6  # of the ball's flight from the hand to the stick


class HurleyPoses:
    """The poses of a player; the tip of the stick is the free prop."""

    def __init__(self, style: Style) -> None:
        self.style = style
        base = style.stand.pair("foot", style.uniform(0.16, 0.24), ANKLE, 0.0).put("pelvis", 0.0, STAND - 0.06, 0.0)
        base = base.put("spine_rotation", 0.18, 0.0, 0.0).pair("elbow_pole", 0.7, -0.7, -0.2)
        self.base = base.put("right_grip", 1.0).put("left_grip", 0.5)

    def hold(self, key: Key, grip: tuple[float, float, float], tip: tuple[float, float, float], *, both: bool) -> Key:
        """Put the right hand, or both hands, at the grip and point the stick to `tip`."""
        hands, end = np.array(grip), np.array(tip)
        along = unit(end - hands)
        key = key.put("right_hand", *(hands - 0.05 * along)).put("prop", *end)
        return key.put("left_hand", *(hands + 0.09 * along)).put("left_grip", 1.0) if both else key

    def ready(self) -> Key:
        """Return the pose with the stick across the body in both hands."""
        return self.hold(self.base, (-0.14, 1.02, 0.3), (0.45, 1.35, 0.6), both=True)

    def one_hand(self) -> Key:
        """Return the upright pose with the stick hanging from the right hand."""
        key = self.hold(self.base, (-0.27, 0.87, 0.08), (-0.4, 0.08, 0.5), both=False)
        return key.put("left_hand", 0.25, 0.9, 0.06).put("spine_rotation", 0.05, 0.0, 0.0).put("left_grip", 0.3)

    def solo(self) -> Key:
        """Return the pose of a run with the ball on the flat end of the stick."""
        key = self.hold(self.base, (-0.2, 1.05, 0.34), (-0.04, 1.12, 1.2), both=False)
        return (
            key.put("left_hand", 0.26, 1.08, 0.1)
            .put("spine_rotation", 0.2, 0.0, 0.0)
            .put("head_rotation", 0.15, 0.0, 0.0)
        )

    def tossing(self) -> Key:
        """Return the pose before the strike: the ball in the left hand, the stick behind the right shoulder."""
        key = self.hold(self.base, (-0.26, 1.28, 0.05), (-0.5, 1.9, -0.35), both=False)
        key = key.put("left_hand", 0.16, 1.18, 0.4).put("spine_rotation", 0.1, -0.3, 0.0)
        return key.put("head_rotation", 0.1, 0.3, 0.0).put("left_grip", 0.6)

    def wound(self) -> Key:
        """Return the pose at the start of the strike, both hands on the stick over the right shoulder."""
        key = self.hold(
            self.base.shift("pelvis", -0.06, -0.02, 0.0), (-0.24, 1.34, 0.16), (-0.65, 1.95, -0.25), both=True
        )
        return key.put("spine_rotation", 0.12, -0.55, 0.0).put("left_foot", 0.2, ANKLE + 0.08, 0.18)

    def struck(self) -> Key:
        """Return the pose at the hit: the stick low in front."""
        key = self.hold(self.base.shift("pelvis", 0.05, -0.06, 0.06), (0.02, 0.9, 0.42), (0.25, 0.55, 1.1), both=True)
        return (
            key.put("pelvis_rotation", 0.12, 0.3, 0.0)
            .put("spine_rotation", 0.3, 0.1, 0.0)
            .put("left_foot", 0.2, ANKLE, 0.24)
        )

    def followed(self) -> Key:
        """Return the pose after the hit: the stick over the left shoulder."""
        key = self.hold(self.struck(), (0.32, 1.36, 0.2), (0.62, 1.95, -0.2), both=True)
        key = (
            key.put("pelvis_rotation", 0.05, 0.7, 0.0)
            .put("spine_rotation", 0.05, 0.4, 0.0)
            .shift("pelvis", 0.02, 0.06, 0.02)
        )
        return key.put("right_foot", -0.2, ANKLE + 0.06, -0.08).put("right_foot_direction", 0.4, -0.7, 0.7)

    def lifting(self) -> Key:
        """Return the pose bent over the ball on the grass, the stick under it."""
        key = self.base.put("pelvis", 0.0, 0.7, -0.16).put("pelvis_rotation", 0.6, 0.0, 0.0)
        key = (
            key.put("spine_rotation", 0.55, 0.0, 0.0)
            .put("left_foot", 0.2, ANKLE, 0.3)
            .put("right_foot", -0.2, ANKLE, -0.12)
        )
        return self.hold(key, (-0.12, 0.52, 0.46), (0.1, 0.07, 1.1), both=True)

    def catching(self) -> Key:
        """Return the stretched pose with the left hand high at the ball."""
        key = self.hold(self.base, (-0.3, 1.2, 0.2), (-0.5, 1.6, 0.75), both=False)
        key = (
            key.put("pelvis", 0.0, STAND + 0.04, 0.0)
            .pair("foot", 0.14, ANKLE + 0.07, 0.0)
            .pair("foot_direction", 0.2, -0.8, 0.8)
        )
        return (
            key.put("left_hand", 0.2, 1.88, 0.16)
            .put("head_rotation", -0.5, 0.2, 0.0)
            .put("spine_rotation", 0.0, 0.0, 0.0)
        )

    def tackling(self) -> Key:
        """Return the lunge with the shoulder ahead and the stick stretched out low in one hand."""
        key = self.base.put("pelvis", 0.06, 0.74, 0.16).put("spine_rotation", 0.45, 0.4, 0.0)
        key = key.put("left_foot", 0.16, ANKLE, 0.5).put("right_foot", -0.18, ANKLE + 0.05, -0.38)
        key = key.put("right_foot_direction", -0.2, -0.7, 0.7).put("left_hand", 0.4, 1.0, 0.2)
        return self.hold(key, (0.04, 0.84, 0.72), (0.25, 0.3, 1.4), both=False)

    def blocking(self) -> Key:
        """Return the pose with the stick held out level before the chest."""
        key = self.base.put("pelvis", 0.0, STAND - 0.12, 0.06).put("left_foot", 0.18, ANKLE, 0.28)
        return (
            key.put("right_hand", -0.28, 1.25, 0.44)
            .put("left_hand", 0.12, 1.28, 0.48)
            .put("left_grip", 1.0)
            .put("prop", 0.65, 1.3, 0.52)
        )


class Hurler:
    """Runs with the ball on the stick, lifts, strikes, catches, tackles and waits, in random order."""

    def __init__(self, style: Style) -> None:
        self.style = style
        self.poses = HurleyPoses(style)
        self.rate = style.rate(1.1, 1.45)  # strides per second
        self.likes = [str(name) for name in style.rng.permutation(["solo", "lift", "catch", "tackle", "block"])[:3]]

    def running(self, swings: bool) -> Rhythm:
        """Build the rhythm of a run on the spot; the free arm swings."""

        def beat(seconds: float) -> Key:
            x = wave(self.rate * seconds)
            left, right = half_bump(self.rate * seconds + 0.25), half_bump(self.rate * seconds + 0.75)
            key = NOTHING.put("left_foot", 0.0, 0.24 * left, 0.3 * x).put("right_foot", 0.0, 0.24 * right, -0.3 * x)
            key = key.put("pelvis", 0.0, -0.02 - 0.03 * wave(2 * self.rate * seconds), 0.0)
            key = key.put("left_foot_direction", 0, -0.6 * left, 0).put("right_foot_direction", 0, -0.6 * right, 0)
            rise = 0.02 * wave(2 * self.rate * seconds)
            key = key.put("right_hand", 0.0, rise, 0.0).put("prop", 0.0, rise, 0.0)
            return key.put("left_hand", 0.0, 0.1 * x, -0.2 * x) if swings else key.put("left_hand", 0.0, rise, 0.0)

        return beat

    def solo(self) -> list[Phase]:
        words = states(arm=("swing", "unbend"), hand=("none", "hold"), leg="step", foot="tiptoe")
        seconds = self.style.seconds(2.2, 3.6)
        goal = self.poses.solo()
        return [
            Phase(
                name="run with the ball",
                seconds=seconds,
                goal=goal,
                states=words,
                rhythm=self.running(True),
                prop="stick",
            )
        ]

    def strike(self, first: str) -> list[Phase]:
        style, poses = self.style, self.poses
        toss_words = states(arm=("bend", "bend"), hand="hold", leg="bend")
        hit_words = states(arm="swing", hand="hold", hip="turn", leg="bend", foot=("step_on", "tiptoe"))
        watch_words = states(arm="lift", hand="hold", leg=("unbend", "bend"), foot=("step_on", "tiptoe"))
        return [
            Phase(
                name="ball in the hand",
                seconds=style.seconds(0.8, 1.6),
                goal=poses.tossing(),
                states=toss_words,
                prop="hand",
            ),
            Phase(name="toss", seconds=0.45, goal=poses.wound(), states=hit_words, move=0.45, prop="air"),
            Phase(name="strike", seconds=0.2, goal=poses.struck(), states=hit_words, move=0.2, prop="air"),
            Phase(name="follow through", seconds=0.6, goal=poses.followed(), states=hit_words, move=0.3, prop="gone"),
            Phase(
                name="look after the ball",
                seconds=style.seconds(0.8, 1.6),
                goal=poses.followed().put("head_rotation", -0.2, -0.4, 0.0),
                states=watch_words,
                prop="gone",
            ),
        ]

    def lift(self) -> list[Phase]:
        words = states(arm="unbend", hand="hold", hip="stoop", leg="bend", head="bend")
        goal = self.poses.lifting()
        jab = lambda seconds: NOTHING.put("prop", 0.0, 0.0, 0.05 * wave(1.2 * seconds))  # noqa: E731
        return [
            Phase(
                name="lift the ball",
                seconds=self.style.seconds(1.4, 2.4),
                goal=goal,
                states=words,
                move=0.8,
                rhythm=jab,
                prop="ground",
            )
        ]

    def catch(self) -> list[Phase]:
        words = states(arm=("lift", "bend"), hand=("grab", "hold"), head="raise", leg="unbend", foot="tiptoe")
        return [
            Phase(
                name="catch over the head",
                seconds=self.style.seconds(1.0, 1.8),
                goal=self.poses.catching(),
                states=words,
                move=0.5,
                prop="hand",
            )
        ]

    def tackle(self) -> list[Phase]:
        words = states(
            arm=("bend", "unbend"),
            hand=("none", "hold"),
            hip="bend",
            leg=("bend", "unbend"),
            foot=("step_on", "tiptoe"),
        )
        poke = lambda seconds: NOTHING.put("prop", 0.14 * wave(1.1 * seconds), 0.06 * wave(0.8 * seconds), 0.0).put(  # noqa: E731
            "right_hand", 0.05 * wave(1.1 * seconds), 0.0, 0.0
        )
        return [
            Phase(
                name="tackle",
                seconds=self.style.seconds(1.4, 2.4),
                goal=self.poses.tackling(),
                states=words,
                move=0.6,
                rhythm=poke,
                prop="gone",
            )
        ]

    def block(self) -> list[Phase]:
        words = states(arm="push", hand="hold", leg="bend")
        return [
            Phase(
                name="block",
                seconds=self.style.seconds(1.4, 2.4),
                goal=self.poses.blocking(),
                states=words,
                move=0.5,
                rhythm=self.style.sway(0.03),
                prop="gone",
            )
        ]

    def wait(self) -> list[Phase]:
        if self.style.chance(0.5):
            words = states(arm="bend", hand="hold", leg="bend")
            return [
                Phase(
                    name="ready, stick in both hands",
                    seconds=self.style.seconds(1.6, 2.6),
                    goal=self.poses.ready(),
                    states=words,
                    rhythm=self.style.sway(0.03),
                    prop="gone",
                )
            ]
        pause = rest(self.style, ("standing", "hips"))
        is_on_hip = pause.states["left_arm"] == "bend"
        goal = self.poses.one_hand()
        if is_on_hip:
            goal = (
                goal.put("left_hand", 0.17, 0.97, 0.05)
                .put("left_elbow_pole", 1.0, -0.1, -0.5)
                .put("left_hand_direction", -0.5, -0.5, 0.4)
            )
        words = states(
            arm=("bend" if is_on_hip else "unbend", "unbend"), hand=("hold" if is_on_hip else "none", "hold")
        )
        return [
            Phase(
                name="stand with the stick",
                seconds=self.style.seconds(1.6, 2.8),
                goal=goal,
                states=words,
                rhythm=self.style.sway(0.015),
                prop="gone",
            )
        ]

    def turn(self, index: int) -> list[Phase]:
        makers = {"solo": self.solo, "lift": self.lift, "catch": self.catch, "tackle": self.tackle, "block": self.block}
        like = self.likes[int(self.style.rng.integers(3))]
        phases = makers[like]()
        if like in ("solo", "lift", "catch") or self.style.chance(0.4):
            phases += self.strike(like)
        return [*phases, *self.wait()] if self.style.chance(0.5) else phases

    def routine(self) -> Routine:
        """Build the routine with its props."""
        phases = handed(self.style, loop_phases(self.turn))
        return Routine(phases, _hurley_props(self.style), {"cap": 0.5, "skirt": 0.05, "barefoot": 0.0})


def hurling(style: Style) -> Routine:
    """Build a routine of runs with the ball, lifts, strikes, catches and tackles with the stick of hurling."""
    return Hurler(style).routine()


def _hurley_props(style: Style) -> PropMaker:
    stick_hand: Side = "right" if style.side == "right" else "left"
    ball_hand: Side = "left" if stick_hand == "right" else "right"
    shape = np.array([[0.0, 1e-3], [0.0, 0.018], [0.5, 0.016], [0.72, 0.025], [0.84, 0.055], [0.97, 0.06], [1.0, 1e-3]])

    def make(pose: Pose, position: NDArray[np.float64], beat: Beat) -> list[Tube | HeldTube]:
        start = palm(pose.hands[stick_hand], pose.hand_directions[stick_hand], 0.06)
        along = unit(position - start)
        path = start - 0.08 * along + shape[:, :1] * STICK * along
        parts: list[Tube | HeldTube] = [Tube(path, shape[:, 1], WOOD, 8, 0.35, object_key=("hurley", 0))]
        tip = start + (0.9 * STICK - 0.08) * along
        hand = palm(pose.hands[ball_hand], pose.hand_directions[ball_hand], 0.12)
        above = np.array([0.0, 0.03 + BALL, 0.0])
        word = beat.phase.prop
        if word == "stick":
            parts.append(ball(tip + above, BALL, WHITE))
        elif word == "hand" and (beat.previous.prop in ("hand", "gone") or beat.progress > 0.5):
            parts.append(ball(hand, BALL, WHITE))
        elif word == "ground":
            parts.append(ball(np.array([tip[0], BALL, tip[2]]) + 0.06 * along * np.array([1.0, 0.0, 1.0]), BALL, WHITE))
        elif word == "air":
            share = min((beat.elapsed + (0.45 if beat.phase.name.startswith("strike") else 0.0)) / TOSS_SECONDS, 1.0)
            free = beat.heading
            ahead = np.array([np.sin(free), 0.0, np.cos(free)])
            rise = np.array([0.0, 1.2 + 1.3 * share - 2.0 * share * share, 0.0])
            parts.append(ball(0.62 * ahead + rise, BALL, WHITE))
        return parts

    return make
