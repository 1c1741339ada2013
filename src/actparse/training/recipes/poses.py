"""Recipe "poses": the pose network on rendered person crops, with a side branch that is dropped after training.

At full size it is HRNet-w48 from COCO, which is not trained.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from actparse.core.errors import TrainingError
from actparse.core.ranges import Count, Factors, NotNegative, Positive, Share
from actparse.data.frames.store import Store
from actparse.metrics.coco import AREA_SHARE
from actparse.metrics.keypoints import distinct_pairs, oks, pck, swap_rate
from actparse.nets.poses.heatmaps import VISIBILITY_WEIGHTS, DecodeCodec, encode, heatmap_loss
from actparse.nets.poses.hrnet import STRIDE, Hrnet, HrnetConfig
from actparse.stages.people.poses import HrnetPoses, PosesConfig
from actparse.training.recipes import tiny
from actparse.training.recipes.hyperparameters import Hyperparameters, Inputs, OneCycle
from actparse.training.recipes.persons import open_frames
from actparse.training.task import NAMES, Batch, SampledTask, Task
from actparse.video.augmentation import (
    ColorJitter,
    about,
    cover_patches,
    mirrored,
    move_keypoints,
    recolor,
    warp,
)

Sample = tuple[str, NDArray[np.uint8], NDArray[np.float32]]  # name, crop (H, W, 3), keypoints (17, 3)

MIN_PERSON_PIXELS = 24.0  # longer side of a person's box
MIN_VISIBLE_KEYPOINTS = 4  # of a person
PCK_SHARE = 0.05  # threshold of PCK, as a share of the longer side of the person's box
HEATMAP_SIGMA = 1.5  # cells
ABSENT_WEIGHT = 0.3  # weight of an absent keypoint's empty heat map, so that a peak's height is a calibrated confidence
COORDINATE_WEIGHT = 0.06  # weight of the side branch's error in the loss


@dataclass(frozen=True, kw_only=True)
class TinyPoses(OneCycle):
    """Hyperparameters of the tiny pose network, which learns from rendered persons."""

    trains_on_videos = False

    batch_size: Count = 32
    learning_rate: Positive = 2.5e-3
    zoom: Factors = (0.75, 1.25)
    turn_degrees: float = 12.0  # standard deviation
    turned_share: Share = 0.1  # share of the samples that are rotated by up to `max_turn_degrees`
    max_turn_degrees: float = 45.0
    shift: NotNegative = 0.04  # standard deviation, as a share of the crop's side
    covered_share: Share = 0.3  # share of the samples that are partly covered
    net_config: HrnetConfig = tiny.POSES_NET
    stage_config: PosesConfig = tiny.POSES_STAGE

    def build(self, inputs: Inputs) -> Task:
        """Build the task on rendered frames."""
        train, held_out = (open_frames(inputs.data, inputs.run.out, inputs.options, s) for s in ("train", "val"))
        return PosesTask(train, held_out, self)


@dataclass(frozen=True, kw_only=True)
class PaperPoses(Hyperparameters):
    """HRNet-w48 from COCO unchanged, "without any fine-tuning"; nothing is trained."""

    initial_settings: ClassVar[Mapping[str, str]] = {"size": "size", "decoding": "decoding"}
    trains_on_videos = False

    width: Count = 48  # "HRNet-w48"
    size: tuple[int, int] = (384, 288)  # HRNet's larger crop; the paper does not name one, and the file must match it
    decoding: DecodeCodec = "standard"  # HRNet; files trained with "dark" or "udp" need the same value here

    def __post_init__(self) -> None:
        super().__post_init__()
        self.stage()  # checks the remaining fields

    def stage(self) -> PosesConfig:
        """Return the settings of the pose network."""
        return PosesConfig(size=self.size, decoding=self.decoding)

    def build(self, inputs: Inputs) -> Task:
        """Raise an error: an imported network is used.

        Raises:
            TrainingError: always.
        """
        raise TrainingError("poses: HRNet-w48 is used as it is: needs --init, a file of `actparse weights import`")


class PosesTask(SampledTask):
    """The pose network on rendered persons, zoomed, rotated, shifted, mirrored, recoloured and partly covered."""

    kind = "poses"
    metric = "oks"

    def __init__(self, train: Store, held_out: Store, hyperparameters: TinyPoses) -> None:
        self.train, self.held_out, self.hyperparameters = train, held_out, hyperparameters
        self.settings, self.stage = hyperparameters.settings(), hyperparameters.stage_config
        self.frames = train.person_frames
        self.samples = clear_persons(train)
        self.net = Hrnet(hyperparameters.net_config)

    @property
    def num_samples(self) -> int:
        """Number of persons who are large enough and show enough keypoints."""
        return len(self.samples)

    def sample(self, row: int, rng: np.random.Generator) -> Sample:
        """Cut out a person, and augment the crop and its keypoints."""
        hyperparameters, person = self.hyperparameters, self.samples[row]
        (frame,) = self.train.images([int(self.frames[person])])
        x1, y1, x2, y2 = self.train.person_boxes[person].tolist()
        height, width = self.stage.size
        x, y = np.array([width, height]) * (0.5 + rng.normal(0, hyperparameters.shift, 2))
        stage_zoom = max(height, width) / self.stage.padding / max(x2 - x1, y2 - y1)
        if rng.random() < hyperparameters.turned_share:
            turn = rng.uniform(-1, 1) * hyperparameters.max_turn_degrees
        else:
            turn = rng.normal(0, hyperparameters.turn_degrees)
        center = ((x1 + x2) / 2, (y1 + y2) / 2)
        matrix = about(center, zoom=stage_zoom * rng.uniform(*hyperparameters.zoom), degrees=turn, to=(x, y))
        mirror = bool(rng.random() < 0.5)
        if mirror:
            matrix = mirrored(matrix, width)
        image = recolor(warp(frame, matrix, self.stage.size), rng, ColorJitter())
        if rng.random() < hyperparameters.covered_share:
            cover_patches(image, rng)
        keypoints = move_keypoints(matrix, self.train.person_keypoints[person], mirror=mirror)
        inside = (keypoints[:, :2] >= 0).all(axis=1) & (keypoints[:, :2] < (width, height)).all(axis=1)
        keypoints[~inside, 2] = 0
        return f"rendered person {person}", image, keypoints

    def collate(self, samples: Sequence[Sample]) -> Batch:
        """Stack crops and keypoints to a batch."""
        names, images, keypoints = zip(*samples, strict=True)
        pixels = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2)  # (N, 3, H, W), channels last in memory
        return {"images": pixels, "keypoints": torch.from_numpy(np.stack(keypoints)), NAMES: list(names)}

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
        store = self.held_out
        persons, frames = clear_persons(store), store.person_frames
        boxes, truth = store.person_boxes[persons], store.person_keypoints[persons]  # (N, 4), (N, 17, 3)
        images = store.images(frames[persons].tolist())
        predicted = np.concatenate(estimator.estimate(images, list(boxes[:, None])))  # (N, 17, 3)
        sides = boxes[:, 2:] - boxes[:, :2]  # (N, 2)
        sizes = sides.max(axis=1)  # (N,)
        similarities = oks(predicted, truth, AREA_SHARE * sides.prod(axis=1))  # (N,)
        return {
            "oks": float(np.nanmean(similarities)),
            "oks_above_0.5": float(np.nanmean(similarities > 0.5)),
            "oks_above_0.75": float(np.nanmean(similarities > 0.75)),
            "pck": pck(predicted, truth, sizes, PCK_SHARE),
            "swapped": swap_rate(predicted, distinct_pairs(truth, sizes)),
            "persons": len(predicted),
        }


def clear_persons(store: Store) -> NDArray[np.int64]:
    """Return the indices of the persons who are large enough and show enough keypoints."""
    sides = store.person_boxes[:, 2:] - store.person_boxes[:, :2]  # (P, 2)
    num_visible = (store.person_keypoints[..., 2] > 1).sum(axis=1)  # (P,)
    return np.flatnonzero((sides.max(axis=1) >= MIN_PERSON_PIXELS) & (num_visible >= MIN_VISIBLE_KEYPOINTS))
