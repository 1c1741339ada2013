"""Recipe "part-regression": the network from keypoints to part boxes.

Half of a batch has keypoints predicted by a pose network, the other half true keypoints with artificial errors.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from actparse.core.ranges import Count, NotNegative, Positive, Share
from actparse.core.vocabulary import GROUP_PARTS, KEYPOINT_FLIP, PART_FLIP, PARTS
from actparse.data.frames.store import Store
from actparse.metrics.boxes import row_iou
from actparse.nets.part_regression import PartRegression, PartRegressionConfig, part_losses
from actparse.stages.people.part_fusion import PartFusionConfig, to_poses
from actparse.stages.people.part_geometry import torso_lengths
from actparse.training.recipes import tiny
from actparse.training.recipes.hyperparameters import Inputs, OneCycle
from actparse.training.recipes.parts import open_part_streams
from actparse.training.task import Batch, Task

Floats = NDArray[np.float32]
JOINT_ERRORS = np.array([0.5] * 5 + [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.3, 1.3, 1.0, 1.0, 1.0, 1.0], np.float32)
LIMBS = ((5, 7, 9), (6, 8, 10), (11, 13, 15), (12, 14, 16))  # left and right arm, left and right leg
MIN_VISIBLE = 1 / 3  # share of a part's box that must stay visible in a cut image
CUT_SHARES = (("bottom", 0.25), ("left", 0.08), ("right", 0.08), ("top", 0.06))  # shares of the samples
FOUND_JITTER = 0.01  # standard deviation of the noise on predicted keypoints, in torso lengths


@dataclass(frozen=True, kw_only=True)
class TinyPartRegression(OneCycle):
    """Hyperparameters of the network from keypoints to part boxes."""

    trains_on_videos = False
    needs: ClassVar[tuple[str, ...]] = ("poses",)

    batch_size: Count = 256
    learning_rate: Positive = 2e-3
    weight_decay: NotNegative = 0.02
    predicted_share: Share = 0.5  # share of a batch with predicted keypoints
    net_config: PartRegressionConfig = tiny.PART_REGRESSION_NET
    stage_config: PartFusionConfig = tiny.PART_FUSION_STAGE

    def build(self, inputs: Inputs) -> Task:
        """Build the task on rendered crops, with keypoints of the run's pose network."""
        return PartRegressionTask(*open_part_streams(inputs), self)


@dataclass(frozen=True, kw_only=True)
class KeypointErrors:
    """Errors of pose networks on real people; lengths are in torso lengths, rates are shares of the samples."""

    visible: tuple[float, float] = (0.45, 0.95)  # lowest and highest confidence of a visible keypoint
    hidden: tuple[float, float] = (0.05, 0.75)  # the same, of a hidden keypoint
    outside: tuple[float, float] = (0.0, 0.3)  # the same, of a keypoint outside the image
    jitter: float = 0.035  # standard deviation of a confident keypoint
    unsure_jitter: float = 0.35  # added to `jitter` for each unit of confidence below 0.5
    spread: float = 0.5  # standard deviation of the logarithm of a sample's jitter
    lost: float = 0.04  # share of keypoints with a low confidence and a large error
    removed: float = 0.25  # highest share of keypoints without a position; in a third of the samples
    swapped: float = 0.03  # all left and right keypoints swapped
    swapped_limbs: float = 0.06  # only those of the arms or legs swapped


class PartRegressionTask(Task):
    """The network from keypoints to part boxes on augmented rendered persons; evaluated on held-out persons."""

    kind = "part-regression"
    metric = "iou"

    def __init__(
        self,
        train: tuple[Store, Floats],
        held_out: tuple[Store, Floats],
        hyperparameters: TinyPartRegression,
    ) -> None:
        """Build the network; `train` and `held_out` are persons with predicted keypoints (P, 17, 3)."""
        self.train, self.keypoints = train
        self.held_out, self.held_out_keypoints = held_out
        self.hyperparameters, self.settings = hyperparameters, hyperparameters.settings()
        self.stage, self.errors = hyperparameters.stage_config, KeypointErrors()
        self.net = PartRegression(hyperparameters.net_config)

    @property
    def num_samples(self) -> int:
        """Number of persons in the training split."""
        return len(self.keypoints)

    def batch(self, rng: np.random.Generator) -> Batch:
        """Draw persons at random."""
        size = self.settings.batch_size
        num_predicted = round(size * self.hyperparameters.predicted_share)
        indices = rng.integers(0, len(self.keypoints), size)
        boxes = self.train.part_boxes[indices]
        predicted = moved_persons(self.keypoints[indices[:num_predicted]], boxes[:num_predicted], rng)
        true = moved_persons(self.train.person_keypoints[indices[num_predicted:]], boxes[num_predicted:], rng)
        keypoints = np.concatenate((jittered(predicted[0], rng), with_errors(true[0], self.errors, rng)))
        poses, targets = _as_samples(keypoints, np.concatenate((predicted[1], true[1])))
        return {"poses": torch.from_numpy(poses), "targets": torch.from_numpy(targets)}

    def losses(self, net: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """Return GIoU and L1 loss of the visible parts, and the cross-entropy of the expected IoU."""
        device = next(net.parameters()).device
        boxes, logits = net(batch["poses"].to(device))
        return part_losses(boxes, logits.float(), batch["targets"].to(device))

    def evaluate(self, net: nn.Module, device: torch.device) -> dict[str, Any]:
        """Measure the mean IoU of the visible parts, also by part group, and the share of IoU at least 0.5."""
        poses, targets = _as_samples(self.held_out_keypoints, self.held_out.part_boxes)
        with torch.no_grad():
            boxes = net.to(device).eval()(torch.from_numpy(poses).to(device))[0].cpu().numpy()
        ious, visible = row_iou(boxes, targets), (targets != 0).any(axis=2)  # (N, 10)
        by_group = {}
        for group, parts in GROUP_PARTS.items():
            columns = [PARTS.index(part) for part in parts]
            values = ious[:, columns][visible[:, columns]]
            by_group[group] = float(values.mean()) if len(values) else 0.0
        visible_ious = ious[visible]
        return {
            "iou": float(visible_ious.mean()) if len(visible_ious) else 0.0,
            "share_at_0.5": float((visible_ious >= 0.5).mean()) if len(visible_ious) else 0.0,
            "iou_by_group": by_group,
            "persons": len(self.held_out_keypoints),
        }


def _as_samples(keypoints: Floats, boxes: Floats) -> tuple[Floats, Floats]:
    """Return poses (N, 17, 3) and part boxes (N, 10, 4) in torso lengths; zeros where a part is not visible."""
    poses, middles, torsos = to_poses(keypoints)
    visible = (boxes != 0).any(axis=2, keepdims=True)  # (N, 10, 1)
    targets = (boxes - np.tile(middles, 2)[:, None]) / torsos[:, None, None]
    return poses, np.where(visible, targets, 0).astype(np.float32)


def jittered(keypoints: Floats, rng: np.random.Generator) -> Floats:
    """Add small noise to predicted keypoints (N, 17, 3), against overfitting."""
    moved = keypoints.copy()
    noise = rng.normal(0, FOUND_JITTER, (*keypoints.shape[:2], 2)) * torso_lengths(keypoints)[:, None, None]
    moved[..., :2] += noise.astype(np.float32)
    return moved


def moved_persons(keypoints: Floats, boxes: Floats, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Mirror half of the persons, rotate them by quarters, stretch them, and cut some off at a border.

    Args:
        keypoints: (N, 17, 3) x, y in pixels, visibility 0, 1 or 2, or a confidence.
        boxes: (N, 10, 4) xyxy; zeros where a part is not visible.
        rng: for the random changes of each person.

    Returns:
        Keypoints and boxes of the same shapes, in pixels of the changed images. A keypoint outside is moved to the
        border with visibility 0; a box is cut at the border, and dropped if too little of it is left.
    """
    keypoints, boxes = keypoints.copy(), boxes.copy()
    visible = (boxes != 0).any(axis=2)  # (N, 10)
    mirror = rng.random(len(keypoints)) < 0.5
    keypoints[mirror] = keypoints[mirror][:, KEYPOINT_FLIP] * (-1, 1, 1)
    boxes[mirror] = (boxes[mirror] * (-1, 1, -1, 1))[..., (2, 1, 0, 3)][:, PART_FLIP]
    visible[mirror] = visible[mirror][:, PART_FLIP]
    quarter = rng.choice(4, len(keypoints), p=(0.7, 0.12, 0.06, 0.12))
    for turn in (1, 2, 3):
        is_turned = quarter == turn
        for _ in range(turn):
            keypoints[is_turned] = keypoints[is_turned][..., (1, 0, 2)] * (-1, 1, 1)
            boxes[is_turned] = (boxes[is_turned] * (1, -1, 1, -1))[..., (3, 0, 1, 2)]
    stretch = np.exp(rng.normal(0, 0.1, (len(keypoints), 2))).astype(np.float32)  # (N, 2)
    keypoints[..., :2] *= stretch[:, None]
    boxes *= np.tile(stretch, 2)[:, None]
    visible &= _cut(keypoints, boxes, visible, rng)
    return keypoints, np.where(visible[..., None], boxes, 0).astype(np.float32)


def _cut(keypoints: Floats, boxes: Floats, visible: NDArray[np.bool_], rng: np.random.Generator) -> NDArray[np.bool_]:
    """Cut persons off in place; return a mask (N, 10) of the boxes of which enough is left."""
    areas = (boxes[..., 2:] - boxes[..., :2]).prod(axis=2)  # (N, 10)
    low = np.where(visible[..., None], boxes[..., :2], np.inf).min(axis=1)  # (N, 2) corner of each person
    high = np.where(visible[..., None], boxes[..., 2:], -np.inf).max(axis=1)
    has_no_part = ~visible.any(axis=1)
    low[has_no_part], high[has_no_part] = 0, 1
    sides, limits = high - low, np.concatenate((low - 1e6, high + 1e6), axis=1)  # (N, 2), (N, 4)
    for name, share in CUT_SHARES:
        is_cut = rng.random(len(keypoints)) < share
        depth = rng.uniform(0.05, 0.6, len(keypoints)).astype(np.float32)
        axis, is_end = {"left": (0, 0), "top": (1, 0), "right": (0, 1), "bottom": (1, 1)}[name]
        border = high[:, axis] - depth * sides[:, axis] if is_end else low[:, axis] + depth * sides[:, axis]
        limits[is_cut, axis + 2 * is_end] = border[is_cut]
    low, high = limits[:, None, :2], limits[:, None, 2:]  # (N, 1, 2)
    outside = ((keypoints[..., :2] < low) | (keypoints[..., :2] > high)).any(axis=2)  # (N, 17)
    keypoints[..., :2] = np.clip(keypoints[..., :2], low, high)
    keypoints[outside, 2] = 0
    boxes[..., :2], boxes[..., 2:] = np.clip(boxes[..., :2], low, high), np.clip(boxes[..., 2:], low, high)
    visible_areas = (boxes[..., 2:] - boxes[..., :2]).prod(axis=2)
    return np.asarray(visible_areas > MIN_VISIBLE * areas)


def with_errors(keypoints: Floats, errors: KeypointErrors, rng: np.random.Generator) -> Floats:
    """Add the errors of a pose network to true keypoints.

    Args:
        keypoints: (N, 17, 3) x, y in pixels, visibility 0, 1 or 2.
        errors: sizes and rates of the errors.
        rng: for the random errors.

    Returns:
        (N, 17, 3) x, y in pixels, confidence in [0, 1].
    """
    count, visibility = len(keypoints), keypoints[..., 2]
    ranges = np.array((errors.outside, errors.hidden, errors.visible), np.float32)[visibility.astype(int)]  # (N, 17, 2)
    confidence = ranges[..., 0] + (ranges[..., 1] - ranges[..., 0]) * rng.random(visibility.shape)
    confidence *= rng.uniform(0.75, 1.05, (count, 1))  # some people are hard to recognise as a whole
    is_lost = rng.random(visibility.shape) < errors.lost
    confidence = np.where(is_lost, rng.uniform(0.02, 0.3, visibility.shape), confidence).clip(0, 1)
    torso = torso_lengths(np.concatenate((keypoints[..., :2], np.ones_like(keypoints[..., 2:])), axis=2))  # (N,)
    size = errors.jitter + errors.unsure_jitter * np.clip(0.5 - confidence, 0, None)
    size = size * np.exp(rng.normal(0, errors.spread, (count, 1))) * JOINT_ERRORS
    noise = rng.normal(0, 1, (*visibility.shape, 2)) * size[..., None] * torso[:, None, None]
    predicted = np.concatenate((keypoints[..., :2] + noise, confidence[..., None]), axis=2).astype(np.float32)
    removed = rng.uniform(0, errors.removed, (count, 1)) * (rng.random((count, 1)) < 1 / 3)
    predicted[rng.random(visibility.shape) < removed] = 0
    swapped = rng.random(count) < errors.swapped
    predicted[swapped] = predicted[swapped][:, KEYPOINT_FLIP]
    for left, right in (LIMBS[:2], LIMBS[2:]):
        indices = np.flatnonzero(rng.random(count) < errors.swapped_limbs)[:, None]
        predicted[indices, left], predicted[indices, right] = predicted[indices, right], predicted[indices, left]
    return predicted
