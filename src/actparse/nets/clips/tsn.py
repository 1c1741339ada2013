"""TSN, temporal segment network: one 2-D residual network over the frames, or the flow stacks, of a video's segments.

State-dict names are those of the public checkpoints: `backbone.layer1.0.conv2.conv.weight`, `cls_head.fc_cls.weight`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from actparse.core.errors import ConfigError, expect_shape
from actparse.nets.clips.classifier import ClassifierHead

Quad = tuple[int, int, int, int]  # over the four stages
BlockKind = Literal["bottleneck", "basic"]

_NUM_BLOCKS: dict[int, Quad] = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}


@dataclass(frozen=True, kw_only=True)
class TsnConfig:
    """Size of a TSN; the defaults are ResNet-50 on RGB. Source: Wang et al. 2016, and the public checkpoints."""

    num_classes: int = 24
    in_channels: int = 3  # 3 for RGB, 10 for five flow fields as x1, y1, ..., x5, y5
    block: BlockKind = "bottleneck"  # two 1x1 around a 3x3, or two 3x3
    num_blocks: Quad = (3, 4, 6, 3)
    widths: Quad = (256, 512, 1024, 2048)  # output channels of each stage
    mid_widths: Quad = (64, 128, 256, 512)  # channels inside a block
    strides: Quad = (1, 2, 2, 2)
    stem_width: int = 64
    stem_kernel: int = 7
    stem_stride: int = 2
    stem_pool: bool = True  # halves H and W after the stem
    dropout: float = 0.4

    def __post_init__(self) -> None:
        if self.block not in ("bottleneck", "basic"):
            raise ConfigError(f"tsn.block must be 'bottleneck' or 'basic', got {self.block!r}")
        for name in ("num_blocks", "widths", "mid_widths", "strides"):
            values = getattr(self, name)
            if len(values) != 4 or any(not isinstance(v, int) or v < 1 for v in values):
                raise ConfigError(f"tsn.{name} must be 4 whole numbers of at least 1, got {values}")
        for name in ("num_classes", "in_channels", "stem_width", "stem_kernel", "stem_stride"):
            if getattr(self, name) < 1:
                raise ConfigError(f"tsn.{name} must be at least 1, got {getattr(self, name)}")
        if self.stem_kernel % 2 == 0:
            raise ConfigError(f"tsn.stem_kernel must be odd, got {self.stem_kernel}")
        if not 0 <= self.dropout < 1:
            raise ConfigError(f"tsn.dropout must be at least 0 and less than 1, got {self.dropout}")


class ConvNorm(nn.Module):
    """Convolution without bias, batch norm and optional ReLU; names `conv` and `bn` as in the public checkpoints."""

    def __init__(self, in_width: int, width: int, *, kernel: int = 1, stride: int = 1, relu: bool = True) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_width, width, kernel, stride, kernel // 2, bias=False)
        self.bn = nn.BatchNorm2d(width)
        self.relu = relu

    def forward(self, images: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, M, H', W')."""
        features: Tensor = self.bn(self.conv(images))  # (N, M, H', W')
        return F.relu(features) if self.relu else features


class TsnBlock(nn.Module):
    """A residual block; the first 3x3 convolution and the shortcut have the stride."""

    def __init__(
        self, in_width: int, width: int, *, mid_width: int, kind: BlockKind, stride: int, project: bool
    ) -> None:
        super().__init__()
        if kind == "bottleneck":
            self.conv1 = ConvNorm(in_width, mid_width)
            self.conv2 = ConvNorm(mid_width, mid_width, kernel=3, stride=stride)
            self.conv3: ConvNorm | None = ConvNorm(mid_width, width, relu=False)
        else:
            self.conv1 = ConvNorm(in_width, mid_width, kernel=3, stride=stride)
            self.conv2 = ConvNorm(mid_width, width, kernel=3, relu=False)
            self.conv3 = None
        self.downsample = ConvNorm(in_width, width, stride=stride, relu=False) if project else None

    def forward(self, images: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, M, H', W')."""
        shortcut = images if self.downsample is None else self.downsample(images)  # (N, M, H', W')
        features = self.conv2(self.conv1(images))
        if self.conv3 is not None:
            features = self.conv3(features)
        return F.relu(features + shortcut)  # (N, M, H', W')


class TsnBackbone(nn.Module):
    """Stem and four stages; `num_features` is the number of output channels."""

    def __init__(self, config: TsnConfig) -> None:
        super().__init__()
        self.conv1 = ConvNorm(
            config.in_channels, config.stem_width, kernel=config.stem_kernel, stride=config.stem_stride
        )
        self.pool = nn.MaxPool2d(3, 2, 1) if config.stem_pool else nn.Identity()
        width = config.stem_width
        for i in range(4):
            self.add_module(f"layer{i + 1}", _build_stage(config, i, width))
            width = config.widths[i]
        self.num_features = width

    def forward(self, images: Tensor) -> Tensor:
        """Map images (N, C, H, W) to the last features (N, M, H', W')."""
        features: Tensor = self.pool(self.conv1(images))  # (N, stem_width, H', W')
        for i in range(4):
            stage = self.get_submodule(f"layer{i + 1}")
            features = stage(features)  # (N, widths[i], H', W')
        return features


def _build_stage(config: TsnConfig, stage: int, in_width: int) -> nn.Sequential:
    width = config.widths[stage]
    blocks = []
    for j in range(config.num_blocks[stage]):
        stride = config.strides[stage] if j == 0 else 1
        blocks.append(
            TsnBlock(
                in_width,
                width,
                mid_width=config.mid_widths[stage],
                kind=config.block,
                stride=stride,
                project=j == 0 and (in_width != width or stride != 1),
            )
        )
        in_width = width
    return nn.Sequential(*blocks)


class Tsn(nn.Module):
    """A video classifier: it maps frames of S segments to logits of the video."""

    def __init__(self, config: TsnConfig) -> None:
        super().__init__()
        self.config = config
        self.backbone = TsnBackbone(config)
        self.cls_head = ClassifierHead(self.backbone.num_features, config.num_classes, config.dropout)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, frames: Tensor) -> Tensor:
        """Map frames or flow stacks (N, S, C, H, W), normalised, to logits (N, num_classes).

        The segments' features are averaged before the classifier; as it is linear, this equals averaging their logits.

        Raises:
            ShapeError: `frames` is not (N, S, in_channels, H, W).
        """
        logits: Tensor = self.cls_head(self.features(frames).mean(dim=1))  # (N, num_classes)
        return logits

    def features(self, frames: Tensor) -> Tensor:
        """Map frames (N, S, C, H, W) to each segment's mean features (N, S, widths[-1]), float32 under autocast."""
        expect_shape("frames", frames, (None, None, self.config.in_channels, None, None))
        images = frames.flatten(0, 1)  # (N*S, C, H, W)
        if images.device.type == "cpu":
            images = images.contiguous(memory_format=torch.channels_last)
        features = self.backbone(images)  # (N*S, M, H', W')
        if features.dtype in (torch.bfloat16, torch.float16) and self.cls_head.fc_cls.weight.dtype == torch.float32:
            features = features.float()
        pooled: Tensor = features.mean(dim=(2, 3))  # (N*S, M)
        return pooled.view(*frames.shape[:2], pooled.shape[1])  # (N, S, M)


def tsn(depth: int = 50, in_channels: int = 3, num_classes: int = 24, *, dropout: float = 0.4) -> Tsn:
    """Build a TSN on a ResNet of a published depth with fresh weights; `in_channels` is 3 for RGB, 10 for flow.

    Raises:
        ConfigError: `depth` is not 50, 101 or 152, or another field is out of its range.
    """
    if depth not in _NUM_BLOCKS:
        raise ConfigError(f"tsn.depth must be one of {sorted(_NUM_BLOCKS)}, got {depth}")
    return Tsn(
        TsnConfig(num_classes=num_classes, in_channels=in_channels, num_blocks=_NUM_BLOCKS[depth], dropout=dropout)
    )
