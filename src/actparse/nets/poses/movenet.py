"""MoveNet: MobileNetV2, a feature pyramid to stride 4 and CenterNet heads, for one person or several people.

All batch norms are folded: a convolution has a weight and perhaps a bias. Decoding follows the published graphs.
Lightning's graph divides by its 48 cells with a factor in float16: its points are up to 0.05 pixels smaller than here.
Source: MoveNet SinglePose Thunder 4, Lightning 4 and MultiPose Lightning 1, Google, the published TensorFlow.js graphs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from actparse.core.errors import ConfigError, ShapeError, expect_shape
from actparse.core.vocabulary import NUM_KEYPOINTS
from actparse.nets.convolution import ActivatedConv, Activation

Variant = Literal["thunder", "lightning", "multipose"]

STRIDE = 4  # pixels of the input per cell of the heads
INPUT_MULTIPLE = 32  # pixels; sides of the input
INPUT_SCALE = 0.007843017578125  # 2 / 255 in float16
CENTER_MARGIN = 1.8  # cells; added to the distance from the crop's centre; the score is divided by the sum
KEYPOINT_MARGIN = 1.7998046875  # cells; the same for the distance from a regressed keypoint; 1.8 in float16
PEAK_TOLERANCE = 1.0133e-6  # MultiPose: largest difference of a peak from the maximum of the 5x5 cells around it
KEYPOINT_VARIANCE = 0.300048828125  # MultiPose: squared cells, for each cell of the map's shorter side
MIN_SCORED_CONFIDENCE = 0.126953125  # MultiPose: keypoints above it count for a person's score
MAX_PERSONS = 6  # results for each image of the published MultiPose graph
CENTER_SHARE = 0.25  # largest distance between the centres of a person and the given box, in sides of the box
BOX_GROWTH = 0.1  # largest distance of a keypoint outside the given box, in sides of the box
BOX_MARGIN = 1.0  # cells; added to that distance
_CHANNELS = (16, 24, 32, 64, 96, 160, 320)  # of MobileNetV2's stages at width 1
_BLOCKS = (1, 2, 3, 4, 3, 3, 1)  # blocks in each stage
_STRIDES = (1, 2, 2, 2, 1, 2, 1)  # of the first block of each stage
_LEVELS = (2, 5, 9)  # indices of the blocks whose features go to the pyramid: strides 4, 8 and 16
_EXPANSION = 6
_STEM_CHANNELS, _LAST_CHANNELS = 32, 1280
_PYRAMID = (64, 32, 24, 24)  # channels, from the coarsest level to the finest
_HEAD_CHANNELS = 96


@dataclass(frozen=True, kw_only=True)
class MovenetConfig:
    """Width of MobileNetV2, size of the input, and whether the network predicts boxes."""

    width: float = 1.75  # of MobileNetV2; channels are rounded to multiples of 8
    size: int = 256  # pixels, side of the square input; with boxes, other multiples of 32 work too
    has_boxes: bool = False  # heads for the boxes of several people

    def __post_init__(self) -> None:
        if not self.width > 0:
            raise ConfigError(f"movenet.width must be greater than 0, got {self.width}")
        if self.size < INPUT_MULTIPLE or self.size % INPUT_MULTIPLE:
            raise ConfigError(f"movenet.size must be a multiple of {INPUT_MULTIPLE}, got {self.size}")


CONFIGS: dict[str, MovenetConfig] = {
    "thunder": MovenetConfig(width=1.75, size=256),
    "lightning": MovenetConfig(width=1.0, size=192),
    "multipose": MovenetConfig(width=1.5, size=256, has_boxes=True),
}


class Heads(NamedTuple):
    """Maps at stride 4 (h = H / 4, w = W / 4); lengths are in cells of the maps."""

    center: Tensor  # (N, 1, h, w) logits
    heatmap: Tensor  # (N, 17, h, w) logits
    regress: Tensor  # (N, 34, h, w) y, x of each keypoint, relative to the cell of the person's centre
    offset: Tensor  # (N, 34, h, w) y, x of each keypoint, relative to the keypoint's cell


class BoxHeads(NamedTuple):
    """The maps of `Heads` and those of the boxes."""

    center: Tensor
    heatmap: Tensor
    regress: Tensor
    offset: Tensor
    box_scale: Tensor  # (N, 2, h, w) height, width
    box_offset: Tensor  # (N, 2, h, w) y, x of the box's middle, relative to the cell of the person's centre


class SameConv(ActivatedConv):
    """A convolution with TensorFlow's padding SAME: a single pixel of padding is added at the right and the bottom.

    The 3x3 kernels of stride 2 are used as 4x4 kernels whose first row and column are 0, which needs no padded copy.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int = 1,
        *,
        stride: int = 1,
        groups: int = 1,
        bias: bool = True,
        activation: Activation = "none",
    ) -> None:
        padding = kernel // 2 if stride == 1 else 0
        super().__init__(in_channels, out_channels, kernel, stride, padding, groups=groups, bias=bias)
        self.activation = activation

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, C', H / stride, W / stride), rounded up."""
        if self.stride[0] == 1 or (self._has_larger_kernel and x.shape[2] % 2 == x.shape[3] % 2 == 0):
            return super().forward(x)
        height, width = (_total_padding(side, self.kernel_size[0], self.stride[0]) for side in x.shape[2:])
        x = F.pad(x, (width // 2, width - width // 2, height // 2, height - height // 2))
        return self.convolve(x, self.weight, 0)

    def kernel(self) -> tuple[Tensor, int]:
        """Return the weight (C', C / groups, k, k) for even sides, and its padding in pixels."""
        return (F.pad(self.weight, (1, 0, 1, 0)), 1) if self._has_larger_kernel else super().kernel()

    @property
    def _has_larger_kernel(self) -> bool:
        return self.stride[0] == 2 and self.kernel_size[0] == 3


def _total_padding(side: int, kernel: int, stride: int) -> int:
    """Return the pixels to add to a side, before and after together."""
    return max((-(-side // stride) - 1) * stride + kernel - side, 0)


class InvertedResidual(nn.Module):
    """A block of MobileNetV2: expand, depthwise, project, with a shortcut if input and output have the same shape."""

    def __init__(self, in_channels: int, out_channels: int, *, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = in_channels * expansion
        self.expand = SameConv(in_channels, hidden, activation="relu6") if expansion > 1 else nn.Identity()
        self.depthwise = SameConv(hidden, hidden, 3, stride=stride, groups=hidden, activation="relu6")
        self.project = SameConv(hidden, out_channels)
        self.adds = stride == 1 and in_channels == out_channels

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, C', H / stride, W / stride)."""
        out: Tensor = self.project(self.depthwise(self.expand(x)))
        return x + out if self.adds else out


class MobileNetV2(nn.Module):
    """The backbone: it maps images to features at strides 4, 8, 16 and 32."""

    def __init__(self, width: float) -> None:
        super().__init__()
        channels = _round_channels(_STEM_CHANNELS * width)
        self.stem = SameConv(3, channels, 3, stride=2, activation="relu6")
        blocks = []
        for stage, (base, count, first) in enumerate(zip(_CHANNELS, _BLOCKS, _STRIDES, strict=True)):
            out_channels = _round_channels(base * width)
            for block in range(count):
                stride, expansion = 1 if block else first, _EXPANSION if stage else 1
                blocks.append(InvertedResidual(channels, out_channels, stride=stride, expansion=expansion))
                channels = out_channels
        self.blocks = nn.ModuleList(blocks)
        self.last = SameConv(channels, _LAST_CHANNELS, activation="relu6")
        self.channels = [blocks[level].project.out_channels for level in _LEVELS] + [_LAST_CHANNELS]

    def forward(self, images: Tensor) -> list[Tensor]:
        """Map (N, 3, H, W) in -1..1 to features (N, C, H / s, W / s) for s = 4, 8, 16, 32."""
        x = self.stem(images)
        features = []
        for index, block in enumerate(self.blocks):
            x = block(x)
            if index in _LEVELS:
                features.append(x)
        return [*features, self.last(x)]


def _round_channels(channels: float) -> int:
    """Round to a multiple of 8 that is at least 90 % of `channels`. Source: MobileNetV2's published code."""
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * channels else rounded


class Smooth(nn.Module):
    """A depthwise convolution without bias, then a pointwise one with ReLU."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.depthwise = SameConv(in_channels, in_channels, 3, groups=in_channels, bias=False)
        self.pointwise = SameConv(in_channels, out_channels, activation="relu")

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, C', H, W)."""
        out: Tensor = self.pointwise(self.depthwise(x))
        return out


class Pyramid(nn.Module):
    """A feature pyramid: the coarsest features, upsampled and added to the next finer ones, down to stride 4.

    `channels` are those of the features, the finest first.
    """

    def __init__(self, channels: Sequence[int]) -> None:
        super().__init__()
        widths = (_PYRAMID[0], *_PYRAMID[:-1])  # output channels of the laterals, the coarsest first
        self.laterals = nn.ModuleList(SameConv(c, w) for c, w in zip(reversed(channels), widths, strict=True))
        self.smooth = nn.ModuleList(Smooth(c, w) for c, w in pairwise(_PYRAMID))

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """Map features of strides 4, 8, 16, 32 to (N, 24, H / 4, W / 4)."""
        coarsest, *finer = reversed(features)
        y = self.laterals[0](coarsest)  # (N, 64, H / 32, W / 32)
        for feature, lateral, smooth in zip(finer, list(self.laterals)[1:], self.smooth, strict=True):
            y = F.interpolate(y, scale_factor=2.0, mode="bilinear", align_corners=False)
            y = smooth(y + lateral(feature))
        out: Tensor = y
        return out


class Head(nn.Module):
    """The layers of one map: depthwise, pointwise with ReLU, pointwise."""

    def __init__(self, num_outputs: int) -> None:
        super().__init__()
        self.smooth = Smooth(_PYRAMID[-1], _HEAD_CHANNELS)
        self.output = SameConv(_HEAD_CHANNELS, num_outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, 24, h, w) to (N, num_outputs, h, w)."""
        out: Tensor = self.output(self.smooth(x))
        return out


class Movenet(nn.Module):
    """A network for the keypoints of one person in a crop, or of several people in an image."""

    def __init__(self, config: MovenetConfig) -> None:
        super().__init__()
        self.config = config
        outputs = {"center": 1, "heatmap": NUM_KEYPOINTS, "regress": 2 * NUM_KEYPOINTS, "offset": 2 * NUM_KEYPOINTS}
        if config.has_boxes:
            outputs |= {"box_scale": 2, "box_offset": 2}
        self.backbone = MobileNetV2(config.width)
        self.pyramid = Pyramid(self.backbone.channels)
        self.heads = nn.ModuleDict({name: Head(count) for name, count in outputs.items()})

    def forward(self, images: Tensor) -> Heads | BoxHeads:
        """Map RGB images (N, 3, H, W), 0..255 as float, to maps at stride 4.

        Raises:
            ShapeError: `images` is not (N, 3, H, W), or H or W is not a multiple of 32.
        """
        expect_shape("images", images, (None, 3, None, None))
        if any(side % INPUT_MULTIPLE for side in images.shape[2:]):
            raise ShapeError(f"images must have sides of multiples of {INPUT_MULTIPLE}, got {tuple(images.shape)}")
        features = self.pyramid(self.backbone(images * INPUT_SCALE - 1))  # (N, 24, h, w)
        maps = [head(features) for head in self.heads.values()]
        return BoxHeads(*maps) if self.config.has_boxes else Heads(*maps)


def movenet(variant: Variant = "thunder") -> Movenet:
    """Build one of the published networks with random weights.

    Args:
        variant: "thunder" (256x256 crops, accurate), "lightning" (192x192 crops, fast), or "multipose" (images whose
            sides are multiples of 32, several people with boxes).

    Raises:
        ConfigError: the variant is unknown.
    """
    if variant not in CONFIGS:
        raise ConfigError(f"movenet needs one of {', '.join(CONFIGS)}, got {variant!r}")
    return Movenet(CONFIGS[variant])


@torch.no_grad()
def decode_person(heads: Heads | BoxHeads, boxes: Tensor | None = None) -> Tensor:
    """Decode the keypoints of the person in each crop.

    Args:
        heads: maps of N crops.
        boxes: (N, 4) xyxy, the person's box in pixels of the crop: the person's centre is in the middle half of it and
            the keypoints are in the box grown by a tenth on each side. None prefers the person nearest to the crop's
            centre.

    Returns:
        (N, 17, 3) x, y in pixels of the crop, confidence in [0, 1].
    """
    scores, centers = heads.heatmap.float().sigmoid(), heads.center.float().sigmoid()[:, 0]  # (N, 17, h, w), (N, h, w)
    height, width = centers.shape[1:]
    y, x = _grid(height, width, centers.device)  # (h, 1), (1, w)
    if boxes is None:
        weights = 1 / (_distance(y - height / 2, x - width / 2) + CENTER_MARGIN)  # (h, w)
        allowed = torch.ones_like(centers)  # (N, h, w)
    else:
        weights, allowed = _box_weights(boxes.to(scores) / STRIDE, y, x)
    cells = (centers * weights).flatten(1).argmax(dim=1, keepdim=True)  # (N, 1)
    ky, kx = (values[:, 0, :, None, None] for values in _regress_keypoints(heads.regress, cells))  # (N, 17, 1, 1)
    distance = _distance(y - ky, x - kx)  # (N, 17, h, w)
    peaks = (scores / (distance + KEYPOINT_MARGIN) * allowed[:, None]).flatten(2).argmax(dim=2)  # (N, 17)
    confidence = scores.flatten(2).gather(2, peaks[..., None])  # (N, 17, 1)
    return torch.cat((_refine_peaks(heads.offset, peaks[:, None])[:, 0] * STRIDE, confidence), dim=2)


def _box_weights(boxes: Tensor, y: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
    """Return masks (N, h, w) of 1 for possible positions of the centre and of keypoints; boxes (N, 4) in cells."""
    x1, y1, x2, y2 = (side[:, None, None] for side in boxes.unbind(dim=1))  # (N, 1, 1)
    width, height = x2 - x1, y2 - y1
    dx, dy = (x - (x1 + x2) / 2).abs(), (y - (y1 + y2) / 2).abs()  # (N, 1, w), (N, h, 1)
    center = (dx <= (width * CENTER_SHARE).clamp(min=0.5)) & (dy <= (height * CENTER_SHARE).clamp(min=0.5))
    growth = 0.5 + BOX_GROWTH
    keypoints = (dx <= width * growth + BOX_MARGIN) & (dy <= height * growth + BOX_MARGIN)
    return center.float(), keypoints.float()


@torch.no_grad()
def decode_people(heads: BoxHeads, *, max_persons: int = MAX_PERSONS) -> tuple[Tensor, Tensor, Tensor]:
    """Decode the boxes and keypoints of the people in each image.

    Args:
        heads: maps of N images.
        max_persons: results for each image, at least 1.

    Returns:
        Boxes (N, P, 4) xyxy in pixels of the input, keypoints (N, P, 17, 3) x, y in pixels of the input and confidence
        in [0, 1], scores (N, P) in [0, 1]. The clearest centre comes first. P is `max_persons`: a result without a
        person has a score of 0.
    """
    scores, centers = heads.heatmap.float().sigmoid(), heads.center.float().sigmoid()  # (N, 17, h, w), (N, 1, h, w)
    height, width = centers.shape[2:]
    peak = (centers - F.max_pool2d(centers, 5, stride=1, padding=2)).abs() < PEAK_TOLERANCE
    best, cells = (centers * peak).flatten(1).topk(max_persons, dim=1)  # (N, P)
    boxes = _person_boxes(heads, cells)  # (N, P, 4)
    ky, kx = (values[..., None, None] for values in _regress_keypoints(heads.regress, cells))  # (N, P, 17, 1, 1)
    y, x = _grid(height, width, centers.device)  # (h, 1), (1, w)
    squares = (y - ky) ** 2 + (x - kx) ** 2  # (N, P, 17, h, w)
    x1, y1, x2, y2 = (side[..., None, None] for side in boxes.unbind(dim=2))  # (N, P, 1, 1)
    inside = (y >= y1) & (y < y2) & (x >= x1) & (x < x2)  # (N, P, h, w)
    spread = torch.exp(-squares / (KEYPOINT_VARIANCE * min(height, width)))
    joint = scores[:, None] * spread * inside[:, :, None]  # (N, P, 17, h, w)
    peaks = joint.flatten(3).argmax(dim=3)  # (N, P, 17)
    everyone = joint.amax(dim=1, keepdim=True).flatten(3).expand(-1, max_persons, -1, -1)  # (N, P, 17, h * w)
    confidence = everyone.gather(3, peaks[..., None])[..., 0]  # (N, P, 17)
    counts = confidence > MIN_SCORED_CONFIDENCE  # (N, P, 17)
    mean = (confidence * counts).sum(dim=2) / counts.sum(dim=2).clamp(min=1)  # (N, P)
    keypoints = torch.cat((_refine_peaks(heads.offset, peaks) * STRIDE, confidence[..., None]), dim=3)
    return boxes * STRIDE, keypoints, best * mean


def _person_boxes(heads: BoxHeads, cells: Tensor) -> Tensor:
    """Return boxes (N, P, 4) xyxy in cells, clipped to the map, of the people with these central cells (N, P)."""
    height, width = heads.center.shape[2:]
    half = _gather(heads.box_scale, cells).clamp(min=0) / 2  # (N, P, 2) y, x
    middle = torch.stack((cells // width, cells % width), dim=2) + _gather(heads.box_offset, cells)  # (N, P, 2) y, x
    y1, x1 = (middle - half).unbind(dim=2)
    y2, x2 = (middle + half).unbind(dim=2)
    return torch.stack((x1.clamp(0, width), y1.clamp(0, height), x2.clamp(0, width), y2.clamp(0, height)), dim=2)


def _regress_keypoints(regress: Tensor, cells: Tensor) -> tuple[Tensor, Tensor]:
    """Return rows and columns (N, P, 17), in cells, of the keypoints regressed from central cells (N, P)."""
    width = regress.shape[3]
    values = _gather(regress, cells)  # (N, P, 34)
    return (cells // width)[..., None] + values[..., 0::2], (cells % width)[..., None] + values[..., 1::2]


def _refine_peaks(offset: Tensor, peaks: Tensor) -> Tensor:
    """Return x, y in cells (N, P, 17, 2) of the keypoints with the peaks (N, P, 17), indices of cells."""
    width = offset.shape[3]
    num_cells = offset.shape[2] * offset.shape[3]
    by_keypoint = offset.float().reshape(len(offset), NUM_KEYPOINTS, 2, num_cells)  # (N, 17, 2, h * w)
    index = peaks.transpose(1, 2)[:, :, None].expand(-1, -1, 2, -1)  # (N, 17, 2, P)
    dy, dx = by_keypoint.gather(3, index).permute(2, 0, 3, 1)  # (N, P, 17)
    return torch.stack((peaks % width + dx, peaks // width + dy), dim=3)


def _gather(maps: Tensor, cells: Tensor) -> Tensor:
    """Return the values (N, P, C) of maps (N, C, h, w) in the cells with the indices `cells` (N, P)."""
    flat = maps.float().flatten(2)  # (N, C, h * w)
    return flat.gather(2, cells[:, None].expand(-1, flat.shape[1], -1)).transpose(1, 2)


def _grid(height: int, width: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return the indices of the rows (h, 1) and columns (1, w), float32."""
    y = torch.arange(height, dtype=torch.float32, device=device)
    x = torch.arange(width, dtype=torch.float32, device=device)
    return y[:, None], x[None]


def _distance(dy: Tensor, dx: Tensor) -> Tensor:
    return (dy.square() + dx.square()).sqrt()
