"""Persons linked across sampled frames: the same person keeps one number, also through a short occlusion.

Association in two steps, sure detections first, as in ByteTrack (Zhang et al. 2022); similarity from box overlap,
keypoints and the distance of the centres, because sampled frames may lie half a second apart.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from actparse.errors import ConfigError, expect_shape
from actparse.vocabulary import OKS_SIGMAS

Array = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class TrackerConfig:
    """When two boxes are the same person."""

    high_score: float = 0.5  # detections from here on are associated first
    min_similarity: float = 0.15  # of a pair, 0..1; below it they are two people
    max_gap_seconds: float = 4.0  # that a person may be out of sight
    gap_decay: float = 0.05  # similarity lost for each second out of sight
    velocity_seconds: float = 0.25  # a track is expected to move on for so long, then to stand still

    def __post_init__(self) -> None:
        for name in ("high_score", "min_similarity"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"tracker.{name} must be 0..1, got {getattr(self, name)}")
        for name in ("max_gap_seconds", "gap_decay", "velocity_seconds"):
            if getattr(self, name) < 0:
                raise ConfigError(f"tracker.{name} must be at least 0, got {getattr(self, name)}")


@dataclass
class _Track:
    number: int
    time_seconds: float
    box: Array  # (4,)
    keypoints: Array  # (17, 3)
    velocity: Array  # (2,) pixels per second of the box's centre

    def expected_shift(self, time_seconds: float, max_seconds: float) -> Array:
        """How far the person has moved since, pixels (2,)."""
        return self.velocity * np.float32(min(time_seconds - self.time_seconds, max_seconds))


class Tracker:
    """Gives each person of each frame a number, from 1 in the order of appearance."""

    def __init__(self, config: TrackerConfig) -> None:
        self.config = config
        self._tracks: list[_Track] = []
        self._count = 0

    def update(self, time_seconds: float, boxes: Array, scores: Array, keypoints: Array) -> NDArray[np.int64]:
        """Link the persons of the next frame to those before.

        Args:
            time_seconds: of the frame, not before the one before.
            boxes: (N, 4) xyxy, pixels; N may be 0.
            scores: (N,) in [0, 1].
            keypoints: (N, 17, 3) x, y in pixels, confidence.

        Returns:
            (N,) int64, different from each other.
        """
        expect_shape("boxes", boxes, (None, 4))
        expect_shape("scores", scores, (len(boxes),))
        expect_shape("keypoints", keypoints, (len(boxes), 17, 3))
        ids = np.zeros(len(boxes), np.int64)
        oldest = time_seconds - self.config.max_gap_seconds
        self._tracks = [track for track in self._tracks if track.time_seconds >= oldest]
        free = list(self._tracks)
        sure = scores >= self.config.high_score
        for rows in (np.flatnonzero(sure), np.flatnonzero(~sure)):
            free = self._associate(time_seconds, rows, boxes, keypoints, free, ids)
        for row in np.flatnonzero(ids == 0):
            self._count += 1
            ids[row] = self._count
            still = np.zeros(2, np.float32)
            self._tracks.append(_Track(self._count, time_seconds, boxes[row], keypoints[row], still))
        return ids

    def _associate(
        self,
        time_seconds: float,
        rows: NDArray[np.int64],
        boxes: Array,
        keypoints: Array,
        free: list[_Track],
        ids: NDArray[np.int64],
    ) -> list[_Track]:
        """Match detections `rows` to tracks and write their ids; returns the tracks that are still free."""
        if not len(rows) or not free:
            return free
        similarity = np.stack([self._similarity(t, time_seconds, boxes[rows], keypoints[rows]) for t in free])
        taken = set()
        for at, column in zip(*linear_sum_assignment(-similarity), strict=True):
            if similarity[at, column] >= self.config.min_similarity:
                track, row = free[at], rows[column]
                ids[row] = track.number
                _move(track, time_seconds, boxes[row], keypoints[row])
                taken.add(track.number)
        return [track for track in free if track.number not in taken]

    def _similarity(self, track: _Track, time_seconds: float, boxes: Array, keypoints: Array) -> Array:
        """How much each detection (N, 4), (N, 17, 3) looks like the track, (N,) in 0..1."""
        shift = track.expected_shift(time_seconds, self.config.velocity_seconds)
        box = track.box + np.concatenate((shift, shift))
        points = track.keypoints[None, :, :2] + shift
        confidence = np.minimum(track.keypoints[None, :, 2], keypoints[..., 2])  # (N, 17)
        area = max(float((box[2] - box[0]) * (box[3] - box[1])), 1.0)
        squares = ((keypoints[..., :2] - points) ** 2).sum(axis=2)  # (N, 17)
        loose = 8 * np.asarray(OKS_SIGMAS, np.float32) ** 2 * area * 4  # twice the spread of OKS: people move
        weights = confidence / np.maximum(confidence.sum(axis=1, keepdims=True), 1e-6)
        pose = (np.exp(-squares / loose) * weights).sum(axis=1)
        size = np.sqrt(area)
        centers = (boxes[:, :2] + boxes[:, 2:]) / 2 - (box[:2] + box[2:]) / 2  # (N, 2)
        near = np.exp(-((((centers**2).sum(axis=1)) ** 0.5 / (0.8 * size)) ** 2))
        areas = np.maximum((boxes[:, 2:] - boxes[:, :2]).prod(axis=1), 1.0)
        alike = np.minimum(areas, area) / np.maximum(areas, area)
        gap = max(0.0, time_seconds - track.time_seconds - 0.6)
        mixed = 0.4 * _overlap(box, boxes) + 0.3 * pose + 0.3 * near * np.sqrt(alike)
        return np.asarray(mixed - self.config.gap_decay * gap, np.float32)


def _move(track: _Track, time_seconds: float, box: Array, keypoints: Array) -> None:
    seconds = time_seconds - track.time_seconds
    if seconds > 0:  # two frames may be shown at the same time
        moved = ((box[:2] + box[2:]) - (track.box[:2] + track.box[2:])) / 2 / np.float32(seconds)
        track.velocity = np.asarray(0.5 * track.velocity + 0.5 * moved, np.float32)
    track.time_seconds, track.box, track.keypoints = time_seconds, box, keypoints


def _overlap(box: Array, boxes: Array) -> Array:
    """IoU of one box (4,) with boxes (N, 4)."""
    sides = np.minimum(box[2:], boxes[:, 2:]) - np.maximum(box[:2], boxes[:, :2])  # (N, 2)
    shared = np.clip(sides, 0, None).prod(axis=1)
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1) + (box[2:] - box[:2]).prod()
    return np.asarray(shared / np.maximum(areas - shared, 1e-6), np.float32)
