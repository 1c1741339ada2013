"""Stage 1a, persons, with NanoDet, a small public detector trained on real people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from actparse.core.errors import ConfigError
from actparse.core.structures import Detections
from actparse.nets.detectors.nanodet import INPUT_MULTIPLE, Nanodet, detect
from actparse.stages.inputs import IMAGENET_MEAN_BGR, IMAGENET_STD_BGR, InputNorm, stack_images
from actparse.stages.precision import inference
from actparse.video.resizing import resize


@dataclass(frozen=True, kw_only=True)
class NanodetPersonsConfig:
    """Settings for the input size and for accepting persons. Source of `norm`: the public config nanodet-g."""

    long_side: int = 416  # pixels of the resized frame
    min_score: float = 0.2  # boxes at or below it are dropped
    max_iou: float = 0.5  # of two boxes that overlap more, the better one is kept
    max_persons: int = 10  # the official rule
    sure_score: float = 0.4  # a frame without a box of this score is also searched in rotated form; 0: never
    norm: InputNorm = field(default_factory=lambda: InputNorm(mean=IMAGENET_MEAN_BGR, std=IMAGENET_STD_BGR, bgr=True))

    def __post_init__(self) -> None:
        for name in ("long_side", "max_persons"):
            if getattr(self, name) < 1:
                raise ConfigError(f"persons.{name} must be at least 1, got {getattr(self, name)}")
        for name in ("min_score", "max_iou", "sure_score"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"persons.{name} must be 0..1, got {getattr(self, name)}")


class NanodetPersons:
    """A person detector with NanoDet."""

    def __init__(self, net: Nanodet, config: NanodetPersonsConfig) -> None:
        self.net = net
        self.config = config
        self.device = next(net.parameters()).device

    def detect(self, images: Sequence[NDArray[np.uint8]]) -> list[Detections]:
        """Find the persons of each image (H, W, 3) uint8 RGB, best first; all images of one call have one size."""
        if not images:
            return []
        height, width = images[0].shape[:2]
        new_height, new_width = self._input_size((height, width))
        resized = stack_images([resize(image, (new_height, new_width)) for image in images], self.device)
        pad = (0, -new_width % INPUT_MULTIPLE, 0, -new_height % INPUT_MULTIPLE)
        batch = self.config.norm(torch.nn.functional.pad(resized, pad))  # (N, 3, h, w), padded with black
        with inference(self.device):
            maps = self.net(batch.contiguous(memory_format=torch.channels_last))
        detections = detect(
            maps,
            self.net.config,
            image_sizes=[(new_height, new_width)] * len(images),
            min_score=self.config.min_score,
            max_iou=self.config.max_iou,
            max_boxes=self.config.max_persons,
        )
        scale = np.array([width / new_width, height / new_height] * 2, np.float32)
        return [Detections(b.cpu().numpy() * scale, s.cpu().numpy(), c.cpu().numpy()) for b, s, c in detections]

    def input_shape(self, size: tuple[int, int]) -> tuple[int, int, int]:
        """Return (3, H, W) of the network's input for frames of (height, width)."""
        height, width = self._input_size(size)
        return 3, height + -height % INPUT_MULTIPLE, width + -width % INPUT_MULTIPLE

    def _input_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """Return (height, width) of a resized frame; the longer side is `long_side`."""
        factor = self.config.long_side / max(size)
        return max(1, round(size[0] * factor)), max(1, round(size[1] * factor))
