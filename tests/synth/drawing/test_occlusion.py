from __future__ import annotations

import numpy as np
import pytest

from actparse.synth.drawing.mesh import NO_PERSON
from actparse.synth.drawing.occlusion import MAX_COVERED, Overlay, draw_overlays

SIZE = (60, 80)


def test_what_is_covered_belongs_to_nobody() -> None:
    opaque = np.zeros(SIZE, bool)
    opaque[10:20, 30:40] = True
    overlay = Overlay(np.full((*SIZE, 3), 9, np.uint8), opaque, np.zeros(2))
    image, ids = np.zeros((*SIZE, 3), np.uint8), np.full(SIZE, 17, np.uint8)
    overlay.put(image, ids, 3.0)
    assert np.array_equal(ids == NO_PERSON, opaque)
    assert np.array_equal(image[..., 0] == 9, opaque)


@pytest.mark.parametrize("slide", [(8.0, -4.0), (-8.0, 4.0), (0.0, 0.0)])
def test_an_overlay_slides_with_what_it_hides(slide: tuple[float, float]) -> None:
    opaque = np.zeros(SIZE, bool)
    opaque[30:36, 40:50] = True
    overlay = Overlay(np.full((*SIZE, 3), 9, np.uint8), opaque, np.array(slide), seconds=4.0)
    image, ids = np.zeros((*SIZE, 3), np.uint8), np.zeros(SIZE, np.uint8)
    overlay.put(image, ids, 1.0)  # a quarter of the period: the whole slide
    assert np.array_equal(ids == NO_PERSON, np.roll(opaque, (int(slide[1]), int(slide[0])), axis=(0, 1)))
    assert np.array_equal(image[..., 1] == 9, ids == NO_PERSON)


def test_occluders_are_drawn_near_people_and_leave_most_of_the_frame() -> None:
    people = np.array([[40.0, 30.0]])
    drawn = [draw_overlays(np.random.default_rng(seed), SIZE, people, occluder_share=1.0) for seed in range(30)]
    shares = [overlay.opaque.mean() for overlays in drawn for overlay in overlays]
    assert len(shares) > 20
    assert 0 < min(shares) <= max(shares) < MAX_COVERED


def test_nobody_in_the_frame_is_nobody_to_cover() -> None:
    for seed in range(10):
        rng = [np.random.default_rng(seed) for _ in range(2)]
        outside = draw_overlays(rng[0], SIZE, np.array([[-5.0, 10.0]]), occluder_share=1.0)
        nobody = draw_overlays(rng[1], SIZE, np.zeros((0, 2)), occluder_share=1.0)
        assert len(outside) == len(nobody) <= 2  # captions and bars at most
