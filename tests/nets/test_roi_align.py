"""RoIAlign against values worked by hand and against one sample after the other."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from actparse.core.errors import ActparseError, ConfigError, ShapeError
from actparse.nets.roi_align import roi_align

ONE = torch.zeros(1, dtype=torch.int64)


def ramp(height: int = 6, width: int = 8) -> Tensor:
    """(1, 2, H, W): the first channel holds the column's number, the second ten times the row's."""
    columns = torch.arange(width).expand(height, width)
    rows = 10 * torch.arange(height)[:, None].expand(height, width)
    return torch.stack((columns, rows)).float()[None]


def pooled(box: list[float], **settings: Any) -> Tensor:
    return roi_align(ramp(), torch.tensor([box]), ONE, **{"size": (1, 1), "sampling_ratio": 2, **settings})[0]


@pytest.mark.parametrize(
    ("box", "settings", "columns", "rows"),
    [
        # a cell's samples lie at the middles of its quarters; on a ramp their mean is the value at the cell's middle
        pytest.param([1, 1, 5, 3], {"size": (1, 2)}, [[1.5, 3.5]], [[15, 15]], id="inside"),
        pytest.param([1, 1, 5, 3], {"size": (1, 2), "aligned": False}, [[2, 4]], [[20, 20]], id="inside-corners"),
        pytest.param([2, 2, 10, 6], {"spatial_scale": 0.5}, [[2.5]], [[15]], id="scaled"),
        pytest.param([2.25, 1.5, 2.75, 2], {}, [[2.0]], [[12.5]], id="sub-pixel"),
        # at least one cell wide: 2.25 to 3.25, 1.5 to 2.5
        pytest.param([2.25, 1.5, 2.75, 2], {"aligned": False}, [[2.75]], [[20]], id="sub-pixel-corners"),
        # x samples at -0.5, which has the border's value, and 0.5; y at 0.5 and 1.5
        pytest.param([-0.5, 0.5, 1.5, 2.5], {}, [[0.25]], [[10]], id="over-the-border"),
        # x samples at -1, which still counts, as the rows tell, and 0
        pytest.param([-1, 0.5, 1, 2.5], {}, [[0]], [[10]], id="as-far-as-counts"),
        # x samples at -1.25, which is 0, and 0.25
        pytest.param([-1.5, 0.5, 1.5, 2.5], {}, [[0.125]], [[5]], id="further-than-counts"),
        # x samples at -3 and -1: the first counts as 0, also of what the rows say; y at 0.5 and 1.5
        pytest.param([-3.5, 0.5, 0.5, 2.5], {}, [[0]], [[5]], id="half-outside"),
        # x samples at 6.5 and 8.5: 6.5, and 0 as it is past the map's 8
        pytest.param([6, 0.5, 10, 2.5], {}, [[3.25]], [[5]], id="past-the-right"),
        # x samples at 7.25 and 7.75, past the last value: both are 7
        pytest.param([7.5, 0.5, 8.5, 2.5], {}, [[7]], [[10]], id="on-the-last-column"),
        pytest.param([20, 20, 30, 30], {}, [[0]], [[0]], id="outside"),
        pytest.param([3, 2, 3, 2], {"sampling_ratio": None}, [[0]], [[0]], id="no-extent-adaptive"),
        pytest.param([3, 2, 3, 2], {}, [[2.5]], [[15]], id="no-extent-fixed"),
        pytest.param([5, 3, 1, 1], {"sampling_ratio": None}, [[0]], [[0]], id="swapped-corners-adaptive"),
    ],
)
def test_values_worked_by_hand(
    box: list[float], settings: dict[str, Any], columns: list[list[float]], rows: list[list[float]]
) -> None:
    torch.testing.assert_close(pooled(box, **settings), torch.tensor([columns, rows], dtype=torch.float32))


def test_adaptive_samples_are_as_many_as_a_cell_is_wide() -> None:
    """A cell of 3 by 1 on the map takes 3 by 1 samples; of squares, unlike of a ramp, their mean tells how many."""
    squares = (torch.arange(8).float() ** 2).expand(1, 1, 4, 8)
    box = torch.tensor([[1.5, 1.5, 4.5, 2.5]])  # 1 to 4, 1 to 2 after half a cell
    adaptive = roi_align(squares, box, ONE, size=(1, 1))
    # samples at x = 1.5, 2.5, 3.5: between 1 and 4, 4 and 9, 9 and 16
    assert adaptive.item() == pytest.approx((2.5 + 6.5 + 12.5) / 3)
    # two samples, at 1.75 and 3.25: 1 + 0.75 * 3 and 9 + 0.25 * 7
    assert roi_align(squares, box, ONE, size=(1, 1), sampling_ratio=2).item() == pytest.approx((3.25 + 10.75) / 2)


def one_by_one(features: Tensor, box: list[float], size: tuple[int, int], ratio: int | None, aligned: bool) -> Tensor:
    """The definition, sample after sample (C, h, w); the box in cells of the map (C, H, W)."""
    channels, height, width = features.shape
    shift = 0.5 if aligned else 0.0
    x1, y1, x2, y2 = (value - shift for value in box)
    sides = [x2 - x1, y2 - y1] if aligned else [max(x2 - x1, 1.0), max(y2 - y1, 1.0)]
    step_x, step_y = sides[0] / size[1], sides[1] / size[0]
    num_x, num_y = (ratio, ratio) if ratio else (math.ceil(step_x), math.ceil(step_y))
    out = torch.zeros(channels, *size, dtype=features.dtype)
    for p, q in np.ndindex(*size):
        for i, j in np.ndindex(max(num_y, 0), max(num_x, 0)):
            y, x = y1 + step_y * (p + (i + 0.5) / num_y), x1 + step_x * (q + (j + 0.5) / num_x)
            if y < -1 or y > height or x < -1 or x > width:
                continue
            y, x = min(max(y, 0), height - 1), min(max(x, 0), width - 1)
            top, left = int(y), int(x)
            bottom, right = min(top + 1, height - 1), min(left + 1, width - 1)
            v, u = y - top, x - left
            value = (1 - v) * ((1 - u) * features[:, top, left] + u * features[:, top, right])
            value = value + v * ((1 - u) * features[:, bottom, left] + u * features[:, bottom, right])
            out[:, p, q] += value / (num_y * num_x)
    return out


@pytest.mark.parametrize("aligned", [True, False], ids=["middles", "corners"])
@pytest.mark.parametrize("ratio", [None, 1, 3], ids=["adaptive", "one", "three"])
def test_random_boxes_equal_the_definition(aligned: bool, ratio: int | None) -> None:
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(3, 2, 7, 5, generator=generator, dtype=torch.float64)
    corner = torch.rand(30, 2, generator=generator, dtype=torch.float64) * 24 - 6  # some far outside
    extent = torch.rand(30, 2, generator=generator, dtype=torch.float64) ** 3 * 16  # many below a cell
    boxes = torch.cat((corner, corner + extent), dim=1)
    images = torch.randint(0, 3, (30,), generator=generator)
    images[images == 1] = 2  # an image without a box
    got = roi_align(
        features, boxes, images, size=(2, 3), spatial_scale=0.5, sampling_ratio=ratio, aligned=aligned
    )  # (30, 2, 2, 3)
    want = [
        one_by_one(features[image], (box * 0.5).tolist(), (2, 3), ratio, aligned)
        for box, image in zip(boxes, images.tolist(), strict=True)
    ]
    torch.testing.assert_close(got, torch.stack(want))


@pytest.mark.parametrize("ratio", [None, 2])
def test_gradients(ratio: int | None) -> None:
    features = torch.randn(2, 2, 5, 4, dtype=torch.float64, requires_grad=True)
    boxes = torch.tensor([[0.3, 0.2, 3.1, 4.4], [-2.0, 1.0, 2.0, 7.0], [1.0, 1.0, 1.2, 1.3]], dtype=torch.float64)
    images = torch.tensor([1, 0, 1])
    assert torch.autograd.gradcheck(lambda f: roi_align(f, boxes, images, size=(2, 2), sampling_ratio=ratio), features)


@pytest.mark.parametrize("num_images", [0, 2])
def test_no_boxes(num_images: int) -> None:
    features = torch.randn(num_images, 3, 4, 4, requires_grad=True)
    none = roi_align(features, torch.zeros(0, 4), torch.zeros(0, dtype=torch.int64), size=(2, 3))
    assert none.shape == (0, 3, 2, 3)
    none.sum().backward()
    assert features.grad is not None
    assert not features.grad.any()


def test_half_precision_is_averaged_in_single() -> None:
    features = torch.randn(1, 4, 9, 9)
    box = torch.tensor([[1.0, 2.0, 7.0, 6.5]])
    with torch.autocast("cpu", torch.bfloat16):
        low = roi_align(features.bfloat16(), box, ONE, size=(2, 2))
        assert roi_align(features, box, ONE, size=(2, 2)).dtype == torch.float32
    assert low.dtype == torch.bfloat16
    exact = roi_align(features.bfloat16().float(), box, ONE, size=(2, 2))
    assert torch.equal(low, exact.bfloat16())


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"boxes": torch.zeros(1, 5)}, ShapeError, "boxes must have shape (any, 4), got (1, 5)"),
        ({"features": torch.zeros(3, 4, 4)}, ShapeError, "features must have shape (any, any, any, any)"),
        ({"images": torch.zeros(2, dtype=torch.int64)}, ShapeError, "images must have shape (1), got (2,)"),
        (
            {"images": torch.tensor([2])},
            ShapeError,
            "images must be int64 rows of the 1 feature maps, counted from 0, got torch.int64 from 2 to 2",
        ),
        ({"images": torch.zeros(1)}, ShapeError, "images must be int64 rows of the 1 feature maps"),
        ({"size": (0, 2)}, ConfigError, "roi_align.size must be two numbers of at least 1, got (0, 2)"),
        ({"spatial_scale": 0.0}, ConfigError, "roi_align.spatial_scale must be greater than 0, got 0.0"),
        ({"sampling_ratio": 0}, ConfigError, "roi_align.sampling_ratio must be None or at least 1, got 0"),
    ],
    ids=["boxes", "features", "images", "no-such-image", "float-images", "size", "scale", "ratio"],
)
def test_errors(change: dict[str, Any], error: type[ActparseError], message: str) -> None:
    arguments = {"features": ramp(), "boxes": torch.zeros(1, 4), "images": ONE, "size": (2, 2), **change}
    with pytest.raises(error, match=re.escape(message)):
        roi_align(**arguments)
