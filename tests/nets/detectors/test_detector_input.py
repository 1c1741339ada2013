from pathlib import Path

import numpy as np
import pytest

from actparse.core.errors import ShapeError
from actparse.nets.detectors.detector_input import detector_batch, detector_resize_size

GOLDEN = Path(__file__).parents[2] / "golden"


def test_sizes_equal_the_reference() -> None:
    for width, height, new_width, new_height, padded_width, padded_height in np.load(GOLDEN / "detector_resize.npz")[
        "table"
    ].tolist():
        assert detector_resize_size(width, height) == (new_width, new_height)
        assert (-(-new_width // 32) * 32, -(-new_height // 32) * 32) == (padded_width, padded_height)


def test_a_strip_keeps_one_pixel() -> None:
    assert detector_resize_size(16000, 1) == (1333, 1)
    assert detector_resize_size(1, 16000) == (1, 1333)


def test_tensor_equals_the_reference() -> None:
    golden = np.load(GOLDEN / "detector_preprocess.npz")
    y, x, c = np.ogrid[: golden["image_hw"][0], : golden["image_hw"][1], :3]
    bgr = np.rint(127.5 + 60 * np.sin(x / 17 + c + float(golden["phase"])) + 60 * np.cos(y / 23 - c)).astype(np.uint8)
    batch = detector_batch([np.ascontiguousarray(bgr[..., ::-1])])
    assert batch.images.shape == tuple(golden["tensor_shape"])
    assert batch.sizes == (tuple(golden["resized_hw"]),)
    np.testing.assert_allclose(batch.scales[0].numpy(), golden["scale_factor"], rtol=1e-6)
    pixels = batch.images.numpy()
    np.testing.assert_allclose(pixels[:, :, ::16, ::16], golden["sub"], rtol=0, atol=1.01)
    stats = [pixels.mean(dtype=np.float64), pixels.std(dtype=np.float64), np.abs(pixels).sum(dtype=np.float64)]
    np.testing.assert_allclose(stats, golden["stats"], rtol=1e-3)


def test_images_of_two_sizes_share_a_padded_batch() -> None:
    images = [np.full((10, 20, 3), 255, np.uint8), np.full((30, 20, 3), 255, np.uint8)]
    batch = detector_batch(images, short_side=20, long_side=60, divisor=16)
    assert batch.sizes == ((20, 40), (30, 20))
    assert batch.images.shape == (2, 3, 32, 48)
    assert batch.scales.tolist() == [[2, 2], [1, 1]]
    assert not batch.images[0, :, 20:].any()
    assert not batch.images[1, :, :, 20:].any()
    np.testing.assert_allclose(batch.images[1, :, 29, 19].numpy(), [151.47, 138.72, 131.325], rtol=1e-6)


def test_images_that_are_none() -> None:
    with pytest.raises(ShapeError, match="images must have at least one image, got 0"):
        detector_batch([])
    with pytest.raises(ShapeError, match=r"images\[0\] must have shape \(any, any, 3\), got \(4, 4\)"):
        detector_batch([np.zeros((4, 4), np.uint8)])
    with pytest.raises(ShapeError, match=r"images\[0\] must have pixels, got 0 x 4"):
        detector_batch([np.zeros((0, 4, 3), np.uint8)])
