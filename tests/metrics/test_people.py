from __future__ import annotations

import math

import numpy as np
import pytest

from actparse.core.structures import PartParse, PersonParse
from actparse.core.vocabulary import PART_INDEX
from actparse.metrics.people import PeopleCounts, TruePeople, count_people, match_boxes

Box = tuple[float, float, float, float]
BOX = (0.0, 0.0, 100.0, 200.0)


def standing(dx: float = 0.0) -> np.ndarray:
    """Keypoints (17, 3) of someone whose torso is 50 pixels long; the face is not labelled."""
    points = np.zeros((17, 3), np.float32)
    points[5:17, 0] = np.tile([40 + dx, 60 + dx], 6)
    points[5:17, 1] = np.repeat([50, 70, 90, 100, 140, 180], 2)
    points[5:17, 2] = 2
    return points


def person(box: Box, points: np.ndarray | None = None, **parts: Box) -> PersonParse:
    rows = standing() if points is None else points
    keypoints = tuple((float(x), float(y), float(c)) for x, y, c in rows)
    return PersonParse(1, box, 0.5, keypoints, tuple(PartParse(name, part, 0.5) for name, part in parts.items()))


def truth(*boxes: Box, parts: tuple[dict[str, Box], ...] = (), crowds: tuple[Box, ...] = ()) -> TruePeople:
    return TruePeople(
        np.array(boxes, np.float32).reshape(-1, 4),
        np.stack([standing() for _ in boxes]) if boxes else np.zeros((0, 17, 3), np.float32),
        parts,
        np.array(crowds, np.float32).reshape(-1, 4),
    )


def test_each_box_finds_one_person() -> None:
    true = np.array([(0, 0, 10, 10), (0, 0, 10, 12)])
    assert match_boxes(true, np.array([(0, 0, 10, 12)]), 0.5) == {1: 0}
    assert match_boxes(true, np.array([(0, 0, 10, 12), (0, 1, 10, 10)]), 0.5) == {0: 1, 1: 0}
    assert match_boxes(true[:1], np.array([(0, 0, 10, 20)]), 0.5) == {0: 0}  # exactly half
    assert match_boxes(true[:1], np.array([(0, 0, 10, 20.1)]), 0.5) == {}


def test_a_person_found_and_one_missed() -> None:
    counts = count_people(truth(BOX, (300, 0, 400, 200)), [person(BOX), person((500, 0, 600, 200))])
    assert (counts.images, counts.persons, counts.found, counts.boxes, counts.false_boxes) == (1, 2, 1, 2, 1)
    assert (counts.keypoints, counts.right_keypoints) == (24, 12)  # the missed person's count as wrong
    assert counts.persons_found() == 50
    assert counts.boxes_per_image() == 2
    assert counts.pck() == 50


@pytest.mark.parametrize(("shift", "pck"), [(9.9, 100), (10.1, 0)], ids=["within", "beyond a fifth of the torso"])
def test_keypoints_are_right_within_a_fifth_of_the_torso(shift: float, pck: float) -> None:
    assert count_people(truth(BOX), [person(BOX, standing(shift))]).pck() == pck


def test_keypoints_of_a_person_without_a_measurable_torso_do_not_count() -> None:
    points = np.zeros((1, 17, 3), np.float32)
    points[0, :3] = (50, 20, 2)
    counts = count_people(TruePeople(np.array([BOX], np.float32), points), [person(BOX)])
    assert (counts.persons, counts.found, counts.keypoints) == (1, 1, 0)
    assert math.isnan(counts.pck())


def test_parts_by_hand() -> None:
    head: Box = (0, 0, 10, 10)
    parts = ({"head": head, "hip": (0, 90, 50, 110), "left_hand": (0, 0, 4, 4)}, {"head": head})
    found = person(BOX, head=(0, 0, 10, 20), hip=(0, 90, 50, 140), right_hand=(0, 0, 4, 4))  # IoU 0.5 and 0.4
    counts = count_people(truth(BOX, (300, 0, 400, 200), parts=parts), [found])
    assert counts.parts[[PART_INDEX["head"], PART_INDEX["hip"], PART_INDEX["left_hand"]]].tolist() == [2, 1, 1]
    assert counts.parts_found() == (50, 25)
    by_name = counts.parts_found_by_name()
    assert (by_name["head"], by_name["hip"], by_name["left_hand"]) == ((50, 50), (100, 0), (0, 0))
    assert all(math.isnan(share) for share in by_name["right_hand"])


def test_a_box_in_a_crowd_is_not_false() -> None:
    crowd: Box = (300, 0, 600, 200)
    found = [
        person((310, 10, 350, 100)),
        person((280, 0, 320, 100)),
        person((270, 0, 310, 100)),
    ]  # inside, half, a quarter
    counts = count_people(truth(crowds=(crowd,)), found)
    assert (counts.persons, counts.boxes, counts.false_boxes) == (0, 3, 1)
    assert math.isnan(counts.persons_found())


def test_counts_of_images_add_up() -> None:
    one = count_people(truth(BOX, parts=({"head": (0, 0, 10, 10)},)), [person(BOX, head=(0, 0, 10, 10))])
    total = sum([one, count_people(truth(BOX), []), count_people(truth(), [])], PeopleCounts())
    assert (total.images, total.persons, total.found, total.boxes, total.keypoints) == (3, 2, 1, 1, 24)
    assert total.boxes_per_image() == pytest.approx(1 / 3)
    assert total.false_boxes_per_image() == 0
    assert total.parts_found() == (100, 100)


def test_no_images() -> None:
    nothing = PeopleCounts()
    assert math.isnan(nothing.boxes_per_image())
    assert all(math.isnan(share) for share in nothing.parts_found())
