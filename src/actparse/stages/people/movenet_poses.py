"""Stage 1b, poses, with MoveNet, a small public network trained on real people, on a crop of each person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from actparse.core.errors import ConfigError
from actparse.core.structures import Detections
from actparse.core.vocabulary import NUM_KEYPOINTS
from actparse.nets.poses.movenet import INPUT_MULTIPLE, Movenet, decode_person
from actparse.stages.inputs import stack_images
from actparse.stages.people.person_crops import fitted_crops
from actparse.stages.people.poses import distinct_persons, pose_scores
from actparse.stages.precision import inference


@dataclass(frozen=True, kw_only=True)
class MovenetPosesConfig:
    """Settings for the crop, and for accepting a box as a person."""

    padding: float = 1.2  # longer side of the crop relative to that of the box
    max_oks: float = 0.7  # of two persons with more similar poses, only the one with the better score is kept
    drop_repeats: bool = True  # drop boxes inside a better one that have half of its pose
    min_score: float = 0.15  # least value of `pose_scores`

    def __post_init__(self) -> None:
        if not self.padding > 0:
            raise ConfigError(f"poses.padding must be greater than 0, got {self.padding}")
        for name in ("max_oks", "min_score"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"poses.{name} must be 0..1, got {getattr(self, name)}")


class MovenetPoses:
    """A pose estimator with MoveNet."""

    def __init__(self, net: Movenet, config: MovenetPosesConfig, *, max_batch: int | None = None) -> None:
        self.net = net
        self.config = config
        self.device = next(net.parameters()).device
        # On a CPU, larger batches do not fit into its caches: 16 crops take a tenth more time each than 4.
        self.max_batch = max_batch or (4 if self.device.type == "cpu" else 64)

    def estimate(
        self, images: Sequence[NDArray[np.uint8]], boxes: Sequence[NDArray[np.float32]]
    ) -> list[NDArray[np.float32]]:
        """Estimate the keypoints of every box.

        Args:
            images: frames (H, W, 3) uint8 RGB.
            boxes: per frame (n, 4) person boxes xyxy, frame pixels; n may be 0.

        Returns:
            Per frame (n, 17, 3) x, y in frame pixels and confidence in [0, 1].
        """
        size, padding = self.net.config.size, self.config.padding
        windows = [fitted_crops(b, size=size, padding=padding, multiple=INPUT_MULTIPLE) for b in boxes]
        crops = [crop for w, image in zip(windows, images, strict=True) for crop in w.cut(image)]
        corners = [w.points_to_crop(b.reshape(-1, 2, 2)) for w, b in zip(windows, boxes, strict=True)]  # (n, 2, 2) each
        points = self._run(crops, np.concatenate([np.zeros((0, 2, 2), np.float32), *corners]).reshape(-1, 4))
        splits = np.split(points, np.cumsum([len(b) for b in boxes])[:-1]) if boxes else []
        return [w.keypoints_to_frame(p) for w, p in zip(windows, splits, strict=True)]

    def select(self, persons: Detections, keypoints: NDArray[np.float32]) -> tuple[Detections, NDArray[np.float32]]:
        """Score each person by box and pose; drop low scores and persons with the same pose as a better one."""
        rescored = Detections(persons.boxes, pose_scores(persons.scores, keypoints), persons.labels)
        distinct, points = distinct_persons(
            rescored, keypoints, self.config.max_oks, drop_repeats=self.config.drop_repeats
        )
        is_person = distinct.scores >= self.config.min_score  # (n,)
        return distinct.at(is_person), points[is_person]

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """Shape (3, H, W) of the largest crop."""
        return 3, self.net.config.size, self.net.config.size

    @property
    def num_passes(self) -> int:
        """Number of forward passes for a crop."""
        return 1

    def _run(self, crops: list[NDArray[np.uint8]], boxes: NDArray[np.float32]) -> NDArray[np.float32]:
        """Estimate keypoints (N, 17, 3), crop pixels, in N crops, given the persons' boxes (N, 4) in crop pixels."""
        points = np.zeros((len(crops), NUM_KEYPOINTS, 3), np.float32)
        for shape in sorted({crop.shape for crop in crops}):
            indices = [index for index, crop in enumerate(crops) if crop.shape == shape]
            for start in range(0, len(indices), self.max_batch):
                chosen = indices[start : start + self.max_batch]
                batch = stack_images([crops[index] for index in chosen], self.device).float()  # (n, 3, H, W)
                with inference(self.device):
                    heads = self.net(batch.contiguous(memory_format=torch.channels_last))
                in_batch = torch.from_numpy(boxes[chosen]).to(self.device)
                points[chosen] = decode_person(heads, in_batch).cpu().numpy()
        return points
