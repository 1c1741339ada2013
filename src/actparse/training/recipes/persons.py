"""Recipe "persons", the person detector on whole frames, and what all detectors share: samples, loss and AP.

YOLOF below is the public recipe of YOLOF C5 on COCO (Chen et al. 2021, section 5, and its programs' configs).
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from actparse.core.errors import DataError
from actparse.core.ranges import Below1, Count, CountOrZero, Counts, Factors, NotNegative, Positive, Share, field_types
from actparse.core.structures import Detections
from actparse.data.frames.annotations import Annotations, Image
from actparse.data.frames.frame_cache import FrameForm
from actparse.data.frames.store import Store
from actparse.metrics.coco import average_precision
from actparse.nets.detectors.yolof import Yolof, YolofConfig
from actparse.nets.detectors.yolof_losses import yolof_loss
from actparse.nets.resnet import resnet_config
from actparse.stages.inputs import InputNorm
from actparse.stages.people.persons import FrameDetector, FrameDetectorConfig, PersonsConfig
from actparse.synth.dataset import is_synthetic
from actparse.training.loop import ranks
from actparse.training.options import TrainOptions
from actparse.training.recipes import tiny
from actparse.training.recipes.hyperparameters import (
    BatchReading,
    Hyperparameters,
    Inputs,
    OneCycle,
    samples_of_step,
    step_settings,
)
from actparse.training.rendered.frame_stream import FrameStreamConfig, open_frame_stream
from actparse.training.samples.splits import cache_folder, open_indices, open_stores
from actparse.training.task import NAMES, Batch, SampledTask, StepRule, Task, TaskSettings
from actparse.video.augmentation import BoxedImage, ColorJitter, in_mirror, recolor, shifted, zoomed
from actparse.video.resizing import fit_size, resize

CHECK_VIDEOS = 60  # held-out videos for a check during training
EVALUATION_BATCH = 4  # frames
FRAME_RECIPES = frozenset({"persons", "poses", "parts", "parts-without-dots"})  # that learn from rendered frames
NUM_HELD_OUT_FRAMES = 800  # rendered


@dataclass(frozen=True, kw_only=True)
class PaperDetector(Hyperparameters):
    """Hyperparameters of a detector: network, training and augmentation."""

    depth: int = 101  # "a ResNet-101 backbone"
    batch_size: Count = 6  # "a mini-batch of six on four V100 GPUs"
    num_gpus: Count = 4
    # Six images cannot be divided among four GPUs, and CSN's rate fits the same phrase only as a count per GPU: so 24
    # in total. Evidence against it: by linear scaling from YOLOF's 0.12 at 64, the rate 0.01 belongs to a batch of 5 or
    # 6 ("in-all").
    batch: BatchReading = "per-gpu"
    epochs: Count = 24
    learning_rate: Positive = 0.01
    milestones: Counts = (16, 22)
    gamma: Positive = 0.1  # "decreased by a factor of 10"
    warmup_iterations: CountOrZero = 1800
    warmup_start: Share = 1 / 1800  # YOLOF: one over the number of iterations, 1/1500 and 1/3000; not in the paper
    momentum: Below1 = 0.9
    nesterov: bool = True  # "by default ... for all models"; YOLOF has none
    weight_decay: NotNegative = 1e-4
    backbone_rate: NotNegative = 1 / 3  # YOLOF: factor of the rate for the backbone; not in the paper
    frozen: bool = True  # YOLOF: stem, first stage and the backbone's batch norms; not in the paper
    mirror_share: Share = 0.5  # YOLOF: share of the images that are mirrored
    shift_share: Share = 0.5  # YOLOF: share of the images that are shifted
    max_shift: CountOrZero = 32  # YOLOF: pixels of the resized image, on both axes; uncovered areas are black
    frame_stride: Count = 5  # "on keyframes": those that the evaluator scores, every fifth
    frame_cache: FrameForm = "jpeg"  # ours; form of the stored copies of the training frames; held-out frames have none
    split_seed: int = 0  # division into 3,000 training and 809 held-out videos if the dataset has no split val; ours

    def settings(self) -> TaskSettings:
        """Return the settings for the training loop."""
        rule = StepRule(
            epochs=self.epochs,
            milestones=self.milestones,
            gamma=self.gamma,
            warmup_iterations=self.warmup_iterations,
            warmup_start=self.warmup_start,
        )
        return step_settings(
            self,
            rule,
            batch_size=samples_of_step(self.batch, self.batch_size, self.num_gpus),
            max_gradient_norm=None,  # YOLOF clips nothing
            undecayed="norms",  # YOLOF
            rate_factors={"backbone.": self.backbone_rate},
        )

    def yolof(self, num_classes: int) -> YolofConfig:
        """Return the config of the public YOLOF C5."""
        return YolofConfig(
            backbone=resnet_config(self.depth, stride_in="1x1", frozen=self.frozen), num_classes=num_classes
        )

    def augment(self, sample: BoxedImage, label_flip: Sequence[int], rng: np.random.Generator) -> BoxedImage:
        """Mirror the sample, then shift it, each with its share."""
        if rng.random() < self.mirror_share:
            sample = in_mirror(sample, label_flip)
        if rng.random() < self.shift_share:
            x, y = rng.integers(-self.max_shift, self.max_shift, 2, endpoint=True).tolist()
            sample = shifted(sample, x, y)
        return sample

    def open_splits(self, inputs: Inputs) -> tuple[Annotations, Annotations]:
        """Open the dataset's key frames; frames are decoded on demand, those to train on only once."""
        seed, stride, form = self.split_seed, self.frame_stride, self.frame_cache
        return open_indices(inputs.data, inputs.run.out, inputs.options, seed=seed, stride=stride, form=form)


def open_frames(data: Path, out: Path, options: TrainOptions, split: str = "train") -> Store:
    """Open the rendered frames of a split, "train" or "val", rendering them if necessary."""
    count = options.stream_frames if split == "train" else min(NUM_HELD_OUT_FRAMES, options.stream_frames)
    return open_frame_stream(cache_folder(data, out), split, count, FrameStreamConfig(), report=options.report)


def open_training_frames(inputs: Inputs) -> tuple[Store, Store]:
    """Open decoded frames to train on, for a SynthTPS dataset rendered ones of many scenes, and the held-out videos."""
    train, held_out = open_stores(inputs.data, inputs.run.out, inputs.options)
    if is_synthetic(inputs.data):
        train = open_frames(inputs.data, inputs.run.out, inputs.options)
    return train, held_out


class DetectorTask(SampledTask):
    """The common part of the tasks of all detectors."""

    metric = "ap50"

    def __init__(
        self,
        kind: str,
        train: Annotations,
        held_out: Annotations,
        hyperparameters: Any,
        samples: Sequence[int],
        names: Sequence[str],
    ) -> None:
        """Build the network for classes with `names`; `samples` are frames, or persons, of the training videos.

        Raises:
            DataError: no frame is annotated.
        """
        if not samples:
            raise DataError(f"{kind}: the training split has no annotated frame")
        self.kind, self.train, self.held_out, self.samples = kind, train, held_out, samples
        self.hyperparameters, self.settings = hyperparameters, hyperparameters.settings()
        self.stage, self.stored_as = hyperparameters.stage(), hyperparameters.stored_as
        self.names = tuple(names)
        self.net: Yolof = Yolof(replace(hyperparameters.net(), num_classes=len(names)))

    @property
    def num_samples(self) -> int:
        """Number of frames, or persons, in the training videos."""
        return len(self.samples)

    def collate(self, samples: Sequence[BoxedImage]) -> Batch:
        """Collect images of any sizes in a batch: lists, and the keypoints of all, (N, 17, 3) or (N, 0, 3)."""
        return {
            "images": [torch.from_numpy(sample.image).permute(2, 0, 1) for sample in samples],
            "boxes": [torch.from_numpy(sample.boxes) for sample in samples],
            "labels": [torch.from_numpy(sample.labels) for sample in samples],
            "keypoints": torch.from_numpy(np.stack([sample.keypoints for sample in samples])),
            NAMES: [sample.name for sample in samples],
        }

    def losses(self, net: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """Return focal and GIoU loss."""
        config = self.net.config
        return detection_losses(net, padded(batch["images"], self.stage.norm, config.stride), batch, config)

    def evaluate(self, net: nn.Module, device: torch.device) -> dict[str, Any]:
        """Measure AP on the held-out videos."""
        return self.measure(net, device, self.held_out.videos())

    def check(self, net: nn.Module, device: torch.device) -> dict[str, Any]:
        """Measure AP on a few of the held-out videos."""
        return self.measure(net, device, self.held_out.videos(CHECK_VIDEOS))

    @abstractmethod
    def measure(self, net: nn.Module, device: torch.device, videos: Sequence[range]) -> dict[str, Any]:
        """Measure AP on some held-out videos, given by their frames."""


def padded(images: Sequence[Tensor], norm: InputNorm, stride: int) -> Tensor:
    """Normalise images (3, h, w), then pad them with zeros at the right and the bottom to one size (N, 3, H, W).

    H and W are multiples of `stride`, as in the stage.
    """
    height, width = (-(-max(image.shape[axis] for image in images) // stride) * stride for axis in (1, 2))
    if all(image.shape[1:] == (height, width) for image in images):
        return norm(torch.stack(list(images))).contiguous(memory_format=torch.channels_last)
    images_padded = [
        functional.pad(norm(image[None])[0], (0, width - image.shape[2], 0, height - image.shape[1]))
        for image in images
    ]
    return torch.stack(images_padded).contiguous(memory_format=torch.channels_last)


def detection_losses(net: nn.Module, images: Tensor, batch: Batch, config: YolofConfig) -> dict[str, Tensor]:
    """Return the terms of YOLOF's loss, normalised by the number of anchors matched on all devices.

    If a batch is processed in pieces, each piece is normalised by its own number of matched anchors, just as the batch
    norms of each GPU have separate statistics.
    """
    cls, reg = net(images)
    with torch.autocast(images.device.type, enabled=False):
        losses = yolof_loss(cls.float(), reg.float(), config, batch["boxes"], batch["labels"])
    num_matched = losses.num_matched.float()
    factor = num_matched / ranks.mean_over_processes(num_matched)
    return {"classification": losses.classification * factor, "boxes": losses.boxes * factor}


def batches(data: Annotations, videos: Sequence[range]) -> Iterator[tuple[range, list[Image]]]:
    """Yield a few frames of one video at a time, with their images."""
    for frames in videos:
        images = data.images(frames)
        for start in range(0, len(frames), EVALUATION_BATCH):
            batch = slice(start, start + EVALUATION_BATCH)
            yield frames[batch], images[batch]


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
    stage_config: FrameDetectorConfig = tiny.PERSONS_STAGE

    def net(self) -> YolofConfig:
        """Return the network's config."""
        return self.net_config

    def stage(self) -> FrameDetectorConfig:
        """Return the settings of the trained network."""
        return self.stage_config

    def augment(self, sample: BoxedImage, label_flip: Sequence[int], rng: np.random.Generator) -> BoxedImage:
        """Zoom and shift the sample, mirror it with its share, and recolour it."""
        sample = zoomed(sample, rng, zoom=self.zoom, max_shift=self.max_shift, min_visible=self.min_visible)
        if rng.random() < self.mirror_share:
            sample = in_mirror(sample, label_flip)
        return replace(sample, image=recolor(sample.image, rng, ColorJitter()))

    def build(self, inputs: Inputs) -> Task:
        """Build the task on decoded or rendered frames."""
        return PersonsTask(*open_training_frames(inputs), self)


@dataclass(frozen=True, kw_only=True)
class PaperFrames(PaperDetector):
    """Hyperparameters of a detector on whole frames."""

    stage_type: ClassVar[type[FrameDetectorConfig]]

    short_side: int = 800  # YOLOF; pixels of the resized frame
    long_side: int = 1333  # YOLOF
    min_score: Share = 0.05  # YOLOF's test
    max_iou: Share = 0.6  # YOLOF's test

    def __post_init__(self) -> None:
        super().__post_init__()
        self.net(), self.stage()  # check the remaining fields

    def net(self) -> YolofConfig:
        """Return the network's config."""
        return self.yolof(num_classes=1)

    def stage(self) -> FrameDetectorConfig:
        """Return the settings of the trained network."""
        names = field_types(self.stage_type).keys() - {"norm"}
        return self.stage_type(**{name: getattr(self, name) for name in names})


@dataclass(frozen=True, kw_only=True)
class PaperPersons(PaperFrames):
    """Hyperparameters of the person detector."""

    stage_type = PersonsConfig

    max_persons: Count = 10  # "the top-10 results from the person detector"
    second_share: Below1 = 0.0  # of the size of frames in a second search for large people; 0: none; ours

    def build(self, inputs: Inputs) -> Task:
        """Build the task on key frames that are decoded on demand."""
        return PersonsTask(*self.open_splits(inputs), self)


class FramesTask(DetectorTask):
    """A detector on annotated frames, resized as in the stage, with augmentation; evaluated by AP."""

    hyperparameters: TinyPersons | PaperFrames

    @abstractmethod
    def truth(self, data: Annotations, frame: int) -> Detections:
        """Return the annotated boxes of a frame; a label is an index in `names`."""

    def sample(self, row: int, rng: np.random.Generator) -> BoxedImage:
        """Read a frame, resize it, and augment it together with its boxes."""
        frame = self.samples[row]
        (image,), truth = self.train.images([frame]), self.truth(self.train, frame)
        height, width = image.shape[:2]
        size = fit_size((height, width), self.stage.short_side, self.stage.long_side)
        scale = np.array([size[1] / width, size[0] / height] * 2, np.float32)
        sample = BoxedImage.inside(self.train.frame_name(frame), resize(image, size), truth.boxes * scale, truth.labels)
        return self.hyperparameters.augment(sample, range(len(self.names)), rng)

    def measure(self, net: nn.Module, device: torch.device, videos: Sequence[range]) -> dict[str, Any]:
        """Measure the AP of the stage on held-out frames, without a second search."""
        assert isinstance(net, Yolof)
        detector = FrameDetector(net.to(device).eval(), self.stage)
        data, truth, detections = self.held_out, [], []
        for frames, images in batches(data, ranks.shard(videos)):
            detections += detector.detect(images)
            truth += [self.truth(data, frame) for frame in frames]
        truth, detections = ranks.gathered(truth), ranks.gathered(detections)
        metrics = average_precision(truth, detections, self.names).to_dict()
        return {**metrics, "frames": len(truth), self.kind: sum(map(len, truth))}


class PersonsTask(FramesTask):
    """The person detector."""

    def __init__(self, train: Annotations, held_out: Annotations, hyperparameters: TinyPersons | PaperPersons) -> None:
        """Build the network.

        Raises:
            DataError: no frame is annotated.
        """
        super().__init__("persons", train, held_out, hyperparameters, range(len(train.frame_indices)), ("person",))

    def truth(self, data: Annotations, frame: int) -> Detections:
        """Return the annotated persons of a frame."""
        return Detections.of_truth(data.person_boxes[data.persons_of(frame)])
