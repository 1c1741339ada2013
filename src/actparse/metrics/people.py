"""How well the people in images are found: boxes, keypoints and body parts against annotated ones.

A true person is found where a box overlaps theirs by IoU 0.5 or more; each box finds one person. Of a person who is not
found every keypoint and every part counts as wrong. Overlap is that of continuous coordinates.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from actparse.core.structures import PersonParse
from actparse.core.vocabulary import PART_INDEX, PARTS
from actparse.metrics.keypoints import near_keypoints, torso_lengths

PERSON_IOU = 0.5  # from which on a box finds a person
PART_IOUS = (0.3, 0.5)
PCK_DISTANCE = 0.2  # of the torso, within which a keypoint is right
CROWD_SHARE = 0.5  # of its own area that a box has in a crowd's region to belong to the crowd

Boxes = NDArray[np.float32]
Counts = NDArray[np.int64]


@dataclass(frozen=True)
class TruePeople:
    """The annotated persons of one image (N, may be 0) and the regions with crowds (M); boxes xyxy, pixels."""

    boxes: Boxes  # (N, 4)
    keypoints: NDArray[np.float32]  # (N, 17, 3) x, y, visibility; above 0 is labelled
    parts: tuple[Mapping[str, Sequence[float]], ...] = ()  # by person, of what is visible; () if not annotated
    crowds: Boxes = field(default_factory=lambda: np.zeros((0, 4), np.float32))  # (M, 4) what is in one may be found


def _no_parts() -> Counts:
    return np.zeros(len(PARTS), np.int64)


@dataclass(frozen=True)
class PeopleCounts:
    """Counts over images; those of different images add up."""

    images: int = 0
    persons: int = 0  # true
    found: int = 0  # of them
    boxes: int = 0  # predicted
    false_boxes: int = 0  # of them, those that find nobody and belong to no crowd
    keypoints: int = 0  # labelled, of persons whose torso can be measured
    right_keypoints: int = 0
    parts: Counts = field(default_factory=_no_parts)  # (10,) true
    right_parts: Counts = field(default_factory=lambda: np.zeros((len(PART_IOUS), len(PARTS)), np.int64))  # (2, 10)

    def __add__(self, other: PeopleCounts) -> PeopleCounts:
        return PeopleCounts(
            images=self.images + other.images,
            persons=self.persons + other.persons,
            found=self.found + other.found,
            boxes=self.boxes + other.boxes,
            false_boxes=self.false_boxes + other.false_boxes,
            keypoints=self.keypoints + other.keypoints,
            right_keypoints=self.right_keypoints + other.right_keypoints,
            parts=self.parts + other.parts,
            right_parts=self.right_parts + other.right_parts,
        )

    def persons_found(self) -> float:
        """Percent of the true persons; NaN where there is none."""
        return _percent(self.found, self.persons)

    def boxes_per_image(self) -> float:
        """Predicted boxes an image; NaN without images."""
        return self.boxes / self.images if self.images else float("nan")

    def false_boxes_per_image(self) -> float:
        """Boxes an image that find nobody; people who are not annotated count as nobody. NaN without images."""
        return self.false_boxes / self.images if self.images else float("nan")

    def pck(self) -> float:
        """Percent of the labelled keypoints within 0.2 of the torso; NaN where there is none."""
        return _percent(self.right_keypoints, self.keypoints)

    def parts_found(self) -> tuple[float, ...]:
        """Percent of the true parts, at IoU 0.3 and at 0.5; NaN where there is none."""
        return tuple(_percent(int(right.sum()), int(self.parts.sum())) for right in self.right_parts)

    def parts_found_by_name(self) -> dict[str, tuple[float, ...]]:
        """The same of each part."""
        return {
            name: tuple(_percent(int(right[index]), int(self.parts[index])) for right in self.right_parts)
            for name, index in PART_INDEX.items()
        }


def _percent(count: int, total: int) -> float:
    return 100 * count / total if total else float("nan")


def count_people(truth: TruePeople, found: Sequence[PersonParse]) -> PeopleCounts:
    """Hold the persons of one image against the truth.

    Args:
        truth: what is annotated.
        found: every person that was predicted, whatever the score.
    """
    boxes = np.array([person.box for person in found], np.float64).reshape(-1, 4)  # (P, 4)
    partners = match_boxes(truth.boxes, boxes, PERSON_IOU)
    matched = set(partners.values())
    unmatched = boxes[[row not in matched for row in range(len(boxes))]]  # (Q, 4)
    keypoints, right_keypoints = _count_keypoints(truth, found, partners)
    parts, right_parts = _count_parts(truth, found, partners)
    return PeopleCounts(
        images=1,
        persons=len(truth.boxes),
        found=len(partners),
        boxes=len(found),
        false_boxes=int((~_in_crowd(unmatched, truth.crowds)).sum()),
        keypoints=keypoints,
        right_keypoints=right_keypoints,
        parts=parts,
        right_parts=right_parts,
    )


def match_boxes(truth: NDArray[np.floating], found: NDArray[np.floating], min_iou: float) -> dict[int, int]:
    """Pair true boxes (N, 4) with found ones (P, 4), each at most once, for the greatest sum of IoU.

    Returns:
        The row of `found` by that of `truth`, of pairs whose IoU is at least `min_iou`.
    """
    overlaps = box_iou(truth, found)  # (N, P)
    rows, columns = linear_sum_assignment(np.where(overlaps >= min_iou, overlaps, 0.0), maximize=True)
    return {int(n): int(p) for n, p in zip(rows, columns, strict=True) if overlaps[n, p] >= min_iou}


def box_iou(a: NDArray[np.floating], b: NDArray[np.floating]) -> NDArray[np.float64]:
    """Intersection over union (N, P) of boxes (N, 4) and (P, 4) xyxy; 0 where both are empty."""
    shared = _intersections(a, b)  # (N, P)
    union = _areas(a)[:, None] + _areas(b)[None] - shared
    return np.asarray(shared / np.maximum(union, 1e-9), np.float64)


def _intersections(a: NDArray[np.floating], b: NDArray[np.floating]) -> NDArray[np.float64]:
    rows, columns = np.asarray(a, np.float64)[:, None], np.asarray(b, np.float64)[None]  # (N, 1, 4), (1, P, 4)
    sides = np.minimum(rows[..., 2:], columns[..., 2:]) - np.maximum(rows[..., :2], columns[..., :2])  # (N, P, 2)
    return np.asarray(sides.clip(min=0).prod(axis=2), np.float64)


def _areas(boxes: NDArray[np.floating]) -> NDArray[np.float64]:
    corners = np.asarray(boxes, np.float64)
    return np.asarray((corners[:, 2:] - corners[:, :2]).clip(min=0).prod(axis=1), np.float64)


def _in_crowd(boxes: NDArray[np.float64], crowds: Boxes) -> NDArray[np.bool_]:
    """(Q,) of boxes (Q, 4) and regions (M, 4)."""
    shares = _intersections(boxes, crowds) / np.maximum(_areas(boxes), 1e-9)[:, None]  # (Q, M)
    return np.asarray((shares >= CROWD_SHARE).any(axis=1), np.bool_)


def _count_keypoints(truth: TruePeople, found: Sequence[PersonParse], partners: Mapping[int, int]) -> tuple[int, int]:
    """The labelled keypoints, and those of them that are near enough."""
    torsos = torso_lengths(truth.keypoints)  # (N,)
    counts = (truth.keypoints[..., 2] > 0) & ~np.isnan(torsos)[:, None]  # (N, 17)
    true_rows = list(partners)
    predictions = [found[partners[row]].keypoint_array() for row in true_rows]
    near = near_keypoints(
        np.array(predictions, np.float32).reshape(-1, 17, 3),
        truth.keypoints[true_rows],
        torsos[true_rows],
        PCK_DISTANCE,
    )
    return int(counts.sum()), int((near & counts[true_rows]).sum())


def _count_parts(truth: TruePeople, found: Sequence[PersonParse], partners: Mapping[int, int]) -> tuple[Counts, Counts]:
    """The true parts by name (10,), and those of them with a box of that name near enough (2, 10)."""
    total, right = _no_parts(), np.zeros((len(PART_IOUS), len(PARTS)), np.int64)
    for row, parts in enumerate(truth.parts):
        person = found[partners[row]] if row in partners else None
        for name, box in parts.items():
            total[PART_INDEX[name]] += 1
            part = person.part(name) if person is not None else None
            if part is not None:
                overlap = box_iou(np.array([box]), np.array([part.box]))[0, 0]
                right[:, PART_INDEX[name]] += overlap >= np.array(PART_IOUS)
    return total, right
