"""Boxes as tensors: overlap, distance and suppression. Boxes are (..., 4) xyxy, pixels, continuous coordinates."""

from __future__ import annotations

import torch
from torch import Tensor

_MIN_AREA = 1e-6  # pixels squared; avoids 0 / 0. Source: mmdet bbox_overlaps
_MIN_GIOU_AREA = 1e-7  # pixels squared; Source: mmdet GIoULoss


def xyxy_to_cxcywh(boxes: Tensor) -> Tensor:
    """Convert corners (..., 4) to centre x, centre y, width, height (..., 4)."""
    corner, opposite = boxes[..., :2], boxes[..., 2:]
    return torch.cat(((corner + opposite) * 0.5, opposite - corner), dim=-1)


def cxcywh_to_xyxy(boxes_cxcywh: Tensor) -> Tensor:
    """Convert centre x, centre y, width, height (..., 4) to corners (..., 4)."""
    centre, half = boxes_cxcywh[..., :2], boxes_cxcywh[..., 2:] * 0.5
    return torch.cat((centre - half, centre + half), dim=-1)


def box_area(boxes: Tensor) -> Tensor:
    """Return the areas (...,) of boxes (..., 4), pixels squared; negative if the corners are swapped on one axis."""
    size = boxes[..., 2:] - boxes[..., :2]  # (..., 2)
    return size[..., 0] * size[..., 1]


def box_iou(a: Tensor, b: Tensor) -> Tensor:
    """Compute the intersection over union of every box of `a` with every box of `b`.

    Args:
        a: (..., N, 4) xyxy; N may be 0.
        b: (..., M, 4) xyxy, leading axes that broadcast with those of `a`; M may be 0.

    Returns:
        (..., N, M) in [0, 1]; 0 where both boxes are empty.
    """
    return row_iou(a[..., :, None, :], b[..., None, :, :])


def row_iou(a: Tensor, b: Tensor) -> Tensor:
    """Compute the intersection over union (...,) of boxes (..., 4) with the boxes of `b` in the same rows.

    Leading axes broadcast; the result is 0 where both boxes are empty.
    """
    x1 = torch.maximum(a[..., 0], b[..., 0])  # (...,); separate axes are faster with vector units
    y1 = torch.maximum(a[..., 1], b[..., 1])
    x2 = torch.minimum(a[..., 2], b[..., 2])
    y2 = torch.minimum(a[..., 3], b[..., 3])
    overlap = (x2 - x1).clamp(min=0) * (y2 - y1).clamp(min=0)  # (...,)
    union = box_area(a) + box_area(b) - overlap
    return overlap / union.clamp(min=_MIN_AREA)


def giou(a: Tensor, b: Tensor) -> Tensor:
    """Compute the generalised intersection over union of each box of `a` with the box of `b` in the same row.

    Args:
        a: (..., 4) xyxy.
        b: (..., 4) xyxy, the same leading axes.

    Returns:
        (...,) in [-1, 1]: IoU minus the share of the enclosing box that neither covers.

    Source: Rezatofighi et al., Generalized Intersection over Union, 2019, algorithm 1.
    """
    overlap_size = (torch.minimum(a[..., 2:], b[..., 2:]) - torch.maximum(a[..., :2], b[..., :2])).clamp(min=0)
    hull_size = (torch.maximum(a[..., 2:], b[..., 2:]) - torch.minimum(a[..., :2], b[..., :2])).clamp(min=0)
    overlap = overlap_size[..., 0] * overlap_size[..., 1]  # (...,)
    hull = (hull_size[..., 0] * hull_size[..., 1]).clamp(min=_MIN_GIOU_AREA)
    union = (box_area(a) + box_area(b) - overlap).clamp(min=_MIN_GIOU_AREA)
    return overlap / union - (hull - union) / hull


def clip_boxes(boxes: Tensor, sizes: Tensor) -> Tensor:
    """Move corners outside the image to its edge.

    Args:
        boxes: (..., N, 4) xyxy.
        sizes: (..., 2) height, width of the image of each leading row.

    Returns:
        (..., N, 4) inside [0, width] x [0, height].
    """
    width_height = sizes.to(boxes).flip(-1)[..., None, :]  # (..., 1, 2)
    limits = torch.cat((width_height, width_height), dim=-1)  # (..., 1, 4)
    return torch.minimum(boxes.clamp(min=0), limits)


def nms(boxes: Tensor, scores: Tensor, max_iou: float) -> Tensor:
    """Suppress boxes greedily: in the order of scores, drop each box that overlaps a kept one.

    Args:
        boxes: (N, 4) xyxy; N may be 0. Memory is N * N.
        scores: (N,) any range.
        max_iou: a box whose IoU with a better kept one is above it is dropped.

    Returns:
        (n,) int64 indices of the kept boxes, best first; equal scores stay in their order.
    """
    order = scores.argsort(descending=True, stable=True)  # (N,)
    ranked = boxes[order]  # (N, 4)
    return order[_select_unsuppressed(box_iou(ranked, ranked) > max_iou)]


def class_wise_nms(boxes: Tensor, scores: Tensor, labels: Tensor, max_iou: float) -> Tensor:
    """Apply `nms` within each class: boxes of different `labels` (N,) never suppress one another.

    Returns:
        (n,) int64 indices of the kept boxes of all classes, best first.
    """
    order = scores.argsort(descending=True, stable=True)  # (N,)
    ranked, kinds = boxes[order], labels[order]  # (N, 4), (N,)
    overlaps = (box_iou(ranked, ranked) > max_iou) & (kinds[:, None] == kinds[None, :])  # (N, N)
    return order[_select_unsuppressed(overlaps)]


def _select_unsuppressed(overlaps: Tensor) -> Tensor:
    """Return which rows (N,) bool a greedy pass from the first row keeps; `overlaps` (N, N) bool is symmetric.

    Row j is kept if no kept earlier row overlaps it. This equation has one solution, and each substitution of an
    estimate resolves at least one more link of every chain of overlaps, so a few steps on the whole matrix replace the
    pass over rows.
    """
    earlier = overlaps.triu(diagonal=1).float()  # (N, N), [i, j]: 1 where i comes before j and overlaps it
    keep = torch.ones(len(overlaps), dtype=torch.bool, device=overlaps.device)  # (N,)
    for _ in range(len(overlaps)):
        settled = keep.float() @ earlier == 0  # (N,) bool: no kept earlier row overlaps it
        if torch.equal(settled, keep):
            break
        keep = settled
    return keep
