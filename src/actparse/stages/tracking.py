"""Linking of persons across sampled frames: a person keeps one identity, also through an occlusion.

Each pair of a track and a detection gets log odds: the same person against someone new. They are the sum of the log
odds of presence, motion, size, pose and colours, and an assignment selects the pairs with the greatest sum. Time is in
seconds and length in sizes of the person, so that neither the frame rate nor the resolution matters. Detections that a
better one covers come second, because a second box of one person must not take the identity of the first.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from actparse.core.assignment import best_pairs
from actparse.core.errors import ConfigError, expect_shape
from actparse.metrics.boxes import box_iou
from actparse.stages.people.colors import NUM_COLORS, color_distances

Array = NDArray[np.float32]
Floats = NDArray[np.float64]

TORSO = [5, 6, 11, 12]  # shoulders and hips
MIN_STEP_SECONDS = 1 / 30  # two frames may have the same time
MIN_TOTAL_CONFIDENCE = 2.0  # of the keypoints of two poses that are compared
MAX_COVERED = 0.5  # IoU with a better box; above it a detection comes second
MAX_CLEAR = 0.3  # IoU with any other box, up to which a detection shows only this person's colours

# The values below were chosen by hand on rendered scenes of SynthTPS; only those whose comment says so were measured.
# tests/stages/test_tracking_synth.py counts the identity switches to which all of them together lead.
# Log odds of appearance, (least, greatest). Poses and sizes of different people are often alike.
SIZE_ODDS = (-4.0, 1.0)
POSE_ODDS = (-0.5, 0.5)
COLOR_ODDS = (-6.0, 4.0)
LEAST_LOOKS_ODDS = -3.0  # of the sum of these three for a visible person: one bad pose changes all of them
OTHER_SPREADS = (0.5, 0.3)  # of the differences of two people's log width and log height
SAME_SPREADS = (0.06, 0.04)  # the same of one person without a gap
SPREAD_GROWTH = (0.08, 0.05)  # of a person's spreads, per square root of a second
MAX_GROWTH_SECONDS = 4.0  # after which these spreads do not grow
OTHER_POSE = 0.12  # sizes; usual mean distance of the keypoints in the poses of two people
SAME_POSE = 0.02  # sizes; the same of one person without a gap
POSE_GROWTH = 0.05  # sizes; of a person's usual distance, up to which it grows within some seconds
COLOR_DISTANCE = 0.25  # same and other person equally likely; in SynthTPS 98 % of pairs of one person are below it
COLOR_SLOPES = (30.0, 20.0)  # log odds per distance, above and below
OVERLAP_POWER = 3  # colours count by (1 - overlap with another box) to this power
# Quality: the score of a detection times the share of its box that no better one covers.
QUALITY_SPREAD = 1.5  # log odds; of the quality of one person's detections
MAX_QUALITY_ODDS = 1.5  # by which different qualities reduce the log odds, at most
QUALITY_RANGE = (0.03, 0.97)  # to which qualities are clipped before log odds
MIN_QUALITY = 0.05  # of a track; a lower one does not make its presence less likely
# Motion.
MOVE_DEGREES = 4  # of freedom of Student's distribution of a moving person's position, which has long tails
HIDDEN_RETURN = 0.5  # share of hidden people who come back if they have not left
MIN_STILL_SHARE = 0.02  # of drifting people who stop
# Shares of a new detection in the running means of a track.
SIZE_UPDATE = 0.3
QUALITY_UPDATES = (0.3, 0.5)  # if the quality falls, if it rises
COLOR_UPDATE = 0.4


@dataclass(frozen=True, kw_only=True)
class TrackerConfig:
    """Parameters of the decision that two detections are the same person. A size is the longer side of the box."""

    min_log_odds: float = 0.0  # of a pair; below it, two people
    max_gap_seconds: float = 10.0  # for which a person may be out of sight
    new_per_second: float = 0.1  # people who appear in the view
    view_area: float = 10.0  # squared sizes
    miss_share: float = 0.03  # of visible people who are not detected
    hidden_seconds: float = 2.0  # for which a person is usually hidden
    leave_seconds: float = 15.0  # after which 1/e of the hidden people have not left
    speed: float = 0.8  # sizes per second, standard deviation; a walk is about 0.8
    speed_seconds: float = 2.0  # for which a person keeps a velocity
    still_share: float = 0.6  # of people who stay where they are, among those who do not drift
    still_speed: float = 0.12  # sizes per second; the share falls with the drift like a Gaussian of this spread
    drift_seconds: float = 1.0  # over which velocities are averaged: exercising people bounce, walking people drift
    still_spread: float = 0.1  # sizes per square root of a second, of people who stay
    box_noise: float = 0.05  # sizes, of a detection's centre

    def __post_init__(self) -> None:
        for name in (
            "new_per_second",
            "view_area",
            "hidden_seconds",
            "leave_seconds",
            "speed",
            "speed_seconds",
            "still_speed",
            "still_spread",
            "drift_seconds",
            "box_noise",
        ):
            if not getattr(self, name) > 0:
                raise ConfigError(f"tracker.{name} must be greater than 0, got {getattr(self, name)}")
        for name in ("miss_share", "still_share"):
            if not 0 < getattr(self, name) < 1:
                raise ConfigError(f"tracker.{name} must be between 0 and 1, got {getattr(self, name)}")
        if not self.max_gap_seconds >= 0:
            raise ConfigError(f"tracker.max_gap_seconds must be at least 0, got {self.max_gap_seconds}")


@dataclass(frozen=True)
class _Detections:
    """Boxes, poses and colours of the persons of one frame, with their overlaps."""

    boxes: Floats  # (N, 4) xyxy, pixels
    keypoints: Floats  # (N, 17, 3)
    colors: Array  # (N, NUM_COLORS)
    overlaps: Floats  # (N,) IoU with the nearest other box
    covered: Floats  # (N,) the same, only of boxes with a greater score
    qualities: Floats  # (N,) in [0, 1]: the score times 1 - covered

    @property
    def centers(self) -> Floats:
        """Centres of the boxes, (N, 2) pixels."""
        return np.asarray((self.boxes[:, :2] + self.boxes[:, 2:]) / 2)


@dataclass
class _Track:
    id: int
    time_seconds: float  # of the last detection
    box: Floats  # (4,)
    keypoints: Floats  # (17, 3)
    center: Floats  # (2,) pixels, filtered
    velocity: Floats  # (2,) pixels per second
    drift: Floats  # (2,) pixels per second, mean of the velocity over about the last second
    covariance: Floats  # (2, 2) of position and velocity along either axis, in sizes
    size: float  # pixels
    quality: float  # 0..1
    colors: Array  # (NUM_COLORS,)


class Tracker:
    """Linking of the persons of each frame to tracks with ids, from 1 in the order of appearance."""

    def __init__(self, config: TrackerConfig) -> None:
        self.config = config
        self._tracks: list[_Track] = []
        self._count = 0  # tracks so far
        self._time_seconds = -math.inf  # of the last frame

    def update(
        self, time_seconds: float, boxes: Array, scores: Array, keypoints: Array, colors: Array | None = None
    ) -> NDArray[np.int64]:
        """Link the persons of the next frame to those of earlier frames.

        Args:
            time_seconds: of the frame, at least that of the previous frame.
            boxes: (N, 4) xyxy, pixels; N may be 0.
            scores: (N,) in [0, 1].
            keypoints: (N, 17, 3) x, y in pixels, confidence.
            colors: (N, NUM_COLORS) from `stages.people.colors.person_colors`; None without an image.

        Returns:
            (N,) int64 track ids, from 1, all different.

        Raises:
            ShapeError: an argument has another shape.
        """
        expect_shape("boxes", boxes, (None, 4))
        expect_shape("scores", scores, (len(boxes),))
        expect_shape("keypoints", keypoints, (len(boxes), 17, 3))
        if colors is None:
            colors = np.zeros((len(boxes), NUM_COLORS), np.float32)
        expect_shape("colors", colors, (len(boxes), NUM_COLORS))
        detections = _describe_detections(boxes, scores, keypoints, colors)
        oldest = time_seconds - self.config.max_gap_seconds
        self._tracks = [track for track in self._tracks if track.time_seconds >= oldest]
        ids = np.zeros(len(boxes), np.int64)
        for track, row in self._match(time_seconds, detections):
            ids[row] = track.id
            self._update_track(track, time_seconds, detections, row)
        for row in np.flatnonzero(ids == 0).tolist():
            self._count += 1
            ids[row] = self._count
            self._tracks.append(self._new_track(time_seconds, detections, int(row)))
        self._time_seconds = time_seconds
        return ids

    def _match(self, time_seconds: float, detections: _Detections) -> list[tuple[_Track, int]]:
        """Return the tracks that continue, each with the index of its detection."""
        if not self._tracks or not len(detections.boxes):
            return []
        odds = self._log_odds(time_seconds, detections)  # (M, N)
        free = np.arange(len(self._tracks))
        is_covered = detections.covered >= MAX_COVERED
        pairs: list[tuple[_Track, int]] = []
        for candidates in (np.flatnonzero(~is_covered), np.flatnonzero(is_covered)):
            submatrix = odds[np.ix_(free, candidates)]
            indices, columns = best_pairs(np.maximum(submatrix, self.config.min_log_odds))
            is_same = submatrix[indices, columns] > self.config.min_log_odds
            indices, columns = indices[is_same], columns[is_same]
            pairs += [(self._tracks[free[m]], int(candidates[n])) for m, n in zip(indices, columns, strict=True)]
            free = np.delete(free, indices)
        return pairs

    def _log_odds(self, time_seconds: float, detections: _Detections) -> Floats:
        """Return the log odds (M, N) that each track and each detection are the same person, against a new person."""
        tracks, config = self._tracks, self.config
        gaps = np.array([max(time_seconds - track.time_seconds, 0.0) for track in tracks])  # (M,)
        is_visible = np.array([track.time_seconds >= self._time_seconds for track in tracks])  # (M,)
        qualities = np.array([track.quality for track in tracks])  # (M,)
        step = max(time_seconds - self._time_seconds, MIN_STEP_SECONDS)
        visible = (1 - config.miss_share) / (config.miss_share * config.new_per_second * step)
        returns = HIDDEN_RETURN * np.exp(-gaps / config.leave_seconds)  # (M,)
        hidden = returns / (config.hidden_seconds * config.new_per_second)
        presence = np.log(np.where(is_visible, visible, hidden) * qualities.clip(MIN_QUALITY))  # (M,)
        appearance = (
            _size_odds(gaps, tracks, detections)
            + _pose_odds(gaps, tracks, detections)
            + _color_odds(tracks, detections)
        )
        appearance = np.where(is_visible[:, None], appearance.clip(LEAST_LOOKS_ODDS), appearance)
        change = (_logit(detections.qualities) - _logit(qualities)[:, None]) / QUALITY_SPREAD  # (M, N)
        return np.asarray(
            presence[:, None]
            + self._motion_odds(gaps, detections)
            + appearance
            - (change**2 / 4).clip(0, MAX_QUALITY_ODDS)
        )

    def _motion_odds(self, gaps: Floats, detections: _Detections) -> Floats:
        """Return log odds (M, N) of the detections' positions: a mixture of a moving and a staying person."""
        config = self.config
        sizes = np.array([track.size for track in self._tracks])[:, None]
        predictions = [self._predict(track, gap) for track, gap in zip(self._tracks, gaps, strict=True)]
        variance = np.array([covariance[0, 0] for _, _, covariance in predictions])[:, None] + config.box_noise**2
        squares = _squares(np.stack([center for center, _, _ in predictions]), detections.centers) / sizes**2
        power = (MOVE_DEGREES + 2) / 2  # of Student's density in two dimensions
        moves = -np.log(2 * math.pi * variance) - power * np.log1p(squares / variance / MOVE_DEGREES)
        variance = (2 * config.box_noise**2 + config.still_spread**2 * gaps)[:, None]
        squares = _squares(np.stack([track.center for track in self._tracks]), detections.centers) / sizes**2
        stays = -np.log(2 * math.pi * variance) - squares / variance / 2
        speeds = np.array([np.hypot(*track.drift) for track in self._tracks])[:, None] / sizes
        share = (config.still_share * np.exp(-((speeds / config.still_speed) ** 2) / 2)).clip(MIN_STILL_SHARE)
        mixed = np.logaddexp(np.log(1 - share) + moves, np.log(share) + stays)
        return np.asarray(mixed + math.log(config.view_area))

    def _predict(self, track: _Track, seconds: float) -> tuple[Floats, Floats, Floats]:
        """Predict centre, velocity and covariance after `seconds`; the velocity is an Ornstein-Uhlenbeck process."""
        memory = self.config.speed_seconds
        decay = math.exp(-seconds / memory)
        reach = memory * (1 - decay)
        move = np.array([[1, reach], [0, decay]])
        position = memory**2 * (2 * seconds / memory - 3 + 4 * decay - decay**2)
        noise = self.config.speed**2 * np.array([[position, reach * (1 - decay)], [reach * (1 - decay), 1 - decay**2]])
        covariance = move @ track.covariance @ move.T + noise
        return track.center + reach * track.velocity, decay * track.velocity, covariance

    def _new_track(self, time_seconds: float, detections: _Detections, row: int) -> _Track:
        return _Track(
            id=self._count,
            time_seconds=time_seconds,
            box=detections.boxes[row],
            keypoints=detections.keypoints[row],
            center=detections.centers[row],
            velocity=np.zeros(2),
            drift=np.zeros(2),
            covariance=np.diag([self.config.box_noise**2, self.config.speed**2]),
            size=float(_sizes(detections.boxes[row])),
            quality=float(detections.qualities[row]),
            colors=detections.colors[row],
        )

    def _update_track(self, track: _Track, time_seconds: float, detections: _Detections, row: int) -> None:
        """Update a track with its detection; a Kalman filter estimates position and velocity."""
        center, velocity, covariance = self._predict(track, max(time_seconds - track.time_seconds, 0.0))
        gain = covariance[0] / (covariance[0, 0] + self.config.box_noise**2)  # (2,)
        error = detections.centers[row] - center
        track.center, track.velocity = center + gain[0] * error, velocity + gain[1] * error
        share = 1 - math.exp(-max(time_seconds - track.time_seconds, 0.0) / self.config.drift_seconds)
        track.drift = track.drift + share * (track.velocity - track.drift)
        track.covariance = covariance - np.outer(gain, covariance[0])
        track.time_seconds, track.box, track.keypoints = time_seconds, detections.boxes[row], detections.keypoints[row]
        track.size += SIZE_UPDATE * (float(_sizes(detections.boxes[row])) - track.size)
        change = float(detections.qualities[row]) - track.quality
        track.quality += QUALITY_UPDATES[change > 0] * change
        if not track.colors.any():
            track.colors = detections.colors[row]
        elif detections.overlaps[row] < MAX_CLEAR and detections.colors[row].any():
            mean = (1 - COLOR_UPDATE) * track.colors + COLOR_UPDATE * detections.colors[row]
            track.colors = np.asarray(mean, np.float32)


def _describe_detections(boxes: Array, scores: Array, keypoints: Array, colors: Array) -> _Detections:
    ious = box_iou(boxes, boxes)  # (N, N)
    np.fill_diagonal(ious, 0)
    covered = np.where(scores[None] > scores[:, None], ious, 0).max(axis=1, initial=0)  # (N,)
    return _Detections(
        boxes=boxes.astype(np.float64),
        keypoints=keypoints.astype(np.float64),
        colors=np.asarray(colors, np.float32),
        overlaps=ious.max(axis=1, initial=0),
        covered=covered,
        qualities=scores * (1 - covered),
    )


def _size_odds(gaps: Floats, tracks: Sequence[_Track], detections: _Detections) -> Floats:
    """Return log odds (M, N) of the change of log width and log height."""
    sides = np.stack([track.box[2:] - track.box[:2] for track in tracks])  # (M, 2)
    changes = _log(detections.boxes[:, 2:] - detections.boxes[:, :2]) - _log(sides)[:, None]  # (M, N, 2)
    growth = np.sqrt(gaps.clip(0, MAX_GROWTH_SECONDS))[:, None, None]
    spreads = np.array(SAME_SPREADS) + np.array(SPREAD_GROWTH) * growth
    odds = _log_student(changes, spreads) - _log_student(changes, np.array(OTHER_SPREADS))
    return np.asarray(odds.sum(axis=2).clip(*SIZE_ODDS))


def _pose_odds(gaps: Floats, tracks: Sequence[_Track], detections: _Detections) -> Floats:
    """Return log odds (M, N) of the mean distance of the keypoints, relative to the middle of the torso."""
    keypoints = np.stack([track.keypoints for track in tracks])  # (M, 17, 3)
    old = _about_torso(keypoints, np.array([track.size for track in tracks]))
    new = _about_torso(detections.keypoints, _sizes(detections.boxes))
    distances = np.sqrt(((old[:, None] - new[None]) ** 2).sum(axis=3))  # (M, N, 17)
    weights = np.minimum(keypoints[:, None, :, 2], detections.keypoints[None, :, :, 2])
    total = weights.sum(axis=2)
    mean = (distances * weights).sum(axis=2) / np.maximum(total, 1e-6)
    same = SAME_POSE + POSE_GROWTH * (1 - np.exp(-gaps))  # (M,)
    usual = np.sqrt(OTHER_POSE * same)[:, None]  # as likely for one person as for two
    odds = (2 * np.log(usual / np.maximum(mean, 1e-3))).clip(*POSE_ODDS)
    return np.where(total >= MIN_TOTAL_CONFIDENCE, odds, 0.0)


def _color_odds(tracks: Sequence[_Track], detections: _Detections) -> Floats:
    """Return log odds (M, N) of the colours; they are smaller if another person's box overlaps."""
    below = COLOR_DISTANCE - color_distances(np.stack([track.colors for track in tracks]), detections.colors)  # (M, N)
    odds = np.where(below < 0, COLOR_SLOPES[0], COLOR_SLOPES[1]) * below
    return np.asarray(np.nan_to_num(odds).clip(*COLOR_ODDS) * (1 - detections.overlaps).clip(0) ** OVERLAP_POWER)


def _about_torso(keypoints: Floats, sizes: Floats) -> Floats:
    """Return keypoints (N, 17, 3) relative to the middle of the torso, in sizes (N,): (N, 17, 2)."""
    middles = keypoints[:, TORSO, :2].mean(axis=1, keepdims=True)
    return np.asarray((keypoints[..., :2] - middles) / sizes[:, None, None])


def _sizes(boxes: Floats) -> Floats:
    """Return the longer sides of boxes (..., 4), pixels, at least 1."""
    return np.asarray(np.maximum((boxes[..., 2:] - boxes[..., :2]).max(axis=-1), 1.0))


def _squares(points: Floats, others: Floats) -> Floats:
    """Return the squared distances of points (M, 2) and (N, 2): (M, N)."""
    return np.asarray(((points[:, None] - others[None]) ** 2).sum(axis=2))


def _log_student(values: Floats, spreads: Floats) -> Floats:
    """Return the log density of Student's t of 3 degrees of freedom, less a constant."""
    return np.asarray(-np.log(spreads) - 2 * np.log1p((values / spreads) ** 2 / 3))


def _log(sides: Floats) -> Floats:
    return np.log(np.maximum(sides, 1.0))


def _logit(shares: Floats) -> Floats:
    inside = shares.clip(*QUALITY_RANGE)
    return np.asarray(np.log(inside / (1 - inside)))
