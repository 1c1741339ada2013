"""Recipes "parts" and "parts-without-dots": the part detector on person crops, with or without the pose as dots.

At full size it is YOLOF-R101 with ten classes. The network returns the best box of each part ("the top-1 results of
each body part"), so it has no threshold.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from actparse.core.ranges import Count, Factors, NotNegative, Positive, Share
from actparse.core.structures import Detections
from actparse.core.vocabulary import NUM_KEYPOINTS, PART_FLIP, PARTS
from actparse.data.frames.annotations import Annotations
from actparse.data.frames.store import Store
from actparse.metrics.boxes import swapped_pairs
from actparse.metrics.coco import average_precision
from actparse.nets.detectors.yolof import Yolof, YolofConfig
from actparse.stages.people.dots import DotsConfig, draw_dots
from actparse.stages.people.parts import PartDetector, PartsConfig
from actparse.stages.people.person_crops import PersonCrops, square_crops
from actparse.stages.people.persons import PersonsConfig
from actparse.stages.people.refine import grow_boxes
from actparse.training.loop import ranks
from actparse.training.recipes import tiny
from actparse.training.recipes.hyperparameters import Inputs, OneCycle
from actparse.training.recipes.persons import DetectorTask, PaperDetector, batches, open_training_frames
from actparse.training.rendered.part_stream import PartStreamConfig, open_part_stream
from actparse.training.samples.keypoints import BOX_JITTER, jittered_boxes, predicted_keypoints
from actparse.training.samples.splits import cache_folder
from actparse.training.task import Batch, Task
from actparse.video.augmentation import BoxedImage, ColorJitter, in_mirror, recolor

Split = TypeVar("Split", bound=Annotations)
Keypoints = NDArray[np.float32]  # (P, 17, 3) of the persons of a split

GROWING_CONFIDENCE = 0.25  # of keypoints that extend a person's box; the same as in the parser
NUM_HELD_OUT_CROPS = 1000  # of the part stream


@dataclass(frozen=True, kw_only=True)
class TinyParts(OneCycle):
    """Hyperparameters of the tiny part detector, with the errors of a person detector and of a pose network."""

    needs: ClassVar[tuple[str, ...]] = ("poses",)

    batch_size: Count = 16
    learning_rate: Positive = 2e-3
    dots: bool = True  # the pose on the crop, X' = X + G(K)
    size: int = 192  # pixels, side of the crop
    padding: float = 1.12  # side of the crop divided by the longer side of the person's box
    grow: bool = True  # the box first grows until it contains the keypoints
    min_confidence: float = GROWING_CONFIDENCE
    box_jitter: NotNegative = 0.05  # standard deviation of a box's centre and sides as a share of its sides
    zoom: Factors = (0.85, 1.12)
    shift: NotNegative = 0.03  # standard deviation, as a share of the crop's side
    mirror_share: Share = 0.5
    dot_jitter: NotNegative = 1.2  # pixels of the crop, standard deviation
    dropped_dots: Share = 0.06  # share of the keypoints that are not drawn
    min_visible: Share = 0.4  # share of a part's box that must stay visible in an augmented crop
    net_config: YolofConfig = tiny.PARTS_NET

    def net(self) -> YolofConfig:
        """Return the network's config."""
        return self.net_config

    def stage(self) -> PartsConfig:
        """Return the settings of the trained network."""
        dots = DotsConfig(min_confidence=self.min_confidence) if self.dots else None
        return PartsConfig(size=self.size, padding=self.padding, dots=dots, norm=tiny.NORM)

    def window(self, window: PersonCrops, rng: np.random.Generator) -> PersonCrops:
        """Zoom and shift a window at random."""
        scales = window.scales * np.float32(rng.uniform(*self.zoom))
        middle = window.origins + self.size / window.scales[:, None] / 2
        shift = rng.normal(0, self.shift, 2) * self.size / scales[:, None]
        origins = middle - self.size / scales[:, None] / 2 - shift
        return replace(window, origins=origins.astype(np.float32), scales=scales)

    def augment(self, sample: BoxedImage, label_flip: Sequence[int], rng: np.random.Generator) -> BoxedImage:
        """Mirror and recolour the sample, move its keypoints and drop some."""
        if rng.random() < self.mirror_share:
            sample = in_mirror(sample, label_flip)
        keypoints = sample.keypoints.copy()
        keypoints[:, :2] += rng.normal(0, self.dot_jitter, (len(keypoints), 2))
        keypoints[rng.random(len(keypoints)) < self.dropped_dots, 2] = 0
        return replace(sample, image=recolor(sample.image, rng, ColorJitter()), keypoints=keypoints)

    def build(self, inputs: Inputs) -> Task:
        """Build the task on decoded or rendered frames, with keypoints of the run's pose network."""
        return PartsTask(inputs.kind, *with_keypoints(open_training_frames(inputs), inputs), self)


@dataclass(frozen=True, kw_only=True)
class PeopleParts(TinyParts):
    """Hyperparameters of the part detector for real people, which learns from rendered crops."""

    trains_on_videos = False

    def build(self, inputs: Inputs) -> Task:
        """Build the task on rendered crops, with keypoints of the run's pose network."""
        return PartsTask(inputs.kind, *open_part_streams(inputs), self)


@dataclass(frozen=True, kw_only=True)
class PaperParts(PaperDetector):
    """Hyperparameters of the part detector."""

    needs: ClassVar[tuple[str, ...]] = ("poses",)

    dots: bool = True  # the pose on the crop, X' = X + G(K); Table II compares with the plain crop
    size: int = 800  # pixels; YOLOF's short side; our crops are square
    padding: float = 1.0  # the crop is the person's box; section II-B
    grow: bool = True  # the box first grows until it contains the keypoints; section II-B
    min_confidence: Share = 0.25  # a keypoint needs this confidence to be drawn as a dot or to grow the box; ours
    box_jitter: NotNegative = 0.0  # of true boxes; ours
    min_visible: Share = 0.0  # share of a part's box that must stay visible; ours

    def __post_init__(self) -> None:
        super().__post_init__()
        self.net(), self.stage()  # check the remaining fields

    def net(self) -> YolofConfig:
        """Return the network's config."""
        return self.yolof(num_classes=len(PARTS))

    def stage(self) -> PartsConfig:
        """Return the settings of the trained network; images are normalised as for the person detector."""
        dots = DotsConfig(min_confidence=self.min_confidence) if self.dots else None
        return PartsConfig(size=self.size, padding=self.padding, dots=dots, norm=PersonsConfig().norm)

    def window(self, window: PersonCrops, rng: np.random.Generator) -> PersonCrops:
        """Return the window unchanged."""
        return window

    def build(self, inputs: Inputs) -> Task:
        """Build the task on key frames that are decoded on demand, with keypoints of the run's pose network."""
        return PartsTask(inputs.kind, *with_keypoints(self.open_splits(inputs), inputs, jitter=0.0), self)


def with_keypoints(
    splits: tuple[Split, Split], inputs: Inputs, *, jitter: float = BOX_JITTER
) -> tuple[tuple[Split, Keypoints], tuple[Split, Keypoints]]:
    """Return each split with the keypoints that the run's pose network predicts; zeros if only an estimate is needed.

    Real keypoints would take as long as an epoch to compute. `jitter` is that of the boxes, see `predicted_keypoints`.
    """
    has_cuda = torch.cuda.is_available() and inputs.options.device != "cpu"
    device, report = torch.device("cuda" if has_cuda else "cpu"), inputs.options.report

    def keypoints_of(split: Split) -> Keypoints:
        if inputs.options.only_estimate:
            return np.zeros((len(split.person_boxes), NUM_KEYPOINTS, 3), np.float32)
        return predicted_keypoints(split, inputs.poses(), jitter=jitter, device=device, report=report)

    train, held_out = splits
    return (train, keypoints_of(train)), (held_out, keypoints_of(held_out))


def open_part_streams(inputs: Inputs) -> tuple[tuple[Store, Keypoints], tuple[Store, Keypoints]]:
    """Open the part stream's training and held-out crops, each with the keypoints of the run's pose network."""
    folder, options, config = cache_folder(inputs.data, inputs.run.out), inputs.options, PartStreamConfig()
    num_held_out = min(NUM_HELD_OUT_CROPS, options.stream_crops)
    train = open_part_stream(folder, "train", options.stream_crops, config, report=options.report)
    held_out = open_part_stream(folder, "val", num_held_out, config, report=options.report)
    return with_keypoints((train, held_out), inputs)


class PartsTask(DetectorTask):
    """The part detector on person crops as the stage cuts them, with augmentation; evaluated by AP on true persons."""

    hyperparameters: TinyParts | PaperParts

    def __init__(
        self,
        kind: str,
        train: tuple[Annotations, Keypoints],
        held_out: tuple[Annotations, Keypoints],
        hyperparameters: TinyParts | PaperParts,
    ) -> None:
        """Build the network; `train` and `held_out` are splits with predicted keypoints (P, 17, 3).

        Raises:
            DataError: no part is annotated.
        """
        persons = np.flatnonzero((train[0].part_boxes != 0).any(axis=(1, 2))).tolist()
        super().__init__(kind, train[0], held_out[0], hyperparameters, persons, PARTS)
        self.train_keypoints, self.held_out_keypoints = train[1], held_out[1]
        self.frames = self.train.person_frames

    def sample(self, row: int, rng: np.random.Generator) -> BoxedImage:
        """Cut out a person's crop and augment it together with the boxes of the parts."""
        person, hyperparameters = self.samples[row], self.hyperparameters
        frame = int(self.frames[person])
        (image,) = self.train.images([frame])
        keypoints = self.train_keypoints[person]  # (17, 3)
        box = self.train.person_boxes[person][None]
        if hyperparameters.box_jitter:
            box = jittered_boxes(box, rng, image.shape, hyperparameters.box_jitter)
        grown = self._grow(box, keypoints[None], image.shape)
        window = square_crops(grown, size=self.stage.size, padding=self.stage.padding)
        window = hyperparameters.window(window, rng)
        parts = self.train.part_boxes[person]  # (10, 4)
        labels = np.flatnonzero((parts != 0).any(axis=1)).astype(np.int64)
        sample = BoxedImage.inside(
            f"{self.train.frame_name(frame)} person {person - self.train.persons_of(frame).start + 1}",
            window.cut(image)[0],
            window.points_to_crop(parts[labels].reshape(1, -1, 2))[0].reshape(-1, 4).astype(np.float32),
            labels,
            np.concatenate((window.points_to_crop(keypoints[None, :, :2])[0], keypoints[:, 2:]), axis=1),
            min_visible=hyperparameters.min_visible,
        )
        return hyperparameters.augment(sample, PART_FLIP, rng)

    def _grow(self, boxes: NDArray[np.float32], keypoints: Keypoints, size: tuple[int, ...]) -> NDArray[np.float32]:
        if not self.hyperparameters.grow:
            return boxes
        confidence = self.hyperparameters.min_confidence
        return grow_boxes(boxes, keypoints, min_confidence=confidence, size=(size[0], size[1]))

    def losses(self, net: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """Return focal and GIoU loss on the crops with their dots."""
        if self.stage.dots is not None:
            images = torch.stack(batch["images"])  # (N, 3, S, S)
            batch = {**batch, "images": list(draw_dots(images, batch["keypoints"], self.stage.dots))}
        return super().losses(net, batch)

    def measure(self, net: nn.Module, device: torch.device, videos: Sequence[range]) -> dict[str, Any]:
        """Measure AP by part, each person as an image, and the share of swapped left-right pairs, on true persons."""
        assert isinstance(net, Yolof)
        detector = PartDetector(net.to(device).eval(), self.stage)
        data, labels = self.held_out, np.arange(len(PARTS))
        truth = [np.zeros((0, len(PARTS), 4), np.float32)]
        predicted = [np.zeros((0, len(PARTS), 4), np.float32)]
        detections: list[Detections] = []
        for frames, images in batches(data, ranks.shard(videos)):
            persons = [data.persons_of(frame) for frame in frames]
            keypoints = [self.held_out_keypoints[p] for p in persons]
            boxes = [
                self._grow(data.person_boxes[p], points, image.shape)
                for p, points, image in zip(persons, keypoints, images, strict=True)
            ]
            truth += [data.part_boxes[p] for p in persons]
            for part_boxes, scores in detector.detect(images, boxes, keypoints):
                predicted.append(part_boxes)
                detections += [Detections(b, s, labels) for b, s in zip(part_boxes, scores, strict=True)]
        truth, predicted, detections = ranks.gathered(truth), ranks.gathered(predicted), ranks.gathered(detections)
        annotated, predicted_boxes = np.concatenate(truth), np.concatenate(predicted)  # (P, 10, 4)
        exists = (annotated != 0).any(axis=2)  # (P, 10)
        by_person = [Detections.of_truth(t[e], labels[e]) for t, e in zip(annotated, exists, strict=True)]
        metrics = average_precision(by_person, detections, self.names).to_dict()
        return {**metrics, "swapped": swapped_pairs(annotated, predicted_boxes), "persons": len(annotated)}
