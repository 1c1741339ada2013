"""Repetitions of an exercise, counted from one person's keypoints; angles are those in the plane of the image.

A repetition leaves the rest position, turns, and comes back: in a squat the knees bend and stretch again. What moves (a
joint's angle, the height of the hands or of the body) is smoothed over time, and each turning point that is prominent
enough is one repetition.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from actparse.core.errors import ConfigError, DataError
from actparse.core.structures import FrameParse, PersonParse, VideoParse
from actparse.core.vocabulary import KEYPOINTS
from actparse.core.words import suggestion
from actparse.export.angles import ANGLES, JOINT_POINTS, MIN_CONFIDENCE, person_angles

Floats = NDArray[np.float64]
SIDES = ("left", "right")
Measure = Literal["angle", "hand_height", "height"]
SHOULDERS = [KEYPOINTS.index(f"{side}_shoulder") for side in SIDES]
HIPS = [KEYPOINTS.index(f"{side}_hip") for side in SIDES]
MIN_SAMPLES = 3  # of an interval
MIN_STEP_SECONDS = 1e-3  # between samples; frames may have equal times
MIN_VISIBLE_SHARE = 0.5  # of the time in which a joint is visible; below it, there is a warning
MAX_LENGTH_CHANGE = 1.5  # of the ratio of a joint's limbs in the picture, if it moves in the plane of the picture
WRISTS = [KEYPOINTS.index(f"{side}_wrist") for side in SIDES]


@dataclass(frozen=True)
class Exercise:
    """The movement of a repetition."""

    joint: str  # whose angles are reported: "knee" of both sides, or "left_knee"
    measure: Measure = "angle"  # what is counted: that angle; the wrists above the shoulders; the trunk in the frame
    opens: bool = False  # the turning point is the largest value, not the smallest
    by_side: bool = False  # either side may do a repetition, as in lunges


EXERCISES: dict[str, Exercise] = {
    "squat": Exercise("knee"),
    "lunge": Exercise("knee", by_side=True),
    "push_up": Exercise("elbow"),
    "pull_up": Exercise("elbow"),
    "deadlift": Exercise("hip"),
    "curl": Exercise("elbow", by_side=True),
    "raise": Exercise("shoulder", "hand_height", opens=True),
    "jump": Exercise("knee", "height", opens=True),
}
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


@dataclass(frozen=True, kw_only=True)
class RepetitionConfig:
    """Settings for counting. The defaults were chosen on SynthTPS by `benchmarks/repetitions.py`."""

    min_confidence: float = MIN_CONFIDENCE  # of the keypoints of an angle
    smoothing_seconds: float = 0.5  # window of a Savitzky-Golay filter of degree 2
    max_gap_seconds: float = 1.0  # without the angle, that is bridged
    min_seconds: float = 0.35  # between two turning points
    min_degrees: float = 20.0  # between rest and turning point
    min_height: float = 0.05  # the same for heights, in lengths of the trunk; a hop over a rope has 0.06 to 0.1
    min_share: float = 0.45  # the same, as a share of the most prominent turning point in the video
    min_noise_ratio: float = 3.0  # the same, over the noise of the keypoints
    rest_share: float = 0.15  # of a repetition's range: within it of the rest position, it has not begun or has ended

    def __post_init__(self) -> None:
        for name in ("min_confidence", "min_share", "rest_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"repetitions.{name} must be 0..1, got {getattr(self, name)}")
        for name in (
            "smoothing_seconds",
            "max_gap_seconds",
            "min_seconds",
            "min_degrees",
            "min_height",
            "min_noise_ratio",
        ):
            if not getattr(self, name) >= 0:
                raise ConfigError(f"repetitions.{name} must be at least 0, got {getattr(self, name)}")


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


@dataclass(frozen=True)
class Signal:
    """What a person does over an interval: T times in seconds, evenly spaced."""

    times: Floats  # (T,)
    angles: Floats  # (2, T) of the left and the right joint, degrees; NaN if a side is never visible
    counted: Floats  # (T,) degrees or trunk lengths; rises towards the turning point
    noise: float  # standard deviation of what smoothing removes from `counted`
    confidence: Floats  # (T,) of the joint's least confident keypoint, of the better side, 0..1

    def turns(self, prominence: float, config: RepetitionConfig) -> tuple[NDArray[np.int64], Floats]:
        """Return the indices (n,) and the prominences (n,) of the turning points that are prominent enough."""
        from scipy.signal import find_peaks  # takes a third of a second, and pages import this module

        distance = max(1, round(config.min_seconds / (self.times[1] - self.times[0])))
        prominence = max(prominence, config.min_noise_ratio * self.noise)
        turns, properties = find_peaks(self.counted, prominence=prominence, distance=distance)
        return turns, properties["prominences"]

    def repetitions(self, prominence: float, config: RepetitionConfig) -> list[Repetition]:
        """Return the repetitions whose turning points stand out by `prominence`, in the unit of `counted`."""
        values, times = self.counted, self.times
        turns, _ = self.turns(prominence, config)
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
            clarity = float((values[turn] - rest.max()) / (values[turn] - rest.max() + 3 * self.noise))
            items.append(
                Repetition(
                    start_seconds=float(times[start]),
                    turn_seconds=float(times[turn]),
                    end_seconds=float(times[end]),
                    left=SideRange(float(self.angles[0, inside].min()), float(self.angles[0, inside].max())),
                    right=SideRange(float(self.angles[1, inside].min()), float(self.angles[1, inside].max())),
                    confidence=float(self.confidence[inside].mean()) * clarity,
                )
            )
        return items

    @classmethod
    def smoothed(
        cls,
        times: Floats,
        values: Floats,
        angles: Floats,
        confidence: Floats,
        movement: Exercise,
        config: RepetitionConfig,
    ) -> Signal:
        """Resample and smooth an interval of a person: times and confidence (T,), values and angles (2, T)."""
        from scipy.signal import savgol_filter  # as above

        step = max(float(np.median(np.diff(times))), MIN_STEP_SECONDS)
        grid = np.linspace(times[0], times[-1], max(2, round((times[-1] - times[0]) / step) + 1))  # (T',)
        raw = _resampled(times, values, grid)
        raw = raw[~np.isnan(raw).any(axis=1)]  # (n, T') of n visible sides
        window = round(config.smoothing_seconds / (grid[1] - grid[0])) // 2 * 2 + 1  # samples, odd
        smooth = np.asarray(savgol_filter(raw, window, 2, axis=1)) if 3 < window <= len(grid) else raw
        return cls(
            times=grid,
            angles=_resampled(times, angles, grid),
            counted=smooth.max(axis=0) if movement.by_side else smooth.mean(axis=0),
            noise=float((raw - smooth).std()),
            confidence=np.interp(grid, times, confidence),
        )


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


def main_person(frames: Sequence[FrameParse]) -> int:
    """Return the track with the largest sum of score times area of the box, relative to the frame's largest one.

    Raises:
        DataError: nobody was detected.
    """
    sums: dict[int, float] = defaultdict(float)
    for frame in frames:
        areas = [(p.box[2] - p.box[0]) * (p.box[3] - p.box[1]) for p in frame.persons]
        for person, area in zip(frame.persons, areas, strict=True):
            sums[person.track_id] += person.score * area / max(*areas, 1.0)
    if not sums:
        raise DataError("repetitions: needs a person in the video, got nobody")
    return max(sums, key=lambda track: sums[track])


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
        track_id: of the person; None for `main_person`.
        config: None for the defaults.

    Raises:
        ConfigError: there is no such exercise.
        DataError: nobody, or no such person, was detected.
    """
    config = config or RepetitionConfig()
    name, movement = find_exercise(parse, exercise)
    track = main_person(parse.frames) if track_id is None else track_id
    signals = joint_signals(parse.frames, movement, track, config)
    least = config.min_degrees if movement.measure == "angle" else config.min_height
    values = np.concatenate([signal.counted for signal in signals]) if signals else np.zeros(1)
    spread = float(np.subtract(*np.percentile(values, (95, 5))))  # small if one turning point is an outlier
    prominences = [prominence for signal in signals for prominence in signal.turns(least, config)[1]]
    least = max(least, config.min_share * min(spread, max(prominences, default=0.0)))
    items = [item for signal in signals for item in signal.repetitions(least, config)]
    warnings = _visibility_warnings(parse.frames, movement, track, signals, config)
    if not items and track_id is None:
        others = {person.track_id for frame in parse.frames for person in frame.persons} - {track}
        counts = {
            other: len(count_repetitions(parse, name, track_id=other, config=config).items) for other in sorted(others)
        }
        best = max(counts, key=lambda other: counts[other], default=track)
        if counts.get(best):
            warnings.append(f"person {track} does none, person {best} does {counts[best]}: choose with --person")
    times = [frame.time_seconds for frame in parse.frames]
    rate = (len(times) - 1) / (times[-1] - times[0]) if times[-1] > times[0] else 0.0
    if 0 < rate < 1 / config.min_seconds * 3:
        warnings.append(f"{rate:.1f} sampled frames a second may miss fast repetitions: parse with a smaller --stride")
    return Repetitions(name, movement.joint, track, tuple(items), tuple(warnings))


def _visibility_warnings(
    frames: Sequence[FrameParse], movement: Exercise, track_id: int, signals: Sequence[Signal], config: RepetitionConfig
) -> list[str]:
    """Return a line for each reason why repetitions may be missed: the joint is not visible, or bends to the camera."""
    if not signals:
        return ["the joint is not visible for long enough to count repetitions"]
    visible = sum(signal.times[-1] - signal.times[0] for signal in signals)
    share = visible / max(frames[-1].time_seconds - frames[0].time_seconds, MIN_STEP_SECONDS)
    warnings = []
    if share < MIN_VISIBLE_SHARE:
        needed = {"hand_height": "wrists and shoulders are", "height": "shoulders and hips are"}.get(
            movement.measure, f"the {movement.joint.replace('_', ' ')} is"
        )
        warnings = [f"{needed} visible in {100 * share:.0f} % of the time only"]
    persons = [person for frame in frames for person in frame.persons if person.track_id == track_id]
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


def joint_signals(
    frames: Sequence[FrameParse], movement: Exercise, track_id: int, config: RepetitionConfig
) -> list[Signal]:
    """Return a signal for each interval in which a person shows an exercise's movement.

    Raises:
        DataError: no frame shows the person.
    """
    pairs = [(frame.time_seconds, p) for frame in frames for p in frame.persons if p.track_id == track_id]
    if not pairs:
        tracks = sorted({person.track_id for frame in frames for person in frame.persons})
        raise DataError(f"person must be one of {', '.join(map(str, tracks)) or 'nobody'}, got {track_id}")
    times, persons = np.array([time for time, _ in pairs]), [person for _, person in pairs]
    is_one_joint = movement.joint in JOINT_POINTS
    names = [movement.joint if is_one_joint else f"{side}_{movement.joint}" for side in SIDES]
    angles = person_angles(persons, min_confidence=config.min_confidence)[:, [ANGLES.index(name) for name in names]].T
    angles[[not name.startswith(side) for name, side in zip(names, SIDES, strict=True)]] = np.nan  # (2, T)
    values = angles if movement.measure == "angle" else _heights(persons, movement.measure, config.min_confidence)
    values = values if movement.opens else -values
    confidences = np.array([person.keypoints for person in persons])[:, :, 2]  # (T, 17)
    points = [[KEYPOINTS.index(point) for point in JOINT_POINTS[name]] for name in names]
    confidence = np.max([confidences[:, indices].min(axis=1) for indices in points], axis=0)  # (T,) of the better side
    is_shown = ~np.isnan(values).all(axis=0)
    indices = np.flatnonzero(is_shown)
    breaks = np.flatnonzero(np.diff(times[indices]) > config.max_gap_seconds) + 1
    return [
        Signal.smoothed(times[chosen], values[:, chosen], angles[:, chosen], confidence[chosen], movement, config)
        for chosen in np.split(indices, breaks)
        if len(chosen) >= MIN_SAMPLES and times[chosen[-1]] > times[chosen[0]]
    ]


def _resampled(times: Floats, sides: Floats, grid: Floats) -> Floats:
    """Interpolate values (2, T) with gaps of NaN at the times of a grid; a side that is all NaN stays so."""
    resampled = np.full((len(sides), len(grid)), np.nan)
    for values, out in zip(sides, resampled, strict=True):
        is_shown = ~np.isnan(values)
        if is_shown.any():
            out[:] = np.interp(grid, times[is_shown], values[is_shown])
    return resampled


def _heights(persons: Sequence[PersonParse], measure: Measure, min_confidence: float) -> Floats:
    """Return the height of both wrists above the shoulders, or of the trunk (2, T), in trunk lengths, or NaN."""
    points = np.array([person.keypoints for person in persons])  # (T, 17, 3)
    positions = np.where(points[..., 2:] >= min_confidence, points[..., :2], np.nan)  # (T, 17, 2)
    shoulders, hips = positions[:, SHOULDERS].mean(axis=1), positions[:, HIPS].mean(axis=1)  # (T, 2)
    lengths = np.linalg.norm(shoulders - hips, axis=1)
    length = float(np.nanmedian(lengths)) if not np.isnan(lengths).all() else np.nan
    if measure == "hand_height":
        return np.asarray((shoulders[:, 1] - positions[:, WRISTS, 1].T) / max(length, 1.0))
    return np.stack([-(shoulders + hips)[:, 1] / 2 / max(length, 1.0)] * 2)


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
