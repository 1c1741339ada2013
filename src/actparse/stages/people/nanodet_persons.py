"""Stage 1a, persons, and some objects, with NanoDet, a small public detector trained on real photos."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray

from actparse.core.errors import ConfigError
from actparse.core.structures import Detections
from actparse.nets.detectors.nanodet import INPUT_MULTIPLE, Nanodet, detect
from actparse.stages.inputs import IMAGENET_MEAN_BGR, IMAGENET_STD_BGR, InputNorm, stack_images
from actparse.stages.precision import inference
from actparse.video.resizing import resize

MAX_BOXES = 100  # of all classes in an image, before the persons are selected


@dataclass(frozen=True, kw_only=True)
class NanodetPersonsConfig:
    """Settings for the input size and for accepting persons. Source of `norm`: the public config nanodet-g."""

    long_side: int = 416  # pixels of the resized frame
    # Boxes at or below it are dropped; of 1,121 boxes of real photos and clips the pose kept none below 0.25.
    min_score: float = 0.25
    max_iou: float = 0.5  # of two boxes that overlap more, the better one is kept
    max_persons: int = 10  # the official rule
    sure_score: float = 0.4  # a frame without a box of this score is also searched in rotated form; 0: never
    objects: tuple[str, ...] = ()  # names of the network's objects
    min_object_score: float = 0.35  # objects at or below it are dropped
    norm: InputNorm = field(default_factory=lambda: InputNorm(mean=IMAGENET_MEAN_BGR, std=IMAGENET_STD_BGR, bgr=True))

    def __post_init__(self) -> None:
        for name in ("long_side", "max_persons"):
            if getattr(self, name) < 1:
                raise ConfigError(f"persons.{name} must be at least 1, got {getattr(self, name)}")
        for name in ("min_score", "max_iou", "sure_score", "min_object_score"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"persons.{name} must be 0..1, got {getattr(self, name)}")


class NanodetPersons:
    """A person detector with NanoDet."""

    def __init__(self, net: Nanodet, config: NanodetPersonsConfig) -> None:
        """Use a network whose first class is the person; its other classes are ignored.

        Raises:
            ConfigError: `config.objects` does not name each object of the network.
        """
        if net.config.num_objects != len(config.objects):
            raise ConfigError(f"persons.objects must be {net.config.num_objects} names, got {len(config.objects)}")
        self.net = net
        self.config = config
        self.device = next(net.parameters()).device

    @property
    def objects(self) -> tuple[str, ...]:
        """Names of the objects that are detected too."""
        return self.config.objects

    def detect(self, images: Sequence[NDArray[np.uint8]]) -> list[Detections]:
        """Find the persons of each image (H, W, 3) uint8 RGB, best first; all images of one call have one size."""
        return [persons for persons, _ in self.detect_all(images)]

    def detect_all(self, images: Sequence[NDArray[np.uint8]]) -> list[tuple[Detections, Detections]]:
        """Find the persons and the objects of each image; an object's label is its index in `objects`."""
        if not images:
            return []
        height, width = images[0].shape[:2]
        new_height, new_width = self._input_size((height, width))
        resized = stack_images([resize(image, (new_height, new_width)) for image in images], self.device)
        pad = (0, -new_width % INPUT_MULTIPLE, 0, -new_height % INPUT_MULTIPLE)
        batch = self.config.norm(torch.nn.functional.pad(resized, pad))  # (N, 3, h, w), padded with black
        with inference(self.device):
            maps = self.net.all_maps(batch.contiguous(memory_format=torch.channels_last))
        detections = detect(
            maps,
            replace(self.net.config, num_classes=self.net.config.num_classes + len(self.objects)),
            image_sizes=[(new_height, new_width)] * len(images),
            min_score=self.config.min_score,
            max_iou=self.config.max_iou,
            max_boxes=MAX_BOXES,
        )
        scale = np.array([width / new_width, height / new_height] * 2, np.float32)
        found = [Detections(b.cpu().numpy() * scale, s.cpu().numpy(), c.cpu().numpy()) for b, s, c in detections]
        return [self._split(boxes) for boxes in found]

    def _split(self, boxes: Detections) -> tuple[Detections, Detections]:
        """Split the boxes of an image into persons and objects."""
        persons = boxes.at(boxes.labels == 0).top(self.config.max_persons)
        labels = boxes.labels - self.net.config.num_classes
        is_object = (labels >= 0) & (boxes.scores > self.config.min_object_score)
        return persons, Detections(boxes.boxes[is_object], boxes.scores[is_object], labels[is_object])

    def input_shape(self, size: tuple[int, int]) -> tuple[int, int, int]:
        """Return (3, H, W) of the network's input for frames of (height, width)."""
        height, width = self._input_size(size)
        return 3, height + -height % INPUT_MULTIPLE, width + -width % INPUT_MULTIPLE

    def _input_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """Return (height, width) of a resized frame; the longer side is `long_side`."""
        factor = self.config.long_side / max(size)
        return max(1, round(size[0] * factor)), max(1, round(size[1] * factor))
