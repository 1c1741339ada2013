from __future__ import annotations

import numpy as np
import pytest

from actparse.stages.people.person_crops import fitted_crops, square_crops


def test_a_square_crop_is_centred_and_padded() -> None:
    crops = square_crops(np.array([[10, 20, 30, 70]], np.float32), size=112, padding=1.12)
    assert crops.scales.tolist() == [2.0]
    assert crops.origins.tolist() == [[-8.0, 17.0]]
    corners = np.array([[[10, 20], [30, 70]]], np.float32)
    assert crops.points_to_crop(corners).tolist() == [[[36, 6], [76, 106]]]
    assert crops.points_to_frame(crops.points_to_crop(corners)).tolist() == corners.tolist()


@pytest.mark.parametrize("side", [40, 400], ids=["enlarged", "shrunk by area"])
def test_pixels_land_where_points_do(side: int) -> None:
    image = np.zeros((600, 800, 3), np.uint8)
    image[200:220, 300:340] = 255
    box = np.array([[320 - side / 2, 210 - side / 2, 320 + side / 2, 210 + side / 2]], np.float32)
    crops = square_crops(box, size=160, padding=1.12)
    crop = crops.cut(image)[0]
    rows, columns = (crop[..., 0] > 127).nonzero()
    found = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
    corners = crops.points_to_crop(np.array([[[300, 200], [340, 220]]], np.float32)).reshape(4).clip(0, 160)
    assert np.abs(corners - found).max() <= 1


@pytest.mark.parametrize(
    ("box", "size"),
    [
        ([100, 100, 140, 200], (128, 256)),  # 40 and a margin of 20 of 120 pixels: 128 of 256
        ([100, 100, 200, 140], (256, 128)),
        ([100, 100, 200, 200], (256, 256)),
        ([50, 50, 50, 50], (64, 64)),
    ],
    ids=["tall", "wide", "square", "empty"],
)
def test_a_fitted_crop_has_the_margin_of_the_longer_side_on_all_sides(box: list[int], size: tuple[int, int]) -> None:
    boxes = np.array([box], np.float32)
    crops = fitted_crops(boxes, size=256, padding=1.2, multiple=32)
    assert crops.scales == square_crops(boxes, size=256, padding=1.2).scales
    assert tuple(crops.sizes[0].tolist()) == size
    corners = crops.points_to_crop(boxes.reshape(1, 2, 2))[0]
    np.testing.assert_allclose(corners.mean(axis=0), np.array(size) / 2, atol=1e-3)


def test_a_fitted_crop_is_the_middle_of_the_square_one() -> None:
    image = np.random.default_rng(0).integers(0, 255, (300, 400, 3), np.uint8)
    boxes = np.array([[180, 60, 220, 160]], np.float32)
    fitted = fitted_crops(boxes, size=256, padding=1.2, multiple=32).cut(image)[0]
    square = square_crops(boxes, size=256, padding=1.2).cut(image)[0]
    assert fitted.shape == (256, 128, 3)
    assert np.abs(fitted.astype(int) - square[:, 64:192]).max() <= 1


@pytest.mark.parametrize("size", [(2, 3000), (6000, 1), (1, 1)], ids=str)
def test_frames_of_extreme_shapes_are_cut(size: tuple[int, int]) -> None:
    box = np.array([[0, 0, size[1], size[0]]], np.float32)
    for crops in (square_crops(box, size=64, padding=1.2), fitted_crops(box, size=64, padding=1.2, multiple=32)):
        (crop,) = crops.cut(np.full((*size, 3), 200, np.uint8))
        assert crop.shape[:2] == tuple(crops.sizes[0][::-1].tolist())
