"""Named phases and the performer that plays them; labels and motion are defined together, so they always agree.

A phase moves smoothly from the previous pose to its goal and then holds it, with a rhythm added to it (steps, jumps,
jabs). The state of a part changes when its joints do (`onset_seconds`), so labels neither lead the pose nor lag it.
"""

from __future__ import annotations

import itertools
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from actparse.core.errors import ConfigError
from actparse.core.vocabulary import PARTS
from actparse.synth.motion.figure import BodySizes, HeldTube, Moment, Pose, Tube
from actparse.synth.motion.keys import CHANNELS, NOTHING, Key, ease, mix
from actparse.synth.motion.reach import key_to_pose

Rhythm = Callable[[float], Key]  # seconds -> offset to the pose; continuous
Pair = str | tuple[str, str]  # a state of both sides, or (left, right)

MAX_FADE_SECONDS = 0.6  # of the transition from one rhythm to the next
MIN_SCRIPT_SECONDS = 32.0  # shortest script of a performer; at its end the phases repeat
STATES = (
    *("none", "others", "bend", "unbend", "lift", "raise", "hug", "push", "hold", "grab", "applaud", "carry", "strike"),
    *("turn", "stoop", "sit", "stand", "step", "swing", "step_on", "tiptoe"),
)  # of all parts
MOVING_STATES = frozenset({"step", "swing", "strike", "applaud", "carry"})  # these start and end with the motion
TOUCHING_STATES = frozenset({"hold", "grab", "push"})  # of a hand: these last from the touch until the hand lets go
TOUCH_SHARE = 0.8  # share of a move's time until the hand touches its target: 90 % of the eased distance
RELEASE_SHARE = 0.33  # share of a move's time until the hand has let go: 25 % of the eased distance


def states(
    *,
    head: str = "none",
    arm: Pair = "unbend",
    hand: Pair = "none",
    hip: str = "none",
    leg: Pair = "stand",
    foot: Pair = "step_on",
) -> dict[str, str]:
    """Return the states of all ten parts; a pair is (left, right).

    Raises:
        ConfigError: a state is not one of `STATES`.
    """
    states_by_part = {"head": head, "hip": hip}
    for group, pair in (("arm", arm), ("hand", hand), ("leg", leg), ("foot", foot)):
        left, right = (pair, pair) if isinstance(pair, str) else pair
        states_by_part |= {f"left_{group}": left, f"right_{group}": right}
    for part, state in states_by_part.items():
        if state not in STATES:
            raise ConfigError(f"state of {part} must be one of {', '.join(STATES)}, got {state!r}")
    return {part: states_by_part[part] for part in PARTS}


def mirrored_states(states_by_part: dict[str, str]) -> dict[str, str]:
    """Exchange the states of left and right."""
    swap = {"left": "right", "right": "left"}
    sides = {part: part.partition("_") for part in PARTS}
    return {part: states_by_part[f"{swap[s]}_{group}" if s in swap else part] for part, (s, _, group) in sides.items()}


@dataclass(frozen=True, kw_only=True)
class Phase:
    """One interval of a motion, with the states of every part in it."""

    name: str
    seconds: float  # greater than 0
    goal: Key
    states: dict[str, str]  # of the goal; those of the previous phase last until `onset_seconds`
    move: float = 0.7  # seconds until the goal is reached, limited to `seconds`
    rolls: bool = False  # whether travel and heading change evenly during the whole phase: on wheels, on a sled
    arc: Key = NOTHING  # offset that is largest halfway to the goal: it lifts a stepping foot, for example
    rhythm: Rhythm | None = None
    prop: str = ""  # what the prop does: a word that the motion passes to its prop maker

    def __post_init__(self) -> None:
        if not self.seconds > 0:
            raise ConfigError(f"phase.seconds must be greater than 0, got {self.seconds}")
        if set(self.states) != set(PARTS):
            raise ConfigError(f"phase.states must name the ten parts, got {sorted(self.states)}")

    def mirrored(self) -> Phase:
        """Return the same phase with left and right exchanged."""
        beat = self.rhythm
        rhythm = None if beat is None else (lambda seconds: beat(seconds).mirrored())
        return replace(
            self,
            name=f"{self.name}, mirrored",
            goal=self.goal.mirrored(),
            arc=self.arc.mirrored(),
            states=mirrored_states(self.states),
            rhythm=rhythm,
        )


@dataclass(frozen=True)
class Beat:
    """The position of a performer in its script at one time."""

    seconds: float
    phase: Phase
    previous: Phase
    elapsed: float  # seconds since the start of the phase
    progress: float  # 0..1, eased: from the previous goal to the goal of this phase
    fade: float  # 0..1, eased: from the previous rhythm to the rhythm of this phase
    heading: float = 0.0  # radians, of the pose at this time


def onset_seconds(phase: Phase, previous: Phase, part: str) -> float:
    """Return the seconds from the start of a phase until a part changes from its previous state to the phase's state.

    The state of a pose starts in the middle of the move to it, that of a motion in the middle of the fade between two
    rhythms. A touch lasts from near the end of the move to it until shortly after the start of the next move.
    """
    old_state, new_state = previous.states[part], phase.states[part]
    move_seconds = min(phase.move, phase.seconds)
    if old_state == new_state:
        return 0.0
    was_touching, is_touching = old_state in TOUCHING_STATES, new_state in TOUCHING_STATES
    if was_touching != is_touching:
        return (TOUCH_SHARE if is_touching else RELEASE_SHARE) * move_seconds
    if is_touching or not MOVING_STATES.isdisjoint((old_state, new_state)):
        return 0.5 * min(move_seconds, MAX_FADE_SECONDS)
    return 0.5 * move_seconds


def state_spans(phases: Sequence[Phase]) -> Iterator[tuple[dict[str, str], float]]:
    """Yield the states of one round of a script and how many seconds each combination of them lasts, in order."""
    for index, phase in enumerate(phases):
        previous = phases[index - 1]
        onsets = {part: onset_seconds(phase, previous, part) for part in PARTS}
        ends = sorted({0.0, *onsets.values(), phase.seconds})
        for start, end in itertools.pairwise(ends):
            states_by_part = {part: (phase if onsets[part] <= start else previous).states[part] for part in PARTS}
            yield states_by_part, end - start


# pose, position of the prop (metres), beat -> props
PropMaker = Callable[[Pose, NDArray[np.float64], Beat], "list[Tube | HeldTube]"]


class Performer(Protocol):
    """One person of a scene: the motion at any time, and the clothes that suit it."""

    look: dict[str, float]  # probability of gloves, cap, midriff, barefoot, skirt, tank

    def at(self, time_seconds: float) -> Moment:
        """Return pose, states and props at a time of 0 or more; equal times give equal moments."""
        ...


@dataclass(frozen=True)
class Routine:
    """The result of an action's builder: the phases, which repeat in order, and the props."""

    phases: tuple[Phase, ...]
    props: PropMaker | None = None
    look: dict[str, float] = field(default_factory=dict)


class ScriptedPerformer:
    """A performer that repeats a routine, beginning at `start_seconds`."""

    def __init__(self, routine: Routine, sizes: BodySizes, *, start_seconds: float = 0.0) -> None:
        if not routine.phases:
            raise ConfigError("routine.phases must name at least one phase, got none")
        self.look = routine.look
        self.sizes = sizes
        self._props = routine.props
        self._phases = routine.phases
        self._starts = np.concatenate([[0.0], np.cumsum([phase.seconds for phase in routine.phases])]).tolist()
        self._start_seconds = start_seconds

    def at(self, time_seconds: float) -> Moment:
        """Return pose, states and props at a time of 0 or more; equal times give equal moments."""
        beat, previous_goal = self._beat(time_seconds)
        key = _blend(beat, previous_goal)
        pose, prop = key_to_pose(key, self.sizes)
        props = (
            [] if self._props is None else self._props(pose, prop, replace(beat, heading=float(key.read("heading")[0])))
        )
        return Moment(pose, _states_at(beat), props)

    def _beat(self, time_seconds: float) -> tuple[Beat, Key]:
        """Return the beat at a time, and the goal of the previous phase."""
        seconds = self._start_seconds + time_seconds
        within = seconds % self._starts[-1]
        index = min(bisect_right(self._starts, within) - 1, len(self._phases) - 1)
        phase, previous = self._phases[index], self._phases[index - 1]
        elapsed = within - self._starts[index]
        previous_goal = previous.goal if index else _remove_turns(previous.goal, phase.goal)
        move_seconds = min(phase.move, phase.seconds)
        progress, fade = ease(elapsed / move_seconds), ease(elapsed / min(move_seconds, MAX_FADE_SECONDS))
        return Beat(seconds, phase, previous, elapsed, progress, fade), previous_goal


def _states_at(beat: Beat) -> dict[str, str]:
    states_by_part = dict(beat.phase.states)
    if beat.elapsed < min(beat.phase.move, beat.phase.seconds):
        for part, previous_state in beat.previous.states.items():
            if previous_state != states_by_part[part] and beat.elapsed < onset_seconds(beat.phase, beat.previous, part):
                states_by_part[part] = previous_state
    return states_by_part


def _remove_turns(last: Key, first: Key) -> Key:
    """Remove whole turns from the heading of the last goal, so that a repeating script does not spin back."""
    turns = np.round((last.read("heading")[0] - first.read("heading")[0]) / (2 * np.pi))
    return last.shift("heading", float(-2 * np.pi * turns))


def _blend(beat: Beat, previous_goal: Key) -> Key:
    key = mix(previous_goal, beat.phase.goal, beat.progress)
    if beat.phase.rolls:
        even = mix(previous_goal, beat.phase.goal, beat.elapsed / beat.phase.seconds)
        key = key.put("travel", *even.read("travel")).put("heading", *even.read("heading"))
    if beat.phase.arc is not NOTHING and beat.progress < 1:
        key = key.plus(beat.phase.arc, float(np.sin(np.pi * beat.progress)) ** 2)
    if beat.phase.rhythm is not None:
        key = key.plus(beat.phase.rhythm(beat.seconds), beat.fade)
    if beat.previous.rhythm is not None and beat.fade < 1:
        key = key.plus(beat.previous.rhythm(beat.seconds), 1 - beat.fade)
    return key


def loop_phases(make: Callable[[int], Sequence[Phase]], min_seconds: float = MIN_SCRIPT_SECONDS) -> tuple[Phase, ...]:
    """Call `make` with 0, 1, 2, ... until its phases last at least `min_seconds` in total."""
    phases: list[Phase] = []
    for turn in range(200):
        phases.extend(make(turn))
        if sum(phase.seconds for phase in phases) >= min_seconds:
            return tuple(phases)
    raise ConfigError(f"the phases of 200 turns must last {min_seconds} s, got less")


__all__ = [
    "CHANNELS",
    "Beat",
    "Pair",
    "Performer",
    "Phase",
    "PropMaker",
    "Rhythm",
    "Routine",
    "ScriptedPerformer",
    "loop_phases",
    "mirrored_states",
    "onset_seconds",
    "state_spans",
    "states",
]
