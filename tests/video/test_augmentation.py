"""Transforms: pixels, boxes and keypoints go the same way."""

from __future__ import annotations

import numpy as np
import pytest

from actparse.core.vocabulary import KEYPOINTS
from actparse.video.augmentation import (
    ColorJitter,
    about,
    clip_boxes,
    cover_patches,
    mirrored,
    move_boxes,
    move_keypoints,
    recolor,
    then,
    warp,
)


def test_zoom_about_the_centre_keeps_it() -> None:
    matrix = about((50, 40), zoom=2, degrees=0, to=(50, 40))
    np.testing.assert_allclose(move_boxes(matrix, np.array([[40, 30, 60, 50]], np.float32)), [[30, 20, 70, 60]])


def test_quarter_turn_turns_x_into_y() -> None:
    matrix = about((0, 0), zoom=1, degrees=90, to=(0, 0))
    np.testing.assert_allclose(matrix[:, :2] @ [1, 0], [0, 1], atol=1e-12)


def test_then_does_the_first_first() -> None:
    shift = about((0, 0), zoom=1, degrees=0, to=(10, 0))
    double = about((0, 0), zoom=2, degrees=0, to=(0, 0))
    np.testing.assert_allclose(then(shift, double)[:, 2], [20, 0])


def test_mirrored_box_stays_ordered() -> None:
    matrix = mirrored(about((0, 0), zoom=1, degrees=0, to=(0, 0)), 100)
    np.testing.assert_allclose(move_boxes(matrix, np.array([[10, 5, 30, 25]], np.float32)), [[70, 5, 90, 25]])


@pytest.mark.parametrize("mirror", [False, True])
def test_pixels_follow_boxes(mirror: bool) -> None:
    image = np.zeros((60, 80, 3), np.uint8)
    image[10:30, 20:50] = 255
    matrix = about((40, 30), zoom=1.5, degrees=0, to=(45, 28))
    if mirror:
        matrix = mirrored(matrix, 80)
    x1, y1, x2, y2 = move_boxes(matrix, np.array([[20, 10, 50, 30]], np.float32))[0]
    rows, columns = np.nonzero(warp(image, matrix, (60, 80))[..., 0] > 127)
    found = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
    np.testing.assert_allclose(found, np.clip([x1, y1, x2, y2], 0, [80, 60, 80, 60]), atol=0.51)


def test_mirror_renames_sides() -> None:
    keypoints = np.zeros((17, 3), np.float32)
    keypoints[KEYPOINTS.index("left_wrist")] = (10, 20, 2)
    matrix = mirrored(about((0, 0), zoom=1, degrees=0, to=(0, 0)), 100)
    moved = move_keypoints(matrix, keypoints, mirror=True)
    np.testing.assert_allclose(moved[KEYPOINTS.index("right_wrist")], (90, 20, 2))


def test_clip_drops_what_left_the_image_and_slivers() -> None:
    boxes = np.array([[10, 10, 30, 30], [-90, 0, 10, 10], [5, 5, 6, 90]], np.float32)
    clipped, keep = clip_boxes(boxes, (100, 100), min_visible=0.5)
    assert keep.tolist() == [True, False, False]
    np.testing.assert_allclose(clipped[1], [0, 0, 10, 10])


def test_clip_of_no_boxes() -> None:
    clipped, keep = clip_boxes(np.zeros((0, 4), np.float32), (10, 10), min_visible=0.5)
    assert clipped.shape == (0, 4)
    assert keep.shape == (0,)


def test_chance_comes_from_the_generator_alone() -> None:
    image = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    first = recolor(image, np.random.default_rng(1), ColorJitter())
    assert np.array_equal(first, recolor(image, np.random.default_rng(1), ColorJitter()))
    assert not np.array_equal(first, image)
    covered = image.copy()
    cover_patches(covered, np.random.default_rng(2))
    assert covered.shape == image.shape
