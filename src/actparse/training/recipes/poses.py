"""Recipe "poses": the pose network on rendered person crops, with a side branch that is dropped after training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from actparse.core.vocabulary import KEYPOINT_PAIRS
from actparse.metrics.keypoints import oks, pck, swap_rate
from actparse.nets.poses.heatmaps import encode, heatmap_loss
from actparse.nets.poses.hrnet import STRIDE, Hrnet, HrnetConfig
from actparse.stages.people.poses import HrnetPoses, PosesConfig
from actparse.training.recipes.detection import to_channels_last
from actparse.training.rendered.pose_stream import CropStream
from actparse.training.samples.augment import (
    ColorJitter,
    about,
    cover_patches,
    mirrored,
    move_keypoints,
    recolor,
    warp,
)
from actparse.training.task import NAMES, Batch, Task, TaskSettings
from actparse.weights.bundle import config_to_dict

ZOOM = (0.75, 1.25)
TURN_DEGREES = 12.0  # standard deviation
TURNED_SHARE = 0.1  # share of the samples that are rotated by up to MAX_TURN_DEGREES
MAX_TURN_DEGREES = 45.0
SHIFT = 0.04  # standard deviation, as a share of the crop's side
COVERED_SHARE = 0.3  # share of the samples that are partly covered
PCK_SHARE = 0.05  # threshold of PCK, as a share of the longer side of the person's box
AREA_SHARE = 0.53  # share of the box that the person covers, for OKS
MIN_PAIR_SHARE = 0.06  # distance of a left-right pair that counts, as a share of the box's longer side
HEATMAP_SIGMA = 1.5  # cells
VISIBILITY_WEIGHTS = (0.0, 0.6, 1.0)  # weight of an absent, a hidden and a visible keypoint
ABSENT_WEIGHT = 0.3  # weight of an absent keypoint's empty heat map, so that a peak's height is a calibrated confidence
COORDINATE_WEIGHT = 0.06  # weight of the side branch's error in the loss


class PosesTask(Task):
    """The pose network on crops of the stream, zoomed, rotated, shifted, mirrored, recoloured and partly covered."""

    kind = "poses"
    metric = "oks"
    settings = TaskSettings(batch_size=32, learning_rate=2.5e-3)

    def __init__(self, train: CropStream, held_out: CropStream, config: HrnetConfig, stage: PosesConfig) -> None:
        self.train, self.held_out, self.stage = train, held_out, stage
        self.net = Hrnet(config)
        self.jitter = ColorJitter()

    @property
    def num_samples(self) -> int:
        """Number of crops in the stream."""
        return len(self.train)

    def batch(self, rng: np.random.Generator) -> Batch:
        """Draw crops at random."""
        indices = rng.integers(0, len(self.train), self.settings.batch_size)
        images, keypoints = zip(*(self._sample(int(index), rng) for index in indices), strict=True)
        return {
            "images": to_channels_last(images),
            "keypoints": torch.from_numpy(np.stack(keypoints)),
            NAMES: [f"rendered person {index}" for index in indices],
        }

    def _sample(self, index: int, rng: np.random.Generator) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        height, width = self.stage.size
        stream = self.train.config
        center = (stream.size / 2, stream.size / 2)
        x, y = np.array([width, height]) * (0.5 + rng.normal(0, SHIFT, 2))
        stage_zoom = max(height, width) / self.stage.padding / (stream.size / stream.padding)
        turn = rng.uniform(-1, 1) * MAX_TURN_DEGREES if rng.random() < TURNED_SHARE else rng.normal(0, TURN_DEGREES)
        matrix = about(center, zoom=stage_zoom * rng.uniform(*ZOOM), degrees=turn, to=(x, y))
        mirror = bool(rng.random() < 0.5)
        if mirror:
            matrix = mirrored(matrix, width)
        image = recolor(warp(self.train.crop(index), matrix, self.stage.size), rng, self.jitter)
        if rng.random() < COVERED_SHARE:
            cover_patches(image, rng)
        keypoints = move_keypoints(matrix, self.train.keypoints[index], mirror=mirror)
        inside = (keypoints[:, :2] >= 0).all(axis=1) & (keypoints[:, :2] < (width, height)).all(axis=1)
        keypoints[~inside, 2] = 0
        return image, keypoints

    def losses(self, net: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """Return the squared error of the heat maps and the absolute error of the side branch's coordinates."""
        assert isinstance(net, Hrnet)
        images = self.stage.norm(batch["images"]).contiguous(memory_format=torch.channels_last)
        heatmaps, coordinates = net.forward_with_side(images)  # (N, 17, h, w), (N, 17, 2)
        keypoints = batch["keypoints"].to(images.device)  # (N, 17, 3)
        height, width = self.stage.size
        cells = (height // STRIDE, width // STRIDE)
        visible = torch.tensor(VISIBILITY_WEIGHTS, device=images.device)[keypoints[..., 2].long()]  # (N, 17)
        targets, weights = encode(
            keypoints[..., :2],
            visible,
            input_size=self.stage.size,
            heatmap_size=cells,
            sigma=HEATMAP_SIGMA,
            codec="unbiased",
        )
        # shifted by half a cell: the branch's Gaussians, centred on the middles of cells, then match the targets
        positions = (keypoints[..., :2] + STRIDE / 2) / torch.tensor((width, height), device=images.device)
        errors = (coordinates.float() - positions).abs().sum(dim=2) * weights  # (N, 17)
        return {
            "heatmaps": heatmap_loss(heatmaps, targets, weights.masked_fill(weights == 0, ABSENT_WEIGHT)),
            "coordinates": COORDINATE_WEIGHT * errors.sum() / weights.sum().clamp(min=1),
        }

    def evaluate(self, net: nn.Module, device: torch.device) -> dict[str, Any]:
        """Measure OKS, PCK and the share of swapped sides of the stage on the true boxes of the held-out crops."""
        assert isinstance(net, Hrnet)
        estimator = HrnetPoses(net.to(device).eval(), self.stage)
        stream = self.held_out
        middle = np.full((len(stream), 2), stream.config.size / 2, np.float32)
        boxes = np.concatenate((middle - stream.sides / 2, middle + stream.sides / 2), axis=1)  # (N, 4)
        crops = [stream.crop(index) for index in range(len(stream))]
        predicted = np.concatenate(estimator.estimate(crops, list(boxes[:, None])))  # (N, 17, 3)
        sizes = stream.sides.max(axis=1)  # (N,)
        similarities = oks(predicted, stream.keypoints, AREA_SHARE * stream.sides.prod(axis=1))  # (N,)
        return {
            "oks": float(np.nanmean(similarities)),
            "oks_above_0.5": float(np.nanmean(similarities > 0.5)),
            "oks_above_0.75": float(np.nanmean(similarities > 0.75)),
            "pck": pck(predicted, stream.keypoints, sizes, PCK_SHARE),
            "swapped": swap_rate(predicted, tellable_pairs(stream.keypoints, MIN_PAIR_SHARE * sizes)),
            "persons": len(predicted),
        }

    def stage_settings(self) -> Mapping[str, Any]:
        """Return the settings of the pose stage."""
        return config_to_dict(self.stage)


def tellable_pairs(keypoints: NDArray[np.float32], distances: NDArray[np.float32]) -> NDArray[np.float32]:
    """Set the visibility of left-right pairs in keypoints (N, 17, 3) to 0 if they are closer than `distances` (N,)."""
    changed = keypoints.copy()
    for left, right in KEYPOINT_PAIRS:
        near = np.hypot(*(keypoints[:, left, :2] - keypoints[:, right, :2]).T) < distances  # (N,)
        changed[near, left, 2] = 0
        changed[near, right, 2] = 0
    return changed
