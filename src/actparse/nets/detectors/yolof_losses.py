"""Training of YOLOF: assignment of anchors to objects, and the two losses.

Everything is batched over images and deterministic; losses are float32 for any precision of the network.
Source: Chen et al., You Only Look One-level Feature, 2021, section 4.2; the ignore rules follow the public program.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from actparse.core.errors import ShapeError, expect_shape
from actparse.nets.detectors.boxes import box_iou, giou, row_iou, xyxy_to_cxcywh
from actparse.nets.detectors.yolof import YolofConfig
from actparse.nets.detectors.yolof_boxes import decode_boxes, grid_anchors, split_maps

FOCAL_ALPHA = 0.25  # weight of an object's elements; background has 1 - alpha. Source: Lin et al., Focal Loss, 2017
FOCAL_GAMMA = 2.0
BACKGROUND = -1  # in Matches.objects
IGNORED = -2


@dataclass(frozen=True)
class YolofLosses:
    """The losses, scalars, float32, each divided by the number of matched anchors, at least one per image."""

    classification: Tensor
    boxes: Tensor
    num_matched: Tensor  # the divisor of both losses

    @property
    def total(self) -> Tensor:
        """The sum of both losses, which training minimises."""
        return self.classification + self.boxes


@dataclass(frozen=True)
class Matches:
    """Assignment of M anchors to objects in N images, for up to G objects each and P = 2 * num_matches * G pairs.

    Pairs are in the order of rank: the nearest prediction of each object, the nearest anchor of each, the second
    nearest prediction and so on. An anchor may occur in several pairs; the last one determines its class.
    """

    pair_anchors: Tensor  # (N, P) int64, index of the anchor
    pair_objects: Tensor  # (N, P) int64, index of the object
    pair_counts: Tensor  # (N, P) bool, whether the pair counts: a real object, and an anchor near enough
    pair_exists: Tensor  # (N, P) bool, whether the object is real
    objects: Tensor  # (N, M) int64, per anchor: index of its object, BACKGROUND or IGNORED


@torch.no_grad()
def uniform_match(predicted: Tensor, anchors: Tensor, boxes: Tensor, exists: Tensor, config: YolofConfig) -> Matches:
    """Assign the same number of anchors to every object, independent of its size.

    Args:
        predicted: (N, M, 4) decoded boxes, xyxy.
        anchors: (M, 4) xyxy.
        boxes: (N, G, 4) objects, xyxy; G may be 0.
        exists: (N, G) bool, False for rows of `boxes` that are padding.
        config: with the number of matches and the thresholds.
    """
    num_images, num_objects = boxes.shape[:2]
    if num_objects == 0:
        none = torch.zeros((num_images, 0), dtype=torch.int64, device=predicted.device)
        background = none.new_full(predicted.shape[:2], BACKGROUND)
        return Matches(none, none, none.bool(), none.bool(), background)
    by_prediction = _nearest(predicted, boxes, config.num_matches)  # (N, k, G)
    by_anchor = _nearest(anchors.expand_as(predicted), boxes, config.num_matches)  # (N, k, G)
    pair_anchors = torch.stack((by_prediction, by_anchor), dim=2).flatten(1)  # (N, P), P = k * 2 * G
    num_pairs = pair_anchors.shape[1]
    pair_objects = torch.arange(num_objects, device=boxes.device).repeat(num_pairs // num_objects)  # (P,)
    pair_objects = pair_objects.expand(num_images, -1)  # (N, P)
    pair_exists = exists.gather(1, pair_objects)  # (N, P)
    pair_boxes = boxes.gather(1, pair_objects.unsqueeze(-1).expand(-1, -1, 4))  # (N, P, 4)
    pair_iou = row_iou(anchors[pair_anchors], pair_boxes)  # (N, P)
    pair_counts = pair_exists & (pair_iou >= config.min_match_iou)
    near = (box_iou(predicted, boxes) > config.ignore_iou) & exists[:, None, :]  # (N, M, G)
    unmatched = torch.where(near.any(dim=2), IGNORED, BACKGROUND)  # (N, M)
    objects = _write_pairs(unmatched, pair_anchors, torch.where(pair_counts, pair_objects, IGNORED), pair_exists)
    return Matches(pair_anchors, pair_objects, pair_counts, pair_exists, objects)


def sigmoid_focal_loss(logits: Tensor, is_object: Tensor) -> Tensor:
    """Compute the focal loss of every element, unweighted.

    Args:
        logits: (...) any real number.
        is_object: (...) bool, the truth of each element; may broadcast.

    Returns:
        (...) at least 0: alpha (1 - p)^gamma * -log(p), where p is the score of the true class and alpha its weight.

    Source: Lin et al., Focal Loss for Dense Object Detection, 2017, equation 5.
    """
    against = torch.where(is_object, -logits, logits)  # (...) logit of the wrong class
    weight = torch.where(is_object, FOCAL_ALPHA, 1 - FOCAL_ALPHA).to(logits.dtype)  # (...)
    return weight * against.sigmoid() ** FOCAL_GAMMA * F.softplus(against)


def giou_loss(boxes: Tensor, targets: Tensor) -> Tensor:
    """Return 1 - GIoU (...,) in [0, 2] of boxes (..., 4) and targets (..., 4), xyxy."""
    return 1 - giou(boxes, targets)


def yolof_loss(
    cls: Tensor, reg: Tensor, config: YolofConfig, boxes: Sequence[Tensor], labels: Sequence[Tensor]
) -> YolofLosses:
    """Match the objects and compute the losses.

    Args:
        cls: (N, A * K, h, w) fused logits.
        reg: (N, A * 4, h, w) deltas.
        config: of the network.
        boxes: for each image (G, 4) xyxy, pixels of the network's input; G may be 0.
        labels: for each image (G,) int64 in 0..K-1.

    Raises:
        ShapeError: the maps do not fit the config, or boxes and labels do not fit the images.
    """
    logits, deltas = split_maps(cls, reg, config)  # (N, M, K), (N, M, 4)
    all_boxes, all_labels, exists = _pad_objects(boxes, labels, len(logits), logits.device)
    anchors = grid_anchors(config, (cls.shape[2], cls.shape[3]), cls.device)  # (M, 4)
    predicted = decode_boxes(anchors, deltas.detach(), config)  # (N, M, 4)
    matches = uniform_match(predicted, anchors, all_boxes, exists, config)
    num_matched = (matches.objects >= 0).sum(dim=1).clamp(min=1).sum()  # (), images without objects count as one
    return YolofLosses(
        num_matched=num_matched,
        classification=_classification_loss(logits, matches.objects, all_labels) / num_matched,
        boxes=_box_loss(deltas, anchors, matches, all_boxes, config) / num_matched,
    )


def _classification_loss(logits: Tensor, objects: Tensor, labels: Tensor) -> Tensor:
    """Sum the focal loss over the anchors that are not ignored; logits (N, M, K), objects (N, M), labels (N, G).

    All elements count as background first, then the few objects are corrected, which avoids a one-hot map.
    """
    counted = (objects != IGNORED).unsqueeze(-1)  # (N, M, 1)
    is_background = torch.zeros((), dtype=torch.bool, device=logits.device)
    background = (sigmoid_focal_loss(logits, is_background) * counted).sum()  # ()
    image, anchor = torch.nonzero(objects >= 0, as_tuple=True)  # (n,) each
    matched = logits[image, anchor, labels[image, objects[image, anchor]]]  # (n,)
    correction = sigmoid_focal_loss(matched, ~is_background) - sigmoid_focal_loss(matched, is_background)  # (n,)
    return background + correction.sum()


def _box_loss(deltas: Tensor, anchors: Tensor, matches: Matches, boxes: Tensor, config: YolofConfig) -> Tensor:
    """Sum the GIoU loss over the pairs, so an anchor in two pairs counts twice; boxes (N, G, 4)."""
    image, pair = torch.nonzero(matches.pair_counts, as_tuple=True)  # (n,) each
    anchor, index = matches.pair_anchors[image, pair], matches.pair_objects[image, pair]  # (n,) each
    predicted = decode_boxes(anchors[anchor], deltas[image, anchor], config)  # (n, 4)
    return giou_loss(predicted, boxes[image, index]).sum()


def _nearest(candidates: Tensor, boxes: Tensor, count: int) -> Tensor:
    """Return the indices (N, k, G) of the `count` candidates (N, M, 4) nearest in L1 to each of `boxes` (N, G, 4)."""
    distance = torch.cdist(xyxy_to_cxcywh(candidates), xyxy_to_cxcywh(boxes), p=1)  # (N, M, G)
    return distance.topk(min(count, distance.shape[1]), dim=1, largest=False).indices


def _write_pairs(start: Tensor, pair_anchors: Tensor, values: Tensor, exists: Tensor) -> Tensor:
    """Return `start` (N, M) with `values` (N, P) at `pair_anchors` (N, P), from each anchor's last existing pair.

    A plain scatter has no defined order for equal indices; the greatest position is deterministic.
    """
    positions = torch.arange(values.shape[1], device=values.device).expand_as(values)  # (N, P)
    positions = torch.where(exists, positions, -1)  # (N, P)
    last = torch.full_like(start, -1).scatter_reduce(1, pair_anchors, positions, "amax")  # (N, M)
    return torch.where(last >= 0, values.gather(1, last.clamp(min=0)), start)


def _pad_objects(
    boxes: Sequence[Tensor], labels: Sequence[Tensor], num_images: int, device: torch.device
) -> tuple[Tensor, Tensor, Tensor]:
    """Pad to boxes (N, G, 4), labels (N, G) and masks of real rows (N, G); G is the largest number of objects."""
    if len(boxes) != num_images or len(labels) != num_images:
        raise ShapeError(f"boxes and labels must have {num_images} rows each, got {len(boxes)} and {len(labels)}")
    for index, (image_boxes, image_labels) in enumerate(zip(boxes, labels, strict=True)):
        expect_shape(f"boxes[{index}]", image_boxes, (None, 4))
        expect_shape(f"labels[{index}]", image_labels, (len(image_boxes),))
    counts = torch.tensor([len(image_boxes) for image_boxes in boxes], dtype=torch.int64)  # (N,)
    max_count = int(counts.max()) if num_images else 0
    exists = torch.arange(max_count)[None, :] < counts[:, None]  # (N, G)
    padded_boxes = torch.zeros((num_images, max_count, 4))
    padded_labels = torch.zeros((num_images, max_count), dtype=torch.int64)
    if max_count:
        padded_boxes[exists] = torch.cat([image_boxes.detach().float().cpu() for image_boxes in boxes])
        padded_labels[exists] = torch.cat([image_labels.detach().long().cpu() for image_labels in labels])
    return padded_boxes.to(device), padded_labels.to(device), exists.to(device)
