"""Stage 1d, body parts: a network maps a person's crop with the dots of the pose to the best box of each part.

Source: PCF, section II-B, equation 4, and III-A (the best box of each class, so there is no suppression).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from actparse.core.errors import ConfigError
from actparse.core.vocabulary import PARTS
from actparse.nets.detectors.yolof import Yolof
from actparse.nets.detectors.yolof_boxes import best_of_each_class
from actparse.stages.inputs import InputNorm, stack_images
from actparse.stages.people.dots import DotsConfig, draw_dots
from actparse.stages.people.person_crops import PersonCrops, square_crops
from actparse.stages.precision import inference


@dataclass(frozen=True, kw_only=True)
class PartsConfig:
    """Settings for the crop and its dots; `dots` None leaves the crop unchanged (the paper's Table II, first row)."""

    size: int = 192  # pixels, side of the square crop
    padding: float = 1.12  # side of the crop's square relative to the longer side of the person box
    dots: DotsConfig | None = field(default_factory=DotsConfig)
    norm: InputNorm = field(default_factory=InputNorm)

    def __post_init__(self) -> None:
        if self.size < 32:
            raise ConfigError(f"parts.size must be at least 32, got {self.size}")
        if self.padding < 1:
            raise ConfigError(f"parts.padding must be at least 1, got {self.padding}")


class PartDetector:
    """A detector of the ten parts of persons, with YOLOF."""

    def __init__(self, net: Yolof, config: PartsConfig, *, max_batch: int = 32) -> None:
        self.net = net
        self.config = config
        self.max_batch = max_batch
        self.device = next(net.parameters()).device

    def detect(
        self,
        images: Sequence[NDArray[np.uint8]],
        boxes: Sequence[NDArray[np.float32]],
        keypoints: Sequence[NDArray[np.float32]],
    ) -> list[tuple[NDArray[np.float32], NDArray[np.float32]]]:
        """Detect the best box of every part.

        Args:
            images: frames (H, W, 3) uint8 RGB.
            boxes: per frame (n, 4) person boxes xyxy, frame pixels; n may be 0.
            keypoints: per frame (n, 17, 3) x, y in frame pixels, confidence.

        Returns:
            Per frame boxes (n, 10, 4) in frame pixels, clipped to the frame, and scores (n, 10), in the order of PARTS.
        """
        size, padding = self.config.size, self.config.padding
        windows = [square_crops(frame_boxes, size=size, padding=padding) for frame_boxes in boxes]
        crops = [crop for w, image in zip(windows, images, strict=True) for crop in w.cut(image)]
        in_crops = [w.keypoints_to_crop(points) for w, points in zip(windows, keypoints, strict=True)]
        part_boxes, scores = self._run(crops, np.concatenate([np.zeros((0, 17, 3), np.float32), *in_crops]))
        ends = np.cumsum([len(frame_boxes) for frame_boxes in boxes])[:-1]
        split = zip(np.split(part_boxes, ends), np.split(scores, ends), windows, images, strict=True) if boxes else ()
        return [(_to_frame(b, w, image.shape[:2]), s) for b, s, w, image in split]

    def _run(
        self, crops: list[NDArray[np.uint8]], keypoints: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        boxes, scores = [np.zeros((0, len(PARTS), 4), np.float32)], [np.zeros((0, len(PARTS)), np.float32)]
        for start in range(0, len(crops), self.max_batch):
            batch = stack_images(crops[start : start + self.max_batch], self.device)  # (N, 3, S, S)
            if self.config.dots is not None:
                points = torch.from_numpy(keypoints[start : start + self.max_batch]).to(self.device)
                batch = draw_dots(batch, points, self.config.dots)
            with inference(self.device):
                cls, reg = self.net(self.config.norm(batch).contiguous(memory_format=torch.channels_last))
            sizes = [(self.config.size, self.config.size)] * len(batch)
            b, s = best_of_each_class(cls.float(), reg.float(), self.net.config, sizes)
            boxes.append(b.cpu().numpy())
            scores.append(s.cpu().numpy())
        return np.concatenate(boxes), np.concatenate(scores)


def _to_frame(boxes: NDArray[np.float32], windows: PersonCrops, size: tuple[int, int]) -> NDArray[np.float32]:
    corners = windows.points_to_frame(boxes.reshape(len(boxes), 2 * len(PARTS), 2))  # (n, 20, 2)
    clipped = np.clip(corners, 0, np.array(size[::-1], np.float32))
    return clipped.reshape(boxes.shape).astype(np.float32)
