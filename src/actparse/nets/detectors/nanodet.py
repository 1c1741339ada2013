"""NanoDet-g: a small one-stage detector at three strides, used here for persons only.

Batch norms are folded: every convolution has a weight and a bias.
Source: the config nanodet-g of NanoDet 0.x (RangiLyu), CustomCspNet, PAN and the head of Generalized Focal Loss.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from actparse.core.errors import ConfigError, ShapeError, expect_shape
from actparse.nets.convolution import ActivatedConv
from actparse.nets.detectors.boxes import class_wise_nms, clip_boxes

INPUT_MULTIPLE = 32  # pixels; sides of the input
STRIDES = (8, 16, 32)  # pixels of the input per cell of each map
STEM_CHANNELS = 32
STAGE_CHANNELS = (32, 64, 128, 256)  # inside each stage; its output has twice as many
STAGE_BLOCKS = (1, 2, 2, 3)  # blocks in each stage
FEATURE_CHANNELS = 128  # of the pyramid and the head
COCO_CLASSES = 80  # of the published file; the first is the person
COCO_OBJECTS = {"baseball_bat": 34, "skateboard": 36}  # those of the other classes that belong to an action


@dataclass(frozen=True, kw_only=True)
class NanodetConfig:
    """Numbers of classes, and range of the distances of a box's sides."""

    num_classes: int = 1
    num_objects: int = 0  # further classes, which have the same boxes and maps of their own
    max_distance: int = 10  # cells; a side's distance is an expectation over 0..max_distance

    def __post_init__(self) -> None:
        for name in ("num_classes", "max_distance"):
            if getattr(self, name) < 1:
                raise ConfigError(f"nanodet.{name} must be at least 1, got {getattr(self, name)}")
        if self.num_objects < 0:
            raise ConfigError(f"nanodet.num_objects must be at least 0, got {self.num_objects}")

    @property
    def num_outputs(self) -> int:
        """Channels of a map: class logits, then the logits for the distances of the four sides."""
        return self.num_classes + 4 * (self.max_distance + 1)


class ConvRelu(nn.Module):
    """A 3x3 convolution with leaky ReLU."""

    def __init__(self, in_channels: int, out_channels: int, *, stride: int = 1) -> None:
        super().__init__()
        self.conv = ActivatedConv(in_channels, out_channels, 3, stride=stride, padding=1)
        self.conv.activation = "leaky_relu"

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, C', H / stride, W / stride)."""
        out: Tensor = self.conv(x)
        return out


class CspStage(nn.Module):
    """Pairs of convolutions with concatenated outputs, and a shortcut around all of them; 2 `width` output channels."""

    def __init__(self, in_channels: int, width: int, *, num_blocks: int, stride: int) -> None:
        super().__init__()
        self.first = ConvRelu(in_channels, width, stride=stride)
        self.outer = nn.ModuleList(ConvRelu(width, width // 2) for _ in range(num_blocks))
        self.inner = nn.ModuleList(ConvRelu(width // 2, width // 2) for _ in range(num_blocks))
        self.last = ConvRelu(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, 2 width, H / stride, W / stride)."""
        shortcut = self.first(x)
        y = shortcut
        for outer, inner in zip(self.outer, self.inner, strict=True):
            u = outer(y)
            y = torch.cat((inner(u), u), dim=1)
        return torch.cat((self.last(y), shortcut), dim=1)


class Backbone(nn.Module):
    """The backbone: it maps images to features at strides 8, 16 and 32."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = ConvRelu(3, STEM_CHANNELS, stride=2)
        channels = (STEM_CHANNELS, *(2 * width for width in STAGE_CHANNELS))
        self.stages = nn.ModuleList(
            CspStage(c, width, num_blocks=count, stride=2 if stage else 1)
            for stage, (c, width, count) in enumerate(zip(channels, STAGE_CHANNELS, STAGE_BLOCKS, strict=False))
        )

    def forward(self, images: Tensor) -> list[Tensor]:
        """Map (N, 3, H, W) to (N, 128, H / 8, W / 8), (N, 256, H / 16, W / 16), (N, 512, H / 32, W / 32)."""
        x = F.max_pool2d(self.stem(images), 3, stride=2, padding=1)  # (N, 32, H / 4, W / 4)
        features = []
        for stage in self.stages:
            x = stage(x)
            features.append(x)
        return features[1:]


class Nanodet(nn.Module):
    """A detector with class scores and box distances at every cell of three maps."""

    def __init__(self, config: NanodetConfig) -> None:
        super().__init__()
        self.config = config
        self.backbone = Backbone()
        self.laterals = nn.ModuleList(nn.Conv2d(2 * width, FEATURE_CHANNELS, 1) for width in STAGE_CHANNELS[1:])
        self.head_convs = nn.ModuleList(ConvRelu(FEATURE_CHANNELS, FEATURE_CHANNELS) for _ in STRIDES)
        self.head_outputs = nn.ModuleList(nn.Conv2d(FEATURE_CHANNELS, config.num_outputs, 1) for _ in STRIDES)
        outputs = (nn.Conv2d(FEATURE_CHANNELS, config.num_objects, 1) for _ in STRIDES)
        self.object_outputs = nn.ModuleList(outputs if config.num_objects else ())

    def forward(self, images: Tensor) -> list[Tensor]:
        """Map normalised BGR images (N, 3, H, W) to a map for each stride.

        Returns:
            For strides 8, 16, 32 (N, num_classes + 44, H / stride, W / stride): class logits, then 11 logits for the
            distance of each side, left, top, right, bottom.

        Raises:
            ShapeError: `images` is not (N, 3, H, W), or H or W is not a multiple of 32.
        """
        return [output(feature) for output, feature in zip(self.head_outputs, self._features(images), strict=True)]

    def all_maps(self, images: Tensor) -> list[Tensor]:
        """Map images (N, 3, H, W) to the maps of classes and objects together; errors as in `forward`.

        Returns:
            For strides 8, 16, 32 (N, num_classes + num_objects + 44, H / stride, W / stride): logits of the classes,
            then of the objects, then of the distances.
        """
        features, first = self._features(images), self.config.num_classes
        maps = [output(feature) for output, feature in zip(self.head_outputs, features, strict=True)]
        if not self.config.num_objects:
            return maps
        objects = [output(feature) for output, feature in zip(self.object_outputs, features, strict=True)]
        return [torch.cat((m[:, :first], o, m[:, first:]), dim=1) for m, o in zip(maps, objects, strict=True)]

    def _features(self, images: Tensor) -> list[Tensor]:
        """Map images to the features (N, 128, H / stride, W / stride) of the heads."""
        expect_shape("images", images, (None, 3, None, None))
        if any(side % INPUT_MULTIPLE for side in images.shape[2:]):
            raise ShapeError(f"images must have sides of multiples of {INPUT_MULTIPLE}, got {tuple(images.shape)}")
        features = [lateral(f) for lateral, f in zip(self.laterals, self.backbone(images), strict=True)]
        levels = list(pairwise(range(len(features))))  # fine, coarse
        for fine, coarse in reversed(levels):
            features[fine] = features[fine] + _resize_like(features[coarse], features[fine])
        for fine, coarse in levels:
            features[coarse] = features[coarse] + _resize_like(features[fine], features[coarse])
        return [conv(feature) for conv, feature in zip(self.head_convs, features, strict=True)]


def _resize_like(x: Tensor, like: Tensor) -> Tensor:
    return F.interpolate(x, size=like.shape[2:], mode="bilinear", align_corners=False)


def nanodet(num_classes: int = 1) -> Nanodet:
    """Build the network with random weights.

    Args:
        num_classes: 1 for persons only; the published file has the 80 classes of COCO, the person first.

    Raises:
        ConfigError: `num_classes` is below 1.
    """
    return Nanodet(NanodetConfig(num_classes=num_classes))


@torch.no_grad()
def decode_boxes(maps: Sequence[Tensor], config: NanodetConfig) -> tuple[Tensor, Tensor]:
    """Compute the boxes and scores of all cells of all maps, without any suppression.

    Args:
        maps: for each stride (N, num_classes + 44, h, w), as the network returns them.
        config: of the network.

    Returns:
        For all M cells of the maps, boxes (N, M, 4) xyxy in pixels of the input, which may leave it, and scores (N, M,
        num_classes) in [0, 1].
    """
    boxes, scores = [], []
    for stride, level in zip(STRIDES, maps, strict=True):
        outputs = level.float().flatten(2).transpose(1, 2)  # (N, h * w, C)
        logits, sides = outputs[..., : config.num_classes], outputs[..., config.num_classes :]
        steps = torch.arange(config.max_distance + 1, dtype=torch.float32, device=level.device)  # (11,)
        probabilities = sides.reshape(*sides.shape[:2], 4, config.max_distance + 1).softmax(dim=3)  # (N, h * w, 4, 11)
        distances = stride * (probabilities * steps).sum(dim=3)  # (N, h * w, 4) left, top, right, bottom
        centers = _cell_centers(level.shape[2], level.shape[3], stride, level.device)  # (h * w, 2)
        boxes.append(torch.cat((centers - distances[..., :2], centers + distances[..., 2:]), dim=2))
        scores.append(logits.sigmoid())
    return torch.cat(boxes, dim=1), torch.cat(scores, dim=1)


def _cell_centers(height: int, width: int, stride: int, device: torch.device) -> Tensor:
    """Return x, y of the cells (h * w, 2), pixels, row by row."""
    y = (torch.arange(height, dtype=torch.float32, device=device) + 0.5) * stride
    x = (torch.arange(width, dtype=torch.float32, device=device) + 0.5) * stride
    return torch.stack((x.repeat(height), y.repeat_interleave(width)), dim=1)


@torch.no_grad()
def detect(
    maps: Sequence[Tensor],
    config: NanodetConfig,
    *,
    image_sizes: Sequence[tuple[float, float]],
    min_score: float,
    max_iou: float,
    max_boxes: int,
) -> list[tuple[Tensor, Tensor, Tensor]]:
    """Turn maps into the boxes of each image.

    Args:
        maps: for each stride (N, num_classes + 44, h, w).
        config: of the network.
        image_sizes: (height, width) of each image without its padding, pixels; boxes are clipped to it.
        min_score: boxes with a score at or below it are dropped.
        max_iou: of two boxes of a class with a larger IoU, the one with the lower score is dropped.
        max_boxes: largest number of boxes for each image; those with the highest scores.

    Returns:
        For each image boxes (n, 4) xyxy in pixels of the input, scores (n,) in [0, 1], labels (n,) int64, best first.
    """
    boxes, scores = decode_boxes(maps, config)  # (N, M, 4), (N, M, K)
    sizes = torch.tensor(image_sizes, dtype=torch.float32, device=boxes.device).reshape(-1, 2)  # (N, 2)
    boxes = clip_boxes(boxes, sizes)
    detections = []
    for image_boxes, image_scores in zip(boxes, scores, strict=True):
        cells, labels = (image_scores > min_score).nonzero(as_tuple=True)  # (n,), (n,)
        candidates, candidate_scores = image_boxes[cells], image_scores[cells, labels]  # (n, 4), (n,)
        has_area = (candidates[:, 2:] > candidates[:, :2]).all(dim=1)  # (n,)
        candidates, candidate_scores, labels = candidates[has_area], candidate_scores[has_area], labels[has_area]
        best = class_wise_nms(candidates, candidate_scores, labels, max_iou)[:max_boxes]
        detections.append((candidates[best], candidate_scores[best], labels[best]))
    return detections
