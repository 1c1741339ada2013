from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from actparse.core.errors import ConfigError, ShapeError
from actparse.nets.poses.crops import box_to_center_scale, crop_matrix, inverse, points_to_image, warp_crops

GOLDEN = Path(__file__).parents[2] / "golden"
SIZES = [(256, 192), (384, 288)]


@pytest.fixture(scope="module")
def golden() -> dict[str, NDArray[np.float64]]:
    return dict(np.load(GOLDEN / "bbox_affine.npz"))


def waves(size: tuple[int, int]) -> NDArray[np.uint8]:
    y, x, c = np.ogrid[: size[0], : size[1], :3]
    return np.rint(127.5 + 60 * np.sin(x / 17 + c) + 60 * np.cos(y / 23 - c)).astype(np.uint8)


@pytest.mark.parametrize("size", SIZES)
def test_geometry_equals_the_reference(size: tuple[int, int], golden: dict[str, NDArray[np.float64]]) -> None:
    name = f"{size[0]}x{size[1]}"
    centers, scales = box_to_center_scale(golden["boxes_xyxy"], size)
    np.testing.assert_allclose(centers, golden["center"], rtol=1e-6)
    np.testing.assert_allclose(scales, golden[f"scale_fixed_{name}"], rtol=1e-6)
    for row, rotation in enumerate(golden["rotations_deg"]):
        matrix = crop_matrix(centers[row], scales[row], size, rotation)
        np.testing.assert_allclose(matrix, golden[f"warp_{name}"][row], rtol=1e-4, atol=2e-3)
        np.testing.assert_allclose(inverse(matrix), golden[f"warp_inv_{name}"][row], rtol=1e-4, atol=2e-3)
        matrix = crop_matrix(centers[row], scales[row], size, rotation, udp=True)
        np.testing.assert_allclose(matrix, golden[f"warp_udp_{name}"][row], rtol=1e-4, atol=2e-3)


@pytest.mark.parametrize(("udp", "name"), [(False, "crop_256x192"), (True, "crop_udp_256x192")])
def test_pixels_equal_the_reference(udp: bool, name: str, golden: dict[str, NDArray[np.float64]]) -> None:
    image = waves((200, 260))
    np.testing.assert_array_equal(image[0, :8], golden["image_row0"])
    centers, scales = box_to_center_scale(golden["boxes_xyxy"], (256, 192))
    crops = warp_crops(image, centers, scales, (256, 192), udp=udp)
    assert crops.shape == (8, 256, 192, 3)
    crop = crops[int(golden["crop_box_index"])]
    difference = np.abs(crop[::2, ::2].astype(int) - golden[name])
    assert (difference <= 1).mean() > 0.99  # the crop's black border may lie half a pixel off
    assert crop.mean() == pytest.approx(float(golden[f"{name}_mean"]), abs=0.2)


def test_points_go_back_where_they_came_from() -> None:
    size = (128, 96)
    centers, scales = box_to_center_scale(np.array([[10.0, 20.0, 50.0, 110.0], [0.0, 0.0, 30.0, 10.0]]), size)
    points = np.array([[[12.0, 30.0, 0.5]], [[20.0, 5.0, 0.25]]], np.float32)
    inside = points.copy()
    for row in range(2):
        matrix = crop_matrix(centers[row], scales[row], size)
        inside[row, :, :2] = points[row, :, :2] @ matrix[:, :2].T + matrix[:, 2]
    np.testing.assert_allclose(points_to_image(inside, centers, scales, size), points, rtol=1e-5)


def test_points_equal_the_reference() -> None:
    golden = np.load(GOLDEN / "heatmap_decode_64x48.npz")
    found = points_to_image(golden["msra_keypoints"][None], golden["center"][None], golden["scale"][None], (256, 192))
    np.testing.assert_allclose(found[0], golden["msra_keypoints_image"], rtol=1e-5)


def test_a_box_grows_to_the_crop_by_hand() -> None:
    centers, scales = box_to_center_scale(np.array([[0.0, 0.0, 10.0, 40.0], [0.0, 0.0, 40.0, 10.0]]), (20, 10), 1.5)
    assert centers.tolist() == [[5, 20], [20, 5]]
    assert scales.tolist() == [[30, 60], [60, 120]]


def test_no_boxes_no_crops() -> None:
    centers, scales = box_to_center_scale(np.zeros((0, 4)), (64, 48))
    assert warp_crops(waves((20, 30)), centers, scales, (64, 48)).shape == (0, 64, 48, 3)
    assert points_to_image(np.zeros((0, 17, 3), np.float32), centers, scales, (64, 48)).shape == (0, 17, 3)


def test_errors() -> None:
    with pytest.raises(ShapeError, match="boxes must have shape"):
        box_to_center_scale(np.zeros((2, 5)), (64, 48))
    with pytest.raises(ConfigError, match="padding must be above 0, got 0"):
        box_to_center_scale(np.zeros((2, 4)), (64, 48), 0)
    with pytest.raises(ShapeError, match=r"points must have shape \(N, K, 2 or more\)"):
        points_to_image(np.zeros((2, 3), np.float32), np.zeros((2, 2), np.float32), np.ones((2, 2), np.float32), (4, 4))
