"""Recipe "persons": the person detector on whole frames."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from actparse.core.structures import Detections
from actparse.nets.detectors.yolof import Yolof, YolofConfig
from actparse.stages.people.persons import PersonsConfig, YolofPersons
from actparse.training.recipes.detection import box_figures, detection_losses, to_channels_last
from actparse.training.samples.augment import (
    ColorJitter,
    about,
    clip_boxes,
    mirrored,
    move_boxes,
    recolor,
    warp,
)
from actparse.training.samples.store import Store
from actparse.training.task import NAMES, Batch, Task, TaskSettings
from actparse.weights.bundle import config_to_dict

MIN_VISIBLE = 0.3  # share of a person's box that must stay visible in an augmented frame
ZOOM = (0.6, 1.35)
MAX_SHIFT = 0.125  # share of the frame's sides
EVALUATION_BATCH = 16


class PersonsTask(Task):
    """The person detector on frames, zoomed, shifted, mirrored and recoloured; evaluated by AP on held-out frames."""

    kind = "persons"
    metric = "ap"
    settings = TaskSettings(batch_size=12, learning_rate=2e-3)

    def __init__(self, train: Store, held_out: Store, config: YolofConfig, stage: PersonsConfig) -> None:
        self.train, self.held_out, self.stage = train, held_out, stage
        self.net = Yolof(config)
        self.jitter = ColorJitter()

    @property
    def num_samples(self) -> int:
        """Number of stored frames of the training split."""
        return len(self.train.frames)

    def batch(self, rng: np.random.Generator) -> Batch:
        """Draw frames at random, with the boxes of their persons."""
        indices = rng.integers(0, len(self.train.frames), self.settings.batch_size)
        images, boxes = zip(*(self._sample(int(index), rng) for index in indices), strict=True)
        labels = [torch.zeros(len(b), dtype=torch.int64) for b in boxes]
        return {
            "images": to_channels_last(images),
            "boxes": list(map(torch.from_numpy, boxes)),
            "labels": labels,
            NAMES: [self.train.frame_name(index) for index in indices],
        }

    def _sample(self, index: int, rng: np.random.Generator) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        image = self.train.frames[index]
        height, width = image.shape[:2]
        center = (width / 2, height / 2)
        shift = rng.uniform(-MAX_SHIFT, MAX_SHIFT, 2) * (width, height)
        zoom = rng.uniform(ZOOM[0], ZOOM[1])
        matrix = about(center, zoom=zoom, degrees=0, to=(center[0] + shift[0], center[1] + shift[1]))
        if rng.random() < 0.5:
            matrix = mirrored(matrix, width)
        fill = int(rng.integers(0, 256))
        image = recolor(warp(image, matrix, (height, width), fill=fill), rng, self.jitter)
        moved = move_boxes(matrix, self.train.person_boxes[self.train.persons_of(index)])
        clipped, keep = clip_boxes(moved, (height, width), min_visible=MIN_VISIBLE)
        return image, clipped[keep]

    def losses(self, net: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """Return focal and GIoU loss."""
        config = self.net.config
        assert isinstance(config, YolofConfig)
        return detection_losses(net, batch, config, self.stage.norm)

    def evaluate(self, net: nn.Module, device: torch.device) -> dict[str, Any]:
        """Measure the AP of the stage on the stored frames of the held-out split."""
        assert isinstance(net, Yolof)
        detector = YolofPersons(net.to(device).eval(), self.stage)
        store = self.held_out
        detections = []
        for start in range(0, len(store.frames), EVALUATION_BATCH):
            detections += detector.detect(list(store.frames[start : start + EVALUATION_BATCH]))
        truth = [_as_detections(store.person_boxes[store.persons_of(frame)]) for frame in range(len(store.frames))]
        return {
            **box_figures(truth, detections, names=("person",)),
            "frames": len(truth),
            "persons": sum(map(len, truth)),
        }

    def stage_settings(self) -> Mapping[str, Any]:
        """Return the settings of the person stage."""
        return config_to_dict(self.stage)


def _as_detections(boxes: NDArray[np.float32]) -> Detections:
    return Detections(boxes, np.ones(len(boxes), np.float32), np.zeros(len(boxes), np.int64))
