"""The full-size detectors as tasks: persons in frames, parts in person crops; frames are decoded as they are needed."""

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
from actparse.nets.detector_input import detector_resize_size
from actparse.nets.yolof import Yolof
from actparse.stages.people.dots import draw_dots
from actparse.stages.people.parts import PartDetector, PartsConfig
from actparse.stages.people.person_crops import square_crops
from actparse.stages.people.persons import PersonsConfig, YolofPersons
from actparse.stages.people.refine import grow_boxes
from actparse.training.detection import box_figures
from actparse.training.paper.detection import BoxedImage, augmented, collated, detection_terms, inside, padded
from actparse.training.paper.keypoints import KeypointFiles
from actparse.training.paper.parts import PartsNumbers
from actparse.training.paper.persons import PersonsNumbers
from actparse.training.paper.splits import Image, Split, read_images
from actparse.training.parts import swapped_twins
from actparse.training.task import Batch, SampledTask
from actparse.weights.bundle import config_to_dict

CHECK_VIDEOS = 60  # of the held-out ones, for a check on the way
EVALUATION_BATCH = 4  # frames
NO_KEYPOINTS = np.zeros((0, 3), np.float32)


class DetectorTask(SampledTask):
    """What both detectors do alike."""

    metric = "ap50"
    stored_as = torch.float32  # variances of a backbone that reads 0 to 255 are too large for float16

    train: Split
    held_out: Split
    rows: Sequence[int]

    @property
    def num_samples(self) -> int:
        """Frames, or persons, of the training videos."""
        return len(self.rows)

    def collate(self, samples: Sequence[BoxedImage]) -> Batch:
        """Images of several sizes."""
        return collated(samples)

    def evaluate(self, net: nn.Module, device: torch.device) -> dict[str, Any]:
        """AP on the held-out videos."""
        return self._figures(net, device, self.held_out)

    def check(self, net: nn.Module, device: torch.device) -> dict[str, Any]:
        """AP on a few of the held-out videos."""
        return self._figures(net, device, self.held_out.limited(CHECK_VIDEOS))

    def _figures(self, net: nn.Module, device: torch.device, split: Split) -> dict[str, Any]:
        raise NotImplementedError

    def _expect_rows(self) -> None:
        if not self.rows:
            raise DataError(f"{self.train.index.root}: no annotated frame to train {self.kind} on")


class PersonsTask(DetectorTask):
    """Frames with their persons."""

    kind = "persons"

    def __init__(self, train: Split, held_out: Split, numbers: PersonsNumbers) -> None:
        """`train` and `held_out`: the videos.

        Raises:
            DataError: no frame is annotated.
        """
        self.train, self.held_out, self.numbers = train, held_out, numbers
        self.settings = numbers.settings()
        self.stage: PersonsConfig = numbers.stage()
        self.config = numbers.net(num_classes=1)
        self.rows = train.frames(numbers.frame_stride)
        self._expect_rows()
        self.net = Yolof(self.config)

    def sample(self, row: int, rng: np.random.Generator) -> BoxedImage:
        """A frame, resized, with the boxes of its persons."""
        index, frame = self.train.index, self.rows[row]
        video, number = index.video_of(frame), int(index.frame_numbers[frame])
        image = read_images(index, video, [number])[number]
        height, width = image.shape[:2]
        size = detector_resize_size(
            width, height, long_side=self.stage.long_side, short_side=self.stage.short_side
        )  # width, height
        resized = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_LINEAR), np.uint8)
        scale = np.array([size[0] / width, size[1] / height] * 2, np.float32)
        boxes, keep = inside(index.person_boxes[index.persons_of(frame)] * scale, (size[1], size[0]))
        name = f"{index.names[video]} frame {number}"
        labels = np.zeros(int(keep.sum()), np.int64)
        return augmented(BoxedImage(name, resized, boxes[keep], labels, NO_KEYPOINTS), self.numbers, (0,), rng)

    def losses(self, net: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """Focal and GIoU loss."""
        return detection_terms(net, padded(batch["images"], self.stage.norm), batch, self.config)

    def _figures(self, net: nn.Module, device: torch.device, split: Split) -> dict[str, Any]:
        assert isinstance(net, Yolof)
        detector = YolofPersons(net.to(device).eval(), self.stage)
        truth: list[Detections] = []
        found: list[Detections] = []
        for frames, images in _batches(split, self.numbers.frame_stride):
            found += detector.detect(images)
            truth += [_annotated(split.index.person_boxes[split.index.persons_of(frame)]) for frame in frames]
        return {**box_figures(truth, found, names=("person",)), "frames": len(truth), "persons": sum(map(len, truth))}

    def stage_settings(self) -> Mapping[str, Any]:
        """Of stages.persons."""
        return config_to_dict(self.stage)


class PartsTask(DetectorTask):
    """Person crops with their parts, the pose drawn on them or not."""

    numbers: PartsNumbers

    def __init__(
        self, kind: str, train: Split, held_out: Split, numbers: PartsNumbers, keypoints: KeypointFiles
    ) -> None:
        """`keypoints`: what the pose network found on the persons of both.

        Raises:
            DataError: no part is annotated.
        """
        self.kind, self.train, self.held_out, self.numbers, self.keypoints = kind, train, held_out, numbers, keypoints
        self.settings = numbers.settings()
        self.stage: PartsConfig = numbers.stage()
        self.config = numbers.net(num_classes=len(PARTS))
        has_parts = (train.index.part_boxes != 0).any(axis=(1, 2))  # (P,)
        frames = train.frames(numbers.frame_stride)
        pairs = [(f, p) for f in frames for p in _rows(train.index.persons_of(f)) if has_parts[p]]
        self.frames, self.rows = [f for f, _ in pairs], [p for _, p in pairs]
        self._expect_rows()
        self.net = Yolof(self.config)

    def sample(self, row: int, rng: np.random.Generator) -> BoxedImage:
        """A person's crop with the boxes of the parts."""
        index, frame, person = self.train.index, self.frames[row], self.rows[row]
        video, number = index.video_of(frame), int(index.frame_numbers[frame])
        image = read_images(index, video, [number])[number]
        points = self.keypoints.of(self.train, video)[person - _first_person(self.train, video)]  # (17, 3)
        grown = self._grown(index.person_boxes[person][None], points[None], image)
        window = square_crops(grown, size=self.stage.size, padding=self.stage.padding)
        parts = index.part_boxes[person]  # (10, 4)
        labels = np.flatnonzero((parts != 0).any(axis=1))
        corners = window.points_to_crop(parts[labels].reshape(1, -1, 2))[0]  # (2 G, 2)
        boxes, keep = inside(corners.reshape(-1, 4).astype(np.float32), (self.stage.size, self.stage.size))
        in_crop = np.concatenate((window.points_to_crop(points[None, :, :2])[0], points[:, 2:]), axis=1)  # (17, 3)
        sample = BoxedImage(
            name=f"{index.names[video]} frame {number} person {person - index.persons_of(frame).start + 1}",
            image=window.cut(image)[0],
            boxes=boxes[keep],
            labels=labels[keep].astype(np.int64),
            keypoints=in_crop.astype(np.float32),
        )
        return augmented(sample, self.numbers, PART_FLIP, rng)

    def _grown(self, boxes: NDArray[np.float32], points: NDArray[np.float32], image: Image) -> NDArray[np.float32]:
        if not self.numbers.grow:
            return boxes
        size = (image.shape[0], image.shape[1])
        return grow_boxes(boxes, points, min_confidence=self.numbers.min_confidence, size=size)

    def losses(self, net: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """Focal and GIoU loss on the crops with their dots."""
        images: Tensor = torch.stack(batch["images"])  # (N, 3, S, S)
        if self.stage.dots is not None:
            images = draw_dots(images, batch["keypoints"], self.stage.dots)
        return detection_terms(net, padded(list(images), self.stage.norm), batch, self.config)

    def _figures(self, net: nn.Module, device: torch.device, split: Split) -> dict[str, Any]:
        assert isinstance(net, Yolof)
        detector = PartDetector(net.to(device).eval(), self.stage)
        index = split.index
        truth, found, scores = [], [], []
        for frames, images in _batches(split, self.numbers.frame_stride):
            persons = [index.persons_of(frame) for frame in frames]
            video = index.video_of(frames[0])
            points = self.keypoints.of(split, video)
            first = _first_person(split, video)
            keypoints = [points[rows.start - first : rows.stop - first] for rows in persons]
            boxes = [
                self._grown(index.person_boxes[rows], kp, image)
                for rows, kp, image in zip(persons, keypoints, images, strict=True)
            ]
            for rows, (b, s) in zip(persons, detector.detect(images, boxes, keypoints), strict=True):
                truth.append(index.part_boxes[rows])
                found.append(b)
                scores.append(s)
        return _part_figures(*(np.concatenate(arrays) for arrays in (truth, found, scores)))

    def stage_settings(self) -> Mapping[str, Any]:
        """Of stages.parts."""
        return config_to_dict(self.stage)


def _part_figures(
    truth: NDArray[np.float32], found: NDArray[np.float32], scores: NDArray[np.float32]
) -> dict[str, Any]:
    """AP by part, each person being an image, and left-right confusion; boxes (P, 10, 4), scores (P, 10)."""
    labels = np.arange(len(PARTS))
    exists = (truth != 0).any(axis=2)  # (P, 10)
    annotated = [Detections(t[e], np.ones(e.sum(), np.float32), labels[e]) for t, e in zip(truth, exists, strict=True)]
    predicted = [Detections(b, s, labels) for b, s in zip(found, scores, strict=True)]
    figures = box_figures(annotated, predicted, names=PARTS)
    return {**figures, "swapped": swapped_twins(truth, found), "persons": len(truth)}


def _annotated(boxes: NDArray[np.float32]) -> Detections:
    return Detections(boxes, np.ones(len(boxes), np.float32), np.zeros(len(boxes), np.int64))


def _rows(rows: slice) -> range:
    return range(rows.start, rows.stop)


def _first_person(split: Split, video: int) -> int:
    return int(split.index.person_offsets[split.index.frames_of(video).start])


def _batches(split: Split, stride: int) -> Iterator[tuple[list[int], list[Image]]]:
    """Annotated frames of one video after the other, a few at a time, with their images."""
    for video in split.videos:
        rows = Split(split.index, (video,)).frames(stride)
        numbers = [int(split.index.frame_numbers[row]) for row in rows]
        images = read_images(split.index, video, numbers) if numbers else {}
        for start in range(0, len(rows), EVALUATION_BATCH):
            some = slice(start, start + EVALUATION_BATCH)
            yield rows[some], [images[number] for number in numbers[some]]
