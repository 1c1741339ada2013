from __future__ import annotations

import numpy as np
import pytest

from actparse.core.errors import ShapeError
from actparse.stages.people.colors import NUM_BINS, NUM_COLORS, color_distances, person_colors

RED, BLUE = (200, 30, 30), (30, 60, 200)


def standing(x: float, confidence: float = 0.9) -> np.ndarray:
    """Keypoints (1, 17, 3) of a person of 20 x 90 pixels about `x`: shoulders at 20, hips at 50, ankles at 90."""
    rows = [10] * 5 + [20, 20, 35, 35, 48, 48, 50, 50, 70, 70, 90, 90]
    columns = x + np.where(np.arange(17) % 2, 8, -8)
    return np.stack((columns, np.array(rows), np.full(17, confidence)), axis=1)[None].astype(np.float32)


def picture(shirt: tuple[int, int, int], trousers: tuple[int, int, int]) -> np.ndarray:
    image = np.full((100, 120, 3), shirt, np.uint8)
    image[50:] = trousers
    return image


def test_each_region_has_its_colors() -> None:
    regions = person_colors(picture(RED, BLUE), standing(60)).reshape(3, NUM_BINS)
    assert regions.sum(axis=1) == pytest.approx([1, 1, 1])
    assert regions[:, :7].sum(axis=1) == pytest.approx([0.5, 0.5, 0.5])  # lightness
    assert regions[1] == pytest.approx(regions[2])
    assert np.abs(regions[0] - regions[1]).sum() > 1


def test_distance_is_0_of_the_same_clothes_and_a_half_where_the_shirt_differs() -> None:
    red, other = (person_colors(picture(shirt, RED), standing(60)) for shirt in (RED, BLUE))
    assert color_distances(red, red) == pytest.approx(np.zeros((1, 1)), abs=1e-6)
    assert 0.25 < float(color_distances(red, other)[0, 0]) <= 0.5


@pytest.mark.parametrize(
    "keypoints",
    [
        pytest.param(standing(60, confidence=0.1), id="unsure"),
        pytest.param(standing(500), id="outside the image"),
        pytest.param(standing(float("nan")), id="not a number"),
    ],
)
def test_a_region_that_is_not_known_is_0_and_has_no_distance(keypoints: np.ndarray) -> None:
    colors = person_colors(picture(RED, BLUE), keypoints)
    assert not colors.any()
    assert np.isnan(color_distances(colors, person_colors(picture(RED, BLUE), standing(60)))).all()


def test_no_person_no_colors() -> None:
    colors = person_colors(picture(RED, BLUE), np.zeros((0, 17, 3), np.float32))
    assert colors.shape == (0, NUM_COLORS)
    assert color_distances(colors, colors).shape == (0, 0)


def test_a_wrong_shape_is_named() -> None:
    with pytest.raises(ShapeError, match="keypoints must have shape"):
        person_colors(picture(RED, BLUE), np.zeros((1, 16, 3), np.float32))
