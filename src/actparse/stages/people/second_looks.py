"""Person detectors with several passes: on quarters of large frames, on small frames, and on rotated frames."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from itertools import product

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from actparse.core.structures import Detections
from actparse.nets.detectors.boxes import class_wise_nms
from actparse.stages.people.persons import PersonDetector

MIN_LONG_SIDE = 640  # pixels; smaller frames are not cut into tiles
TILE_SHARE = 0.6  # of the frame's sides, so that neighbours overlap by a fifth
MAX_IOU = 0.5  # of two boxes of different passes that overlap more, the better one is kept
MAX_PERSONS = 10  # the official rule
LARGE_SHARE = 0.8  # least longer side of a box that is found in smaller frames, of the shorter side of the frame
QUARTERS = (1, 3)  # counter-clockwise quarter turns of the rotated frames


class _RepeatedDetector(ABC):
    """Base of detectors that run another detector several times."""

    def __init__(self, detector: PersonDetector, *, max_persons: int = MAX_PERSONS) -> None:
        self.detector = detector
        self.max_persons = max_persons

    @property
    def net(self) -> nn.Module:
        """The detector's network."""
        return self.detector.net

    @property
    def objects(self) -> tuple[str, ...]:
        """Names of the objects that are detected too."""
        return self.detector.objects

    def detect(self, images: Sequence[NDArray[np.uint8]]) -> list[Detections]:
        """Find the persons of each image (H, W, 3) uint8 RGB, best first; all images of one call have one size."""
        return [persons for persons, _ in self.detect_all(images)]

    @abstractmethod
    def detect_all(self, images: Sequence[NDArray[np.uint8]]) -> list[tuple[Detections, Detections]]:
        """Find the persons and the objects of each image; an object's label is its index in `objects`."""

    def input_shape(self, size: tuple[int, int]) -> tuple[int, int, int]:
        """Return (3, H, W) of the network's input in the first pass for frames of (height, width)."""
        return self.detector.input_shape(size)


class TiledPersons(_RepeatedDetector):
    """A person detector that also runs on four overlapping quarters of frames with a side above 640 pixels.

    Quarters are searched once, neither rotated nor smaller: most show nobody, and that would only add false boxes.
    """

    def __init__(self, detector: PersonDetector, *, max_persons: int = MAX_PERSONS) -> None:
        if isinstance(detector, (TurnedPersons, TwoSizePersons)):
            self._tile_detector, max_persons = detector.detector, detector.max_persons
        else:
            self._tile_detector = detector
        super().__init__(detector, max_persons=max_persons)

    def detect_all(self, images: Sequence[NDArray[np.uint8]]) -> list[tuple[Detections, Detections]]:
        """Find the persons and the objects of each image; an object's label is its index in `objects`."""
        whole = self.detector.detect_all(images)
        if not images or max(images[0].shape[:2]) <= MIN_LONG_SIDE:
            return whole
        height, width = images[0].shape[:2]
        tile_height, tile_width = round(height * TILE_SHARE), round(width * TILE_SHARE)
        by_tile = [whole]
        for top, left in product((0, height - tile_height), (0, width - tile_width)):
            tiles = [image[top : top + tile_height, left : left + tile_width] for image in images]
            shift = np.array([left, top, left, top], np.float32)
            by_tile.append(
                [
                    (_moved(persons, shift), _moved(objects, shift))
                    for persons, objects in self._tile_detector.detect_all(tiles)
                ]
            )
        return [
            (_merge([p for p, _ in of_image]).top(self.max_persons), _merge([o for _, o in of_image]))
            for of_image in zip(*by_tile, strict=True)
        ]


class TwoSizePersons(_RepeatedDetector):
    """A person detector that also runs on smaller frames, only for people nearly as large as the frame."""

    def __init__(self, detector: PersonDetector, second: PersonDetector, *, max_persons: int = MAX_PERSONS) -> None:
        """Wrap a detector and another one that resizes frames to a smaller size."""
        super().__init__(detector, max_persons=max_persons)
        self.second = second

    def detect_all(self, images: Sequence[NDArray[np.uint8]]) -> list[tuple[Detections, Detections]]:
        """Find the persons of each image in both sizes, and its objects at the first one."""
        whole = self.detector.detect_all(images)
        large_persons = [
            persons.at((persons.boxes[:, 2:] - persons.boxes[:, :2]).max(axis=1) >= LARGE_SHARE * min(image.shape[:2]))
            for image, persons in zip(images, self.second.detect(images), strict=True)
        ]
        return [
            (_merge((persons, large)).top(self.max_persons), objects)
            for (persons, objects), large in zip(whole, large_persons, strict=True)
        ]


class TurnedPersons(_RepeatedDetector):
    """A person detector that also runs on frames rotated by a quarter turn, if no person has a sufficient score.

    Detectors are trained on standing people. A lying person stands in the rotated frame.
    """

    def __init__(self, detector: PersonDetector, *, sure_score: float, max_persons: int = MAX_PERSONS) -> None:
        """Wrap a detector; a frame with a box of at least `sure_score`, 0..1, is not rotated."""
        super().__init__(detector, max_persons=max_persons)
        self.sure_score = sure_score

    def detect_all(self, images: Sequence[NDArray[np.uint8]]) -> list[tuple[Detections, Detections]]:
        """Find the persons and the objects of each image; those of rotated frames are left out."""
        found = self.detector.detect_all(images)
        results = [persons for persons, _ in found]
        unsure = [n for n, persons in enumerate(results) if persons.scores.max(initial=0) < self.sure_score]
        for turns in QUARTERS if unsure else ():
            rotated = [np.ascontiguousarray(np.rot90(images[index], turns)) for index in unsure]
            for index, detections in zip(unsure, self.detector.detect(rotated), strict=True):
                upright = _rotate_back(detections, turns, images[index].shape[:2])
                results[index] = _merge((results[index], upright)).top(self.max_persons)
        return [(persons, objects) for persons, (_, objects) in zip(results, found, strict=True)]


def _rotate_back(detections: Detections, turns: int, size: tuple[int, ...]) -> Detections:
    """Rotate boxes back by `turns` quarter turns, 1 or 3, to the image of `size` (height, width)."""
    height, width = size
    x1, y1, x2, y2 = detections.boxes.T  # (N,) each
    sides = (width - y2, x1, width - y1, x2) if turns == 1 else (y1, height - x2, y2, height - x1)
    return Detections(np.stack(sides, axis=1).astype(np.float32), detections.scores, detections.labels)


def _moved(detections: Detections, shift: NDArray[np.float32]) -> Detections:
    return Detections(detections.boxes + shift, detections.scores, detections.labels)


def _merge(detections: Sequence[Detections]) -> Detections:
    """Join the boxes of several passes, best first; of two boxes of a class that overlap, the better one is kept."""
    boxes = np.concatenate([part.boxes for part in detections])
    scores = np.concatenate([part.scores for part in detections])
    labels = np.concatenate([part.labels for part in detections])
    kept = class_wise_nms(torch.from_numpy(boxes), torch.from_numpy(scores), torch.from_numpy(labels), MAX_IOU)
    return Detections(boxes, scores, labels).at(kept.numpy())
