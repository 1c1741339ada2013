"""Recipes "parts" and "parts-without-dots": the part detector on person crops, with or without the pose as dots."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from actparse.core.structures import Detections
from actparse.core.vocabulary import PART_FLIP, PARTS
from actparse.nets.detectors.yolof import Yolof, YolofConfig
from actparse.stages.people.dots import draw_dots
from actparse.stages.people.parts import PartDetector, PartsConfig
from actparse.stages.people.person_crops import square_crops
from actparse.stages.people.refine import grow_boxes
from actparse.training.recipes.detection import box_figures, detection_losses, to_channels_last
from actparse.training.samples.augment import (
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
from actparse.training.samples.keypoint_cache import jittered_boxes
from actparse.training.samples.store import Store
from actparse.training.task import NAMES, Batch, Task, TaskSettings
from actparse.weights.bundle import config_to_dict

MIN_VISIBLE = 0.4  # share of a part's box that must stay visible in an augmented crop
ZOOM = (0.85, 1.12)
SHIFT = 0.03  # standard deviation, as a share of the crop's side
DOT_JITTER = 1.2  # pixels of the crop, standard deviation
DROPPED_DOTS = 0.06  # share of the keypoints that are not drawn
GROWING_CONFIDENCE = 0.25  # of keypoints that extend a person's box; the same as in the parser
TWINS = ((1, 2), (3, 4), (6, 7), (8, 9))  # left and right parts
MAX_TWIN_IOU = 0.2  # of the true boxes of a left-right pair; pairs that overlap more do not count
EVALUATION_BATCH = 8  # frames


class PartsTask(Task):
    """The part detector on person crops as the stage cuts them, with augmentation; evaluated by AP on true persons."""

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
        """Build the network; `train` and `held_out` are splits with predicted keypoints (P, 17, 3)."""
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
        """Number of persons with annotated parts in the training split."""
        return len(self.persons)

    def batch(self, rng: np.random.Generator) -> Batch:
        """Draw persons at random."""
        indices = self.persons[rng.integers(0, len(self.persons), self.settings.batch_size)]
        images, keypoints, boxes, labels = zip(*(self._sample(int(index), rng) for index in indices), strict=True)
        return {
            "images": to_channels_last(images),
            "keypoints": torch.from_numpy(np.stack(keypoints)),
            "boxes": list(map(torch.from_numpy, boxes)),
            "labels": list(map(torch.from_numpy, labels)),
            NAMES: [self._name(int(index)) for index in indices],
        }

    def _sample(
        self, index: int, rng: np.random.Generator
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.float32], NDArray[np.int64]]:
        frame = self.train.frames[self.frames[index]]
        size = self.stage.size
        mirror = bool(rng.random() < 0.5)
        matrix = self._matrix(index, frame.shape[:2], rng)
        if mirror:
            matrix = mirrored(matrix, size)
        image = recolor(warp(frame, matrix, (size, size)), rng, self.jitter)
        keypoints = move_keypoints(matrix, self.train_keypoints[index], mirror=mirror)
        keypoints[:, :2] += rng.normal(0, DOT_JITTER, (len(keypoints), 2))
        keypoints[rng.random(len(keypoints)) < DROPPED_DOTS, 2] = 0
        boxes, labels = self._targets(index, matrix, mirror=mirror)
        return image, keypoints, boxes, labels

    def _name(self, index: int) -> str:
        frame = int(self.frames[index])
        return f"{self.train.frame_name(frame)} person {index - self.train.persons_of(frame).start + 1}"

    def _matrix(self, index: int, size: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.float64]:
        """Return a random transform from frame to crop, near the stage's window of a noisy box extended by the pose."""
        box = jittered_boxes(self.train.person_boxes[index][None], rng, size)
        grown = grow_boxes(
            box, self.train_keypoints[index][None], min_confidence=GROWING_CONFIDENCE, size=(size[0], size[1])
        )
        window = square_crops(grown, size=self.stage.size, padding=self.stage.padding)
        scale, origin = float(window.scales[0]), window.origins[0]
        cut = np.array([[scale, 0, -origin[0] * scale], [0, scale, -origin[1] * scale]])
        half = self.stage.size / 2
        x, y = half + rng.normal(0, SHIFT, 2) * self.stage.size
        return then(cut, about((half, half), zoom=rng.uniform(*ZOOM), degrees=0, to=(x, y)))

    def _targets(
        self, index: int, matrix: NDArray[np.float64], *, mirror: bool
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        parts = self.train.part_boxes[index]  # (10, 4)
        labels = np.flatnonzero((parts != 0).any(axis=1))
        boxes, keep = clip_boxes(
            move_boxes(matrix, parts[labels]), (self.stage.size, self.stage.size), min_visible=MIN_VISIBLE
        )
        if mirror:
            labels = np.array(PART_FLIP)[labels]
        return boxes[keep], labels[keep].astype(np.int64)

    def losses(self, net: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """Return focal and GIoU loss on the crops with their dots."""
        if self.stage.dots is not None:
            batch = {**batch, "images": draw_dots(batch["images"], batch["keypoints"], self.stage.dots)}
        return detection_losses(net, batch, self.config, self.stage.norm)

    def evaluate(self, net: nn.Module, device: torch.device) -> dict[str, Any]:
        """Measure AP by part, and the share of swapped left-right pairs, on true persons of the held-out split."""
        assert isinstance(net, Yolof)
        detector = PartDetector(net.to(device).eval(), self.stage)
        store, keypoints = self.held_out, self.held_out_keypoints
        boxes = grow_boxes(
            store.person_boxes, keypoints, min_confidence=GROWING_CONFIDENCE, size=store.frames.shape[1:3]
        )
        part_boxes, scores = [np.zeros((0, len(PARTS), 4), np.float32)], [np.zeros((0, len(PARTS)), np.float32)]
        for start in range(0, len(store.frames), EVALUATION_BATCH):
            frames = range(start, min(start + EVALUATION_BATCH, len(store.frames)))
            persons = [store.persons_of(frame) for frame in frames]
            images = [store.frames[frame] for frame in frames]
            for b, s in detector.detect(images, [boxes[p] for p in persons], [keypoints[p] for p in persons]):
                part_boxes.append(b)
                scores.append(s)
        predicted = np.concatenate(part_boxes)  # (P, 10, 4)
        metrics = box_figures(*_by_person(store.part_boxes, predicted, np.concatenate(scores)), names=PARTS)
        return {**metrics, "swapped": swapped_twins(store.part_boxes, predicted), "persons": len(predicted)}

    def stage_settings(self) -> Mapping[str, Any]:
        """Return the settings of the part stage."""
        return config_to_dict(self.stage)


def _by_person(
    truth: NDArray[np.float32], boxes: NDArray[np.float32], scores: NDArray[np.float32]
) -> tuple[list[Detections], list[Detections]]:
    """Return annotated and predicted parts (P, 10, 4) as detections, one image for each person."""
    labels = np.arange(len(PARTS))
    predicted = [Detections(b, s, labels) for b, s in zip(boxes, scores, strict=True)]
    exists = (truth != 0).any(axis=2)  # (P, 10)
    annotated = [
        Detections(t[e], np.ones(int(e.sum()), np.float32), labels[e]) for t, e in zip(truth, exists, strict=True)
    ]
    return annotated, predicted


def swapped_twins(truth: NDArray[np.float32], boxes: NDArray[np.float32]) -> float:
    """Return the share of left-right pairs whose boxes fit the other side's truth better, without overlapping pairs.

    Args:
        truth: (P, 10, 4) xyxy; zeros where a part is not annotated.
        boxes: (P, 10, 4) the predicted boxes.

    Returns:
        0..1; 0 if there is no pair.
    """
    exists = (truth != 0).any(axis=2)  # (P, 10)
    num_swapped, num_pairs = 0, 0
    for left, right in TWINS:
        is_valid = exists[:, left] & exists[:, right]  # (P,)
        is_valid[is_valid] = _iou(truth[is_valid, left], truth[is_valid, right]) < MAX_TWIN_IOU
        same_side = _iou(boxes[is_valid, left], truth[is_valid, left]) + _iou(
            boxes[is_valid, right], truth[is_valid, right]
        )
        other_side = _iou(boxes[is_valid, left], truth[is_valid, right]) + _iou(
            boxes[is_valid, right], truth[is_valid, left]
        )
        num_swapped += int((other_side > same_side).sum())
        num_pairs += int(is_valid.sum())
    return num_swapped / max(num_pairs, 1)


def _iou(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the IoU (N,) of the boxes with the same index in `a` and `b`."""
    low, high = np.maximum(a[:, :2], b[:, :2]), np.minimum(a[:, 2:], b[:, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=1)  # (N,)
    areas = (a[:, 2:] - a[:, :2]).prod(axis=1) + (b[:, 2:] - b[:, :2]).prod(axis=1)
    return np.asarray(shared / np.maximum(areas - shared, 1e-9), np.float32)
