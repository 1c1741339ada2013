"""Detection quality of people in images: boxes, keypoints and body parts against annotations.

A true person is detected if a predicted box overlaps theirs by IoU 0.5 or more; each box matches one person. If a
person is not detected, every keypoint and every part counts as wrong. Boxes have continuous coordinates.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from actparse.core.assignment import best_pairs
from actparse.core.structures import PersonParse
from actparse.core.vocabulary import PART_INDEX, PARTS
from actparse.metrics.boxes import box_areas, box_iou, intersections
from actparse.metrics.keypoints import annotated_torsos, near_keypoints

PERSON_IOU = 0.5  # least overlap of a box that detects a person
PART_IOUS = (0.3, 0.5)
PCK_DISTANCE = 0.2  # fraction of the torso length within which a keypoint is right
CROWD_SHARE = 0.5  # a box belongs to a crowd if at least this share of its area is inside the crowd's region

Boxes = NDArray[np.float32]
Counts = NDArray[np.int64]


@dataclass(frozen=True)
class TruePeople:
    """The annotated persons of one image (N, may be 0) and its crowd regions (M); boxes xyxy, pixels."""

    boxes: Boxes  # (N, 4)
    keypoints: NDArray[np.float32]  # (N, 17, 3) x, y, visibility; labelled if above 0
    parts: tuple[Mapping[str, Sequence[float]], ...] = ()  # by person, the visible parts; () if not annotated
    crowds: Boxes = field(
        default_factory=lambda: np.zeros((0, 4), np.float32)
    )  # (M, 4) boxes inside them are no false ones

    def count_keypoints(self, persons: Sequence[PersonParse], partners: Mapping[int, int]) -> tuple[int, int]:
        """Return the number of labelled keypoints, and of those that are close enough."""
        torsos = annotated_torsos(self.keypoints)  # (N,)
        counts = (self.keypoints[..., 2] > 0) & ~np.isnan(torsos)[:, None]  # (N, 17)
        true_indices = list(partners)
        predictions = [persons[partners[index]].keypoint_array() for index in true_indices]
        is_near = near_keypoints(
            np.array(predictions, np.float32).reshape(-1, 17, 3),
            self.keypoints[true_indices],
            torsos[true_indices],
            PCK_DISTANCE,
        )
        return int(counts.sum()), int((is_near & counts[true_indices]).sum())

    def count_parts(self, persons: Sequence[PersonParse], partners: Mapping[int, int]) -> tuple[Counts, Counts]:
        """Count the true parts by name (10,), and those of them that are detected at each IoU of PART_IOUS (2, 10)."""
        total, right = _no_parts(), np.zeros((len(PART_IOUS), len(PARTS)), np.int64)
        for index, parts in enumerate(self.parts):
            person = persons[partners[index]] if index in partners else None
            for name, box in parts.items():
                total[PART_INDEX[name]] += 1
                part = person.part(name) if person is not None else None
                if part is not None:
                    overlap = box_iou(np.array([box]), np.array([part.box]))[0, 0]
                    right[:, PART_INDEX[name]] += overlap >= np.array(PART_IOUS)
        return total, right


def _no_parts() -> Counts:
    return np.zeros(len(PARTS), np.int64)


@dataclass(frozen=True)
class PeopleCounts:
    """Counts over images; add two of them to combine their images."""

    images: int = 0
    persons: int = 0  # true persons
    found: int = 0  # true persons that were detected
    boxes: int = 0  # predicted boxes
    false_boxes: int = 0  # predicted boxes that match nobody and belong to no crowd
    keypoints: int = 0  # labelled keypoints of persons whose torso can be measured
    right_keypoints: int = 0  # of `keypoints`, those that are close enough
    parts: Counts = field(default_factory=_no_parts)  # (10,) true parts by name
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
        """Return the percentage of true persons that were detected; NaN if there is none."""
        return _percent(self.found, self.persons)

    def boxes_per_image(self) -> float:
        """Return the predicted boxes per image; NaN without images."""
        return self.boxes / self.images if self.images else float("nan")

    def false_boxes_per_image(self) -> float:
        """Return the boxes per image that match no annotated person; NaN without images."""
        return self.false_boxes / self.images if self.images else float("nan")

    def pck(self) -> float:
        """Return the percentage of labelled keypoints within 0.2 torso lengths; NaN if there is none."""
        return _percent(self.right_keypoints, self.keypoints)

    def parts_found(self) -> tuple[float, ...]:
        """Return the percentage of true parts that were detected, at IoU 0.3 and 0.5; NaN if there is none."""
        return tuple(_percent(int(right.sum()), int(self.parts.sum())) for right in self.right_parts)

    def parts_found_by_name(self) -> dict[str, tuple[float, ...]]:
        """Return the percentages of `parts_found` for each part name."""
        return {
            name: tuple(_percent(int(right[index]), int(self.parts[index])) for right in self.right_parts)
            for name, index in PART_INDEX.items()
        }


def _percent(count: int, total: int) -> float:
    return 100 * count / total if total else float("nan")


def count_people(truth: TruePeople, predictions: Sequence[PersonParse]) -> PeopleCounts:
    """Compare the predicted persons of one image with the truth.

    Args:
        truth: the annotations.
        predictions: all predicted persons, whatever their score.
    """
    boxes = np.array([person.box for person in predictions], np.float64).reshape(-1, 4)  # (P, 4)
    partners = match_boxes(truth.boxes, boxes, PERSON_IOU)
    matched = set(partners.values())
    unmatched = boxes[[index not in matched for index in range(len(boxes))]]  # (Q, 4)
    keypoints, right_keypoints = truth.count_keypoints(predictions, partners)
    parts, right_parts = truth.count_parts(predictions, partners)
    areas = np.maximum(box_areas(unmatched), 1e-9)  # (Q,)
    shares_in_crowds = intersections(unmatched[:, None], truth.crowds[None]) / areas[:, None]  # (Q, M)
    return PeopleCounts(
        images=1,
        persons=len(truth.boxes),
        found=len(partners),
        boxes=len(predictions),
        false_boxes=int((shares_in_crowds < CROWD_SHARE).all(axis=1).sum()),
        keypoints=keypoints,
        right_keypoints=right_keypoints,
        parts=parts,
        right_parts=right_parts,
    )


def match_boxes(truth: NDArray[np.floating], predictions: NDArray[np.floating], min_iou: float) -> dict[int, int]:
    """Pair true boxes (N, 4) with predicted boxes (P, 4), each at most once, with the greatest sum of IoU.

    Returns:
        {index in `truth`: index in `predictions`} of the pairs whose IoU is at least `min_iou`.
    """
    overlaps = box_iou(truth, predictions)  # (N, P)
    true_indices, indices = best_pairs(np.where(overlaps >= min_iou, overlaps, 0.0))
    return {int(n): int(p) for n, p in zip(true_indices, indices, strict=True) if overlaps[n, p] >= min_iou}
