from __future__ import annotations

import re

import numpy as np
import pytest
import torch

from actparse.core.errors import ConfigError, ShapeError
from actparse.stages.inputs import InputNorm
from actparse.video import transforms
from golden_rule_video import load

VALUES = load("transforms")
SIZES = VALUES["resize256_w_h_to_w_h"].tolist()


@pytest.mark.parametrize("row", SIZES)
def test_short_side_of_256(row: list[int]) -> None:
    w, h, new_w, new_h = row
    assert transforms.short_side_size((h, w), 256) == (new_h, new_w)


@pytest.mark.parametrize("k", range(len(SIZES)))
def test_crop_boxes(k: int) -> None:
    size = (SIZES[k][3], SIZES[k][2])
    assert transforms.center_crop_box(size, 224).tolist() == VALUES["center224_box"][k].tolist()


def test_multiscale_crop_boxes() -> None:
    rows = VALUES["multiscale_w_h_box"]
    for w, h in np.unique(rows[:, :2], axis=0).tolist():
        want = rows[(rows[:, 0] == w) & (rows[:, 1] == h), 2:]
        got = transforms.multiscale_crop_boxes((h, w))
        assert {tuple(b) for b in got.tolist()} == {tuple(b) for b in want.tolist()}


@pytest.mark.parametrize("k", [0, 1])
def test_pixels(k: int) -> None:
    image = VALUES[f"px{k}_in"]
    small = transforms.resize(image, (40, 48))
    np.testing.assert_array_equal(transforms.resize_short_side(image, 64), VALUES[f"px{k}_short64"])
    np.testing.assert_array_equal(small, VALUES[f"px{k}_w48_h40"])
    sports_1m = InputNorm(mean=(110.2008, 100.63983, 95.99475), std=(58.14765, 56.46975, 55.332195))
    for name, norm in (("imagenet", InputNorm()), ("sports1m", sports_1m)):
        tensor = norm(torch.from_numpy(small).permute(2, 0, 1)[None])[0]
        assert tensor.dtype == torch.float32
        np.testing.assert_allclose(tensor.numpy(), VALUES[f"px{k}_norm_{name}"], rtol=1e-5, atol=2e-6)


def test_flow_stacks() -> None:
    num_frames = int(VALUES["layout_dims"][2])
    stacks = transforms.flow_to_stacks(VALUES["layout_flow_in"], num_frames)
    np.testing.assert_array_equal(stacks, VALUES["layout_flow_NCHW"])


@pytest.mark.parametrize("size", [(256, 340), (256, 256), (400, 256)])
def test_random_resized_crop_keeps_its_ranges(size: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    boxes = np.stack([transforms.random_resized_crop_box(size, rng) for _ in range(500)])
    widths, heights = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    area = widths * heights / (size[0] * size[1])
    assert (boxes[:, :2] >= 0).all()
    assert (boxes[:, 2] <= size[1]).all()
    assert (boxes[:, 3] <= size[0]).all()
    assert area.min() > 0.078
    assert np.ptp(area) > 0.7
    assert (widths / heights).min() > 0.73
    assert (widths / heights).max() < 1.36


def test_random_resized_crop_falls_back_to_the_centre() -> None:
    box = transforms.random_resized_crop_box((10, 100), np.random.default_rng(0), area=(1.0, 1.0))
    assert box.tolist() == [45, 0, 55, 10]


def test_crop_and_mirror() -> None:
    images = np.arange(2 * 4 * 5 * 3).reshape(2, 4, 5, 3)
    cut = transforms.crop(images, np.array([1, 2, 4, 4]))
    np.testing.assert_array_equal(cut, images[:, 2:4, 1:4])
    np.testing.assert_array_equal(transforms.mirror(transforms.mirror(images)), images)
    assert transforms.mirror(images)[0, 0, 0].tolist() == images[0, 0, 4].tolist()


def test_errors() -> None:
    with pytest.raises(ConfigError, match=re.escape("must be at most the frame's short side, 200, got 224")):
        transforms.center_crop_box((200, 300), 224)
    with pytest.raises(ShapeError, match=re.escape("flow must be a multiple of 4 fields, got 6")):
        transforms.flow_to_stacks(np.zeros((6, 2, 2, 2)), 4)
