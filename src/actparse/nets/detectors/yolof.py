"""YOLOF: one feature level, a dilated encoder, two branches. For persons in frames, and body parts in person crops.

Parameters have the names of the public mmdet checkpoints (backbone, neck, bbox_head).
Source: Chen et al., You Only Look One-level Feature, 2021, sections 4.1 to 4.3.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import log

import torch
from torch import Tensor, nn

from actparse.core.errors import ConfigError
from actparse.nets.resnet import ResNet, ResNetConfig, resnet_config

_MAX_LOGIT = log(1e8)  # exp of a logit is limited to 1e8. Source: YOLOF's implicit objectness


@dataclass(frozen=True, kw_only=True)
class YolofConfig:
    """Sizes of a YOLOF, and rules for its boxes and losses; the defaults are those of the public R-50 C5."""

    backbone: ResNetConfig = field(default_factory=lambda: resnet_config(50, stride_in="1x1"))
    num_classes: int = 80
    anchor_sizes: tuple[float, ...] = (32, 64, 128, 256, 512)  # sides of the square anchors, pixels
    anchor_offset: float = 0.0  # of a cell's anchors from its upper left corner, in cells; 0.5 is the middle
    encoder_channels: int = 512
    encoder_mid: int = 128  # channels inside a residual block of the encoder
    dilations: tuple[int, ...] = (2, 4, 6, 8)  # one residual block each
    num_cls_convs: int = 2
    num_reg_convs: int = 4
    prior_score: float = 0.01  # initial score of every anchor, between 0 and 1
    max_center_shift: float = 32.0  # pixels, largest distance of a box's centre from its anchor's, on each axis
    max_log_size: float = log(1000 / 16)  # largest log(box side / anchor side)
    num_matches: int = 4  # nearest predictions, and also nearest anchors, that are positives of an object
    min_match_iou: float = 0.15  # matches are ignored if the anchor overlaps its object less
    ignore_iou: float = 0.7  # unmatched anchors are ignored if their prediction overlaps an object more

    def __post_init__(self) -> None:
        for name in ("anchor_sizes", "dilations"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        for name in ("num_classes", "encoder_channels", "encoder_mid", "num_matches"):
            if getattr(self, name) < 1:
                raise ConfigError(f"yolof.{name} must be at least 1, got {getattr(self, name)}")
        for name in ("num_cls_convs", "num_reg_convs"):
            if getattr(self, name) < 0:
                raise ConfigError(f"yolof.{name} must be at least 0, got {getattr(self, name)}")
        if not self.anchor_sizes or min(self.anchor_sizes) <= 0:
            raise ConfigError(f"yolof.anchor_sizes must be one or more numbers above 0, got {self.anchor_sizes}")
        if any(dilation < 1 for dilation in self.dilations):
            raise ConfigError(f"yolof.dilations must be at least 1, got {self.dilations}")
        if not 0 < self.prior_score < 1:
            raise ConfigError(f"yolof.prior_score must lie between 0 and 1, got {self.prior_score}")
        for name in ("max_center_shift", "max_log_size"):
            if getattr(self, name) <= 0:
                raise ConfigError(f"yolof.{name} must be above 0, got {getattr(self, name)}")
        for name in ("min_match_iou", "ignore_iou", "anchor_offset"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"yolof.{name} must lie in 0..1, got {getattr(self, name)}")

    @property
    def stride(self) -> int:
        """Pixels of the image per cell of the output."""
        return self.backbone.stride

    @property
    def num_anchors(self) -> int:
        """Anchors of one cell."""
        return len(self.anchor_sizes)


class ConvNormRelu(nn.Module):
    """Convolution without bias, batch norm, ReLU."""

    def __init__(self, in_channels: int, out_channels: int, kernel: int, dilation: int = 1) -> None:
        super().__init__()
        padding = kernel // 2 * dilation
        self.conv = nn.Conv2d(in_channels, out_channels, kernel, padding=padding, dilation=dilation, bias=False)
        self.bn = nn.BatchNorm2d(out_channels)
        self.activate = nn.ReLU(inplace=True)
        nn.init.normal_(self.conv.weight, std=0.01)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, in_channels, H, W) to (N, out_channels, H, W)."""
        out: Tensor = self.activate(self.bn(self.conv(x)))
        return out


class EncoderBlock(nn.Module):
    """A dilated bottleneck; its last ReLU is before the sum, and there is none after it."""

    def __init__(self, channels: int, mid: int, dilation: int) -> None:
        super().__init__()
        self.conv1 = ConvNormRelu(channels, mid, 1)
        self.conv2 = ConvNormRelu(mid, mid, 3, dilation)
        self.conv3 = ConvNormRelu(mid, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map features (N, channels, h, w) to the same shape."""
        out: Tensor = x + self.conv3(self.conv2(self.conv1(x)))
        return out


class DilatedEncoder(nn.Module):
    """Projection of the last stage and enlargement of its receptive field; no ReLU follows the two projections."""

    def __init__(self, in_channels: int, channels: int, mid: int, dilations: tuple[int, ...]) -> None:
        super().__init__()
        self.lateral_conv = nn.Conv2d(in_channels, channels, 1)
        self.lateral_norm = nn.BatchNorm2d(channels)
        self.fpn_conv = nn.Conv2d(channels, channels, 3, padding=1)
        self.fpn_norm = nn.BatchNorm2d(channels)
        self.dilated_encoder_blocks = nn.Sequential(*(EncoderBlock(channels, mid, dilation) for dilation in dilations))
        for conv in (self.lateral_conv, self.fpn_conv):
            nn.init.kaiming_uniform_(conv.weight, a=1)  # Caffe2's Xavier
            nn.init.zeros_(conv.bias)  # type: ignore[arg-type]

    def forward(self, features: Tensor) -> Tensor:
        """Map the backbone's features (N, in_channels, h, w) to (N, channels, h, w)."""
        lateral = self.lateral_norm(self.lateral_conv(features))  # (N, channels, h, w)
        projected = self.fpn_norm(self.fpn_conv(lateral))  # (N, channels, h, w)
        encoded: Tensor = self.dilated_encoder_blocks(projected)
        return encoded


class YolofHead(nn.Module):
    """The class branch, and the box branch with the objectness."""

    def __init__(self, config: YolofConfig) -> None:
        super().__init__()
        channels, num_anchors = config.encoder_channels, config.num_anchors
        self.num_classes = config.num_classes
        self.cls_subnet = nn.Sequential(*(ConvNormRelu(channels, channels, 3) for _ in range(config.num_cls_convs)))
        self.bbox_subnet = nn.Sequential(*(ConvNormRelu(channels, channels, 3) for _ in range(config.num_reg_convs)))
        self.cls_score = _predictor(channels, num_anchors * config.num_classes)
        self.bbox_pred = _predictor(channels, num_anchors * 4)
        self.object_pred = _predictor(channels, num_anchors)
        nn.init.constant_(self.cls_score.bias, -log(1 / config.prior_score - 1))  # type: ignore[arg-type]

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Map encoded features (N, channels, h, w) to fused class logits (N, A * K, h, w), deltas (N, A * 4, h, w)."""
        cls, objectness, reg = self.branches(features)
        return fuse_objectness(cls.float(), objectness.float()), reg.float()

    def branches(self, features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return unfused class logits (N, A * K, h, w), objectness logits (N, A, h, w), box deltas (N, A * 4, h, w)."""
        cls_features = self.cls_subnet(features)  # (N, channels, h, w)
        reg_features = self.bbox_subnet(features)  # (N, channels, h, w)
        return self.cls_score(cls_features), self.object_pred(reg_features), self.bbox_pred(reg_features)


class Yolof(nn.Module):
    """Backbone, dilated encoder (`neck`) and head."""

    def __init__(self, config: YolofConfig) -> None:
        super().__init__()
        self.config = config
        channels = config.encoder_channels
        self.backbone = ResNet(config.backbone)
        self.neck = DilatedEncoder(config.backbone.out_channels, channels, config.encoder_mid, config.dilations)
        self.bbox_head = YolofHead(config)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Find objects in images (N, 3, H, W), normalised; h = ceil(H / stride), w = ceil(W / stride).

        Returns:
            Logits (N, A * K, h, w), float32, class and objectness fused, anchor-major: channel a * K + k. Their
            sigmoids are scores. And box deltas (N, A * 4, h, w), float32: channel a * 4 + one of dx, dy, dw, dh.
        """
        features = self.backbone(images)  # (N, C, h, w)
        encoded = self.neck(features)  # (N, encoder_channels, h, w)
        cls, reg = self.bbox_head(encoded)
        return cls, reg


def fuse_objectness(cls: Tensor, objectness: Tensor) -> Tensor:
    """Compute the logit of sigmoid(class) * sigmoid(objectness), with both logits limited to ln 1e8.

    Args:
        cls: (N, A * K, h, w) class logits, anchor-major.
        objectness: (N, A, h, w) objectness logits.

    Returns:
        (N, A * K, h, w). The limit applies to the logits, so that no gradient becomes 0 * infinity.

    Source: Chen et al., 2021, section 4.3, "implicit objectness".
    """
    num_images, num_anchors, height, width = objectness.shape
    by_anchor = cls.reshape(num_images, num_anchors, cls.shape[1] // num_anchors, height, width)  # (N, A, K, h, w)
    shared = objectness.unsqueeze(2)  # (N, A, 1, h, w)
    mass = by_anchor.clamp(max=_MAX_LOGIT).exp() + shared.clamp(max=_MAX_LOGIT).exp()  # (N, A, K, h, w)
    fused: Tensor = by_anchor + shared - torch.log1p(mass)  # (N, A, K, h, w)
    return fused.flatten(1, 2)


def yolof(depth: int = 50, num_classes: int = 80, *, in_channels: int = 3, frozen: bool = False) -> Yolof:
    """Build the public YOLOF C5 on ResNet-50 or 101 (or 18, 34, 152) with random weights.

    Args:
        depth: of the ResNet.
        num_classes: K.
        in_channels: of the images.
        frozen: the stem, stage 1 and the backbone's batch norms are not trained, as in the public training.
    """
    backbone = resnet_config(depth, stride_in="1x1", in_channels=in_channels, frozen=frozen)
    return Yolof(YolofConfig(backbone=backbone, num_classes=num_classes))


def _predictor(in_channels: int, out_channels: int) -> nn.Conv2d:
    conv = nn.Conv2d(in_channels, out_channels, 3, padding=1)
    nn.init.normal_(conv.weight, std=0.01)
    nn.init.zeros_(conv.bias)  # type: ignore[arg-type]
    return conv
