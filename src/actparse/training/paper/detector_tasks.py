"""The full-size detectors as tasks: persons in frames, parts in person crops; frames are decoded on demand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from actparse.core.errors import DataError
from actparse.core.structures import Detections
from actparse.core.vocabulary import PART_FLIP, PARTS
from actparse.nets.detectors.yolof import Yolof
from actparse.stages.people.dots import draw_dots
from actparse.stages.people.parts import PartDetector, PartsConfig
from actparse.stages.people.person_crops import square_crops
from actparse.stages.people.persons import PersonsConfig, YolofPersons
from actparse.stages.people.refine import grow_boxes
from actparse.training.paper.detection import BoxedImage, augmented, collated, detection_terms, inside, padded
from actparse.training.paper.keypoints import KeypointFiles
from actparse.training.paper.parts import PartsNumbers
from actparse.training.paper.persons import PersonsNumbers
from actparse.training.paper.splits import Image, Split, read_images
from actparse.training.recipes.detection import box_figures
from actparse.training.recipes.parts import swapped_twins
from actparse.training.task import Batch, SampledTask
from actparse.video.resizing import fit_size
from actparse.weights.bundle import config_to_dict

CHECK_VIDEOS = 60  # held-out videos for a check during training
EVALUATION_BATCH = 4  # frames
NO_KEYPOINTS = np.zeros((0, 3), np.float32)


class DetectorTask(SampledTask):
    """The common part of both detectors' tasks."""

    metric = "ap50"
    stored_as = torch.float32  # variances of a backbone with inputs of 0 to 255 are too large for float16

    train: Split
    held_out: Split
    rows: Sequence[int]

    @property
    def num_samples(self) -> int:
        """The number of frames, or persons, in the training videos."""
        return len(self.rows)

    def collate(self, samples: Sequence[BoxedImage]) -> Batch:
        """Collect images of several sizes in a batch."""
        return collated(samples)

    def evaluate(self, net: nn.Module, device: torch.device) -> dict[str, Any]:
        """Measure AP on the held-out videos."""
        return self._measure(net, device, self.held_out)

    def check(self, net: nn.Module, device: torch.device) -> dict[str, Any]:
        """Measure AP on a few of the held-out videos."""
        return self._measure(net, device, self.held_out.limited(CHECK_VIDEOS))

    def _measure(self, net: nn.Module, device: torch.device, split: Split) -> dict[str, Any]:
        raise NotImplementedError

    def _expect_rows(self) -> None:
        if not self.rows:
            raise DataError(f"{self.train.index.root}: no annotated frame to train {self.kind} on")


class PersonsTask(DetectorTask):
    """Training of the person detector on annotated frames."""

    kind = "persons"

    def __init__(self, train: Split, held_out: Split, hyperparameters: PersonsNumbers) -> None:
        """Build the task from `train` and `held_out`, the videos.

        Raises:
            DataError: no frame is annotated.
        """
        self.train, self.held_out, self.numbers = train, held_out, hyperparameters
        self.settings = hyperparameters.settings()
        self.stage: PersonsConfig = hyperparameters.stage()
        self.config = hyperparameters.net(num_classes=1)
        self.rows = train.frames(hyperparameters.frame_stride)
        self._expect_rows()
        self.net = Yolof(self.config)

    def sample(self, row: int, rng: np.random.Generator) -> BoxedImage:
        """Read a frame, resize it, and augment it together with the boxes of its persons."""
        index, frame = self.train.index, self.rows[row]
        video, frame_index = index.video_of(frame), int(index.frame_numbers[frame])
        image = read_images(index, video, [frame_index])[frame_index]
        height, width = image.shape[:2]
        size = fit_size((height, width), self.stage.short_side, self.stage.long_side)[::-1]  # width, height
        resized = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_LINEAR), np.uint8)
        scale = np.array([size[0] / width, size[1] / height] * 2, np.float32)
        boxes, keep = inside(index.person_boxes[index.persons_of(frame)] * scale, (size[1], size[0]))
        name = f"{index.names[video]} frame {frame_index}"
        labels = np.zeros(int(keep.sum()), np.int64)
        return augmented(BoxedImage(name, resized, boxes[keep], labels, NO_KEYPOINTS), self.numbers, (0,), rng)

    def losses(self, net: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """Compute the focal and the GIoU loss."""
        return detection_terms(net, padded(batch["images"], self.stage.norm), batch, self.config)

    def _measure(self, net: nn.Module, device: torch.device, split: Split) -> dict[str, Any]:
        assert isinstance(net, Yolof)
        detector = YolofPersons(net.to(device).eval(), self.stage)
        truth: list[Detections] = []
        detections: list[Detections] = []
        for frames, images in _batches(split, self.numbers.frame_stride):
            detections += detector.detect(images)
            truth += [_annotated_persons(split.index.person_boxes[split.index.persons_of(frame)]) for frame in frames]
        return {
            **box_figures(truth, detections, names=("person",)),
            "frames": len(truth),
            "persons": sum(map(len, truth)),
        }

    def stage_settings(self) -> Mapping[str, Any]:
        """Return the settings of stages.persons."""
        return config_to_dict(self.stage)


class PartsTask(DetectorTask):
    """Training of the part detector on person crops, with or without the pose drawn on them."""

    numbers: PartsNumbers

    def __init__(
        self, kind: str, train: Split, held_out: Split, hyperparameters: PartsNumbers, keypoints: KeypointFiles
    ) -> None:
        """Build the task; `keypoints` are the pose network's keypoints of the persons in both splits.

        Raises:
            DataError: no part is annotated.
        """
        self.kind, self.train, self.held_out, self.numbers, self.keypoints = (
            kind,
            train,
            held_out,
            hyperparameters,
            keypoints,
        )
        self.settings = hyperparameters.settings()
        self.stage: PartsConfig = hyperparameters.stage()
        self.config = hyperparameters.net(num_classes=len(PARTS))
        has_parts = (train.index.part_boxes != 0).any(axis=(1, 2))  # (P,)
        frames = train.frames(hyperparameters.frame_stride)
        pairs = [(f, p) for f in frames for p in _indices(train.index.persons_of(f)) if has_parts[p]]
        self.frames, self.rows = [f for f, _ in pairs], [p for _, p in pairs]
        self._expect_rows()
        self.net = Yolof(self.config)

    def sample(self, row: int, rng: np.random.Generator) -> BoxedImage:
        """Cut out a person's crop and augment it together with the boxes of the parts."""
        index, frame, person = self.train.index, self.frames[row], self.rows[row]
        video, frame_index = index.video_of(frame), int(index.frame_numbers[frame])
        image = read_images(index, video, [frame_index])[frame_index]
        points = self.keypoints.of(self.train, video)[person - _first_person(self.train, video)]  # (17, 3)
        grown = self._grow(index.person_boxes[person][None], points[None], image)
        window = square_crops(grown, size=self.stage.size, padding=self.stage.padding)
        parts = index.part_boxes[person]  # (10, 4)
        labels = np.flatnonzero((parts != 0).any(axis=1))
        corners = window.points_to_crop(parts[labels].reshape(1, -1, 2))[0]  # (2 G, 2)
        boxes, keep = inside(corners.reshape(-1, 4).astype(np.float32), (self.stage.size, self.stage.size))
        in_crop = np.concatenate((window.points_to_crop(points[None, :, :2])[0], points[:, 2:]), axis=1)  # (17, 3)
        sample = BoxedImage(
            name=f"{index.names[video]} frame {frame_index} person {person - index.persons_of(frame).start + 1}",
            image=window.cut(image)[0],
            boxes=boxes[keep],
            labels=labels[keep].astype(np.int64),
            keypoints=in_crop.astype(np.float32),
        )
        return augmented(sample, self.numbers, PART_FLIP, rng)

    def _grow(self, boxes: NDArray[np.float32], points: NDArray[np.float32], image: Image) -> NDArray[np.float32]:
        if not self.numbers.grow:
            return boxes
        size = (image.shape[0], image.shape[1])
        return grow_boxes(boxes, points, min_confidence=self.numbers.min_confidence, size=size)

    def losses(self, net: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """Compute the focal and the GIoU loss on the crops with their dots."""
        images: Tensor = torch.stack(batch["images"])  # (N, 3, S, S)
        if self.stage.dots is not None:
            images = draw_dots(images, batch["keypoints"], self.stage.dots)
        return detection_terms(net, padded(list(images), self.stage.norm), batch, self.config)

    def _measure(self, net: nn.Module, device: torch.device, split: Split) -> dict[str, Any]:
        assert isinstance(net, Yolof)
        detector = PartDetector(net.to(device).eval(), self.stage)
        index = split.index
        truth, predictions, scores = [], [], []
        for frames, images in _batches(split, self.numbers.frame_stride):
            persons = [index.persons_of(frame) for frame in frames]
            video = index.video_of(frames[0])
            points = self.keypoints.of(split, video)
            first = _first_person(split, video)
            keypoints = [points[indices.start - first : indices.stop - first] for indices in persons]
            boxes = [
                self._grow(index.person_boxes[indices], kp, image)
                for indices, kp, image in zip(persons, keypoints, images, strict=True)
            ]
            for indices, (b, s) in zip(persons, detector.detect(images, boxes, keypoints), strict=True):
                truth.append(index.part_boxes[indices])
                predictions.append(b)
                scores.append(s)
        return _part_metrics(*(np.concatenate(arrays) for arrays in (truth, predictions, scores)))

    def stage_settings(self) -> Mapping[str, Any]:
        """Return the settings of stages.parts."""
        return config_to_dict(self.stage)


def _part_metrics(
    truth: NDArray[np.float32], predictions: NDArray[np.float32], scores: NDArray[np.float32]
) -> dict[str, Any]:
    """Measure AP by part, with each person as an image, and left-right confusion; boxes (P, 10, 4), scores (P, 10)."""
    labels = np.arange(len(PARTS))
    exists = (truth != 0).any(axis=2)  # (P, 10)
    annotated = [Detections(t[e], np.ones(e.sum(), np.float32), labels[e]) for t, e in zip(truth, exists, strict=True)]
    detections = [Detections(b, s, labels) for b, s in zip(predictions, scores, strict=True)]
    metrics = box_figures(annotated, detections, names=PARTS)
    return {**metrics, "swapped": swapped_twins(truth, predictions), "persons": len(truth)}


def _annotated_persons(boxes: NDArray[np.float32]) -> Detections:
    return Detections(boxes, np.ones(len(boxes), np.float32), np.zeros(len(boxes), np.int64))


def _indices(part: slice) -> range:
    return range(part.start, part.stop)


def _first_person(split: Split, video: int) -> int:
    return int(split.index.person_offsets[split.index.frames_of(video).start])


def _batches(split: Split, stride: int) -> Iterator[tuple[list[int], list[Image]]]:
    """Yield the annotated frames of one video after the other, a few at a time, with their images."""
    for video in split.videos:
        frames = Split(split.index, (video,)).frames(stride)
        frame_indices = [int(split.index.frame_numbers[frame]) for frame in frames]
        images = read_images(split.index, video, frame_indices) if frame_indices else {}
        for start in range(0, len(frames), EVALUATION_BATCH):
            batch = slice(start, start + EVALUATION_BATCH)
            yield frames[batch], [images[frame_index] for frame_index in frame_indices[batch]]
