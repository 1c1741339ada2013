"""Boxes of YOLOF: anchors, coding of boxes as deltas, and decoding of its maps."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from actparse.core.errors import ShapeError
from actparse.nets.detectors.boxes import class_wise_nms, clip_boxes, xyxy_to_cxcywh
from actparse.nets.detectors.yolof import YolofConfig


def grid_anchors(config: YolofConfig, feature_size: tuple[int, int], device: torch.device | str = "cpu") -> Tensor:
    """Return the anchors of a feature map of (height, width) cells.

    Returns:
        (h * w * A, 4) float32 xyxy, pixels of the image; row (y * w + x) * A + index of the size.
    """
    height, width = feature_size
    y = (torch.arange(height, device=device, dtype=torch.float32) + config.anchor_offset) * config.stride  # (h,)
    x = (torch.arange(width, device=device, dtype=torch.float32) + config.anchor_offset) * config.stride  # (w,)
    half = torch.tensor(config.anchor_sizes, device=device, dtype=torch.float32) / 2  # (A,)
    grid_y, grid_x = torch.meshgrid(y, x, indexing="ij")  # (h, w) each
    centre = torch.stack((grid_x, grid_y), dim=-1)[:, :, None, :]  # (h, w, 1, 2)
    corners = torch.cat((centre - half[:, None], centre + half[:, None]), dim=-1)  # (h, w, A, 4)
    return corners.reshape(-1, 4)


def decode_boxes(anchors: Tensor, deltas: Tensor, config: YolofConfig) -> Tensor:
    """Apply deltas to anchors.

    Args:
        anchors: (..., 4) xyxy, pixels.
        deltas: (..., 4) dx, dy in anchor sides, dw, dh as logarithms; leading axes that broadcast.

    Returns:
        (..., 4) xyxy, pixels. A centre moves by up to `max_center_shift`, a side grows by up to exp(`max_log_size`).
    """
    cxcywh = xyxy_to_cxcywh(anchors)  # (..., 4)
    centre, size = cxcywh[..., :2], cxcywh[..., 2:]
    limit = config.max_center_shift
    centre = centre + (size * deltas[..., :2]).clamp(-limit, limit)  # (..., 2)
    half = size * deltas[..., 2:].clamp(max=config.max_log_size).exp() * 0.5  # (..., 2)
    return torch.cat((centre - half, centre + half), dim=-1)


def encode_boxes(anchors: Tensor, boxes: Tensor) -> Tensor:
    """Return the deltas (..., 4) from anchors (..., 4) to boxes (..., 4) with sides above 0, without limits."""
    source, target = xyxy_to_cxcywh(anchors), xyxy_to_cxcywh(boxes)  # (..., 4)
    shift = (target[..., :2] - source[..., :2]) / source[..., 2:]
    return torch.cat((shift, torch.log(target[..., 2:] / source[..., 2:])), dim=-1)


def split_maps(cls: Tensor, reg: Tensor, config: YolofConfig) -> tuple[Tensor, Tensor]:
    """Reshape the network's maps to one row per anchor, in the order of `grid_anchors`.

    Args:
        cls: (N, A * K, h, w) fused logits.
        reg: (N, A * 4, h, w) deltas.

    Returns:
        Logits (N, h * w * A, K) and deltas (N, h * w * A, 4), float32.

    Raises:
        ShapeError: the maps do not have the config's numbers of channels, or differ in size.
    """
    num_anchors, num_classes = config.num_anchors, config.num_classes
    for name, maps, depth in (("cls", cls, num_classes), ("reg", reg, 4)):
        if maps.ndim != 4 or maps.shape[1] != num_anchors * depth or maps.shape[2:] != cls.shape[2:]:
            wanted = f"(N, {num_anchors * depth}, h, w)"
            raise ShapeError(f"{name} must have shape {wanted} and the size of cls, got {tuple(maps.shape)}")
    return _rows(cls, num_classes), _rows(reg, 4)


@torch.no_grad()
def detect(
    cls: Tensor,
    reg: Tensor,
    config: YolofConfig,
    *,
    image_sizes: Sequence[tuple[float, float]],
    min_score: float = 0.05,
    max_candidates: int = 1000,
    max_iou: float = 0.6,
    max_boxes: int = 100,
) -> list[tuple[Tensor, Tensor, Tensor]]:
    """Decode the network's maps to the boxes of each image.

    Args:
        cls: (N, A * K, h, w) fused logits.
        reg: (N, A * 4, h, w) deltas.
        image_sizes: (height, width) of each of the N images inside its padding, pixels; boxes are clipped to it.
        min_score: pairs of anchor and class with a score at or below it are dropped.
        max_candidates: number of best pairs of anchor and class before the suppression.
        max_iou: a box whose IoU with a better one of its class is above it is dropped.
        max_boxes: largest number of boxes of each image.

    Returns:
        For each image boxes (n, 4) xyxy in pixels of the network's input, scores (n,) in [0, 1] and labels (n,) int64,
        best first; n may be 0.

    Raises:
        ShapeError: the maps do not fit the config, or there are not N image sizes.
    """
    boxes, scores, labels = candidates(cls, reg, config, image_sizes=image_sizes, max_candidates=max_candidates)
    sides = boxes[..., 2:] - boxes[..., :2]  # (N, n, 2)
    usable = (scores > min_score) & (sides > 0).all(dim=-1)  # (N, n)
    detections = []
    for image_boxes, image_scores, image_labels, keep in zip(boxes, scores, labels, usable, strict=True):
        kept_boxes, kept_scores, kept_labels = image_boxes[keep], image_scores[keep], image_labels[keep]
        best = class_wise_nms(kept_boxes, kept_scores, kept_labels, max_iou)[:max_boxes]
        detections.append((kept_boxes[best], kept_scores[best], kept_labels[best]))
    return detections


@torch.no_grad()
def candidates(
    cls: Tensor,
    reg: Tensor,
    config: YolofConfig,
    *,
    image_sizes: Sequence[tuple[float, float]],
    max_candidates: int = 1000,
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the best pairs of anchor and class of each image, decoded and clipped, before suppression.

    Returns:
        Boxes (N, n, 4), scores (N, n), labels (N, n) int64, best first; n is `max_candidates`, or
        the number of pairs if that is smaller.
    """
    logits, deltas = split_maps(cls, reg, config)  # (N, M, K), (N, M, 4)
    scored = logits.flatten(1)  # (N, M * K)
    best, pairs = scored.topk(min(max_candidates, scored.shape[1]), dim=1)  # (N, n) each
    indices, labels = pairs // config.num_classes, pairs % config.num_classes  # (N, n) each
    return _anchor_boxes(indices, deltas, cls, config, image_sizes), best.sigmoid(), labels


@torch.no_grad()
def best_of_each_class(
    cls: Tensor, reg: Tensor, config: YolofConfig, image_sizes: Sequence[tuple[float, float]]
) -> tuple[Tensor, Tensor]:
    """Return the best box of every class in every image, without threshold and suppression.

    Args:
        cls: (N, A * K, h, w) fused logits.
        reg: (N, A * 4, h, w) deltas.
        image_sizes: (height, width) of each of the N images inside its padding, pixels; boxes are clipped to it.

    Returns:
        Boxes (N, K, 4) xyxy in pixels of the network's input, scores (N, K) in [0, 1].

    Raises:
        ShapeError: the maps do not fit the config, or there are not N image sizes.
    """
    logits, deltas = split_maps(cls, reg, config)  # (N, M, K), (N, M, 4)
    best, indices = logits.max(dim=1)  # (N, K) each
    return _anchor_boxes(indices, deltas, cls, config, image_sizes), best.sigmoid()


def _rows(maps: Tensor, depth: int) -> Tensor:
    """Reshape (N, A * depth, h, w) to (N, h * w * A, depth); a view if the maps are channels last."""
    num_images, channels, height, width = maps.shape
    return maps.permute(0, 2, 3, 1).float().reshape(num_images, height * width * channels // depth, depth)


def _anchor_boxes(
    indices: Tensor, deltas: Tensor, maps: Tensor, config: YolofConfig, image_sizes: Sequence[tuple[float, float]]
) -> Tensor:
    """Decode and clip the boxes (N, n, 4) of the anchors with `indices` (N, n); deltas (N, M, 4)."""
    if len(image_sizes) != len(maps):
        raise ShapeError(f"image_sizes must have one row per image, {len(maps)}, got {len(image_sizes)}")
    anchors = grid_anchors(config, (maps.shape[2], maps.shape[3]), maps.device)  # (M, 4)
    chosen = deltas.gather(1, indices.unsqueeze(-1).expand(-1, -1, 4))  # (N, n, 4)
    sizes = torch.tensor(image_sizes, dtype=torch.float32, device=maps.device).reshape(-1, 2)  # (N, 2)
    return clip_boxes(decode_boxes(anchors[indices], chosen, config), sizes)
