"""Stage 1a, persons: at most ten boxes in each frame. Source: PCF, section II-B, equation 1, and III-A."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from actparse.core.errors import ConfigError
from actparse.core.structures import Detections
from actparse.nets.detectors.yolof import Yolof
from actparse.nets.detectors.yolof_boxes import detect
from actparse.stages.inputs import IMAGENET_MEAN_BGR, InputNorm, stack_images
from actparse.stages.precision import inference
from actparse.video.resizing import fit_size, resize


@dataclass(frozen=True, kw_only=True)
class FrameDetectorConfig(ABC):
    """Settings for the input size and for accepting boxes. The defaults are the published full-size ones."""

    kind: ClassVar[str]  # of the network, for messages

    short_side: int = 800  # pixels of the resized frame
    long_side: int = 1333  # pixels, at most
    min_score: float = 0.05  # boxes below it are dropped
    max_iou: float = 0.6  # of two boxes of a class that overlap more, the better one is kept
    norm: InputNorm = field(default_factory=lambda: InputNorm(mean=IMAGENET_MEAN_BGR, std=(1, 1, 1), bgr=True))

    def __post_init__(self) -> None:
        if not 1 <= self.short_side <= self.long_side:
            raise ConfigError(f"{self.kind}.short_side must be 1..long_side ({self.long_side}), got {self.short_side}")

    @property
    @abstractmethod
    def max_boxes(self) -> int:
        """The largest number of boxes in a frame."""

    def input_shape(self, size: tuple[int, int], stride: int) -> tuple[int, int, int]:
        """Return (3, H, W) of the network's input for frames of (height, width), padded to multiples of `stride`."""
        height, width = fit_size(size, self.short_side, self.long_side)
        return 3, height + -height % stride, width + -width % stride


@dataclass(frozen=True, kw_only=True)
class PersonsConfig(FrameDetectorConfig):
    """Settings of the person detector."""

    kind = "persons"

    max_persons: int = 10  # the official rule
    second_share: float = 0.0  # frames are also searched at this share of their size, below 1, for large people; 0: no

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.second_share < 1:
            raise ConfigError(f"persons.second_share must be at least 0 and less than 1, got {self.second_share}")

    def second_config(self) -> PersonsConfig:
        """Return the config of the search in smaller frames."""
        short_side, long_side = (max(1, round(side * self.second_share)) for side in (self.short_side, self.long_side))
        return replace(self, short_side=short_side, long_side=long_side, second_share=0.0)

    @property
    def max_boxes(self) -> int:
        """The largest number of persons in a frame."""
        return self.max_persons


class PersonDetector(Protocol):
    """The interface of person detectors: `YolofPersons`, `NanodetPersons`, or one of `second_looks`."""

    @property
    def objects(self) -> tuple[str, ...]:
        """Names of the objects that are detected too."""
        ...

    @property
    def net(self) -> nn.Module:
        """The network, for its size and cost."""
        ...

    def detect(self, images: Sequence[NDArray[np.uint8]]) -> list[Detections]:
        """Find the persons of each image (H, W, 3) uint8 RGB, best first; all images of one call have one size."""
        ...

    def detect_all(self, images: Sequence[NDArray[np.uint8]]) -> list[tuple[Detections, Detections]]:
        """Find the persons and the objects of each image; an object's label is its index in `objects`."""
        ...

    def input_shape(self, size: tuple[int, int]) -> tuple[int, int, int]:
        """Return (3, H, W) of the network's input for frames of (height, width)."""
        ...


class FrameDetector:
    """A detector on whole frames with YOLOF, the paper's detector."""

    def __init__(self, net: Yolof, config: FrameDetectorConfig) -> None:
        self.net = net
        self.config = config
        self.device = next(net.parameters()).device

    def detect(self, images: Sequence[NDArray[np.uint8]]) -> list[Detections]:
        """Find the boxes of each image (H, W, 3) uint8 RGB, best first; all images of one call have one size."""
        if not images:
            return []
        height, width = images[0].shape[:2]
        batch, new_size = self.inputs(images)
        with inference(self.device):
            cls, reg = self.net(batch.contiguous(memory_format=torch.channels_last))
        detections = detect(
            cls.float(),
            reg.float(),
            self.net.config,
            image_sizes=[new_size] * len(images),
            min_score=self.config.min_score,
            max_iou=self.config.max_iou,
            max_boxes=self.config.max_boxes,
        )
        scale = np.array([width / new_size[1], height / new_size[0]] * 2, np.float32)
        return [Detections(b.cpu().numpy() * scale, s.cpu().numpy(), c.cpu().numpy()) for b, s, c in detections]

    def inputs(self, images: Sequence[NDArray[np.uint8]]) -> tuple[Tensor, tuple[int, int]]:
        """Resize, normalise and pad N images of one size to (N, 3, H, W); also return (height, width) before padding.

        Source: the preprocessing of the public YOLOF models, except that frames shrink to less than half by area.
        """
        stride = self.net.config.stride
        height, width = size = fit_size(images[0].shape[:2], self.config.short_side, self.config.long_side)
        batch = self.config.norm(stack_images([resize(image, size) for image in images], self.device))
        return torch.nn.functional.pad(batch, (0, -width % stride, 0, -height % stride)), size

    def input_shape(self, size: tuple[int, int]) -> tuple[int, int, int]:
        """Return (3, H, W) of the network's input for frames of (height, width)."""
        return self.config.input_shape(size, self.net.config.stride)


class YolofPersons(FrameDetector):
    """The paper's person detector."""

    objects: tuple[str, ...] = ()

    def detect_all(self, images: Sequence[NDArray[np.uint8]]) -> list[tuple[Detections, Detections]]:
        """Find the persons of each image; there are no objects."""
        return [(persons, Detections.empty()) for persons in self.detect(images)]
