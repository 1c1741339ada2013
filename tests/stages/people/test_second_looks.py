"""Tiles, smaller and turned frames: where boxes come to lie, and when there is no second look."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch

from actparse.core.structures import Detections
from actparse.stages.people.second_looks import TiledPersons, TurnedPersons, TwoSizePersons


def _dark_object(image: np.ndarray) -> Detections:
    """Return the box of the pixels between 50 and 150 as an object."""
    rows, columns = np.nonzero((image[..., 0] > 50) & (image[..., 0] < 150))
    if not len(rows):
        return Detections.empty()
    box = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
    return Detections.of_truth(np.array([box], np.float32))


class BrightBox:
    """Finds the box of the pixels above 200, if it is taller than wide and its shorter side is large enough."""

    objects = ("skateboard",)

    def __init__(self, *, min_share: float = 0.0, score: float = 0.9) -> None:
        self.net = torch.nn.Identity()
        self.min_share, self.score, self.calls = min_share, score, 0

    def input_shape(self, size: tuple[int, int]) -> tuple[int, int, int]:
        return 3, *size

    def detect(self, images: Sequence[np.ndarray]) -> list[Detections]:
        return [persons for persons, _ in self.detect_all(images)]

    def detect_all(self, images: Sequence[np.ndarray]) -> list[tuple[Detections, Detections]]:
        self.calls += 1
        return [(self._of(image), _dark_object(image)) for image in images]

    def _of(self, image: np.ndarray) -> Detections:
        rows, columns = np.nonzero(image[..., 0] > 200)
        boxes = np.zeros((0, 4), np.float32)
        if len(rows):
            box = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
            width, height = box[2] - box[0], box[3] - box[1]
            if height > width and width / image.shape[1] >= self.min_share:
                boxes = np.array([box], np.float32)
        return Detections(boxes, np.full(len(boxes), self.score, np.float32), np.zeros(len(boxes), np.int64))


def image_with(box: tuple[int, int, int, int], size: tuple[int, int] = (100, 160)) -> np.ndarray:
    image = np.zeros((*size, 3), np.uint8)
    image[box[1] : box[3], box[0] : box[2]] = 255
    return image


@pytest.mark.parametrize("box", [(10, 20, 90, 40), (100, 60, 150, 95)], ids=str)
def test_who_lies_is_found_in_a_turned_frame(box: tuple[int, int, int, int]) -> None:
    detector = TurnedPersons(BrightBox(), sure_score=0.4)
    (found,) = detector.detect([image_with(box)])
    assert found.boxes.tolist() == [list(map(float, box))]


def test_a_frame_with_somebody_sure_is_looked_at_once() -> None:
    once = BrightBox()
    (found,) = TurnedPersons(once, sure_score=0.4).detect([image_with((30, 10, 50, 90))])
    assert once.calls == 1
    assert found.boxes.tolist() == [[30, 10, 50, 90]]


def test_smaller_frames_add_large_persons_that_the_detector_misses() -> None:
    class OfSmallerFrames(BrightBox):
        def _of(self, image: np.ndarray) -> Detections:
            boxes = np.array([[30, 10, 52, 90], [100, 0, 140, 100], [60, 10, 90, 80]], np.float32)  # the last is small
            return Detections(boxes, np.array([0.8, 0.6, 0.5], np.float32), np.zeros(3, np.int64))

    image = image_with((30, 10, 50, 90))
    image[95:99, 5:9] = 100
    detector = TwoSizePersons(BrightBox(), OfSmallerFrames())
    ((persons, objects),) = detector.detect_all([image])
    assert persons.boxes.tolist() == [[30, 10, 50, 90], [100, 0, 140, 100]]  # of both passes, and the better of two
    assert persons.scores == pytest.approx([0.9, 0.6])
    assert objects.boxes.tolist() == [[5, 95, 9, 99]]
    assert len(TwoSizePersons(BrightBox(), OfSmallerFrames(), max_persons=1).detect([image])[0]) == 1
    assert detector.detect_all([]) == []


def test_an_object_is_where_it_is_in_the_whole_frame() -> None:
    image = image_with((100, 30, 200, 50), size=(700, 1000))  # somebody who lies, so that the frame is turned
    image[600:620, 840:900] = 100
    turned = TurnedPersons(BrightBox(), sure_score=0.4)
    for detector in (turned, TiledPersons(turned)):
        ((persons, objects),) = detector.detect_all([image])
        assert persons.boxes.tolist() == [[100, 30, 200, 50]]
        assert objects.boxes.tolist() == [[840, 600, 900, 620]]
        assert detector.objects == ("skateboard",)


def test_only_frames_without_anybody_sure_are_turned() -> None:
    upright, lying = image_with((30, 10, 50, 90)), image_with((10, 20, 90, 40))
    first, second = TurnedPersons(BrightBox(), sure_score=0.4).detect([upright, lying])
    assert first.boxes.tolist() == [[30, 10, 50, 90]]
    assert second.boxes.tolist() == [[10, 20, 90, 40]]
    assert TurnedPersons(BrightBox(), sure_score=0.4).detect([]) == []


@pytest.mark.parametrize("box", [(20, 30, 40, 90), (766, 500, 790, 590)], ids=["top left", "bottom right"])
def test_who_is_too_small_for_the_frame_is_found_in_a_tile(box: tuple[int, int, int, int]) -> None:
    image = image_with(box, (600, 800))
    small = BrightBox(min_share=0.035)
    assert len(small.detect([image])[0]) == 0
    (found,) = TiledPersons(small).detect([image])
    assert found.boxes.tolist() == [list(map(float, box))]


def test_who_is_seen_in_several_tiles_is_one_person() -> None:
    (found,) = TiledPersons(BrightBox()).detect([image_with((380, 250, 420, 350), (600, 800))])
    assert found.boxes.tolist() == [[380, 250, 420, 350]]


def test_small_frames_are_not_cut() -> None:
    once = BrightBox()
    TiledPersons(once).detect([image_with((30, 10, 50, 90), (480, 640))])
    assert once.calls == 1


def test_only_whole_frames_are_turned_not_their_tiles() -> None:
    detector = BrightBox()
    (detections,) = TiledPersons(TurnedPersons(detector, sure_score=0.4)).detect([np.zeros((600, 800, 3), np.uint8)])
    assert len(detections) == 0
    assert detector.calls == 1 + 2 + 4  # the frame, two rotations, four tiles
