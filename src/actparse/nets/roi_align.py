"""RoIAlign: features of boxes from a feature map, by bilinear interpolation, averaged in the cells of a grid.

A cell's mean over a regular grid of bilinear samples is separable: a weighted mean over rows, then over columns. So a
box needs two small matrix products for any number of samples, and no samples are stored in memory.
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
        boxes: (R, 4) xyxy, pixels of the image, which may leave it; R may be 0. They get no gradient.
        images: (R,) int64, the index in `features` of each box's image, 0 to N - 1, in any order.
        size: (h, w) cells of a box.
        spatial_scale: from the boxes to the map, 1 / stride; greater than 0.
        sampling_ratio: samples of a cell along each axis; None: ceil(cell's side on the map), as published.
        aligned: the map's values are at the middles of its cells, half a cell from the corners. False is the rule of
            the first release: values at the corners, and boxes of less than one cell count as one cell wide.

    Returns:
        (R, C, h, w), the dtype of `features`. A sample less than one cell outside the map has the border's value, one
        farther out is 0; a box without extent is 0 if `aligned` and `sampling_ratio` is None.

    Raises:
        ShapeError: a tensor has another shape, or `images` has an index without a map.
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
        positions = torch.empty_like(order)
        positions[order] = torch.arange(len(order), device=order.device)
    pooled = [wide.new_zeros(0, features.shape[1], *size) + wide.sum() * 0] if not len(boxes) else []
    first = 0
    with torch.autocast(features.device.type, enabled=False):
        for image, count in enumerate(counts):
            if count:
                selection = slice(first, first + count)
                over_rows = torch.einsum("nph,chw->ncpw", by_row[selection], wide[image])  # (n, C, h, W)
                pooled.append(torch.einsum("ncpw,nqw->ncpq", over_rows, by_column[selection]))  # (n, C, h, w)
                first += count
    return torch.cat(pooled)[positions].to(features.dtype)


def _expect_settings(size: tuple[int, int], spatial_scale: float, sampling_ratio: int | None) -> None:
    if len(size) != 2 or min(size) < 1:
        raise ConfigError(f"roi_align.size must be two numbers of at least 1, got {size}")
    if not spatial_scale > 0:
        raise ConfigError(f"roi_align.spatial_scale must be greater than 0, got {spatial_scale}")
    if sampling_ratio is not None and sampling_ratio < 1:
        raise ConfigError(f"roi_align.sampling_ratio must be None or at least 1, got {sampling_ratio}")


def _boxes_per_image(images: Tensor, num_images: int) -> list[int]:
    """Return the number of boxes of each image."""
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
    """Compute the weights of the map's rows, or columns, in the cells of every box.

    Args:
        starts: (R,) lower ends of the boxes on this axis, in cells of the map.
        ends: (R,) upper ends.
        num_cells: cells of a box on this axis.
        length: cells of the map on this axis.
        sampling_ratio: as in `roi_align`.
        aligned: as in `roi_align`.

    Returns:
        (R, num_cells, length); the weights of a cell sum to 1 if all its samples are on the map.
    """
    offset = 0.5 if aligned else 0.0
    extents = ends - starts if aligned else (ends - starts).clamp(min=1.0)  # (R,)
    steps = extents / num_cells  # (R,)
    adaptive = steps.ceil().clamp(min=0)
    counts = adaptive if sampling_ratio is None else torch.full_like(steps, sampling_ratio)  # (R,) samples of a cell
    max_count = int(counts.max()) if len(counts) else 0
    sample_indices = torch.arange(max_count, device=starts.device, dtype=starts.dtype)  # (G,)
    share = (sample_indices + 0.5) / counts.clamp(min=1)[:, None]  # (R, G) of a cell
    cells = torch.arange(num_cells, device=starts.device, dtype=starts.dtype)  # (P,)
    at = (starts - offset)[:, None, None] + (cells[:, None] + share[:, None]) * steps[:, None, None]  # (R, P, G)
    is_valid = (sample_indices < counts[:, None])[:, None] & (at >= -1.0) & (at <= length)  # (R, P, G)
    at = at.clamp(0, length - 1)
    low = at.floor()  # (R, P, G)
    to_high = at - low  # (R, P, G) 0 on the last row
    sample_weights = is_valid / counts.clamp(min=1)[:, None, None]  # (R, P, G)
    weights = at.new_zeros(len(starts), num_cells, length)
    weights.scatter_add_(2, low.long(), (1 - to_high) * sample_weights)
    return weights.scatter_add_(2, (low.long() + 1).clamp(max=length - 1), to_high * sample_weights)
