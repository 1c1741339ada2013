"""Small people in large frames: a person detector looks at the whole frame and at overlapping quarters of it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from actparse.nets.boxes import nms
from actparse.stages.persons import PersonDetector
from actparse.structures import Detections

MIN_LONG_SIDE = 640  # pixels; smaller frames are not cut into tiles
TILE_SHARE = 0.6  # of the frame's sides, so that neighbours overlap by a fifth
MAX_IOU = 0.5  # of two boxes of different tiles that overlap more, the better stays
MAX_PERSONS = 10  # the official rule


class TiledPersons:
    """A person detector that also looks at four overlapping quarters of frames with a side above 640 pixels."""

    def __init__(self, detector: PersonDetector, *, max_persons: int = MAX_PERSONS) -> None:
        self.detector = detector
        self.max_persons = max_persons

    @property
    def net(self) -> nn.Module:
        """The detector's network."""
        return self.detector.net

    def input_shape(self, size: tuple[int, int]) -> tuple[int, int, int]:
        """Return (3, H, W) of the network's input for the whole of frames of (height, width)."""
        return self.detector.input_shape(size)

    def detect(self, images: Sequence[NDArray[np.uint8]]) -> list[Detections]:
        """Find the persons of each image (H, W, 3) uint8 RGB, best first; all images of one call have one size."""
        whole = self.detector.detect(images)
        if not images or max(images[0].shape[:2]) <= MIN_LONG_SIDE:
            return whole
        height, width = images[0].shape[:2]
        tile_height, tile_width = round(height * TILE_SHARE), round(width * TILE_SHARE)
        by_tile = [whole]
        for top, left in product((0, height - tile_height), (0, width - tile_width)):
            tiles = [image[top : top + tile_height, left : left + tile_width] for image in images]
            by_tile.append([_moved(found, left, top) for found in self.detector.detect(tiles)])
        return [_merged(of_image, self.max_persons) for of_image in zip(*by_tile, strict=True)]


def _moved(detections: Detections, left: int, top: int) -> Detections:
    shift = np.array([left, top, left, top], np.float32)
    return Detections(detections.boxes + shift, detections.scores, detections.labels)


def _merged(detections: Sequence[Detections], max_persons: int) -> Detections:
    boxes = np.concatenate([found.boxes for found in detections])
    scores = np.concatenate([found.scores for found in detections])
    labels = np.concatenate([found.labels for found in detections])
    rows = nms(torch.from_numpy(boxes), torch.from_numpy(scores), MAX_IOU).numpy()[:max_persons]
    return Detections(boxes[rows], scores[rows], labels[rows])
