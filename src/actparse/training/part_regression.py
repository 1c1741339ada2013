"""Recipe "part-regression": the network from keypoints to part boxes.

Half of a batch has the keypoints that a pose network found, the other half true ones with errors put in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from actparse.core.vocabulary import GROUP_PARTS, KEYPOINT_FLIP, PART_FLIP, PARTS
from actparse.nets.part_regression import PartRegression, PartRegressionConfig, part_losses
from actparse.stages.people.part_fusion import PartFusionConfig, row_ious, to_poses
from actparse.stages.people.part_geometry import torso_lengths
from actparse.training.store import Store
from actparse.training.task import Batch, Task, TaskSettings
from actparse.weights.bundle import config_to_dict

Floats = NDArray[np.float32]
JOINT_ERRORS = np.array([0.5] * 5 + [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.3, 1.3, 1.0, 1.0, 1.0, 1.0], np.float32)
LIMBS = ((5, 7, 9), (6, 8, 10), (11, 13, 15), (12, 14, 16))  # left and right arm, left and right leg
MIN_VISIBLE = 1 / 3  # of a part's box, for it to count in a cut picture
CUT_SHARES = (("bottom", 0.25), ("left", 0.08), ("right", 0.08), ("top", 0.06))  # of the samples
FOUND_SHARE = 0.5  # of a batch, with a pose network's own keypoints
FOUND_JITTER = 0.01  # standard deviation of what is added to a found keypoint, in torsos


@dataclass(frozen=True, kw_only=True)
class KeypointErrors:
    """What goes wrong where a pose network reads real people; lengths in torsos, rates are shares of the samples."""

    visible: tuple[float, float] = (0.45, 0.95)  # confidence of a visible keypoint, from and to
    hidden: tuple[float, float] = (0.05, 0.75)
    outside: tuple[float, float] = (0.0, 0.3)
    jitter: float = 0.035  # standard deviation of a sure keypoint
    unsure_jitter: float = 0.35  # added to it for each unit of confidence below 0.5
    spread: float = 0.5  # standard deviation of the logarithm of a sample's own jitter
    lost: float = 0.04  # share of keypoints that are unsure and far off
    removed: float = 0.25  # keypoints without a position, at most; in a third of the samples
    swapped: float = 0.03  # left for right, all keypoints
    swapped_limbs: float = 0.06  # the same, arms or legs alone


class PartRegressionTask(Task):
    """Rendered persons, mirrored, turned by quarters, stretched and cut; judged on the found keypoints of others."""

    kind = "part-regression"
    settings = TaskSettings(batch_size=256, learning_rate=2e-3, weight_decay=0.02)
    metric = "iou"

    def __init__(
        self,
        train: tuple[Store, Floats],
        held_out: tuple[Store, Floats],
        config: PartRegressionConfig,
        stage: PartFusionConfig,
    ) -> None:
        """`train` and `held_out`: persons, and the keypoints (P, 17, 3) that a pose network found of them."""
        self.train, self.found = train
        self.held_out, self.held_out_found = held_out
        self.stage, self.errors = stage, KeypointErrors()
        self.net = PartRegression(config)

    @property
    def num_samples(self) -> int:
        """Persons of the training split."""
        return len(self.found)

    def batch(self, rng: np.random.Generator) -> Batch:
        """Persons drawn at random."""
        size = self.settings.batch_size
        num_found = round(size * FOUND_SHARE)
        rows = rng.integers(0, len(self.found), size)
        boxes = self.train.part_boxes[rows]
        seen = moved_persons(self.found[rows[:num_found]], boxes[:num_found], rng)
        true = moved_persons(self.train.person_keypoints[rows[num_found:]], boxes[num_found:], rng)
        keypoints = np.concatenate((jittered(seen[0], rng), with_errors(true[0], self.errors, rng)))
        poses, targets = _as_samples(keypoints, np.concatenate((seen[1], true[1])))
        return {"poses": torch.from_numpy(poses), "targets": torch.from_numpy(targets)}

    def losses(self, net: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """GIoU and L1 of the visible parts, and the cross-entropy of the expected IoU."""
        device = next(net.parameters()).device
        boxes, logits = net(batch["poses"].to(device))
        return part_losses(boxes, logits.float(), batch["targets"].to(device))

    def evaluate(self, net: nn.Module, device: torch.device) -> dict[str, Any]:
        """Mean IoU of the visible parts, the share of IoU at least 0.5, and both by part group."""
        poses, targets = _as_samples(self.held_out_found, self.held_out.part_boxes)
        with torch.no_grad():
            boxes = net.to(device).eval()(torch.from_numpy(poses).to(device))[0].cpu().numpy()
        ious, visible = row_ious(boxes, targets), (targets != 0).any(axis=2)  # (N, 10)
        by_group = {}
        for group, parts in GROUP_PARTS.items():
            columns = [PARTS.index(part) for part in parts]
            values = ious[:, columns][visible[:, columns]]
            by_group[group] = float(values.mean()) if len(values) else 0.0
        every = ious[visible]
        return {
            "iou": float(every.mean()) if len(every) else 0.0,
            "share_at_0.5": float((every >= 0.5).mean()) if len(every) else 0.0,
            "iou_by_group": by_group,
            "persons": len(self.held_out_found),
        }

    def stage_settings(self) -> Mapping[str, Any]:
        """Of stages.part_fusion."""
        return config_to_dict(self.stage)


def _as_samples(keypoints: Floats, boxes: Floats) -> tuple[Floats, Floats]:
    """Poses (N, 17, 3) and part boxes (N, 10, 4) in lengths of the torso; zeros where a part is not visible."""
    poses, middles, torsos = to_poses(keypoints)
    visible = (boxes != 0).any(axis=2, keepdims=True)  # (N, 10, 1)
    targets = (boxes - np.tile(middles, 2)[:, None]) / torsos[:, None, None]
    return poses, np.where(visible, targets, 0).astype(np.float32)


def jittered(keypoints: Floats, rng: np.random.Generator) -> Floats:
    """Keypoints (N, 17, 3) that a network found, moved a little so that few are learnt by heart."""
    moved = keypoints.copy()
    noise = rng.normal(0, FOUND_JITTER, (*keypoints.shape[:2], 2)) * torso_lengths(keypoints)[:, None, None]
    moved[..., :2] += noise.astype(np.float32)
    return moved


def moved_persons(keypoints: Floats, boxes: Floats, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Mirror half of the persons, turn them by quarters, stretch them, and cut some off at a border.

    Args:
        keypoints: (N, 17, 3) x, y in pixels, visibility 0, 1 or 2, or a confidence.
        boxes: (N, 10, 4) xyxy; zeros where a part is not visible.
        rng: draws what happens to each person.

    Returns:
        Keypoints and boxes of the same shapes, in pixels of other pictures. A keypoint outside has visibility 0 and is
        on the border; a box is cut at the border, and dropped where too little of it is left.
    """
    keypoints, boxes = keypoints.copy(), boxes.copy()
    visible = (boxes != 0).any(axis=2)  # (N, 10)
    mirror = rng.random(len(keypoints)) < 0.5
    keypoints[mirror] = keypoints[mirror][:, KEYPOINT_FLIP] * (-1, 1, 1)
    boxes[mirror] = (boxes[mirror] * (-1, 1, -1, 1))[..., (2, 1, 0, 3)][:, PART_FLIP]
    visible[mirror] = visible[mirror][:, PART_FLIP]
    quarter = rng.choice(4, len(keypoints), p=(0.7, 0.12, 0.06, 0.12))
    for turn in (1, 2, 3):
        rows = quarter == turn
        for _ in range(turn):
            keypoints[rows] = keypoints[rows][..., (1, 0, 2)] * (-1, 1, 1)
            boxes[rows] = (boxes[rows] * (1, -1, 1, -1))[..., (3, 0, 1, 2)]
    stretch = np.exp(rng.normal(0, 0.1, (len(keypoints), 2))).astype(np.float32)  # (N, 2)
    keypoints[..., :2] *= stretch[:, None]
    boxes *= np.tile(stretch, 2)[:, None]
    visible &= _cut(keypoints, boxes, visible, rng)
    return keypoints, np.where(visible[..., None], boxes, 0).astype(np.float32)


def _cut(keypoints: Floats, boxes: Floats, visible: NDArray[np.bool_], rng: np.random.Generator) -> NDArray[np.bool_]:
    """Cut persons off in place; which boxes (N, 10) have enough left."""
    areas = (boxes[..., 2:] - boxes[..., :2]).prod(axis=2)  # (N, 10)
    low = np.where(visible[..., None], boxes[..., :2], np.inf).min(axis=1)  # (N, 2) of each person
    high = np.where(visible[..., None], boxes[..., 2:], -np.inf).max(axis=1)
    nobody = ~visible.any(axis=1)
    low[nobody], high[nobody] = 0, 1
    sides, limits = high - low, np.concatenate((low - 1e6, high + 1e6), axis=1)  # (N, 2), (N, 4)
    for name, share in CUT_SHARES:
        rows = rng.random(len(keypoints)) < share
        depth = rng.uniform(0.05, 0.6, len(keypoints)).astype(np.float32)
        axis, is_end = {"left": (0, 0), "top": (1, 0), "right": (0, 1), "bottom": (1, 1)}[name]
        border = high[:, axis] - depth * sides[:, axis] if is_end else low[:, axis] + depth * sides[:, axis]
        limits[rows, axis + 2 * is_end] = border[rows]
    low, high = limits[:, None, :2], limits[:, None, 2:]  # (N, 1, 2)
    outside = ((keypoints[..., :2] < low) | (keypoints[..., :2] > high)).any(axis=2)  # (N, 17)
    keypoints[..., :2] = np.clip(keypoints[..., :2], low, high)
    keypoints[outside, 2] = 0
    boxes[..., :2], boxes[..., 2:] = np.clip(boxes[..., :2], low, high), np.clip(boxes[..., 2:], low, high)
    left = (boxes[..., 2:] - boxes[..., :2]).prod(axis=2)
    return np.asarray(left > MIN_VISIBLE * areas)


def with_errors(keypoints: Floats, errors: KeypointErrors, rng: np.random.Generator) -> Floats:
    """Turn true keypoints into what a pose network would find.

    Args:
        keypoints: (N, 17, 3) x, y in pixels, visibility 0, 1 or 2.
        errors: their sizes and rates.
        rng: draws them.

    Returns:
        (N, 17, 3) x, y in pixels, confidence in [0, 1].
    """
    count, visibility = len(keypoints), keypoints[..., 2]
    ranges = np.array((errors.outside, errors.hidden, errors.visible), np.float32)[visibility.astype(int)]  # (N, 17, 2)
    confidence = ranges[..., 0] + (ranges[..., 1] - ranges[..., 0]) * rng.random(visibility.shape)
    confidence *= rng.uniform(0.75, 1.05, (count, 1))  # some people are unclear as a whole
    lost = rng.random(visibility.shape) < errors.lost
    confidence = np.where(lost, rng.uniform(0.02, 0.3, visibility.shape), confidence).clip(0, 1)
    torso = torso_lengths(np.concatenate((keypoints[..., :2], np.ones_like(keypoints[..., 2:])), axis=2))  # (N,)
    size = errors.jitter + errors.unsure_jitter * np.clip(0.5 - confidence, 0, None)
    size = size * np.exp(rng.normal(0, errors.spread, (count, 1))) * JOINT_ERRORS
    noise = rng.normal(0, 1, (*visibility.shape, 2)) * size[..., None] * torso[:, None, None]
    found = np.concatenate((keypoints[..., :2] + noise, confidence[..., None]), axis=2).astype(np.float32)
    removed = rng.uniform(0, errors.removed, (count, 1)) * (rng.random((count, 1)) < 1 / 3)
    found[rng.random(visibility.shape) < removed] = 0
    swapped = rng.random(count) < errors.swapped
    found[swapped] = found[swapped][:, KEYPOINT_FLIP]
    for left, right in (LIMBS[:2], LIMBS[2:]):
        rows = np.flatnonzero(rng.random(count) < errors.swapped_limbs)[:, None]
        found[rows, left], found[rows, right] = found[rows, right], found[rows, left]
    return found
