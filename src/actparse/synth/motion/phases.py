"""Named phases and the performer that plays them: label and motion stand in one line, so they cannot drift apart.

A phase eases from the pose before it to its goal and then holds, with a rhythm laid over it (steps, jumps, jabs). The
state of a part changes where the joints do (`onset_seconds`), so labels neither lead the pose nor follow it.
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

Rhythm = Callable[[float], Key]  # seconds -> an offset to the pose; continuous
Pair = str | tuple[str, str]  # a state of both sides, or (left, right)

MAX_FADE_SECONDS = 0.6  # from one rhythm to the next
MIN_SCRIPT_SECONDS = 32.0  # a performer's script; after it the phases repeat
MOVING_STATES = frozenset({"step", "swing", "strike", "applaud", "carry"})  # start and end with the motion
TOUCHING_STATES = frozenset({"hold", "grab", "push"})  # of a hand: from the touch until it lets go
TOUCH_SHARE = 0.8  # of a move's time until the hand is at what it reaches for: 90 % of the eased way
RELEASE_SHARE = 0.33  # of a move's time until a hand has left what it held: 25 % of the eased way


def states(
    *,
    head: str = "none",
    arm: Pair = "unbend",
    hand: Pair = "none",
    hip: str = "none",
    leg: Pair = "stand",
    foot: Pair = "step_on",
) -> dict[str, str]:
    """The states of all ten parts; a pair is (left, right)."""
    said = {"head": head, "hip": hip}
    for group, pair in (("arm", arm), ("hand", hand), ("leg", leg), ("foot", foot)):
        left, right = (pair, pair) if isinstance(pair, str) else pair
        said |= {f"left_{group}": left, f"right_{group}": right}
    return {part: said[part] for part in PARTS}


def mirrored_states(said: dict[str, str]) -> dict[str, str]:
    """Left and right change places."""
    swap = {"left": "right", "right": "left"}
    return {part: said[_swap_side(part, swap)] for part in PARTS}


def _swap_side(part: str, swap: dict[str, str]) -> str:
    side, _, group = part.partition("_")
    return f"{swap[side]}_{group}" if side in swap else part


@dataclass(frozen=True, kw_only=True)
class Phase:
    """One interval of a motion, with the states of every part in it."""

    name: str
    seconds: float  # greater than 0
    goal: Key
    states: dict[str, str]  # of its goal; those of the phase before it last until `onset_seconds`
    move: float = 0.7  # seconds until the goal is reached; at most `seconds` is used
    arc: Key = NOTHING  # offset in the middle of the way to the goal: a foot that steps is lifted
    rhythm: Rhythm | None = None
    prop: str = ""  # what the prop does: a word between the motion and its prop maker

    def __post_init__(self) -> None:
        if not self.seconds > 0:
            raise ConfigError(f"phase.seconds must be greater than 0, got {self.seconds}")
        if set(self.states) != set(PARTS):
            raise ConfigError(f"phase.states must name the ten parts, got {sorted(self.states)}")

    def mirrored(self) -> Phase:
        """The same phase with left and right changed."""
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
    """Where a performer is in its script at one time."""

    seconds: float
    phase: Phase
    previous: Phase
    elapsed: float  # seconds since the phase began
    progress: float  # 0..1, eased: from the previous goal to this one
    fade: float  # 0..1, eased: from the previous rhythm to this one


def onset_seconds(phase: Phase, previous: Phase, part: str) -> float:
    """Return the seconds from a phase's start until a part is in the phase's state; before, it is in the previous one.

    A pose counts from the middle of the move to it, a motion from the middle of the fade between two rhythms, a touch
    from the end of the move and until the start of the next.
    """
    before, after = previous.states[part], phase.states[part]
    way = min(phase.move, phase.seconds)
    if before == after:
        return 0.0
    touched, touches = before in TOUCHING_STATES, after in TOUCHING_STATES
    if touched != touches:
        return (TOUCH_SHARE if touches else RELEASE_SHARE) * way
    if touches or not MOVING_STATES.isdisjoint((before, after)):
        return 0.5 * min(way, MAX_FADE_SECONDS)
    return 0.5 * way


def state_spans(phases: Sequence[Phase]) -> Iterator[tuple[dict[str, str], float]]:
    """Yield the states of one round of a script and how many seconds each combination of them lasts, in order."""
    for index, phase in enumerate(phases):
        previous = phases[index - 1]
        onsets = {part: onset_seconds(phase, previous, part) for part in PARTS}
        ends = sorted({0.0, *onsets.values(), phase.seconds})
        for start, end in itertools.pairwise(ends):
            said = {part: (phase if onsets[part] <= start else previous).states[part] for part in PARTS}
            yield said, end - start


PropMaker = Callable[
    [Pose, NDArray[np.float64], Beat], "list[Tube | HeldTube]"
]  # pose, the prop's place (metres), beat


class Performer(Protocol):
    """One person of a scene: what it does at any time, and what it may wear."""

    look: dict[str, float]  # chance of gloves, cap, midriff, barefoot, skirt, tank

    def at(self, time_seconds: float) -> Moment:
        """Pose, states and props at a time of 0 or more; the same time always gives the same moment."""
        ...


@dataclass(frozen=True)
class Routine:
    """What an action's builder writes: its phases, one after the other and then again, and its props."""

    phases: tuple[Phase, ...]
    props: PropMaker | None = None
    look: dict[str, float] = field(default_factory=dict)


class ScriptedPerformer:
    """Plays a routine over and over, from `start_seconds` of it on."""

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
        """Pose, states and props at a time of 0 or more; the same time always gives the same moment."""
        beat, before = self._beat(time_seconds)
        key = _blend(beat, before)
        pose, prop = key_to_pose(key, self.sizes)
        props = [] if self._props is None else self._props(pose, prop, beat)
        return Moment(pose, _states_at(beat), props)

    def _beat(self, time_seconds: float) -> tuple[Beat, Key]:
        """The beat at a time, and the goal of the phase before it."""
        seconds = self._start_seconds + time_seconds
        within = seconds % self._starts[-1]
        index = min(bisect_right(self._starts, within) - 1, len(self._phases) - 1)
        phase, previous = self._phases[index], self._phases[index - 1]
        elapsed = within - self._starts[index]
        before = previous.goal if index else _unwound(previous.goal, phase.goal)
        way = min(phase.move, phase.seconds)
        progress, fade = ease(elapsed / way), ease(elapsed / min(way, MAX_FADE_SECONDS))
        return Beat(seconds, phase, previous, elapsed, progress, fade), before


def _states_at(beat: Beat) -> dict[str, str]:
    said = dict(beat.phase.states)
    if beat.elapsed < min(beat.phase.move, beat.phase.seconds):
        for part, before in beat.previous.states.items():
            if before != said[part] and beat.elapsed < onset_seconds(beat.phase, beat.previous, part):
                said[part] = before
    return said


def _unwound(last: Key, first: Key) -> Key:
    """The last goal with whole turns taken off its heading, so that a script that repeats does not spin back."""
    turns = np.round((last.read("heading")[0] - first.read("heading")[0]) / (2 * np.pi))
    return last.shift("heading", float(-2 * np.pi * turns))


def _blend(beat: Beat, before: Key) -> Key:
    key = mix(before, beat.phase.goal, beat.progress)
    if beat.phase.arc is not NOTHING and beat.progress < 1:
        key = key.plus(beat.phase.arc, float(np.sin(np.pi * beat.progress)) ** 2)
    if beat.phase.rhythm is not None:
        key = key.plus(beat.phase.rhythm(beat.seconds), beat.fade)
    if beat.previous.rhythm is not None and beat.fade < 1:
        key = key.plus(beat.previous.rhythm(beat.seconds), 1 - beat.fade)
    return key


def loop_phases(make: Callable[[int], Sequence[Phase]], min_seconds: float = MIN_SCRIPT_SECONDS) -> tuple[Phase, ...]:
    """Call `make` with 0, 1, 2, ... until its phases last long enough."""
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
