"""RoIAlign: features of boxes, read from a feature map by bilinear interpolation and averaged over the cells of a grid.

A cell's mean over a regular grid of bilinear samples is separable: it weighs rows, then columns. So a box costs two
small matrix products, whatever its number of samples, and no sampled feature is ever held in memory.
Source: He et al., Mask R-CNN, 2017, section 3; borders and `aligned` as in torchvision's and detectron2's operators.
"""

from __future__ import annotations

import torch
from torch import Tensor

from actparse.core.errors import ConfigError, ShapeError, expect_shape


def roi_align(
    features: Tensor,
    boxes: Tensor,
    images: Tensor,
    *,
    size: tuple[int, int],
    spatial_scale: float = 1.0,
    sampling_ratio: int | None = None,
    aligned: bool = True,
) -> Tensor:
    """Pool the features under every box to one size.

    Args:
        features: (N, C, H, W) maps of N images.
        boxes: (R, 4) xyxy, pixels of the image, which may leave it; R may be 0. No gradient reaches them.
        images: (R,) int64, the row of `features` that each box lies in, 0 to N - 1, in any order.
        size: (h, w) cells of a box.
        spatial_scale: of the boxes to the map, 1 / stride; greater than 0.
        sampling_ratio: samples of a cell along each axis; None takes ceil(cell's side on the map), as published.
        aligned: the map's cells have their values at their middles, half a cell from their corners. False is the first
            release's rule: values at the corners, and boxes of less than one cell are taken as one cell wide.

    Returns:
        (R, C, h, w), the dtype of `features`. A sample less than one cell outside the map has the border's value, one
        further out is 0; a box without any extent is 0 if `aligned` and adaptive.

    Raises:
        ShapeError: a tensor has another shape, or `images` names a map that is not there.
        ConfigError: `size`, `spatial_scale` or `sampling_ratio` is out of its range.
    """
    _expect_settings(size, spatial_scale, sampling_ratio)
    expect_shape("features", features, (None, None, None, None))
    expect_shape("boxes", boxes, (None, 4))
    expect_shape("images", images, (len(boxes),))
    counts = _boxes_per_image(images, len(features))
    wide = features if features.dtype == torch.float64 else features.float()
    with torch.no_grad():
        order = images.argsort(stable=True)  # (R,)
        corners = boxes.detach()[order].to(wide.dtype) * spatial_scale  # (R, 4) cells of the map
        grid = (sampling_ratio, aligned)
        by_column = _axis_weights(corners[:, 0], corners[:, 2], size[1], features.shape[3], *grid)  # (R, w, W)
        by_row = _axis_weights(corners[:, 1], corners[:, 3], size[0], features.shape[2], *grid)  # (R, h, H)
        place = torch.empty_like(order)
        place[order] = torch.arange(len(order), device=order.device)
    pooled = [wide.new_zeros(0, features.shape[1], *size) + wide.sum() * 0] if not len(boxes) else []
    first = 0
    with torch.autocast(features.device.type, enabled=False):
        for image, count in enumerate(counts):
            if count:
                rows = slice(first, first + count)
                pooled.append(_pooled(wide[image], by_row[rows], by_column[rows]))  # (n, C, h, w)
                first += count
    return torch.cat(pooled)[place].to(features.dtype)


def _expect_settings(size: tuple[int, int], spatial_scale: float, sampling_ratio: int | None) -> None:
    if len(size) != 2 or min(size) < 1:
        raise ConfigError(f"roi_align.size must be two numbers of at least 1, got {size}")
    if not spatial_scale > 0:
        raise ConfigError(f"roi_align.spatial_scale must be greater than 0, got {spatial_scale}")
    if sampling_ratio is not None and sampling_ratio < 1:
        raise ConfigError(f"roi_align.sampling_ratio must be None or at least 1, got {sampling_ratio}")


def _boxes_per_image(images: Tensor, num_images: int) -> list[int]:
    """How many boxes each image has."""
    if not len(images):
        return [0] * num_images
    if images.dtype != torch.int64 or int(images.min()) < 0 or int(images.max()) >= num_images:
        got = f"{images.dtype} from {images.min()} to {images.max()}"
        raise ShapeError(f"images must be int64 rows of the {num_images} feature maps, counted from 0, got {got}")
    counts: list[int] = torch.bincount(images, minlength=num_images).tolist()
    return counts


def _axis_weights(
    starts: Tensor, ends: Tensor, num_cells: int, length: int, sampling_ratio: int | None, aligned: bool
) -> Tensor:
    """What the map's rows, or columns, weigh in the cells of every box.

    Args:
        starts: (R,) where the boxes begin on this axis, in cells of the map.
        ends: (R,) where they end.
        num_cells: of a box.
        length: of the map.
        sampling_ratio: as in `roi_align`.
        aligned: as in `roi_align`.

    Returns:
        (R, num_cells, length); the weights of a cell sum to 1 where all its samples lie on the map.
    """
    offset = 0.5 if aligned else 0.0
    extents = ends - starts if aligned else (ends - starts).clamp(min=1.0)  # (R,)
    steps = extents / num_cells  # (R,)
    adaptive = steps.ceil().clamp(min=0)
    counts = adaptive if sampling_ratio is None else torch.full_like(steps, sampling_ratio)  # (R,) samples of a cell
    most = int(counts.max()) if len(counts) else 0
    numbers = torch.arange(most, device=starts.device, dtype=starts.dtype)  # (G,)
    share = (numbers + 0.5) / counts.clamp(min=1)[:, None]  # (R, G) of a cell
    cells = torch.arange(num_cells, device=starts.device, dtype=starts.dtype)  # (P,)
    at = (starts - offset)[:, None, None] + (cells[:, None] + share[:, None]) * steps[:, None, None]  # (R, P, G)
    counted = (numbers < counts[:, None])[:, None] & (at >= -1.0) & (at <= length)  # (R, P, G)
    at = at.clamp(0, length - 1)
    low = at.floor()  # (R, P, G)
    to_high = at - low  # (R, P, G) 0 on the last row
    worth = counted / counts.clamp(min=1)[:, None, None]  # (R, P, G)
    weights = at.new_zeros(len(starts), num_cells, length)
    weights.scatter_add_(2, low.long(), (1 - to_high) * worth)
    return weights.scatter_add_(2, (low.long() + 1).clamp(max=length - 1), to_high * worth)


def _pooled(feature_map: Tensor, by_row: Tensor, by_column: Tensor) -> Tensor:
    """Boxes of one map (C, H, W), with weights (n, h, H) and (n, w, W) -> (n, C, h, w)."""
    over_rows = torch.einsum("nph,chw->ncpw", by_row, feature_map)  # (n, C, h, W)
    return torch.einsum("ncpw,nqw->ncpq", over_rows, by_column)  # (n, C, h, w)
