"""CSN, channel-separated 3-D convolutions for action recognition, also in small versions that train on a CPU.

State-dict names are those of the public checkpoints: `backbone.layer1.0.conv2.0.conv.weight`, `cls_head.fc_cls.weight`.
On a CPU clips are in channels-last memory format; depthwise convolutions are float32 there, also under autocast.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from actparse.core.errors import ConfigError, expect_shape
from actparse.nets.clips.classifier import ClassifierHead
from actparse.nets.clips.separable import Triple, depthwise_conv, max_pool_frames, pointwise_conv

Quad = tuple[int, int, int, int]  # over the four stages
Bottleneck = Literal["ip", "ir"]

_NUM_BLOCKS: dict[int, Quad] = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}


@dataclass(frozen=True, kw_only=True)
class CsnConfig:
    """Size of a CSN; the defaults are ip-CSN-152. Source: Tran et al. 2019, section 4, and the public checkpoints."""

    num_classes: int = 24
    bottleneck: Bottleneck = "ip"  # interaction preserved (1x1x1, then depthwise) or reduced (only depthwise)
    num_blocks: Quad = (3, 8, 36, 3)
    widths: Quad = (256, 512, 1024, 2048)  # output channels of each stage
    mid_widths: Quad = (64, 128, 256, 512)  # channels of the depthwise convolutions
    temporal_strides: Quad = (1, 2, 2, 2)
    spatial_strides: Quad = (1, 2, 2, 2)
    in_channels: int = 3
    stem_width: int = 64
    stem_kernel: Triple = (3, 7, 7)
    stem_stride: Triple = (1, 2, 2)
    stem_pool: bool = True  # halves H and W after the stem
    dropout: float = 0.5
    batch_norm_eps: float = 1e-3
    freeze_batch_norm: bool = False  # in training: running statistics are fixed, scale and shift get no gradient

    def __post_init__(self) -> None:
        if self.bottleneck not in ("ip", "ir"):
            raise ConfigError(f"csn.bottleneck must be 'ip' or 'ir', got {self.bottleneck!r}")
        for name in ("num_blocks", "widths", "mid_widths", "temporal_strides", "spatial_strides"):
            _expect_counts(name, getattr(self, name), 4)
        for name in ("stem_kernel", "stem_stride"):
            _expect_counts(name, getattr(self, name), 3)
        if any(k % 2 == 0 for k in self.stem_kernel):
            raise ConfigError(f"csn.stem_kernel must be odd, got {self.stem_kernel}")
        for name in ("num_classes", "in_channels", "stem_width"):
            if getattr(self, name) < 1:
                raise ConfigError(f"csn.{name} must be at least 1, got {getattr(self, name)}")
        if not 0 <= self.dropout < 1:
            raise ConfigError(f"csn.dropout must be at least 0 and less than 1, got {self.dropout}")
        if not self.batch_norm_eps > 0:
            raise ConfigError(f"csn.batch_norm_eps must be greater than 0, got {self.batch_norm_eps}")

    @property
    def strides(self) -> Triple:
        """Steps of the input (frames, rows, columns) per step of the last features."""
        time = self.stem_stride[0] * math.prod(self.temporal_strides)
        space = math.prod(self.spatial_strides) * (2 if self.stem_pool else 1)
        return time, self.stem_stride[1] * space, self.stem_stride[2] * space


def _expect_counts(name: str, values: tuple[int, ...], length: int) -> None:
    if len(values) != length or any(not isinstance(v, int) or v < 1 for v in values):
        raise ConfigError(f"csn.{name} must be {length} whole numbers of at least 1, got {values}")


class ConvNorm(nn.Module):
    """Convolution without bias, batch norm and optional ReLU; names `conv` and `bn` as in the public checkpoints."""

    def __init__(
        self,
        in_width: int,
        width: int,
        *,
        kernel: Triple = (1, 1, 1),
        stride: Triple = (1, 1, 1),
        depthwise: bool = False,
        relu: bool = True,
        eps: float = 1e-3,
    ) -> None:
        super().__init__()
        padding = (kernel[0] // 2, kernel[1] // 2, kernel[2] // 2)
        groups = width if depthwise else 1
        self.conv = nn.Conv3d(in_width, width, kernel, stride, padding, groups=groups, bias=False)
        self.bn = nn.BatchNorm3d(width, eps=eps)
        self.kernel = kernel
        self.stride = stride
        self.depthwise = depthwise
        self.relu = relu

    def forward(self, clips: Tensor) -> Tensor:
        """Map (N, C, T, H, W) to (N, M, T', H', W')."""
        if self.bn.training:
            features: Tensor = self.bn(self._convolve(clips, self.conv.weight, None))
        else:  # fixed statistics are a scale and a shift, folded into the convolution
            mean, variance = self.bn.running_mean, self.bn.running_var
            assert mean is not None
            assert variance is not None
            scale = self.bn.weight * torch.rsqrt(variance + self.bn.eps)  # (M,)
            shift = self.bn.bias - mean * scale  # (M,)
            features = self._convolve(clips, self.conv.weight * scale.view(-1, 1, 1, 1, 1), shift)
        return F.relu(features) if self.relu else features  # (N, M, T', H', W')

    def _convolve(self, clips: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        if self.depthwise:
            return depthwise_conv(clips, weight, bias, self.stride)
        if self.kernel == (1, 1, 1):
            return pointwise_conv(clips, weight, bias, self.stride)
        return F.conv3d(clips, weight, bias, self.stride, self.conv.padding)


class CsnBlock(nn.Module):
    """1x1x1 to the mid width, depthwise 3x3x3 (after another 1x1x1 for "ip"), 1x1x1 out, plus the shortcut."""

    def __init__(
        self,
        in_width: int,
        width: int,
        *,
        mid_width: int,
        bottleneck: Bottleneck,
        stride: Triple,
        project: bool,
        eps: float,
    ) -> None:
        super().__init__()
        self.conv1 = ConvNorm(in_width, mid_width, eps=eps)
        mixing = [ConvNorm(mid_width, mid_width, relu=False, eps=eps)] if bottleneck == "ip" else []
        depthwise = ConvNorm(mid_width, mid_width, kernel=(3, 3, 3), stride=stride, depthwise=True, eps=eps)
        self.conv2 = nn.Sequential(*mixing, depthwise)
        self.conv3 = ConvNorm(mid_width, width, relu=False, eps=eps)
        self.downsample = ConvNorm(in_width, width, stride=stride, relu=False, eps=eps) if project else None

    def forward(self, clips: Tensor) -> Tensor:
        """Map (N, C, T, H, W) to (N, M, T', H', W')."""
        shortcut = clips if self.downsample is None else self.downsample(clips)  # (N, M, T', H', W')
        return F.relu(self.conv3(self.conv2(self.conv1(clips))) + shortcut)  # (N, M, T', H', W')


class CsnBackbone(nn.Module):
    """Stem and four stages; `num_features` is the number of output channels."""

    def __init__(self, config: CsnConfig) -> None:
        super().__init__()
        eps = config.batch_norm_eps
        self.conv1 = ConvNorm(
            config.in_channels, config.stem_width, kernel=config.stem_kernel, stride=config.stem_stride, eps=eps
        )
        self.pool = config.stem_pool
        width = config.stem_width
        for i in range(4):
            self.add_module(f"layer{i + 1}", _build_stage(config, i, width))
            width = config.widths[i]
        self.num_features = width

    def forward(self, clips: Tensor) -> Tensor:
        """Map clips (N, C, T, H, W) to the last features (N, M, T', H', W')."""
        return self.stages(clips)[-1]

    def stages(self, clips: Tensor) -> list[Tensor]:
        """Map clips (N, C, T, H, W) to the features (N, widths[i], T', H', W') of the four stages."""
        features: Tensor = self.conv1(clips)  # (N, stem_width, T', H', W')
        if self.pool:
            features = max_pool_frames(features)
        stages = []
        for i in range(4):
            stage = self.get_submodule(f"layer{i + 1}")
            features = stage(features)  # (N, widths[i], T', H', W')
            stages.append(features)
        return stages


def _build_stage(config: CsnConfig, stage: int, in_width: int) -> nn.Sequential:
    width, space = config.widths[stage], config.spatial_strides[stage]
    first = (config.temporal_strides[stage], space, space)
    blocks = []
    for j in range(config.num_blocks[stage]):
        stride = first if j == 0 else (1, 1, 1)
        blocks.append(
            CsnBlock(
                in_width,
                width,
                mid_width=config.mid_widths[stage],
                bottleneck=config.bottleneck,
                stride=stride,
                project=j == 0 and (in_width != width or stride != (1, 1, 1)),
                eps=config.batch_norm_eps,
            )
        )
        in_width = width
    return nn.Sequential(*blocks)


class Csn(nn.Module):
    """A video classifier: it maps clips to logits."""

    def __init__(self, config: CsnConfig) -> None:
        super().__init__()
        self.config = config
        self.backbone = CsnBackbone(config)
        self.cls_head = ClassifierHead(self.backbone.num_features, config.num_classes, config.dropout)
        for module in self.modules():
            if isinstance(module, nn.Conv3d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, clips: Tensor) -> Tensor:
        """Map RGB clips (N, 3, T, H, W), normalised, to logits (N, num_classes).

        Raises:
            ShapeError: `clips` is not (N, in_channels, T, H, W).
        """
        logits: Tensor = self.cls_head(self.features(clips))  # (N, num_classes)
        return logits

    def features(self, clips: Tensor) -> Tensor:
        """Map clips (N, 3, T, H, W) to their mean features (N, widths[-1]), float32 under autocast."""
        return self.pooled(self.backbone(self._in_fast_layout(clips)))

    def stage_features(self, clips: Tensor) -> list[Tensor]:
        """Map clips (N, 3, T, H, W) to the features (N, widths[i], T', H', W') of the four stages."""
        return self.backbone.stages(self._in_fast_layout(clips))

    def _in_fast_layout(self, clips: Tensor) -> Tensor:
        """Return clips (N, in_channels, T, H, W) in the memory format that is fastest on their device.

        Raises:
            ShapeError: they have another shape.
        """
        expect_shape("clips", clips, (None, self.config.in_channels, None, None, None))
        return clips.contiguous(memory_format=torch.channels_last_3d) if clips.device.type == "cpu" else clips

    def pooled(self, features: Tensor) -> Tensor:
        """Map the last stage's features (N, C, T', H', W') to their means (N, C), float32 under autocast."""
        if features.dtype in (torch.bfloat16, torch.float16) and self.cls_head.fc_cls.weight.dtype == torch.float32:
            features = features.float()
        return features.mean(dim=(2, 3, 4))

    def train(self, mode: bool = True) -> Csn:
        """Switch between training and evaluation; with `freeze_batch_norm`, batch norms are the same in both."""
        super().train(mode)
        if mode and self.config.freeze_batch_norm:
            for module in self.modules():
                if isinstance(module, nn.BatchNorm3d):
                    module.eval().requires_grad_(False)
        return self


def csn(
    depth: int = 152,
    bottleneck: Bottleneck = "ip",
    num_classes: int = 24,
    *,
    dropout: float = 0.5,
    freeze_batch_norm: bool = False,
) -> Csn:
    """Build a CSN of a published depth with fresh weights.

    Raises:
        ConfigError: `depth` is not 50, 101 or 152, or another field is out of its range.
    """
    if depth not in _NUM_BLOCKS:
        raise ConfigError(f"csn.depth must be one of {sorted(_NUM_BLOCKS)}, got {depth}")
    config = CsnConfig(
        num_classes=num_classes,
        bottleneck=bottleneck,
        num_blocks=_NUM_BLOCKS[depth],
        dropout=dropout,
        freeze_batch_norm=freeze_batch_norm,
    )
    return Csn(config)
