"""ResNet: the backbone of the detectors and of the baseline, public or tiny.

Parameters have the names of the public checkpoints (conv1, bn1, layer1.0.conv1 ...), without a prefix.
Source: He et al., Deep Residual Learning, 2016; the position of the stride follows He's release or torchvision.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Literal

from torch import Tensor, nn

from actparse.core.errors import ConfigError

BlockName = Literal["basic", "bottleneck"]
StridePlace = Literal["1x1", "3x3"]

_EXPANSION: dict[str, int] = {"basic": 1, "bottleneck": 4}
_DEPTHS: dict[int, tuple[BlockName, tuple[int, ...]]] = {
    18: ("basic", (2, 2, 2, 2)),
    34: ("basic", (3, 4, 6, 3)),
    50: ("bottleneck", (3, 4, 6, 3)),
    101: ("bottleneck", (3, 4, 23, 3)),
    152: ("bottleneck", (3, 8, 36, 3)),
}


@dataclass(frozen=True, kw_only=True)
class ResNetConfig:
    """Sizes of a ResNet. Four stages by default; every tuple has one entry per stage."""

    block: BlockName = "bottleneck"
    num_blocks: tuple[int, ...] = (3, 4, 6, 3)
    widths: tuple[int, ...] = (64, 128, 256, 512)  # channels inside a block; a bottleneck outputs four times as many
    stem_width: int = 64  # channels
    stem_kernel: int = 7  # pixels, odd; the stem's stride is 2
    stem_pool: bool = True  # a 3 x 3 max-pool of stride 2 after the stem
    strides: tuple[int, ...] = (1, 2, 2, 2)
    dilations: tuple[int, ...] = (1, 1, 1, 1)  # of every 3 x 3 convolution of the stage
    stride_in: StridePlace = "3x3"  # strided convolution of a bottleneck: "1x1" as He (YOLOF), "3x3" as torchvision
    in_channels: int = 3
    frozen_stages: int = -1  # without training: -1 none, 0 the stem, n the stem and the first n stages
    freeze_batch_norm: bool = False  # all batch norms have fixed weights and running statistics in training

    def __post_init__(self) -> None:
        for name in ("num_blocks", "widths", "strides", "dilations"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
            values = getattr(self, name)
            if len(values) != len(self.num_blocks) or not values or min(values) < 1:
                wanted = f"{len(self.num_blocks) or 'one or more'} numbers of at least 1"
                raise ConfigError(f"resnet.{name} must be {wanted}, one per stage, got {values}")
        for name in ("stem_width", "in_channels"):
            if getattr(self, name) < 1:
                raise ConfigError(f"resnet.{name} must be at least 1, got {getattr(self, name)}")
        if self.block not in _EXPANSION:
            raise ConfigError(f"resnet.block must be 'basic' or 'bottleneck', got {self.block!r}")
        if self.stride_in not in ("1x1", "3x3"):
            raise ConfigError(f"resnet.stride_in must be '1x1' or '3x3', got {self.stride_in!r}")
        if self.stem_kernel < 1 or self.stem_kernel % 2 == 0:
            raise ConfigError(f"resnet.stem_kernel must be odd and at least 1, got {self.stem_kernel}")
        if not -1 <= self.frozen_stages <= len(self.num_blocks):
            limit = len(self.num_blocks)
            raise ConfigError(f"resnet.frozen_stages must be from -1 to {limit}, got {self.frozen_stages}")

    @property
    def stride(self) -> int:
        """Pixels of the image per cell of the last stage."""
        return 2 * (2 if self.stem_pool else 1) * prod(self.strides)

    @property
    def out_channels(self) -> int:
        """Channels of the last stage."""
        return self.widths[-1] * _EXPANSION[self.block]


class BasicBlock(nn.Module):
    """Two 3 x 3 convolutions and the shortcut."""

    def __init__(self, in_channels: int, width: int, *, stride: int, dilation: int) -> None:
        super().__init__()
        self.conv1 = _conv(in_channels, width, 3, stride=stride, dilation=dilation)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = _conv(width, width, 3, dilation=dilation)
        self.bn2 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = _shortcut(in_channels, width, stride)

    def forward(self, x: Tensor) -> Tensor:
        """Map features (N, in_channels, H, W) to (N, width, H / stride, W / stride)."""
        shortcut = x if self.downsample is None else self.downsample(x)
        out = self.relu(self.bn1(self.conv1(x)))  # (N, width, H', W')
        out = self.bn2(self.conv2(out))  # (N, width, H', W')
        result: Tensor = self.relu(out + shortcut)
        return result


class Bottleneck(nn.Module):
    """1 x 1, 3 x 3 and 1 x 1 convolution and the shortcut; the output has four times `width` channels."""

    def __init__(self, in_channels: int, width: int, *, stride: int, dilation: int, stride_in: StridePlace) -> None:
        super().__init__()
        stride_1x1, stride_3x3 = (stride, 1) if stride_in == "1x1" else (1, stride)
        self.conv1 = _conv(in_channels, width, 1, stride=stride_1x1)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = _conv(width, width, 3, stride=stride_3x3, dilation=dilation)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = _conv(width, width * 4, 1)
        self.bn3 = nn.BatchNorm2d(width * 4)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = _shortcut(in_channels, width * 4, stride)

    def forward(self, x: Tensor) -> Tensor:
        """Map features (N, in_channels, H, W) to (N, 4 * width, H / stride, W / stride)."""
        shortcut = x if self.downsample is None else self.downsample(x)
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.relu(self.bn2(self.conv2(out)))  # (N, width, H', W')
        out = self.bn3(self.conv3(out))  # (N, 4 * width, H', W')
        result: Tensor = self.relu(out + shortcut)
        return result


class ResNet(nn.Module):
    """The network up to its last stage, without a classifier."""

    def __init__(self, config: ResNetConfig) -> None:
        super().__init__()
        self.config = config
        kernel = config.stem_kernel
        self.conv1 = _conv(config.in_channels, config.stem_width, kernel, stride=2)
        self.bn1 = nn.BatchNorm2d(config.stem_width)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1) if config.stem_pool else nn.Identity()
        channels = config.stem_width
        for index, width in enumerate(config.widths):
            self.add_module(f"layer{index + 1}", _stage(config, index, channels))
            channels = width * _EXPANSION[config.block]
        for module in self.modules():  # batch norms have 1 and 0. Source: He et al., Delving Deep, 2015
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        norms = [module for module in self.modules() if isinstance(module, nn.BatchNorm2d)]
        for module in (*self._frozen_parts(), *(norms if config.freeze_batch_norm else ())):
            module.requires_grad_(False)

    def forward(self, images: Tensor) -> Tensor:
        """Map normalised images (N, in_channels, H, W) to the last stage (N, out_channels, H / stride, W / stride)."""
        return self.stages(images)[-1]

    def stages(self, images: Tensor) -> list[Tensor]:
        """Return every stage's output, first that of the stem (after its pool, if it has one)."""
        features = [self.maxpool(self.relu(self.bn1(self.conv1(images))))]
        for name in self._stage_names():
            features.append(self.get_submodule(name)(features[-1]))
        return features

    def train(self, mode: bool = True) -> ResNet:
        """Switch training on or off; frozen batch norms and stages stay in evaluation mode."""
        super().train(mode)
        for module in self.modules() if self.config.freeze_batch_norm else ():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
        for module in self._frozen_parts():
            module.eval()
        return self

    def _stage_names(self) -> list[str]:
        return [f"layer{index + 1}" for index in range(len(self.config.num_blocks))]

    def _frozen_parts(self) -> list[nn.Module]:
        if self.config.frozen_stages < 0:
            return []
        stages = [self.get_submodule(name) for name in self._stage_names()[: self.config.frozen_stages]]
        return [self.conv1, self.bn1, *stages]


def resnet_config(
    depth: int = 50,
    *,
    stride_in: StridePlace = "3x3",
    in_channels: int = 3,
    strides: Sequence[int] = (1, 2, 2, 2),
    dilations: Sequence[int] = (1, 1, 1, 1),
    frozen: bool = False,
) -> ResNetConfig:
    """Return the sizes of ResNet-18, 34, 50, 101 or 152; `frozen` fixes stem, stage 1 and batch norms, as in detectors.

    Raises:
        ConfigError: `depth` is not one of these, or a size is out of range.
    """
    if depth not in _DEPTHS:
        raise ConfigError(f"resnet.depth must be one of {', '.join(map(str, _DEPTHS))}, got {depth}")
    block, num_blocks = _DEPTHS[depth]
    return ResNetConfig(
        block=block,
        num_blocks=num_blocks,
        strides=tuple(strides),
        dilations=tuple(dilations),
        stride_in=stride_in,
        in_channels=in_channels,
        frozen_stages=1 if frozen else -1,
        freeze_batch_norm=frozen,
    )


def resnet(depth: int = 50, *, stride_in: StridePlace = "3x3", in_channels: int = 3, frozen: bool = False) -> ResNet:
    """Build a ResNet of a public depth (18, 34, 50, 101, 152) with fresh weights; see `resnet_config`."""
    return ResNet(resnet_config(depth, stride_in=stride_in, in_channels=in_channels, frozen=frozen))


def _conv(in_channels: int, out_channels: int, kernel: int, *, stride: int = 1, dilation: int = 1) -> nn.Conv2d:
    padding = kernel // 2 * dilation
    return nn.Conv2d(in_channels, out_channels, kernel, stride, padding, dilation, bias=False)


def _shortcut(in_channels: int, out_channels: int, stride: int) -> nn.Sequential | None:
    if stride == 1 and in_channels == out_channels:
        return None
    return nn.Sequential(_conv(in_channels, out_channels, 1, stride=stride), nn.BatchNorm2d(out_channels))


def _stage(config: ResNetConfig, index: int, in_channels: int) -> nn.Sequential:
    width, dilation = config.widths[index], config.dilations[index]
    channels = in_channels
    blocks: list[nn.Module] = []
    for block_index in range(config.num_blocks[index]):
        stride = config.strides[index] if block_index == 0 else 1
        if config.block == "basic":
            blocks.append(BasicBlock(channels, width, stride=stride, dilation=dilation))
        else:
            blocks.append(Bottleneck(channels, width, stride=stride, dilation=dilation, stride_in=config.stride_in))
        channels = width * _EXPANSION[config.block]
    return nn.Sequential(*blocks)
