"""Repetitions of an exercise, counted from one person's keypoints; angles are those in the plane of the image.

A repetition leaves the rest position, turns, and comes back: in a squat the knees bend and stretch again. What moves (a
joint's angle, the height of the hands or of the body) is smoothed over time, and each turning point that is prominent
enough is one repetition.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pyarrow as pa

from actparse.core.errors import ConfigError
from actparse.core.structures import FrameParse, VideoParse
from actparse.core.vocabulary import KEYPOINTS
from actparse.core.words import suggestion
from actparse.export.angles import ANGLES, JOINT_POINTS, person_angles
from actparse.export.movements import (
    EXERCISES,
    MIN_STEP_SECONDS,
    Exercise,
    RepetitionConfig,
    Signal,
    movement_signals,
    persons_in_front,
)

MIN_VISIBLE_SHARE = 0.5  # of the time in which a joint is visible; below it, there is a warning
MAX_LENGTH_CHANGE = 1.5  # of the ratio of a joint's limbs in the picture, if it moves in the plane of the picture
EXERCISE_OF_ACTION = {  # of the actions that repeat one movement
    "deadlifting": "deadlift",
    "front_raises": "raise",
    "hopscotch": "jump",
    "lunge": "lunge",
    "pull_ups": "pull_up",
    "push_up": "push_up",
    "skipping_rope": "jump",
    "squatting": "squat",
}


@dataclass(frozen=True)
class SideRange:
    """Smallest and largest angle of one side's joint in a repetition, degrees; NaN if the joint is not visible."""

    smallest: float
    largest: float

    @property
    def range(self) -> float:
        """Largest less smallest angle, degrees."""
        return self.largest - self.smallest


@dataclass(frozen=True)
class Repetition:
    """One repetition: times in seconds, ranges of both sides, and how sure it is."""

    start_seconds: float
    turn_seconds: float
    end_seconds: float
    left: SideRange
    right: SideRange
    confidence: float  # 0..1: of the keypoints, times how clearly the movement stands out from the noise

    @property
    def seconds(self) -> float:
        """Duration."""
        return self.end_seconds - self.start_seconds

    @property
    def asymmetry(self) -> float:
        """Difference of the two sides' ranges, degrees, without a sign; NaN if a side is not visible."""
        return abs(self.left.range - self.right.range)


@dataclass(frozen=True)
class Repetitions:
    """The repetitions of one person in a video."""

    exercise: str
    joint: str
    track_id: int
    items: tuple[Repetition, ...]
    warnings: tuple[str, ...] = ()
    continued_by: tuple[int, ...] = ()  # tracks that are taken for the same person


def find_exercise(parse: VideoParse, name: str | None = None) -> tuple[str, Exercise]:
    """Return an exercise by its name or that of a joint, or the exercise of the parse's action.

    Raises:
        ConfigError: there is no such exercise or joint, or the action is no exercise.
    """
    joints = {*JOINT_POINTS, *(joint.partition("_")[2] for joint in JOINT_POINTS)}
    if name is None:
        name = EXERCISE_OF_ACTION.get(parse.action)
        if name is None:
            raise ConfigError(
                f"exercise must be given for the action {parse.action!r}: one of {', '.join(EXERCISES)}, or a joint"
            )
    if name in EXERCISES:
        return name, EXERCISES[name]
    if name in joints:
        return name, Exercise(name)
    choices = sorted({*EXERCISES, *joints})
    raise ConfigError(f"exercise must be one of {', '.join(choices)}, got {name!r}{suggestion(name, choices)}")


def count_repetitions(
    parse: VideoParse,
    exercise: str | None = None,
    *,
    track_id: int | None = None,
    config: RepetitionConfig | None = None,
) -> Repetitions:
    """Count the repetitions of one person.

    Args:
        parse: of the video; ten or more sampled frames a second are best.
        exercise: one of EXERCISES, or a joint like "knee" or "left_elbow"; None for that of the parse's action.
        track_id: of the person; None for `movements.persons_in_front`.
        config: None for the defaults.

    Raises:
        ConfigError: there is no such exercise.
        DataError: nobody, or no such person, was detected.
    """
    config = config or RepetitionConfig()
    name, movement = find_exercise(parse, exercise)
    tracks = [track_id] if track_id is not None else persons_in_front(parse.frames, min_seconds=movement.seconds)
    track, *continued_by = tracks
    signals = movement_signals(parse.frames, movement, tracks, config)
    min_rise = min_prominence = config.min_degrees if movement.min_rise is None else movement.min_rise
    values = np.concatenate([signal.counted for signal in signals]) if signals else np.zeros(1)
    spread = float(np.subtract(*np.percentile(values, (95, 5))))
    prominences = sorted(prominence for signal in signals for prominence in signal.turns(min_rise / 2, config)[1])
    if prominences:  # one outlier does not hide the others: the spread is small then, and so is the second
        min_prominence = max(min_rise, config.min_share * max(min(spread, prominences[-1]), *prominences[-2:-1], 0.0))
    items = [item for signal in signals for item in _repetitions(signal, min_prominence, config)]
    warnings = _visibility_warnings(parse.frames, movement, tracks, signals, config)
    if continued_by:
        joined = ", ".join(map(str, continued_by))
        warnings.append(f"person {track} is continued by {joined}, counted as the same: choose one with --person")
    if not items and prominences and prominences[-1] < min_rise:
        factor, unit = (1, "degrees") if movement.measure == "angle" else (100, "% of the trunk's length")
        size = f"{int(factor * prominences[-1])} {unit}"
        is_hinted = movement.measure == "angle" and prominences[-1] >= config.min_degrees
        hint = f", or count with --exercise {movement.joint}" if is_hinted else ""
        warnings.append(f"the largest movement is {size}: a repetition needs {factor * min_rise:.0f}{hint}")
    if not items and track_id is None:
        others = {person.track_id for frame in parse.frames for person in frame.persons} - set(tracks)
        counts = {
            other: len(count_repetitions(parse, name, track_id=other, config=config).items) for other in sorted(others)
        }
        best = max(counts, key=lambda other: counts[other], default=track)
        if counts.get(best):
            warnings.append(f"person {track} does none, person {best} does {counts[best]}: choose with --person")
    times = [frame.time_seconds for frame in parse.frames]
    rate = (len(times) - 1) / (times[-1] - times[0]) if times[-1] > times[0] else 0.0
    if 0 < rate * config.min_spacing * movement.seconds < 3:
        warnings.append(f"{rate:.1f} sampled frames a second may miss fast repetitions: parse with a smaller --stride")
    return Repetitions(name, movement.joint, track, tuple(items), tuple(warnings), tuple(continued_by))


def _repetitions(signal: Signal, prominence: float, config: RepetitionConfig) -> list[Repetition]:
    """Return the repetitions in a signal whose turning points stand out by `prominence`, in the unit of `counted`."""
    values, times = signal.counted, signal.times
    turns, _ = signal.turns(prominence, config)
    limits = [
        0,
        *(int(a + np.argmin(values[a : b + 1])) for a, b in pairwise(turns)),
        len(times) - 1,
    ]
    if len(turns):  # before the first and after the last turn the person may do something else
        limits[0] = int(np.argmin(values[: turns[0] + 1]))
        limits[-1] = int(turns[-1] + np.argmin(values[turns[-1] :]))
    items = []
    for turn, (previous_rest, next_rest) in zip(turns, pairwise(limits), strict=False):
        rest = np.array([values[previous_rest], values[next_rest]])
        near = rest + config.rest_share * (values[turn] - rest)  # (2,)
        start = turn - int(np.argmax(values[turn::-1] <= near[0]))
        end = turn + int(np.argmax(values[turn:] <= near[1]))
        inside = slice(start, end + 1)
        clarity = float((values[turn] - rest.max()) / (values[turn] - rest.max() + 3 * signal.noise))
        items.append(
            Repetition(
                start_seconds=float(times[start]),
                turn_seconds=float(times[turn]),
                end_seconds=float(times[end]),
                left=SideRange(float(signal.angles[0, inside].min()), float(signal.angles[0, inside].max())),
                right=SideRange(float(signal.angles[1, inside].min()), float(signal.angles[1, inside].max())),
                confidence=float(signal.confidence[inside].mean()) * clarity,
            )
        )
    return items


def _visibility_warnings(
    frames: Sequence[FrameParse],
    movement: Exercise,
    tracks: Sequence[int],
    signals: Sequence[Signal],
    config: RepetitionConfig,
) -> list[str]:
    """Return a line for each reason why repetitions may be missed: the joint is not visible, or bends to the camera."""
    needed = {"hand_height": "wrists and shoulders are", "height": "head, shoulders or hips are"}.get(
        movement.measure, f"the {movement.joint.replace('_', ' ')} is"
    )
    if not signals:
        return [f"{needed} not visible for long enough to count repetitions"]
    visible = sum(signal.times[-1] - signal.times[0] for signal in signals)
    share = visible / max(frames[-1].time_seconds - frames[0].time_seconds, MIN_STEP_SECONDS)
    warnings = []
    if share < MIN_VISIBLE_SHARE:
        warnings = [f"{needed} visible in {100 * share:.0f} % of the time only"]
    persons = [person for frame in frames for person in frame.persons if person.track_id in tracks]
    keypoints = np.array([person.keypoints for person in persons])  # (T, 17, 3)
    points = np.where(keypoints[..., 2:] >= config.min_confidence, keypoints[..., :2], np.nan)
    angles = person_angles(persons, min_confidence=config.min_confidence)  # (T, 9)
    changes = []  # of the angles of the sides that bend towards the camera
    names = [name for name in JOINT_POINTS if movement.joint in (name, name.partition("_")[2])]
    for name in names if movement.measure == "angle" else ():
        first, middle, last = (points[:, KEYPOINTS.index(point)] for point in JOINT_POINTS[name])  # (T, 2) each
        ratios = np.linalg.norm(first - middle, axis=1) / np.maximum(np.linalg.norm(last - middle, axis=1), 1e-6)
        degrees = angles[:, ANGLES.index(name)]
        is_known = ~np.isnan(ratios + degrees)
        low, high = np.percentile(ratios[is_known], (10, 90)) if is_known.any() else (1.0, 1.0)
        change = float(np.subtract(*np.percentile(degrees[is_known], (90, 10)))) if is_known.any() else 0.0
        if high > MAX_LENGTH_CHANGE * low and change < 2 * config.min_degrees:
            changes.append(change)
    if changes and len(changes) == len(names):
        warnings.append(
            f"the {movement.joint.replace('_', ' ')} changes by only {max(changes):.0f} degrees in the picture while "
            "its limbs become shorter: it bends towards the camera or away from it; film from the side"
        )
    return warnings


def repetitions_table(repetitions: Repetitions, video: str) -> pa.Table:
    """Return a table with a row for each repetition; `video` is the name in its first column."""
    items = repetitions.items
    count = len(items)
    floats: dict[str, list[float]] = {
        "start_s": [item.start_seconds for item in items],
        "turn_s": [item.turn_seconds for item in items],
        "end_s": [item.end_seconds for item in items],
        "duration_s": [item.seconds for item in items],
        "left_smallest_deg": [item.left.smallest for item in items],
        "left_largest_deg": [item.left.largest for item in items],
        "left_range_deg": [item.left.range for item in items],
        "right_smallest_deg": [item.right.smallest for item in items],
        "right_largest_deg": [item.right.largest for item in items],
        "right_range_deg": [item.right.range for item in items],
        "asymmetry_deg": [item.asymmetry for item in items],
        "confidence": [item.confidence for item in items],
    }
    return pa.table(
        {
            "video": pa.array([video] * count, pa.string()),
            "track": pa.array([repetitions.track_id] * count, pa.int32()),
            "exercise": pa.array([repetitions.exercise] * count, pa.string()),
            "joint": pa.array([repetitions.joint] * count, pa.string()),
            "repetition": pa.array(range(1, count + 1), pa.int32()),
            **{name: pa.array(values, pa.float64(), from_pandas=True) for name, values in floats.items()},
        }
    )
