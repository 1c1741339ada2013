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
from actparse.nets.heatmaps import encode, heatmap_loss
from actparse.nets.hrnet import STRIDE, Hrnet, HrnetConfig
from actparse.stages.people.poses import HrnetPoses, PosesConfig
from actparse.training.augment import (
    ColorJitter,
    about,
    cover_patches,
    mirrored,
    move_keypoints,
    recolor,
    warp,
)
from actparse.training.detection import to_channels_last
from actparse.training.pose_stream import CropStream
from actparse.training.task import NAMES, Batch, Task, TaskSettings
from actparse.weights.bundle import config_to_dict

ZOOM = (0.75, 1.25)
TURN_DEGREES = 12.0  # standard deviation
TURNED_SHARE = 0.1  # of the samples turn by any angle up to this:
MAX_TURN_DEGREES = 45.0
SHIFT = 0.04  # standard deviation, in parts of the crop's side
COVERED_SHARE = 0.3  # of the samples get patches
PCK_SHARE = 0.05  # of the longer side of the person's box
AREA_SHARE = 0.53  # of its box that a person covers, for OKS
MIN_PAIR_SHARE = 0.06  # of the box's longer side, between a left and a right keypoint that can be told apart
HEATMAP_SIGMA = 1.5  # cells
VISIBILITY_WEIGHTS = (0.0, 0.6, 1.0)  # of a keypoint that is absent, hidden, visible
ABSENT_WEIGHT = 0.3  # of an absent keypoint's empty heat map, so that a peak's height is an honest confidence
COORDINATE_WEIGHT = 0.06  # of the side branch's error in the loss


class PosesTask(Task):
    """Crops of the stream zoomed, turned, shifted, mirrored, recoloured and partly covered."""

    kind = "poses"
    metric = "oks"
    settings = TaskSettings(batch_size=32, learning_rate=2.5e-3)

    def __init__(self, train: CropStream, held_out: CropStream, config: HrnetConfig, stage: PosesConfig) -> None:
        self.train, self.held_out, self.stage = train, held_out, stage
        self.net = Hrnet(config)
        self.jitter = ColorJitter()

    @property
    def num_samples(self) -> int:
        """Crops of the stream."""
        return len(self.train)

    def batch(self, rng: np.random.Generator) -> Batch:
        """Crops drawn at random."""
        rows = rng.integers(0, len(self.train), self.settings.batch_size)
        images, keypoints = zip(*(self._sample(int(row), rng) for row in rows), strict=True)
        return {
            "images": to_channels_last(images),
            "keypoints": torch.from_numpy(np.stack(keypoints)),
            NAMES: [f"rendered person {row}" for row in rows],
        }

    def _sample(self, row: int, rng: np.random.Generator) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        height, width = self.stage.size
        stream = self.train.config
        center = (stream.size / 2, stream.size / 2)
        x, y = np.array([width, height]) * (0.5 + rng.normal(0, SHIFT, 2))
        as_the_stage = max(height, width) / self.stage.padding / (stream.size / stream.padding)
        turn = rng.uniform(-1, 1) * MAX_TURN_DEGREES if rng.random() < TURNED_SHARE else rng.normal(0, TURN_DEGREES)
        matrix = about(center, zoom=as_the_stage * rng.uniform(*ZOOM), degrees=turn, to=(x, y))
        mirror = bool(rng.random() < 0.5)
        if mirror:
            matrix = mirrored(matrix, width)
        image = recolor(warp(self.train.crop(row), matrix, self.stage.size), rng, self.jitter)
        if rng.random() < COVERED_SHARE:
            cover_patches(image, rng)
        keypoints = move_keypoints(matrix, self.train.keypoints[row], mirror=mirror)
        inside = (keypoints[:, :2] >= 0).all(axis=1) & (keypoints[:, :2] < (width, height)).all(axis=1)
        keypoints[~inside, 2] = 0
        return image, keypoints

    def losses(self, net: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """Squared error of the heat maps, absolute error of the side branch's coordinates."""
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
        # half a cell on, so that the branch's Gaussians, drawn about the middles of cells, lie where the targets do
        places = (keypoints[..., :2] + STRIDE / 2) / torch.tensor((width, height), device=images.device)
        errors = (coordinates.float() - places).abs().sum(dim=2) * weights  # (N, 17)
        return {
            "heatmaps": heatmap_loss(heatmaps, targets, weights.masked_fill(weights == 0, ABSENT_WEIGHT)),
            "coordinates": COORDINATE_WEIGHT * errors.sum() / weights.sum().clamp(min=1),
        }

    def evaluate(self, net: nn.Module, device: torch.device) -> dict[str, Any]:
        """OKS, PCK and share of sides mixed up, of the stage on the held-out crops' true boxes."""
        assert isinstance(net, Hrnet)
        estimator = HrnetPoses(net.to(device).eval(), self.stage)
        stream = self.held_out
        middle = np.full((len(stream), 2), stream.config.size / 2, np.float32)
        boxes = np.concatenate((middle - stream.sides / 2, middle + stream.sides / 2), axis=1)  # (N, 4)
        crops = [stream.crop(row) for row in range(len(stream))]
        found = np.concatenate(estimator.estimate(crops, list(boxes[:, None])))  # (N, 17, 3)
        sizes = stream.sides.max(axis=1)  # (N,)
        similar = oks(found, stream.keypoints, AREA_SHARE * stream.sides.prod(axis=1))  # (N,)
        return {
            "oks": float(np.nanmean(similar)),
            "oks_above_0.5": float(np.nanmean(similar > 0.5)),
            "oks_above_0.75": float(np.nanmean(similar > 0.75)),
            "pck": pck(found, stream.keypoints, sizes, PCK_SHARE),
            "swapped": swap_rate(found, tellable_pairs(stream.keypoints, MIN_PAIR_SHARE * sizes)),
            "persons": len(found),
        }

    def stage_settings(self) -> Mapping[str, Any]:
        """Of stages.poses."""
        return config_to_dict(self.stage)


def tellable_pairs(keypoints: NDArray[np.float32], distances: NDArray[np.float32]) -> NDArray[np.float32]:
    """Keypoints (N, 17, 3) where those of a left and right pair count only if they are `distances` (N,) apart."""
    kept = keypoints.copy()
    for left, right in KEYPOINT_PAIRS:
        near = np.hypot(*(keypoints[:, left, :2] - keypoints[:, right, :2]).T) < distances  # (N,)
        kept[near, left, 2] = 0
        kept[near, right, 2] = 0
    return kept
