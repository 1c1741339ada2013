"""Boxes of body parts from three sources with different errors: a rule and a network on keypoints, and a detector.

The boxes of the rule and the network are averaged; the detector's box is included if it agrees with their average.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from actparse.core.errors import ConfigError
from actparse.core.vocabulary import KEYPOINTS, PART_GROUP, PARTS
from actparse.metrics.boxes import box_areas, row_iou
from actparse.nets.part_regression import PartRegression
from actparse.stages.people.part_geometry import located, rule_boxes, torso_lengths
from actparse.stages.precision import inference

Floats = NDArray[np.float32]
TRUNK = tuple(KEYPOINTS.index(f"{side}_{joint}") for joint in ("shoulder", "hip") for side in ("left", "right"))


@dataclass(frozen=True, kw_only=True)
class GroupFusion:
    """Relative weights for averaging the boxes of a part group."""

    rule: float = 1.0
    regression: float = 1.0
    detector: float = 1.0  # at a score of 1, if it agrees
    min_iou: float = 0.4  # of the detector's box with the average of the others, to agree

    def __post_init__(self) -> None:
        for name in ("rule", "regression", "detector"):
            if not getattr(self, name) >= 0:
                raise ConfigError(f"part_fusion.{name} must be at least 0, got {getattr(self, name)}")
        if not self.rule + self.regression > 0:
            raise ConfigError("part_fusion needs a weight above 0 for the rule or the regression, got 0 for both")
        if not 0 <= self.min_iou <= 1:
            raise ConfigError(f"part_fusion.min_iou must be 0..1, got {self.min_iou}")


@dataclass(frozen=True, kw_only=True)
class PartFusionConfig:
    """Weights of the sources by part group, and the limit below which a part counts as outside the frame.

    The detector is best for hands and feet, whose direction keypoints do not contain; bones determine arms and legs.
    The weights and limits were chosen on the 15 photographs of `part_geometry`.
    """

    head: GroupFusion = GroupFusion(rule=0.65, regression=0.35, detector=0.6, min_iou=0.4)
    arm: GroupFusion = GroupFusion(rule=0.7, regression=0.3, detector=0.2, min_iou=0.4)
    hand: GroupFusion = GroupFusion(rule=0.65, regression=0.35, detector=3.0, min_iou=0.2)
    hip: GroupFusion = GroupFusion(rule=0.75, regression=0.25, detector=0.5, min_iou=0.3)
    leg: GroupFusion = GroupFusion(rule=0.9, regression=0.1, detector=0.2, min_iou=0.4)
    foot: GroupFusion = GroupFusion(rule=0.65, regression=0.35, detector=1.0, min_iou=0.3)
    min_inside: float = 0.3  # of a box's area in the frame; below it the score falls towards 0

    def __post_init__(self) -> None:
        if not 0 < self.min_inside <= 1:
            raise ConfigError(f"part_fusion.min_inside must be above 0 and at most 1, got {self.min_inside}")

    def by_part(self, name: str) -> Floats:
        """Return one field of `GroupFusion` for each part, (10,)."""
        return np.array([getattr(getattr(self, PART_GROUP[part]), name) for part in PARTS], np.float32)


@dataclass(frozen=True)
class PartSource:
    """Results of one source for N persons: `boxes` (N, 10, 4) xyxy in pixels, `scores` (N, 10) in [0, 1]."""

    boxes: Floats
    scores: Floats


class Detector(Protocol):
    """A detector of parts in images, such as `stages.people.parts.PartDetector`."""

    def detect(
        self, images: Sequence[NDArray[np.uint8]], boxes: Sequence[Floats], keypoints: Sequence[Floats]
    ) -> list[tuple[Floats, Floats]]:
        """Return the boxes (n, 10, 4) and scores (n, 10) of each frame's persons."""
        ...


class PartFusion:
    """A detector of persons' ten parts from their keypoints and, with an image detector, from their pixels."""

    def __init__(
        self,
        detector: Detector | None,
        regression: PartRegression | None,
        config: PartFusionConfig | None = None,
    ) -> None:
        """Combine the sources; without a detector or a network, boxes come from the others. The rule is always used."""
        self.detector, self.regression = detector, regression
        self.config = config or PartFusionConfig()

    @property
    def device(self) -> torch.device:
        """The networks' device; the CPU without any network."""
        nets = (getattr(self.detector, "net", None), self.regression)
        return next((next(net.parameters()).device for net in nets if net is not None), torch.device("cpu"))

    def detect(
        self, images: Sequence[NDArray[np.uint8]], boxes: Sequence[Floats], keypoints: Sequence[Floats]
    ) -> list[tuple[Floats, Floats]]:
        """Detect a box of every part.

        Args:
            images: frames (H, W, 3) uint8 RGB.
            boxes: per frame (n, 4) person boxes xyxy, frame pixels; n may be 0.
            keypoints: per frame (n, 17, 3) x, y in frame pixels, confidence.

        Returns:
            Per frame boxes (n, 10, 4) in frame pixels, clipped to the frame, and scores (n, 10), in the order of PARTS.
            A part whose joints have low confidence or are outside the frame has a low score.
        """
        detections: Sequence[tuple[Floats, Floats] | None] = [None] * len(images)
        if self.detector is not None:
            detections = self.detector.detect(images, boxes, keypoints)
        ends = np.cumsum([len(points) for points in keypoints])[:-1]
        all_keypoints = np.concatenate([*keypoints, np.zeros((0, len(KEYPOINTS), 3), np.float32)])  # (all n, 17, 3)
        rule = PartSource(*rule_boxes(all_keypoints))
        regression = None if self.regression is None else regressed(self.regression, all_keypoints)
        fused = []
        for indices, image, detection in zip(
            np.split(np.arange(len(all_keypoints)), ends) if len(keypoints) else (), images, detections, strict=True
        ):
            fused.append(
                fuse(
                    PartSource(rule.boxes[indices], rule.scores[indices]),
                    None if regression is None else PartSource(regression.boxes[indices], regression.scores[indices]),
                    None if detection is None else PartSource(*detection),
                    self.config,
                    size=(image.shape[0], image.shape[1]),
                )
            )
        return fused


def regressed(net: PartRegression, keypoints: Floats) -> PartSource:
    """Run the network on keypoints (N, 17, 3) in pixels; N may be 0."""
    poses, middles, torsos = to_poses(keypoints)
    device = next(net.parameters()).device
    with inference(device):
        boxes, logits = net(torch.from_numpy(poses).to(device))
    in_pixels = boxes.float().cpu().numpy() * torsos[:, None, None] + np.tile(middles, 2)[:, None]
    return PartSource(in_pixels.astype(np.float32), logits.float().sigmoid().cpu().numpy())


def to_poses(keypoints: Floats) -> tuple[Floats, Floats, Floats]:
    """Express keypoints relative to the torso's middle, in torso lengths.

    Args:
        keypoints: (N, 17, 3) x, y in pixels, confidence in [0, 1].

    Returns:
        Poses (N, 17, 3), middles (N, 2) in pixels, and torsos (N,) in pixels. The middle is the mean of shoulders and
        hips weighted by confidence, and of all keypoints if those have no confidence. A keypoint of confidence 0 is
        at the position from `part_geometry.located`.
    """
    points, confidence = located(keypoints), keypoints[..., 2:]  # (N, 17, 2), (N, 17, 1)
    trunk = np.zeros_like(confidence)
    trunk[:, TRUNK] = confidence[:, TRUNK]
    weights = np.where(trunk.sum(axis=1, keepdims=True) > 0, trunk, confidence)
    middles = (points * weights).sum(axis=1) / np.maximum(weights.sum(axis=1), 1e-6)  # (N, 2)
    torsos = torso_lengths(keypoints)  # (N,)
    positions = (points - middles[:, None]) / torsos[:, None, None]
    return np.concatenate((positions, confidence), axis=2).astype(np.float32), middles.astype(np.float32), torsos


def fuse(
    rule: PartSource,
    regression: PartSource | None,
    detector: PartSource | None,
    config: PartFusionConfig,
    *,
    size: tuple[int, int],
) -> tuple[Floats, Floats]:
    """Average the sources' boxes of each part.

    Args:
        rule: N persons.
        regression: the same persons, or None.
        detector: the same persons, or None.
        config: the weights.
        size: (height, width) of the frame, pixels.

    Returns:
        Boxes (N, 10, 4) clipped to the frame and scores (N, 10) in [0, 1]: the mean confidence of the joints, with the
        network the geometric mean of that and its expected IoU. A box that is partly outside the frame has a lower
        score.
    """
    boxes, scores = rule.boxes, rule.scores
    if regression is not None:
        weight = config.by_part("regression") / (config.by_part("rule") + config.by_part("regression"))  # (10,)
        boxes = _interpolate(boxes, regression.boxes, weight)
        scores = np.sqrt(scores * regression.scores)
    if detector is not None:
        base = config.by_part("rule") + (config.by_part("regression") if regression is not None else 0)  # (10,)
        agrees = row_iou(boxes, detector.boxes) >= config.by_part("min_iou")  # (N, 10)
        weight = config.by_part("detector") * detector.scores
        boxes = _interpolate(boxes, detector.boxes, np.where(agrees, weight / np.maximum(base + weight, 1e-6), 0))
    clipped = np.clip(boxes, 0, np.array((size[1], size[0]) * 2, np.float32))
    inside = box_areas(clipped) / np.maximum(box_areas(boxes), 1e-6)  # (N, 10)
    return clipped.astype(np.float32), (scores * np.minimum(inside / config.min_inside, 1)).astype(np.float32)


def _interpolate(boxes: Floats, others: Floats, share: Floats) -> Floats:
    """Interpolate from `boxes` to `others`, each (N, 10, 4), by `share` (10,) or (N, 10)."""
    return np.asarray(boxes + (others - boxes) * share[..., None], np.float32)
