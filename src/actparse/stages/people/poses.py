"""Stage 1b, poses: 17 keypoints for each person box. Source: PCF, section II-B, equation 2."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from actparse.core.errors import ConfigError
from actparse.core.structures import Detections
from actparse.core.vocabulary import NUM_KEYPOINTS
from actparse.metrics.boxes import box_areas, intersections
from actparse.metrics.keypoints import oks_nms
from actparse.nets.poses.crops import box_to_center_scale, points_to_image, warp_crops
from actparse.nets.poses.heatmaps import DecodeCodec, average_flipped, decode
from actparse.nets.poses.hrnet import Hrnet
from actparse.stages.inputs import InputNorm, stack_images
from actparse.stages.precision import inference

# Two boxes of one person: chosen on SynthTPS-1.1, where identity switches fall from 16.5 to 12.2 per 100 tracks.
REPEAT_INSIDE = 0.8  # least share of a box that is inside the better one
REPEAT_DISTANCE = 0.2  # of a keypoint from the better box's one, in longer sides of the smaller box
REPEAT_SHARE = 0.5  # least share of the common keypoints that are so near
REPEAT_KEYPOINTS = 4  # least number of common keypoints
REPEAT_CONFIDENCE = 0.2  # of a common keypoint, in both poses


@dataclass(frozen=True, kw_only=True)
class PosesConfig:
    """Settings for the crop and for decoding heat maps. The defaults are those of HRNet at its larger size."""

    size: tuple[int, int] = (384, 288)  # (height, width) of the crop, pixels
    padding: float = 1.25  # side of the crop relative to the side of the box, before the aspect is adjusted
    decoding: DecodeCodec = "standard"  # "standard", "dark" or "udp"
    blur_kernel: int = 11  # for "dark" and "udp", heat-map pixels
    flip_test: bool = True  # average with the mirrored crop's heat maps
    max_oks: float = 0.9  # of two persons with more similar poses, only the better box is kept
    drop_repeats: bool = False  # drop boxes inside a better one that have half of its pose; HRNet's evaluation does not
    min_score: float = 0.0  # least value of `pose_scores`; 0: persons have the scores of their boxes, none is dropped
    norm: InputNorm = field(default_factory=InputNorm)

    def __post_init__(self) -> None:
        if any(side < 32 or side % 32 for side in self.size):
            raise ConfigError(f"poses.size must be multiples of 32, got {self.size}")
        if not self.padding > 0:
            raise ConfigError(f"poses.padding must be greater than 0, got {self.padding}")
        if self.decoding not in ("standard", "dark", "udp"):
            raise ConfigError(f"poses.decoding must be 'standard', 'dark' or 'udp', got {self.decoding!r}")
        for name in ("max_oks", "min_score"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"poses.{name} must be 0..1, got {getattr(self, name)}")
        if self.blur_kernel < 1 or self.blur_kernel % 2 == 0:
            raise ConfigError(f"poses.blur_kernel must be odd and at least 1, got {self.blur_kernel}")


class PoseEstimator(Protocol):
    """The interface of pose estimators: `HrnetPoses` and `MovenetPoses`."""

    @property
    def net(self) -> nn.Module:
        """The network, for its size and cost."""
        ...

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """Shape (3, H, W) of a crop."""
        ...

    @property
    def num_passes(self) -> int:
        """Number of forward passes for a crop."""
        ...

    def estimate(
        self, images: Sequence[NDArray[np.uint8]], boxes: Sequence[NDArray[np.float32]]
    ) -> list[NDArray[np.float32]]:
        """Return the keypoints (n, 17, 3) of each image's boxes (n, 4) xyxy, frame pixels."""
        ...

    def select(self, persons: Detections, keypoints: NDArray[np.float32]) -> tuple[Detections, NDArray[np.float32]]:
        """Return the detections that are distinct persons, with their keypoints (N, 17, 3), best first."""
        ...


class HrnetPoses:
    """A pose estimator with HRNet, the paper's pose network."""

    def __init__(self, net: Hrnet, config: PosesConfig, *, max_batch: int = 32) -> None:
        self.net = net
        self.config = config
        self.max_batch = max_batch
        self.device = next(net.parameters()).device

    def estimate(
        self, images: Sequence[NDArray[np.uint8]], boxes: Sequence[NDArray[np.float32]]
    ) -> list[NDArray[np.float32]]:
        """Estimate the keypoints of every box.

        Args:
            images: frames (H, W, 3) uint8 RGB.
            boxes: per frame (n, 4) person boxes xyxy, frame pixels; n may be 0.

        Returns:
            Per frame (n, 17, 3) x, y in frame pixels and confidence in [0, 1], the height of the heat map's peak.
        """
        windows = [box_to_center_scale(b, self.config.size, self.config.padding) for b in boxes]
        udp = self.config.decoding == "udp"
        crops = [
            crop
            for image, (centers, scales) in zip(images, windows, strict=True)
            for crop in warp_crops(image, centers, scales, self.config.size, udp)
        ]
        points_by_batch = [np.zeros((0, NUM_KEYPOINTS, 3), np.float32)]
        for start in range(0, len(crops), self.max_batch):
            points_by_batch.append(self._run(crops[start : start + self.max_batch]))
        crop_points = np.concatenate(points_by_batch)  # (all n, 17, 3)
        splits = np.split(crop_points, np.cumsum([len(b) for b in boxes])[:-1]) if boxes else []
        return [
            points_to_image(points, centers, scales, self.config.size)
            for points, (centers, scales) in zip(splits, windows, strict=True)
        ]

    def select(self, persons: Detections, keypoints: NDArray[np.float32]) -> tuple[Detections, NDArray[np.float32]]:
        """Drop boxes with the same pose as a better box; with `min_score`, score each person by box and pose."""
        config = self.config
        if config.min_score:
            persons = Detections(persons.boxes, pose_scores(persons.scores, keypoints), persons.labels)
        persons, keypoints = distinct_persons(persons, keypoints, config.max_oks, drop_repeats=config.drop_repeats)
        is_person = persons.scores >= config.min_score  # (n,)
        return persons.at(is_person), keypoints[is_person]

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """Shape (3, H, W) of a crop."""
        return (3, *self.config.size)

    @property
    def num_passes(self) -> int:
        """Number of forward passes for a crop."""
        return 2 if self.config.flip_test else 1

    def _run(self, crops: list[NDArray[np.uint8]]) -> NDArray[np.float32]:
        batch = self.config.norm(stack_images(crops, self.device)).contiguous(memory_format=torch.channels_last)
        with inference(self.device):
            heatmaps = self.net(batch).float()  # (n, 17, h, w)
            if self.config.flip_test:
                mirrored = self.net(batch.flip(3)).float()
                heatmaps = average_flipped(heatmaps, mirrored, shift=self.config.decoding != "udp")
        points = decode(
            heatmaps, input_size=self.config.size, codec=self.config.decoding, blur_kernel=self.config.blur_kernel
        )
        points[..., 2].clamp_(0, 1)
        return points.cpu().numpy()


def pose_scores(scores: NDArray[np.float32], keypoints: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the scores of boxes (N,) times the roots of the mean confidences of their keypoints (N, 17, 3).

    HRNet's evaluation multiplies by the mean itself. The root preserves close-ups, most of whose keypoints are outside
    the frame.
    """
    return np.asarray(scores * np.sqrt(keypoints[..., 2].mean(axis=1)), np.float32)


def distinct_persons(
    persons: Detections, keypoints: NDArray[np.float32], max_oks: float, *, drop_repeats: bool = False
) -> tuple[Detections, NDArray[np.float32]]:
    """Drop boxes with the same pose as a better box of the person. Source: HRNet's evaluation on COCO.

    Args:
        persons: N boxes with their scores.
        keypoints: (N, 17, 3) of each box.
        max_oks: similarity of two poses, for the mean area of their boxes, above which they belong to one person.
        drop_repeats: also drop a box inside a better one that has half of its pose.

    Returns:
        The remaining boxes and keypoints, best first.
    """
    areas = (persons.boxes[:, 2:] - persons.boxes[:, :2]).prod(axis=1)  # (N,)
    indices = oks_nms(keypoints, persons.scores, areas, max_oks)
    if drop_repeats:
        indices = indices[~_repeats_better_one(persons.boxes[indices], persons.scores[indices], keypoints[indices])]
    return persons.at(indices), keypoints[indices]


def _repeats_better_one(
    boxes: NDArray[np.float32], scores: NDArray[np.float32], keypoints: NDArray[np.float32]
) -> NDArray[np.bool_]:
    """Return (N,) whether a box is inside a better one and has half of the other's pose: a part of the same person.

    The pose of a box around half a person differs too much from the whole person's for a limit on the similarity of
    all keypoints. Such boxes take over the person's identity when the better box is missed.

    Args:
        boxes: (N, 4) xyxy, pixels.
        scores: (N,) in [0, 1].
        keypoints: (N, 17, 3) x, y in pixels, confidence.
    """
    sizes = np.maximum((boxes[:, 2:] - boxes[:, :2]).max(axis=1, initial=1.0), 1.0)  # (N,)
    distances = np.linalg.norm(keypoints[:, None, :, :2] - keypoints[None, :, :, :2], axis=3)  # (N, N, 17)
    is_near = distances < REPEAT_DISTANCE * np.minimum(sizes[:, None], sizes)[..., None]
    is_common = np.minimum(keypoints[:, None, :, 2], keypoints[None, :, :, 2]) > REPEAT_CONFIDENCE  # (N, N, 17)
    count = is_common.sum(axis=2)
    is_same = (count >= REPEAT_KEYPOINTS) & ((is_near & is_common).sum(axis=2) >= REPEAT_SHARE * count)
    inside = intersections(boxes[:, None], boxes[None]) / np.maximum(box_areas(boxes), 1.0)[:, None]  # (N, N)
    is_better = scores[None] > scores[:, None]
    return np.asarray((is_better & is_same & (inside >= REPEAT_INSIDE)).any(axis=1))
