"""Recipes "parts" and "parts-without-dots": the part detector on person crops, with the pose drawn on them or not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from actparse.core.structures import Detections
from actparse.core.vocabulary import PART_FLIP, PARTS
from actparse.nets.yolof import Yolof, YolofConfig
from actparse.stages.people.dots import draw_dots
from actparse.stages.people.parts import PartDetector, PartsConfig
from actparse.stages.people.person_crops import square_crops
from actparse.stages.people.refine import grow_boxes
from actparse.training.augment import (
    ColorJitter,
    about,
    clip_boxes,
    mirrored,
    move_boxes,
    move_keypoints,
    recolor,
    then,
    warp,
)
from actparse.training.detection import box_figures, detection_losses, to_channels_last
from actparse.training.keypoint_cache import jittered_boxes
from actparse.training.store import Store
from actparse.training.task import NAMES, Batch, Task, TaskSettings
from actparse.weights.bundle import config_to_dict

MIN_VISIBLE = 0.4  # of a part's box, for it to count in an augmented crop
ZOOM = (0.85, 1.12)
SHIFT = 0.03  # standard deviation, in parts of the crop's side
DOT_JITTER = 1.2  # pixels of the crop, standard deviation
DROPPED_DOTS = 0.06  # share of the keypoints that draw nothing
GROWING_CONFIDENCE = 0.25  # of a keypoint that moves a person's box; the parser's
TWINS = ((1, 2), (3, 4), (6, 7), (8, 9))  # left and right parts
MAX_TWIN_IOU = 0.2  # of true boxes, for left and right to be told apart
EVALUATION_BATCH = 8  # frames


class PartsTask(Task):
    """Person crops as the stage cuts them, moved, mirrored and recoloured; judged by AP on true persons."""

    metric = "ap"
    settings = TaskSettings(batch_size=16, learning_rate=2e-3)

    def __init__(
        self,
        kind: str,
        train: tuple[Store, NDArray[np.float32]],
        held_out: tuple[Store, NDArray[np.float32]],
        config: YolofConfig,
        stage: PartsConfig,
    ) -> None:
        """`train` and `held_out`: a split and the keypoints (P, 17, 3) that the pose network found in it."""
        self.kind, self.stage, self.config = kind, stage, config
        self.train, self.train_keypoints = train
        self.held_out, self.held_out_keypoints = held_out
        self.net = Yolof(config)
        self.jitter = ColorJitter()
        self.frames = self.train.person_frames
        has_parts = (self.train.part_boxes != 0).any(axis=(1, 2))
        self.persons = np.flatnonzero(has_parts)

    @property
    def num_samples(self) -> int:
        """Annotated persons of the training split."""
        return len(self.persons)

    def batch(self, rng: np.random.Generator) -> Batch:
        """Persons drawn at random."""
        rows = self.persons[rng.integers(0, len(self.persons), self.settings.batch_size)]
        images, keypoints, boxes, labels = zip(*(self._sample(int(row), rng) for row in rows), strict=True)
        return {
            "images": to_channels_last(images),
            "keypoints": torch.from_numpy(np.stack(keypoints)),
            "boxes": list(map(torch.from_numpy, boxes)),
            "labels": list(map(torch.from_numpy, labels)),
            NAMES: [self._name(int(row)) for row in rows],
        }

    def _sample(
        self, row: int, rng: np.random.Generator
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.float32], NDArray[np.int64]]:
        frame = self.train.frames[self.frames[row]]
        size = self.stage.size
        mirror = bool(rng.random() < 0.5)
        matrix = self._matrix(row, frame.shape[:2], rng)
        if mirror:
            matrix = mirrored(matrix, size)
        image = recolor(warp(frame, matrix, (size, size)), rng, self.jitter)
        keypoints = move_keypoints(matrix, self.train_keypoints[row], mirror=mirror)
        keypoints[:, :2] += rng.normal(0, DOT_JITTER, (len(keypoints), 2))
        keypoints[rng.random(len(keypoints)) < DROPPED_DOTS, 2] = 0
        boxes, labels = self._targets(row, matrix, mirror=mirror)
        return image, keypoints, boxes, labels

    def _name(self, row: int) -> str:
        frame = int(self.frames[row])
        return f"{self.train.frame_name(frame)} person {row - self.train.persons_of(frame).start + 1}"

    def _matrix(self, row: int, size: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.float64]:
        """Frame to crop: the stage's window about a box with a detector's error, grown by the pose; then moved."""
        box = jittered_boxes(self.train.person_boxes[row][None], rng, size)
        grown = grow_boxes(
            box, self.train_keypoints[row][None], min_confidence=GROWING_CONFIDENCE, size=(size[0], size[1])
        )
        window = square_crops(grown, size=self.stage.size, padding=self.stage.padding)
        scale, origin = float(window.scales[0]), window.origins[0]
        cut = np.array([[scale, 0, -origin[0] * scale], [0, scale, -origin[1] * scale]])
        half = self.stage.size / 2
        x, y = half + rng.normal(0, SHIFT, 2) * self.stage.size
        return then(cut, about((half, half), zoom=rng.uniform(*ZOOM), degrees=0, to=(x, y)))

    def _targets(
        self, row: int, matrix: NDArray[np.float64], *, mirror: bool
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        parts = self.train.part_boxes[row]  # (10, 4)
        labels = np.flatnonzero((parts != 0).any(axis=1))
        boxes, keep = clip_boxes(
            move_boxes(matrix, parts[labels]), (self.stage.size, self.stage.size), min_visible=MIN_VISIBLE
        )
        if mirror:
            labels = np.array(PART_FLIP)[labels]
        return boxes[keep], labels[keep].astype(np.int64)

    def losses(self, net: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """Focal and GIoU loss on the crops with their dots."""
        if self.stage.dots is not None:
            batch = {**batch, "images": draw_dots(batch["images"], batch["keypoints"], self.stage.dots)}
        return detection_losses(net, batch, self.config, self.stage.norm)

    def evaluate(self, net: nn.Module, device: torch.device) -> dict[str, Any]:
        """AP by part and share of left and right mixed up, on true persons of the held-out split."""
        assert isinstance(net, Yolof)
        detector = PartDetector(net.to(device).eval(), self.stage)
        store, keypoints = self.held_out, self.held_out_keypoints
        boxes = grow_boxes(
            store.person_boxes, keypoints, min_confidence=GROWING_CONFIDENCE, size=store.frames.shape[1:3]
        )
        found, scores = [np.zeros((0, len(PARTS), 4), np.float32)], [np.zeros((0, len(PARTS)), np.float32)]
        for start in range(0, len(store.frames), EVALUATION_BATCH):
            frames = range(start, min(start + EVALUATION_BATCH, len(store.frames)))
            rows = [store.persons_of(frame) for frame in frames]
            images = [store.frames[frame] for frame in frames]
            for b, s in detector.detect(images, [boxes[r] for r in rows], [keypoints[r] for r in rows]):
                found.append(b)
                scores.append(s)
        predicted = np.concatenate(found)  # (P, 10, 4)
        figures = box_figures(*_by_person(store.part_boxes, predicted, np.concatenate(scores)), names=PARTS)
        return {**figures, "swapped": swapped_twins(store.part_boxes, predicted), "persons": len(predicted)}

    def stage_settings(self) -> Mapping[str, Any]:
        """Of stages.parts."""
        return config_to_dict(self.stage)


def _by_person(
    truth: NDArray[np.float32], boxes: NDArray[np.float32], scores: NDArray[np.float32]
) -> tuple[list[Detections], list[Detections]]:
    """Annotated parts and found parts (P, 10, 4) as one image for each person."""
    labels = np.arange(len(PARTS))
    found = [Detections(b, s, labels) for b, s in zip(boxes, scores, strict=True)]
    exists = (truth != 0).any(axis=2)  # (P, 10)
    annotated = [
        Detections(t[e], np.ones(int(e.sum()), np.float32), labels[e]) for t, e in zip(truth, exists, strict=True)
    ]
    return annotated, found


def swapped_twins(truth: NDArray[np.float32], boxes: NDArray[np.float32]) -> float:
    """Share of left-right pairs whose boxes fit the other side's truth better; pairs that overlap do not count.

    Args:
        truth: (P, 10, 4) xyxy; zeros where a part is not annotated.
        boxes: (P, 10, 4) the boxes found.

    Returns:
        0..1; 0 where there is no pair.
    """
    exists = (truth != 0).any(axis=2)  # (P, 10)
    swapped, total = 0, 0
    for left, right in TWINS:
        rows = exists[:, left] & exists[:, right]
        rows[rows] = _iou(truth[rows, left], truth[rows, right]) < MAX_TWIN_IOU
        own = _iou(boxes[rows, left], truth[rows, left]) + _iou(boxes[rows, right], truth[rows, right])
        other = _iou(boxes[rows, left], truth[rows, right]) + _iou(boxes[rows, right], truth[rows, left])
        swapped += int((other > own).sum())
        total += int(rows.sum())
    return swapped / max(total, 1)


def _iou(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
    """IoU (N,) of boxes in the same rows."""
    low, high = np.maximum(a[:, :2], b[:, :2]), np.minimum(a[:, 2:], b[:, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=1)  # (N,)
    areas = (a[:, 2:] - a[:, :2]).prod(axis=1) + (b[:, 2:] - b[:, :2]).prod(axis=1)
    return np.asarray(shared / np.maximum(areas - shared, 1e-9), np.float32)
