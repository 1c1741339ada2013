"""What differs between performers, and what all of them do between two efforts: rest, step, wipe, stretch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from actparse.synth.motion.figure import SIDE_SIGN, SIDES, Side
from actparse.synth.motion.keys import ANKLE, NOTHING, STAND, Key, bump, half_bump, standing, wave
from actparse.synth.motion.phases import Phase, Rhythm, states

PACE = 1.4  # stretches every duration: states should outlast the clips and the 3 s segments that show them
MAX_PHASE_SECONDS = 6.0
MIN_REPETITION, MAX_REPETITION = 0.6, 2.0  # of the usual time of an exercise: from a quick performer to a slow one


def other(side: Side) -> Side:
    """The other side."""
    return "right" if side == "left" else "left"


def sided(side: Side, own: str, others: str) -> tuple[str, str]:
    """A (left, right) pair of states from those of `side` and of the other one."""
    return (own, others) if side == "left" else (others, own)


class Style:
    """One performer's habits, drawn once from a generator: tempo, stance, side, and the rest it likes."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.tempo = float(rng.uniform(0.8, 1.25))
        self.stance = float(rng.uniform(0.09, 0.16))
        self.side: Side = "right" if rng.random() < 0.6 else "left"
        self.phase = float(rng.uniform(0, 1))  # of slow rhythms
        self.stand = standing(stance=self.stance, slouch=float(rng.uniform(0.0, 0.1)))
        self.color = (float(rng.uniform(40, 220)), float(rng.uniform(40, 220)), float(rng.uniform(40, 220)))

    def seconds(self, low: float, high: float) -> float:
        """A duration, shorter for a quick performer; at most `MAX_PHASE_SECONDS`."""
        return min(PACE * float(self.rng.uniform(low, high)) / self.tempo, MAX_PHASE_SECONDS)

    def repetition(self, usual_seconds: float) -> float:
        """Seconds that this performer takes for a repetition: 0.6 to 2 times the usual, mostly near it."""
        slowness = self.rng.triangular(np.log(MIN_REPETITION), 0.0, np.log(MAX_REPETITION))
        return usual_seconds * float(np.exp(slowness))

    def rate(self, low: float, high: float) -> float:
        """Cycles a second, more for a quick performer."""
        return float(self.rng.uniform(low, high)) * self.tempo

    def uniform(self, low: float, high: float) -> float:
        """A number."""
        return float(self.rng.uniform(low, high))

    def chance(self, share: float) -> bool:
        """True in this share of calls."""
        return bool(self.rng.random() < share)

    def pick(self, words: Sequence[str], weights: Sequence[float] | None = None) -> str:
        """One of the words."""
        shares = None if weights is None else np.array(weights) / np.sum(weights)
        return str(self.rng.choice(list(words), p=shares))

    def any_side(self) -> Side:
        """Left or right."""
        return SIDES[int(self.rng.integers(2))]

    def sway(self, amount: float = 0.02) -> Rhythm:
        """Weight that shifts slowly, eyes that wander: what keeps a standing person alive."""
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
    """Steps on the spot, `rate` of them by each foot a second."""

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
    """Arms that swing with the steps of `stepping`."""

    def beat(seconds: float) -> Key:
        x = amount * wave(rate * seconds)
        return NOTHING.nudge("left", "hand", 0.0, 0.2 * abs(x), x).nudge("right", "hand", 0.0, 0.2 * abs(x), -x)

    return beat


def both(first: Rhythm, second: Rhythm) -> Rhythm:
    """Two rhythms at once."""
    return lambda seconds: first(seconds).plus(second(seconds))


def pumping(way: Key, rate: float) -> Rhythm:
    """To an offset and back, `rate` times a second."""
    return lambda seconds: Key(way.values * bump(rate * seconds))


def between(low: Key, high: Key, rate: float) -> Rhythm:
    """Laid over a phase whose goal is `low`: up to `high` and back, `rate` times a second."""
    return pumping(high.plus(low, -1.0), rate)


def rest_standing(style: Style) -> Phase:
    """Stands, arms hanging."""
    return Phase(
        name="stand and rest",
        seconds=style.seconds(1.8, 3.6),
        goal=style.stand,
        states=states(arm="unbend"),
        rhythm=style.sway(),
    )


def rest_hands_on_hips(style: Style) -> Phase:
    """Hands on the hips, breathing."""
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
    """One hand on the hip, the weight on the other leg."""
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
    """Wipes the forehead with one hand."""
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
    """Walks a few steps on the spot, arms loose."""
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
    """Pulls one arm across the chest with the other."""
    pulling = other(side)
    goal = (
        style.stand.on(side, "hand", -0.22, 1.33, 0.3)
        .on(side, "elbow_pole", 0.5, -0.4, 0.4)
        .on(pulling, "hand", -0.03, 1.3, 0.34)
        .on(pulling, "elbow_pole", 0.5, -0.9, 0.1)
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
    """Claps before the chest."""
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
    """Shakes the arms loose."""
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
    """Rises on the toes and sinks again, arms hanging."""
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
    """One of the rests named, with a word for the prop."""
    return replace(RESTS[style.pick(kinds)](style), prop=prop)


def handed(style: Style, phases: tuple[Phase, ...]) -> tuple[Phase, ...]:
    """The phases of a right-hander as this performer does them."""
    return phases if style.side == "right" else tuple(phase.mirrored() for phase in phases)
