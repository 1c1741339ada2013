"""Stage 1a, persons: at most ten boxes in each frame. Source: PCF, section II-B, equation 1, and III-A."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from actparse.core.errors import ConfigError
from actparse.core.structures import Detections
from actparse.nets.detectors.yolof import Yolof
from actparse.nets.detectors.yolof_boxes import detect
from actparse.stages.inputs import InputNorm, stack_images
from actparse.stages.precision import inference


@dataclass(frozen=True, kw_only=True)
class PersonsConfig:
    """Settings for the input size and for accepting persons. The defaults are the published full-size ones."""

    short_side: int = 800  # pixels of the resized frame
    long_side: int = 1333  # pixels, at most
    min_score: float = 0.05  # boxes below it are dropped
    max_iou: float = 0.6  # of two boxes that overlap more, the better one is kept
    max_persons: int = 10  # the official rule
    norm: InputNorm = field(default_factory=lambda: InputNorm(mean=(103.53, 116.28, 123.675), std=(1, 1, 1), bgr=True))

    def __post_init__(self) -> None:
        if not 1 <= self.short_side <= self.long_side:
            raise ConfigError(f"persons.short_side must be 1..long_side ({self.long_side}), got {self.short_side}")

    def input_size(self, width: int, height: int) -> tuple[int, int]:
        """Return (width, height) of a resized frame: as large as both limits allow."""
        short, long = min(width, height), max(width, height)
        factor = min(self.short_side / short, self.long_side / long)
        return max(1, int(width * factor + 0.5)), max(1, int(height * factor + 0.5))


class PersonDetector(Protocol):
    """The interface of person detectors: `YolofPersons`, `NanodetPersons`, or one of `second_looks`."""

    @property
    def net(self) -> nn.Module:
        """The network, for its size and cost."""
        ...

    def detect(self, images: Sequence[NDArray[np.uint8]]) -> list[Detections]:
        """Find the persons of each image (H, W, 3) uint8 RGB, best first; all images of one call have one size."""
        ...

    def input_shape(self, size: tuple[int, int]) -> tuple[int, int, int]:
        """Return (3, H, W) of the network's input for frames of (height, width)."""
        ...


class YolofPersons:
    """A person detector with YOLOF, the paper's detector."""

    def __init__(self, net: Yolof, config: PersonsConfig) -> None:
        self.net = net
        self.config = config
        self.device = next(net.parameters()).device

    def detect(self, images: Sequence[NDArray[np.uint8]]) -> list[Detections]:
        """Find the persons of each image (H, W, 3) uint8 RGB, best first; all images of one call have one size."""
        if not images:
            return []
        height, width = images[0].shape[:2]
        new_width, new_height = self.config.input_size(width, height)
        resized = [resize(image, (new_width, new_height)) for image in images]
        batch = self.config.norm(stack_images(resized, self.device))  # (N, 3, h, w)
        pad = (0, -new_width % self.net.config.stride, 0, -new_height % self.net.config.stride)
        with inference(self.device):
            cls, reg = self.net(torch.nn.functional.pad(batch, pad).contiguous(memory_format=torch.channels_last))
        detections = detect(
            cls.float(),
            reg.float(),
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
        width, height = self.config.input_size(size[1], size[0])
        stride = self.net.config.stride
        return 3, -(-height // stride) * stride, -(-width // stride) * stride


def resize(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Resize to (width, height), by area if the width shrinks to less than half, else bilinear."""
    if (image.shape[1], image.shape[0]) == size:
        return image
    shrinks = image.shape[1] > 2 * size[0]
    resized = cv2.resize(image, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    return np.asarray(resized, np.uint8)
