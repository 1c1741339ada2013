from __future__ import annotations

import pytest
import torch

from actparse.core.errors import ConfigError, ShapeError
from actparse.core.vocabulary import KEYPOINTS
from actparse.stages.people.dots import DOT_COLORS, DotsConfig, draw_dots


def one_point(index: int, x: float, y: float, confidence: float = 1.0) -> torch.Tensor:
    keypoints = torch.zeros(1, 17, 3)
    keypoints[0, index] = torch.tensor([x, y, confidence])
    return keypoints


def test_a_disc_has_its_colour_radius_and_place() -> None:
    side, wrist = 200, KEYPOINTS.index("left_wrist")
    drawn = draw_dots(torch.zeros(1, 3, side, side), one_point(wrist, 50.5, 80.5), DotsConfig())
    assert drawn[0, :, 80, 50].tolist() == list(DOT_COLORS[wrist])
    covered = (drawn.sum(dim=1) / sum(DOT_COLORS[wrist])).sum().item()
    radius = DotsConfig().radii[wrist] * side
    assert covered == pytest.approx(3.14159 * radius**2, rel=0.05)
    rows, columns = drawn[0].sum(dim=0).nonzero(as_tuple=True)
    assert rows.float().mean().item() == pytest.approx(80)
    assert columns.float().mean().item() == pytest.approx(50)


def test_the_radius_follows_the_size_of_the_crop() -> None:
    counts = [
        (draw_dots(torch.zeros(1, 3, side, side), one_point(5, side / 2, side / 2), DotsConfig()) > 0).sum().item()
        for side in (128, 256)
    ]
    assert counts[1] / counts[0] == pytest.approx(4, rel=0.2)


def test_below_the_threshold_nothing_is_drawn() -> None:
    config = DotsConfig(min_confidence=0.5)
    crop = torch.full((1, 3, 64, 64), 7.0)
    assert torch.equal(draw_dots(crop, one_point(5, 32, 32, 0.49), config), crop)
    assert not torch.equal(draw_dots(crop, one_point(5, 32, 32, 0.5), config), crop)


@pytest.mark.parametrize(("x", "y"), [(-50.0, 10.0), (0.0, 0.0), (64.0, 64.0), (500.0, 3.0)])
def test_points_at_and_outside_the_border(x: float, y: float) -> None:
    drawn = draw_dots(torch.zeros(1, 3, 64, 64), one_point(5, x, y), DotsConfig())
    assert drawn.shape == (1, 3, 64, 64)
    assert torch.isfinite(drawn).all()


def test_a_batch_equals_its_rows() -> None:
    generator = torch.Generator().manual_seed(0)
    crops = torch.rand(4, 3, 96, 96, generator=generator) * 255
    keypoints = torch.rand(4, 17, 3, generator=generator) * torch.tensor([96.0, 96.0, 1.0])
    together = draw_dots(crops, keypoints, DotsConfig())
    alone = [draw_dots(crops[n : n + 1], keypoints[n : n + 1], DotsConfig()) for n in range(4)]
    assert torch.equal(together, torch.cat(alone))
    assert torch.equal(crops, torch.rand(4, 3, 96, 96, generator=torch.Generator().manual_seed(0)) * 255)


def test_no_rows_in_no_rows_out() -> None:
    assert draw_dots(torch.zeros(0, 3, 64, 64), torch.zeros(0, 17, 3), DotsConfig()).shape == (0, 3, 64, 64)


def test_left_is_warm_and_right_is_cold() -> None:
    for name, (red, _, blue) in zip(KEYPOINTS, DOT_COLORS, strict=True):
        if name.startswith("left"):
            assert red > blue, name
        if name.startswith("right"):
            assert blue > red, name
    assert len(set(DOT_COLORS)) == len(DOT_COLORS)


def test_wrong_shapes_and_configs_are_named() -> None:
    with pytest.raises(ShapeError, match="keypoints must have shape"):
        draw_dots(torch.zeros(1, 3, 64, 64), torch.zeros(2, 17, 3), DotsConfig())
    with pytest.raises(ConfigError, match="need 17 rows"):
        DotsConfig(radii=(0.1,))
