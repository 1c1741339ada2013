"""The habits of a performer, and what all performers do between two efforts: rest, step, wipe, stretch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from actparse.synth.motion.figure import SIDE_SIGN, SIDES, Side
from actparse.synth.motion.keys import ANKLE, NOTHING, STAND, Key, bump, half_bump, standing, wave
from actparse.synth.motion.phases import Phase, Rhythm, states

PACE = 1.4  # factor on every duration, so that states last longer than a clip or a 3 s segment
MAX_PHASE_SECONDS = 6.0
MIN_REPETITION, MAX_REPETITION = 0.6, 2.0  # factors on the usual time of an exercise, quickest and slowest performer


def other(side: Side) -> Side:
    """Return the opposite side."""
    return "right" if side == "left" else "left"


def sided(side: Side, state: str, other_state: str) -> tuple[str, str]:
    """Return a (left, right) pair of states from the state of `side` and that of the opposite side."""
    return (state, other_state) if side == "left" else (other_state, state)


class Style:
    """The habits of one performer, drawn once from a generator: tempo, stance, preferred side, colour."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.tempo = float(rng.uniform(0.8, 1.25))
        self.stance = float(rng.uniform(0.09, 0.16))
        self.side: Side = "right" if rng.random() < 0.6 else "left"
        self.phase = float(rng.uniform(0, 1))  # phase of slow rhythms, cycles
        self.stand = standing(stance=self.stance, slouch=float(rng.uniform(0.0, 0.1)))
        self.color = (float(rng.uniform(40, 220)), float(rng.uniform(40, 220)), float(rng.uniform(40, 220)))

    def seconds(self, low: float, high: float) -> float:
        """Draw a duration, shorter for a quick performer; at most `MAX_PHASE_SECONDS`."""
        return min(PACE * float(self.rng.uniform(low, high)) / self.tempo, MAX_PHASE_SECONDS)

    def repetition(self, usual_seconds: float) -> float:
        """Draw the duration of a repetition in seconds: 0.6 to 2 times the usual one, most often close to it."""
        slowness = self.rng.triangular(np.log(MIN_REPETITION), 0.0, np.log(MAX_REPETITION))
        return usual_seconds * float(np.exp(slowness))

    def rate(self, low: float, high: float) -> float:
        """Draw a rate in cycles per second, higher for a quick performer."""
        return float(self.rng.uniform(low, high)) * self.tempo

    def uniform(self, low: float, high: float) -> float:
        """Draw a value between `low` and `high`."""
        return float(self.rng.uniform(low, high))

    def chance(self, share: float) -> bool:
        """Return True with the probability `share`."""
        return bool(self.rng.random() < share)

    def pick(self, words: Sequence[str], weights: Sequence[float] | None = None) -> str:
        """Draw one of the words."""
        shares = None if weights is None else np.array(weights) / np.sum(weights)
        return str(self.rng.choice(list(words), p=shares))

    def any_side(self) -> Side:
        """Draw left or right."""
        return SIDES[int(self.rng.integers(2))]

    def sway(self, amount: float = 0.02) -> Rhythm:
        """Draw a slow shift of the weight with a wandering head, so that a standing person does not freeze."""
        rate, start, turn = self.uniform(0.15, 0.3), self.uniform(0, 1), self.uniform(0.05, 0.3)

        def beat(seconds: float) -> Key:
            x = wave(rate * seconds + start)
            return (
                NOTHING.put("pelvis", amount * x, -abs(amount * x) * 0.3, 0.0)
                .put("spine_rotation", 0.01 * x, 0.0, -0.6 * amount * x)
                .put("head_rotation", 0.0, turn * wave(0.6 * rate * seconds + 2 * start), 0.0)
            )

        return beat


def stepping(rate: float, *, lift: float = 0.06, sway: float = 0.03) -> Rhythm:
    """Build the rhythm of steps on the spot; each foot takes `rate` steps per second."""

    def beat(seconds: float) -> Key:
        cycles = rate * seconds
        left, right = half_bump(cycles), half_bump(cycles + 0.5)
        return (
            NOTHING.put("pelvis", -sway * wave(cycles), -0.012, 0.0)
            .nudge("left", "foot", 0.0, lift * left, 0.3 * lift * left)
            .nudge("right", "foot", 0.0, lift * right, 0.3 * lift * right)
            .put("left_foot_direction", 0.0, -0.5 * left, 0.0)
            .put("right_foot_direction", 0.0, -0.5 * right, 0.0)
        )

    return beat


def arm_swinging(rate: float, amount: float = 0.12) -> Rhythm:
    """Build the rhythm of arms that swing with the steps of `stepping`."""

    def beat(seconds: float) -> Key:
        x = amount * wave(rate * seconds)
        return NOTHING.nudge("left", "hand", 0.0, 0.2 * abs(x), x).nudge("right", "hand", 0.0, 0.2 * abs(x), -x)

    return beat


def both(first: Rhythm, second: Rhythm) -> Rhythm:
    """Add two rhythms."""
    return lambda seconds: first(seconds).plus(second(seconds))


def pumping(offset: Key, rate: float) -> Rhythm:
    """Build a rhythm that moves to an offset and back, `rate` times per second."""
    return lambda seconds: Key(offset.values * bump(rate * seconds))


def between(low: Key, high: Key, rate: float) -> Rhythm:
    """Build a rhythm for a phase whose goal is `low`: up to `high` and back, `rate` times per second."""
    return pumping(high.plus(low, -1.0), rate)


def rest_standing(style: Style) -> Phase:
    """Build a phase of standing with hanging arms."""
    return Phase(
        name="stand and rest",
        seconds=style.seconds(1.8, 3.6),
        goal=style.stand,
        states=states(arm="unbend"),
        rhythm=style.sway(),
    )


def rest_hands_on_hips(style: Style) -> Phase:
    """Build a phase of standing with both hands on the hips."""
    goal = (
        style.stand.pair("hand", 0.17, 1.0, 0.05)
        .pair("elbow_pole", 1.0, -0.1, -0.5)
        .pair("hand_direction", -0.5, -0.5, 0.4)
    )
    return Phase(
        name="hands on hips",
        seconds=style.seconds(2.2, 4.0),
        goal=goal.grip(0.5, 0.5),
        states=states(arm="bend", hand="hold"),
        rhythm=style.sway(),
    )


def rest_one_hand_on_hip(style: Style, side: Side) -> Phase:
    """Build a phase of standing with one hand on the hip and the weight on the other leg."""
    out = SIDE_SIGN[side]
    goal = (
        style.stand.on(side, "hand", 0.17, 0.99, 0.05)
        .on(side, "elbow_pole", 1.0, -0.1, -0.5)
        .on(side, "hand_direction", -0.5, -0.5, 0.4)
        .put("pelvis", -0.05 * out, STAND - 0.008, 0.0)
        .put("pelvis_rotation", 0.0, 0.0, 0.06 * out)
        .put("spine_rotation", 0.03, 0.0, -0.08 * out)
        .on(side, "foot", style.stance + 0.04, ANKLE, 0.08)
    )
    return Phase(
        name="one hand on the hip",
        seconds=style.seconds(2.2, 4.0),
        goal=goal,
        states=states(
            arm=sided(side, "bend", "unbend"), hand=sided(side, "hold", "none"), leg=sided(side, "bend", "stand")
        ),
        rhythm=style.sway(0.01),
    )


def rest_wiping(style: Style, side: Side) -> Phase:
    """Build a phase of wiping the forehead with one hand."""
    rate = style.uniform(0.7, 1.1)

    def wipe(seconds: float) -> Key:
        return NOTHING.nudge(side, "hand", 0.05 * wave(rate * seconds), 0.0, 0.0)

    goal = (
        style.stand.on(side, "hand", 0.08, 1.56, 0.2)
        .on(side, "elbow_pole", 0.9, -0.3, 0.3)
        .on(side, "hand_direction", -0.9, 0.2, 0.0)
        .put("head_rotation", 0.2, 0.0, 0.0)
    )
    return Phase(
        name="wipe the forehead",
        seconds=style.seconds(1.8, 3.0),
        goal=goal,
        states=states(arm=sided(side, "lift", "unbend"), hand=sided(side, "others", "none"), head="bend"),
        rhythm=both(style.sway(0.01), wipe),
    )


def rest_stepping(style: Style) -> Phase:
    """Build a phase of walking a few steps on the spot with loose arms."""
    rate = style.rate(0.75, 0.95)
    goal = style.stand.pair("hand", 0.25, 0.88, 0.05)
    return Phase(
        name="step around",
        seconds=style.seconds(2.0, 3.6),
        goal=goal,
        states=states(arm="swing", leg="step"),
        rhythm=both(stepping(rate, lift=0.07), arm_swinging(rate)),
    )


def rest_stretching(style: Style, side: Side) -> Phase:
    """Build a phase of pulling one arm across the chest with the other."""
    pulling_side = other(side)
    goal = (
        style.stand.on(side, "hand", -0.22, 1.33, 0.3)
        .on(side, "elbow_pole", 0.5, -0.4, 0.4)
        .on(pulling_side, "hand", -0.03, 1.3, 0.34)
        .on(pulling_side, "elbow_pole", 0.5, -0.9, 0.1)
        .put("spine_rotation", 0.02, -0.25 * SIDE_SIGN[side], 0.0)
        .grip(0.5, 0.5)
    )
    return Phase(
        name="stretch an arm",
        seconds=style.seconds(2.4, 3.8),
        goal=goal,
        states=states(arm=sided(side, "unbend", "bend"), hand=sided(side, "none", "grab")),
        rhythm=style.sway(0.012),
    )


def rest_clapping(style: Style) -> Phase:
    """Build a phase of clapping in front of the chest."""
    rate = style.rate(1.6, 2.4)

    def clap(seconds: float) -> Key:
        return NOTHING.nudge_pair("hand", 0.07 + 0.07 * wave(rate * seconds), 0.0, 0.0)

    goal = (
        style.stand.pair("hand", 0.025, 1.22, 0.33)
        .pair("elbow_pole", 0.8, -0.8, -0.2)
        .pair("hand_direction", 0.0, 0.6, 0.8)
        .grip(0, 0)
    )
    return Phase(
        name="clap",
        seconds=style.seconds(1.8, 3.4),
        goal=goal,
        states=states(arm="bend", hand="applaud"),
        rhythm=both(style.sway(0.015), clap),
    )


def rest_shaking_arms(style: Style) -> Phase:
    """Build a phase of shaking the arms loose."""
    rate = style.rate(1.8, 2.4)

    def shake(seconds: float) -> Key:
        x = wave(rate * seconds)
        return NOTHING.nudge("left", "hand", 0.03 * x, 0.015 * x, 0.02 * x).nudge(
            "right", "hand", -0.03 * x, -0.015 * x, 0.02 * x
        )

    return Phase(
        name="shake the arms loose",
        seconds=style.seconds(1.6, 2.8),
        goal=style.stand.pair("hand", 0.3, 0.9, 0.06),
        states=states(arm="swing", hand="others"),
        rhythm=both(style.sway(), shake),
    )


def rest_on_toes(style: Style) -> Phase:
    """Build a phase of rising on the toes and sinking again, arms hanging."""
    rate = style.rate(0.4, 0.6)
    high = (
        NOTHING.put("pelvis", 0.0, 0.07, 0.02).nudge_pair("foot", 0.0, 0.08, 0.0).pair("foot_direction", 0.0, -0.8, 0.0)
    )
    high = high.nudge_pair("hand", 0.0, 0.07, 0.0)
    return Phase(
        name="rise on the toes",
        seconds=style.seconds(1.8, 3.0),
        goal=style.stand.plus(high, 0.4),
        states=states(arm="unbend", leg="unbend", foot="tiptoe"),
        rhythm=pumping(Key(0.6 * high.values), rate),
    )


RESTS: dict[str, Callable[[Style], Phase]] = {
    "standing": rest_standing,
    "hips": rest_hands_on_hips,
    "one hip": lambda style: rest_one_hand_on_hip(style, style.any_side()),
    "wiping": lambda style: rest_wiping(style, style.any_side()),
    "stepping": rest_stepping,
    "toes": rest_on_toes,
    "stretching": lambda style: rest_stretching(style, style.any_side()),
    "clapping": rest_clapping,
    "shaking": rest_shaking_arms,
}


def rest(style: Style, kinds: Sequence[str], prop: str = "") -> Phase:
    """Draw one of the named kinds of rest; `prop` is the word for the prop in it."""
    return replace(RESTS[style.pick(kinds)](style), prop=prop)


def handed(style: Style, phases: tuple[Phase, ...]) -> tuple[Phase, ...]:
    """Return the phases of a right-hander, mirrored if this performer is left-handed."""
    return phases if style.side == "right" else tuple(phase.mirrored() for phase in phases)
