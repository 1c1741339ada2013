"""Recipe "persons": the person detector, YOLOF with one class, on whole frames.

At full size it is YOLOF-R101, initialised from COCO.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import nn

from actparse.nets.detectors.yolof import Yolof, YolofConfig
from actparse.stages.people.persons import PersonsConfig, YolofPersons
from actparse.training.recipes import tiny
from actparse.training.recipes.detection import (
    BoxedImage,
    DetectorTask,
    PaperDetector,
    as_truth,
    batches,
    box_metrics,
    in_mirror,
    zoomed,
)
from actparse.training.recipes.hyperparameters import Count, Factors, Inputs, NotNegative, OneCycle, Positive, Share
from actparse.training.samples.annotations import Annotations
from actparse.training.samples.augmentation import ColorJitter, recolor
from actparse.training.samples.splits import open_stores
from actparse.training.task import Task
from actparse.video.resizing import fit_size, resize
from actparse.weights.bundle import config_to_dict


@dataclass(frozen=True, kw_only=True)
class TinyPersons(OneCycle):
    """Hyperparameters of the tiny person detector: frames are zoomed, shifted, mirrored and recoloured."""

    batch_size: Count = 12
    learning_rate: Positive = 2e-3
    zoom: Factors = (0.6, 1.35)
    max_shift: NotNegative = 0.125  # share of the frame's sides
    mirror_share: Share = 0.5
    min_visible: Share = 0.3  # share of a person's box that must stay visible in an augmented frame
    net_config: YolofConfig = tiny.PERSONS_NET
    stage_config: PersonsConfig = tiny.PERSONS_STAGE

    def net(self) -> YolofConfig:
        """Return the network's config."""
        return self.net_config

    def stage(self) -> PersonsConfig:
        """Return the settings of the trained network."""
        return self.stage_config

    def augment(self, sample: BoxedImage, label_flip: Sequence[int], rng: np.random.Generator) -> BoxedImage:
        """Zoom and shift the sample, mirror it with its share, and recolour it."""
        sample = zoomed(sample, rng, zoom=self.zoom, max_shift=self.max_shift, min_visible=self.min_visible)
        if rng.random() < self.mirror_share:
            sample = in_mirror(sample, label_flip)
        return replace(sample, image=recolor(sample.image, rng, ColorJitter()))

    def build(self, inputs: Inputs) -> Task:
        """Build the task on decoded frames."""
        return PersonsTask(*open_stores(inputs.data, inputs.run.out, inputs.options.report), self)


@dataclass(frozen=True, kw_only=True)
class PaperPersons(PaperDetector):
    """Hyperparameters of the person detector."""

    short_side: int = 800  # YOLOF; pixels of the resized frame
    long_side: int = 1333  # YOLOF
    min_score: Share = 0.05  # YOLOF's test
    max_iou: Share = 0.6  # YOLOF's test
    max_persons: Count = 10  # "the top-10 results from the person detector"

    def __post_init__(self) -> None:
        super().__post_init__()
        self.net(), self.stage()  # check the remaining fields

    def net(self) -> YolofConfig:
        """Return the network's config."""
        return self.yolof(num_classes=1)

    def stage(self) -> PersonsConfig:
        """Return the settings of the trained network."""
        return PersonsConfig(
            short_side=self.short_side,
            long_side=self.long_side,
            min_score=self.min_score,
            max_iou=self.max_iou,
            max_persons=self.max_persons,
        )

    def build(self, inputs: Inputs) -> Task:
        """Build the task on key frames that are decoded on demand."""
        return PersonsTask(*self.open_splits(inputs), self)


class PersonsTask(DetectorTask):
    """The person detector on annotated frames, resized as in the stage, with augmentation; evaluated by AP."""

    kind = "persons"
    hyperparameters: TinyPersons | PaperPersons

    def __init__(self, train: Annotations, held_out: Annotations, hyperparameters: TinyPersons | PaperPersons) -> None:
        """Build the network.

        Raises:
            DataError: no frame is annotated.
        """
        self.train, self.held_out, self.hyperparameters = train, held_out, hyperparameters
        self.settings, self.stored_as = hyperparameters.settings(), hyperparameters.stored_as
        self.stage = hyperparameters.stage()
        self.norm = self.stage.norm
        self.samples = range(len(train.frame_indices))
        self.expect_samples()
        self.net = Yolof(hyperparameters.net())

    def sample(self, row: int, rng: np.random.Generator) -> BoxedImage:
        """Read a frame, resize it, and augment it together with the boxes of its persons."""
        (image,) = self.train.images([self.samples[row]])
        height, width = image.shape[:2]
        size = fit_size((height, width), self.stage.short_side, self.stage.long_side)
        scale = np.array([size[1] / width, size[0] / height] * 2, np.float32)
        sample = BoxedImage.inside(
            self.train.frame_name(row),
            resize(image, size),
            self.train.person_boxes[self.train.persons_of(row)] * scale,
        )
        return self.hyperparameters.augment(sample, (0,), rng)

    def measure(self, net: nn.Module, device: torch.device, videos: Sequence[range]) -> dict[str, Any]:
        """Measure the AP of the stage on held-out frames."""
        assert isinstance(net, Yolof)
        detector = YolofPersons(net.to(device).eval(), self.stage)
        data, truth, detections = self.held_out, [], []
        for frames, images in batches(data, videos):
            detections += detector.detect(images)
            truth += [as_truth(data.person_boxes[data.persons_of(frame)]) for frame in frames]
        metrics = box_metrics(truth, detections, names=("person",))
        return {**metrics, "frames": len(truth), "persons": sum(map(len, truth))}

    def stage_settings(self) -> Mapping[str, Any]:
        """Return the settings of the person stage."""
        return config_to_dict(self.stage)
