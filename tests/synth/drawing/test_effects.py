from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from actparse.synth.drawing.effects import Effects, draw_effects

NEUTRAL = Effects(
    level=100.0,
    curves=np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1),
    saturation=1.0,
    light=None,
    kernel=None,
    shrink=1.0,
    noise=0.0,
    quality=0,
)
GREY = np.full((40, 60, 3), 100, np.uint8)


def test_neutral_effects_change_nothing() -> None:
    assert np.array_equal(NEUTRAL.apply(GREY, np.random.default_rng(0)), GREY)


def test_exposure_comes_near_to_its_level() -> None:
    dark = NEUTRAL.apply(GREY // 4, np.random.default_rng(0))
    assert 55 < dark.mean() < 100


@pytest.mark.parametrize(
    "effects",
    [
        pytest.param(replace(NEUTRAL, noise=8.0), id="noise"),
        pytest.param(replace(NEUTRAL, kernel=np.full((5, 5), 0.04, np.float32)), id="blur"),
        pytest.param(replace(NEUTRAL, shrink=2.0), id="low resolution"),
        pytest.param(replace(NEUTRAL, quality=20), id="compression"),
        pytest.param(replace(NEUTRAL, saturation=0.0), id="grey"),
        pytest.param(replace(NEUTRAL, light=np.linspace(0.5, 1.5, 60, dtype=np.float32)[None]), id="uneven light"),
    ],
)
def test_each_effect_changes_the_picture_and_keeps_its_size(effects: Effects) -> None:
    image = np.random.default_rng(1).integers(0, 256, (40, 60, 3), np.uint8)
    changed = effects.apply(image, np.random.default_rng(0))
    assert changed.shape == image.shape
    assert changed.dtype == np.uint8
    assert not np.array_equal(changed, NEUTRAL.apply(image, np.random.default_rng(0)))


def test_drawn_effects_follow_from_the_seed() -> None:
    image = np.random.default_rng(1).integers(0, 256, (40, 60, 3), np.uint8)
    for seed in range(20):
        first, second = (draw_effects(np.random.default_rng(seed), (40, 60)) for _ in range(2))
        frames = [effects.apply(image, np.random.default_rng(9)) for effects in (first, second)]
        assert np.array_equal(*frames)
        assert 10 < frames[0].mean() < 245
