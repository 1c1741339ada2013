from __future__ import annotations

import numpy as np
import pytest

from actparse.synth.drawing.footage.lens import FrameLens, draw_lens
from actparse.synth.drawing.mesh import NO_PERSON

SIZE = (120, 160)
LENSES = [
    pytest.param(FrameLens(SIZE, (0, 0), SIZE), id="none"),
    pytest.param(FrameLens(SIZE, (0, 0), SIZE, curvature=0.16), id="barrel"),
    pytest.param(FrameLens(SIZE, (0, 0), SIZE, curvature=-0.08), id="pincushion"),
    pytest.param(FrameLens(SIZE, (0, 0), SIZE, wobble=2.0), id="rolling shutter"),
    pytest.param(FrameLens((160, 200), (30, 10), SIZE, curvature=0.1, bars=(9, 9, 9)), id="bars"),
    pytest.param(FrameLens((160, 200), (40, 40), SIZE, bars=None), id="blurred bars"),
]


@pytest.mark.parametrize("lens", LENSES)
def test_points_follow_the_picture(lens: FrameLens) -> None:
    image = np.zeros((*SIZE, 3), np.uint8)
    points = np.array([[20.0, 15], [80, 60], [140, 30], [60, 110], [120, 100]])
    for index, (x, y) in enumerate(points.astype(int), start=1):
        image[y - 4 : y + 4, x - 4 : x + 4] = 40 * index
    ids = image[..., 0].copy()
    bent, bent_ids = lens.put_in_frame(*lens.bend(image, ids, 0.7))
    assert bent.shape == (*lens.frame, 3)
    shown = lens.to_frame(points, 0.7)
    for index, point in enumerate(shown, start=1):
        y, x = np.nonzero(bent_ids == 40 * index)
        assert (x.mean() + 0.5, y.mean() + 0.5) == pytest.approx(point, abs=0.8)
        assert bent[int(point[1]), int(point[0]), 0] == pytest.approx(40 * index, abs=2)


@pytest.mark.parametrize("lens", LENSES)
def test_the_picture_reaches_the_border_and_points_can_be_taken_back(lens: FrameLens) -> None:
    height, width = lens.size
    rim = np.array([[0, 0], [width, height], [width / 2, 0], [0, height / 2], [width / 3, height / 2]], float)
    source = lens.source(rim, 0.2)
    assert (source >= -2.1).all()
    assert (source <= np.array([width, height]) + 2.1).all()
    assert lens.to_frame(source, 0.2) - lens.corner == pytest.approx(rim, abs=0.01)


def test_bars_belong_to_nobody() -> None:
    lens = FrameLens((100, 200), (20, 10), (60, 120), bars=(1, 2, 3))
    frame, ids = lens.put_in_frame(np.full((60, 120, 3), 50, np.uint8), np.zeros((60, 120), np.uint8))
    assert (ids == NO_PERSON).sum() == 100 * 200 - 60 * 120
    assert frame[0, 0].tolist() == [1, 2, 3]
    assert frame[10, 20].tolist() == [50, 50, 50]


@pytest.mark.parametrize("frame", [(240, 320), (426, 240), (64, 64)])
def test_drawn_pictures_fit_into_their_frames(frame: tuple[int, int]) -> None:
    has_bars = []
    for seed in range(60):
        lens = draw_lens(np.random.default_rng(seed), frame, bars_share=0.5)
        assert min(lens.size) >= 32
        assert min(lens.corner) >= 0
        assert lens.corner[1] + lens.size[0] <= frame[0]
        assert lens.corner[0] + lens.size[1] <= frame[1]
        has_bars.append(lens.size != frame)
    assert 0.25 < np.mean(has_bars) < 0.75


def test_points_far_outside_stay_finite_and_outside() -> None:
    for curvature in (-0.08, 0.16):
        lens = FrameLens(SIZE, (0, 0), SIZE, curvature=curvature, wobble=1.0)
        points = lens.to_frame(np.array([[-1e5, 60.0], [80.0, 1e6], [400.0, 400.0]]), 0.3)
        assert np.isfinite(points).all()
        assert ((points < 0) | (points > [160, 120])).any(axis=1).all()
