from __future__ import annotations

import numpy as np
import pytest

from actparse.video.resizing import Size, fit_size, resize


@pytest.mark.parametrize(
    ("size", "long_side", "fitted"),
    [
        pytest.param((240, 320), None, (120, 160), id="wide"),
        pytest.param((320, 240), None, (160, 120), id="tall"),
        pytest.param((60, 90), None, (120, 180), id="enlarged"),
        pytest.param((100, 300), 180, (60, 180), id="limited by the long side"),
        pytest.param((1, 1000), 100, (1, 100), id="at least one pixel"),
        pytest.param((241, 321), None, (120, 160), id="rounded"),
    ],
)
def test_the_short_side_is_fitted(size: Size, long_side: int | None, fitted: Size) -> None:
    assert fit_size(size, 120, long_side) == fitted


def test_resizing() -> None:
    image = np.zeros((40, 60, 3), np.uint8)
    assert resize(image, (40, 60)) is image
    assert resize(image, (10, 20)).shape == (10, 20, 3)


def test_an_image_that_shrinks_much_is_averaged() -> None:
    stripes = np.zeros((8, 64, 3), np.uint8)
    stripes[:, ::4] = 200
    assert set(resize(stripes, (2, 16)).ravel().tolist()) == {50}
