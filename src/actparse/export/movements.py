"""What is counted in an exercise: a joint's angle, or a height, of one person, as a smooth signal over time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from actparse.core.errors import ConfigError, DataError
from actparse.core.structures import FrameParse, PersonParse
from actparse.core.vocabulary import KEYPOINTS
from actparse.export.angles import ANGLES, JOINT_POINTS, MIN_CONFIDENCE, person_angles

Floats = NDArray[np.float64]
SIDES = ("left", "right")
Measure = Literal["angle", "hand_height", "height"]
SHOULDERS = [KEYPOINTS.index(f"{side}_shoulder") for side in SIDES]
HIPS = [KEYPOINTS.index(f"{side}_hip") for side in SIDES]
WRISTS = [KEYPOINTS.index(f"{side}_wrist") for side in SIDES]
HEAD = list(range(KEYPOINTS.index("left_shoulder")))
BODY = [*HEAD, *SHOULDERS, *HIPS]  # they rise together in a jump
BODY_WEIGHTS = np.repeat((1 / 5, 1 / 2), (5, 4))  # of each point of BODY: a nod moves a third of the body
NECK_SHARE = 0.41  # head to shoulders, of shoulders to hips; source: Drillis and Contini 1966, segments of the stature
NUM_PASSES = 4  # of the fit of a common height to points of which some are hidden
MIN_SAMPLES = 3  # of an interval
MIN_STEP_SECONDS = 1e-3  # between samples; frames may have equal times
MIN_NOISE_SHARE = 0.1  # of the range of the movement: less noise than this makes a side no more certain
MIN_CUT_SHIFT = 0.3  # of a person's keypoints at a cut, as a share of the longer side of the smaller box


@dataclass(frozen=True)
class Exercise:
    """The movement of a repetition."""

    joint: str  # whose angles are reported: "knee" of both sides, or "left_knee"
    measure: Measure = "angle"  # what is counted: that angle; the wrists above the shoulders; the trunk in the frame
    opens: bool = False  # the turning point is the largest value, not the smallest
    by_side: bool = False  # either side may do a repetition, as in lunges
    seconds: float = 0.9  # of a fast repetition; also the window of the smoothing
    min_rise: float | None = None  # from rest to the turning point: degrees, or trunk lengths; None: config.min_degrees


EXERCISES: dict[str, Exercise] = {  # steps and gestures turn joints by up to 30 degrees, and lift hands by 0.2 trunks
    "squat": Exercise("knee", min_rise=30.0),
    "lunge": Exercise("knee", by_side=True, min_rise=30.0),
    "push_up": Exercise("elbow", min_rise=30.0),
    "pull_up": Exercise("elbow", min_rise=30.0),
    "deadlift": Exercise("hip", min_rise=30.0),
    "curl": Exercise("elbow", by_side=True, min_rise=30.0),
    "raise": Exercise("shoulder", "hand_height", opens=True, min_rise=0.25),
    "jump": Exercise("knee", "height", opens=True, seconds=0.5, min_rise=0.12),  # hops over a rope: 0.13 to 0.58
}


@dataclass(frozen=True, kw_only=True)
class RepetitionConfig:
    """Settings for counting. The defaults were chosen on SynthTPS by `benchmarks/repetitions.py`."""

    min_confidence: float = MIN_CONFIDENCE  # of the keypoints of an angle
    jump_seconds: float = 1.2  # longest jump; slower changes of the height are no jumps
    max_gap_seconds: float = 1.0  # without the angle, that is bridged
    min_spacing: float = 0.7  # between two turning points, as a share of the seconds of a fast repetition
    min_degrees: float = 20.0  # from rest to turning point, if a joint is counted instead of an exercise
    min_share: float = 0.45  # of every movement: the same, as a share of the prominent turning points in the video
    min_noise_ratio: float = 3.0  # of every movement: the same, over the noise of the keypoints
    rest_share: float = 0.15  # of a repetition's range: within it of the rest position, it has not begun or has ended

    def __post_init__(self) -> None:
        for name in ("min_confidence", "min_share", "rest_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"repetitions.{name} must be 0..1, got {getattr(self, name)}")
        for name in (
            "jump_seconds",
            "max_gap_seconds",
            "min_spacing",
            "min_degrees",
            "min_noise_ratio",
        ):
            if not getattr(self, name) >= 0:
                raise ConfigError(f"repetitions.{name} must be at least 0, got {getattr(self, name)}")


@dataclass(frozen=True)
class Signal:
    """What a person does over an interval: T times in seconds, evenly spaced."""

    times: Floats  # (T,)
    angles: Floats  # (2, T) of the left and the right joint, degrees; NaN if a side is never visible
    counted: Floats  # (T,) degrees or trunk lengths; rises towards the turning point
    noise: float  # standard deviation of what smoothing removes from `counted`
    min_spacing: float  # between two turning points, seconds
    confidence: Floats  # (T,) of the least confident keypoint of the surest side or group, 0..1

    def turns(self, prominence: float, config: RepetitionConfig) -> tuple[NDArray[np.int64], Floats]:
        """Return the indices (n,) and the prominences (n,) of the turning points that are prominent enough."""
        from scipy.signal import find_peaks  # takes a third of a second, and pages import this module

        distance = max(1, round(self.min_spacing / (self.times[1] - self.times[0])))
        prominence = max(prominence, config.min_noise_ratio * self.noise)
        turns, properties = find_peaks(self.counted, prominence=prominence, distance=distance)
        return turns, properties["prominences"]

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
        from scipy.ndimage import white_tophat  # as above
        from scipy.signal import savgol_filter

        step = max(float(np.median(np.diff(times))), MIN_STEP_SECONDS)
        grid = np.linspace(times[0], times[-1], max(2, round((times[-1] - times[0]) / step) + 1))  # (T',)
        step = float(grid[1] - grid[0])
        raw = _resampled(times, values, grid)
        raw = raw[~np.isnan(raw).any(axis=1)]  # (n, T') of n visible sides
        window = int((movement.seconds / step - 1) / 2 + 1e-6) * 2 + 1  # samples, odd
        smooth = np.asarray(savgol_filter(raw, window, polyorder=2, axis=1)) if 3 < window <= len(grid) else raw
        noise = (raw - smooth).std(axis=1)  # (n,)
        weights = 1 / (noise**2 + (MIN_NOISE_SHARE * np.ptp(smooth, axis=1).max()) ** 2 + 1e-9)
        counted = smooth.max(axis=0) if movement.by_side else np.average(smooth, axis=0, weights=weights)
        if movement.measure == "height":  # a moving camera, walking and stooping are slower than jumps
            counted = white_tophat(counted, round(config.jump_seconds / step) + 1, mode="nearest")
        return cls(
            times=grid,
            angles=_resampled(times, angles, grid),
            counted=counted,
            noise=float((raw - smooth).std()),
            min_spacing=config.min_spacing * movement.seconds,
            confidence=np.interp(grid, times, confidence),
        )


def persons_in_front(frames: Sequence[FrameParse], *, min_seconds: float) -> list[int]:
    """Return the track of the person in front, and those that continue it after a cut or a loss.

    The person in front has the largest sum of score times area of the box, relative to the frame's largest one. A track
    continues it if it lasts for `min_seconds`, while the person is absent, and is mostly in front itself.

    Raises:
        DataError: nobody was detected.
    """
    weights: dict[int, dict[int, float]] = defaultdict(dict)  # by track and frame
    for index, frame in enumerate(frames):
        areas = [(p.box[2] - p.box[0]) * (p.box[3] - p.box[1]) for p in frame.persons]
        for person, area in zip(frame.persons, areas, strict=True):
            weights[person.track_id][index] = person.score * area / max(*areas, 1.0)
    if not weights:
        raise DataError("repetitions: needs a person in the video, got nobody")
    first, *others = sorted(weights, key=lambda track: sum(weights[track].values()), reverse=True)
    tracks, taken = [first], set(weights[first])
    for track in others:
        seen = sorted(weights[track])
        free = [i for i in seen if i not in taken]
        in_front = [i for i in free if weights[track][i] >= max(weights[p.track_id][i] for p in frames[i].persons)]
        lasts = frames[seen[-1]].time_seconds - frames[seen[0]].time_seconds >= min_seconds
        if lasts and 2 * len(in_front) > len(free) >= 0.9 * len(seen):
            tracks.append(track)
            taken |= set(free)
    return tracks


def movement_signals(
    frames: Sequence[FrameParse], movement: Exercise, tracks: Sequence[int], config: RepetitionConfig
) -> list[Signal]:
    """Return a signal for each interval in which a person, in one or more tracks, shows an exercise's movement.

    Raises:
        DataError: no frame shows the person.
    """
    by_track = [{person.track_id: person for person in frame.persons} for frame in frames]
    pairs = [
        (frame.time_seconds, persons[next(track for track in tracks if track in persons)])
        for frame, persons in zip(frames, by_track, strict=True)
        if not persons.keys().isdisjoint(tracks)
    ]
    if not pairs:
        ids = sorted({person.track_id for frame in frames for person in frame.persons})
        raise DataError(f"person must be one of {', '.join(map(str, ids)) or 'nobody'}, got {tracks[0]}")
    signals = []
    is_by_height = movement.measure == "height"  # angles stay the same across a cut
    cuts = _cuts([person for _, person in pairs]) if is_by_height else []
    for shot in np.split(np.arange(len(pairs)), cuts):
        times, persons = np.array([pairs[i][0] for i in shot]), [pairs[i][1] for i in shot]
        values, angles, confidence = _measured(persons, movement, config)
        indices = np.flatnonzero(~np.isnan(values).all(axis=0))
        breaks = np.flatnonzero(np.diff(times[indices]) > config.max_gap_seconds) + 1
        signals += [
            Signal.smoothed(times[chosen], values[:, chosen], angles[:, chosen], confidence[chosen], movement, config)
            for chosen in np.split(indices, breaks)
            if len(chosen) >= MIN_SAMPLES and times[chosen[-1]] > times[chosen[0]]
        ]
    return signals


def _cuts(persons: Sequence[PersonParse]) -> list[int]:
    """Return the indices of T persons at which a person is at another place at once and stays there, as after a cut."""
    points = np.array([person.keypoints for person in persons])[..., :2]  # (T, 17, 2)
    padded = np.pad(points, ((2, 2), (0, 0), (0, 0)), mode="edge")
    medians = np.median(np.lib.stride_tricks.sliding_window_view(padded, 3, axis=0), axis=-1)  # row i: i - 2 to i
    boxes = np.array([person.box for person in persons])
    sizes = np.maximum((boxes[:, 2:] - boxes[:, :2]).max(axis=1), 1.0)  # (T,)
    shifts = np.minimum(
        np.median(np.linalg.norm(points[1:] - points[:-1], axis=2), axis=1),
        np.median(np.linalg.norm(medians[3:] - medians[: len(points) - 1], axis=2), axis=1),
    )  # (T - 1,) pixels
    is_cut = shifts > MIN_CUT_SHIFT * np.minimum(sizes[1:], sizes[:-1])
    return [int(index) + 1 for index in np.flatnonzero(is_cut)]


def _measured(
    persons: Sequence[PersonParse], movement: Exercise, config: RepetitionConfig
) -> tuple[Floats, Floats, Floats]:
    """Return what is counted (2, T), rising to the turning point, the joint's angles (2, T) and confidence (T,)."""
    is_one_joint = movement.joint in JOINT_POINTS
    names = [movement.joint if is_one_joint else f"{side}_{movement.joint}" for side in SIDES]
    angles = person_angles(persons, min_confidence=config.min_confidence)[:, [ANGLES.index(name) for name in names]].T
    angles[[not name.startswith(side) for name, side in zip(names, SIDES, strict=True)]] = np.nan  # (2, T)
    values = angles if movement.measure == "angle" else _heights(persons, movement.measure, config.min_confidence)
    confidences = np.array([person.keypoints for person in persons])[:, :, 2]  # (T, 17)
    groups: list[list[int]] = {
        "angle": [[KEYPOINTS.index(point) for point in JOINT_POINTS[name]] for name in names],
        "hand_height": [list(pair) for pair in zip(SHOULDERS, WRISTS, strict=True)],
        "height": [[point] for point in BODY],
    }[movement.measure]
    confidence = np.max([confidences[:, group].min(axis=1) for group in groups], axis=0)  # of the surest group
    return values if movement.opens else -values, angles, confidence


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
    visible = np.ma.masked_invalid(positions)
    shoulders, hips, head = (
        visible[:, group].mean(axis=1).filled(np.nan) for group in (SHOULDERS, HIPS, HEAD)
    )  # (T, 2)
    trunks, necks = (np.linalg.norm(shoulders - end, axis=1) for end in (hips, head))  # (T,)
    if np.isnan(trunks).mean() > 0.5 and not np.isnan(necks).all():  # a person from the chest up
        trunks = necks / NECK_SHARE
    length = max(float(np.nanmedian(trunks)), 1.0) if not np.isnan(trunks).all() else np.nan
    if measure == "hand_height":
        return np.asarray((shoulders[:, 1] - positions[:, WRISTS, 1].T) / length)
    return np.stack([_body_heights(-positions[:, BODY, 1]) / length] * 2)


def _body_heights(heights: Floats) -> Floats:
    """Return the common height (T,) of the points of BODY (T, 9) that are visible; NaN where none is."""
    common = np.full(len(heights), np.nan)
    is_shown, is_known = ~np.isnan(heights).all(axis=1), ~np.isnan(heights).all(axis=0)
    visible = heights[is_shown][:, is_known]  # (T', P)
    weights = BODY_WEIGHTS[is_known] * ~np.isnan(visible)  # (T', P)
    rises = np.zeros(len(visible))
    for _ in range(NUM_PASSES):  # points and times are centred in turn: which points are visible does not matter
        offsets = np.nanmedian(visible - rises[:, None], axis=0)  # (P,)
        rises = np.nansum(weights * (visible - offsets), axis=1) / weights.sum(axis=1)  # (T',)
    common[is_shown] = rises
    return common
