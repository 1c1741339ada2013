"""HRNet for person crops, public or tiny, with an optional branch that regresses coordinates for the heat maps.

Parameters have the names of mmpose 1.x (backbone.*, head.final_layer.*); those of the side branch are not in mmpose.
Source: Sun et al., Deep High-Resolution Representation Learning for Human Pose Estimation, 2019.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from actparse.core.errors import ConfigError, ShapeError
from actparse.core.vocabulary import NUM_KEYPOINTS
from actparse.nets.poses.heatmaps import heatmap_loss
from actparse.nets.resnet import BasicBlock, Bottleneck

STRIDE = 4  # pixels of the crop per cell of the heat maps
COARSEST_STRIDE = 32  # pixels of the crop per cell of the coarsest branch


@dataclass(frozen=True, kw_only=True)
class SideBranchConfig:
    """Settings of a branch that regresses coordinates from the coarsest features and adds them to the finest."""

    hidden: int = 256  # channels between the pooled grid and the coordinates
    channels: int = 64  # of the pooled grid
    grid: int = 4  # cells along each side of the pooled grid
    sigma: float = 2.0  # cells of the heat map, initial width of the Gaussians

    def __post_init__(self) -> None:
        for name in ("hidden", "channels", "grid"):
            if getattr(self, name) < 1:
                raise ConfigError(f"side_branch.{name} must be at least 1, got {getattr(self, name)}")
        if not self.sigma > 0:
            raise ConfigError(f"side_branch.sigma must be above 0, got {self.sigma}")


@dataclass(frozen=True, kw_only=True)
class HrnetConfig:
    """Sizes of an HRNet; the branches have width, 2 width, 4 width and 8 width channels."""

    width: int = 32  # channels of the finest branch
    num_modules: tuple[int, int, int] = (1, 4, 3)  # of stages 2, 3 and 4
    num_blocks: int = 4  # basic blocks on each branch of a module
    stem_width: int = 64  # channels
    layer1_blocks: int = 4  # bottlenecks
    layer1_width: int = 64  # channels inside a bottleneck; its output has four times as many
    num_keypoints: int = NUM_KEYPOINTS
    side_branch: SideBranchConfig | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "num_modules", tuple(self.num_modules))
        for name in ("width", "num_blocks", "stem_width", "layer1_blocks", "layer1_width", "num_keypoints"):
            if getattr(self, name) < 1:
                raise ConfigError(f"hrnet.{name} must be at least 1, got {getattr(self, name)}")
        if len(self.num_modules) != 3 or min(self.num_modules) < 1:
            raise ConfigError(f"hrnet.num_modules must be three numbers of at least 1, got {self.num_modules}")

    @property
    def widths(self) -> tuple[int, int, int, int]:
        """Channels of the four branches, finest first."""
        return (self.width, 2 * self.width, 4 * self.width, 8 * self.width)


class HrModule(nn.Module):
    """Basic blocks on every branch, then a sum of all branches for each of the first `num_outputs` branches."""

    def __init__(self, widths: tuple[int, ...], *, num_blocks: int, num_outputs: int) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            nn.Sequential(*(BasicBlock(width, width, stride=1, dilation=1) for _ in range(num_blocks)))
            for width in widths
        )
        self.fuse_layers = nn.ModuleList(
            nn.ModuleList(_fusion(widths, source, target) for source in range(len(widths)))
            for target in range(num_outputs)
        )
        self.relu = nn.ReLU(inplace=True)

    def forward(self, features: list[Tensor]) -> list[Tensor]:
        """Map one tensor per branch (N, C_i, H / 2^i, W / 2^i) to the tensors of the output branches, same shapes."""
        features = [branch(x) for branch, x in zip(self.branches, features, strict=True)]
        fused = []
        for paths in self.fuse_layers:
            terms = [path(x) for path, x in zip(cast("nn.ModuleList", paths), features, strict=True)]
            total = terms[0]
            for term in terms[1:]:
                total = total + term
            fused.append(self.relu(total))
        return fused


class HrnetBackbone(nn.Module):
    """Stem, bottlenecks and the three stages of parallel branches."""

    def __init__(self, config: HrnetConfig) -> None:
        super().__init__()
        stem, widths = config.stem_width, config.widths
        self.conv1 = nn.Conv2d(3, stem, 3, stride=2, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(stem)
        self.conv2 = nn.Conv2d(stem, stem, 3, stride=2, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(stem)
        self.relu = nn.ReLU(inplace=True)
        wide = 4 * config.layer1_width
        self.layer1 = nn.Sequential(
            *(
                Bottleneck(channels, config.layer1_width, stride=1, dilation=1, stride_in="3x3")
                for channels in (stem, *[wide] * (config.layer1_blocks - 1))
            )
        )
        self.transition1 = nn.ModuleList((_conv_norm_relu(wide, widths[0]), _new_branch(wide, widths[1])))
        self.stage2 = _stage(config, 2)
        self.transition2 = _transition(widths, 3)
        self.stage3 = _stage(config, 3)
        self.transition3 = _transition(widths, 4)
        self.stage4 = _stage(config, 4)

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        """Map crops (N, 3, H, W) to the finest branch (N, width, H/4, W/4) and the coarsest (N, 8 width, H/32, W/32).

        The coarsest is the input of the last module, which returns only the finest.
        """
        x = self.relu(self.bn1(self.conv1(crops)))  # (N, stem, H/2, W/2)
        x = self.layer1(self.relu(self.bn2(self.conv2(x))))  # (N, 4 * layer1_width, H/4, W/4)
        features = run_modules(self.stage2, [branch(x) for branch in self.transition1])
        features = run_modules(self.stage3, [*features, self.transition2[-1](features[-1])])
        features = run_modules(list(self.stage4)[:-1], [*features, self.transition3[-1](features[-1])])
        coarsest = features[-1]  # (N, 8 width, H/32, W/32)
        return self.stage4[-1](features)[0], coarsest


class HeatmapHead(nn.Module):
    """A 1 x 1 convolution from features to heat maps."""

    def __init__(self, width: int, num_keypoints: int) -> None:
        super().__init__()
        self.final_layer = nn.Conv2d(width, num_keypoints, 1)

    def forward(self, features: Tensor) -> Tensor:
        """Map features (N, width, h, w) to heat maps (N, K, h, w)."""
        heatmaps: Tensor = self.final_layer(features)
        return heatmaps


class SideBranch(nn.Module):
    """Regression of coordinates from the whole crop; they are added to the finest branch as a bias and as Gaussians."""

    def __init__(self, config: SideBranchConfig, *, width: int, num_keypoints: int) -> None:
        super().__init__()
        self.grid = config.grid
        self.reduce = _conv_norm_relu(8 * width, config.channels, kernel=1)
        self.hidden = nn.Linear(config.channels * config.grid**2, config.hidden)
        self.coordinates = nn.Linear(config.hidden, 2 * num_keypoints)
        self.channel_bias = nn.Linear(config.hidden, width)
        self.log_sigma = nn.Parameter(torch.full((num_keypoints,), config.sigma).log())
        self.spread = nn.Conv2d(num_keypoints, width, 1, bias=False)

    def forward(self, finest: Tensor, coarsest: Tensor) -> tuple[Tensor, Tensor]:
        """Regress from the coarsest branch and add to the finest.

        Returns:
            The finest branch (N, width, h, w) plus the side branch's output, and coordinates (N, K, 2) float32, x and y
            relative to the crop's width and height: 0..1 inside it.
        """
        pooled = F.adaptive_avg_pool2d(self.reduce(coarsest), self.grid)  # (N, channels, grid, grid)
        hidden = F.relu(self.hidden(pooled.flatten(1)))  # (N, hidden)
        coordinates = self.coordinates(hidden).float().unflatten(1, (-1, 2))  # (N, K, 2)
        height, width = finest.shape[-2:]
        maps = gaussian_maps(coordinates, self.log_sigma.exp(), (height, width)).to(finest.dtype)  # (N, K, h, w)
        bias = self.channel_bias(hidden)[:, :, None, None]  # (N, width, 1, 1)
        return finest + bias + self.spread(maps), coordinates


class Hrnet(nn.Module):
    """The network from crops to heat maps."""

    def __init__(self, config: HrnetConfig) -> None:
        super().__init__()
        self.config = config
        self.backbone = HrnetBackbone(config)
        self.head = HeatmapHead(config.width, config.num_keypoints)
        self.side_branch = (
            SideBranch(config.side_branch, width=config.width, num_keypoints=config.num_keypoints)
            if config.side_branch
            else None
        )
        _initialise(self)

    def forward(self, crops: Tensor) -> Tensor:
        """Map normalised RGB crops (N, 3, H, W), sides multiples of 32, to heat maps (N, K, H / 4, W / 4).

        Raises:
            ShapeError: `crops` has other axes, or a side that is not a multiple of 32.
        """
        return self._maps_and_coordinates(crops)[0]

    def forward_with_side(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        """Return the heat maps of `forward`, and the side branch's coordinates (N, K, 2), 0..1 inside the crop.

        Raises:
            ConfigError: the network has no side branch.
            ShapeError: as `forward`.
        """
        heatmaps, coordinates = self._maps_and_coordinates(crops)
        if coordinates is None:
            raise ConfigError("hrnet.side_branch must be set to regress coordinates, got None")
        return heatmaps, coordinates

    def _maps_and_coordinates(self, crops: Tensor) -> tuple[Tensor, Tensor | None]:
        if crops.ndim != 4 or crops.shape[1] != 3 or any(side % COARSEST_STRIDE for side in crops.shape[2:]):
            wanted = f"(N, 3, H, W) with H and W multiples of {COARSEST_STRIDE}"
            raise ShapeError(f"crops must have shape {wanted}, got {tuple(crops.shape)}")
        finest, coarsest = self.backbone(crops)
        coordinates = None
        if self.side_branch is not None:
            finest, coordinates = self.side_branch(finest, coarsest)
        heatmaps: Tensor = self.head(finest)  # (N, K, H/4, W/4)
        return heatmaps, coordinates


def hrnet(width: int = 32, *, num_keypoints: int = NUM_KEYPOINTS) -> Hrnet:
    """Build the public HRNet-W32 or -W48 with random weights."""
    return Hrnet(HrnetConfig(width=width, num_keypoints=num_keypoints))


def pose_loss(
    heatmaps: Tensor,
    coordinates: Tensor | None,
    targets: Tensor,
    target_coordinates: Tensor,
    weights: Tensor,
    *,
    coordinate_weight: float = 0.1,
) -> Tensor:
    """Compute the squared error of heat maps, plus the absolute error of coordinates if a side branch predicts them.

    Args:
        heatmaps: (N, K, h, w), as predicted.
        coordinates: (N, K, 2), as predicted, or None.
        targets: (N, K, h, w) heat maps.
        target_coordinates: (N, K, 2), 0..1 inside the crop.
        weights: (N, K), 0 for a keypoint that does not count.
        coordinate_weight: weight of the coordinates' error in the sum.

    Returns:
        () float32.
    """
    loss = heatmap_loss(heatmaps, targets, weights)
    if coordinates is None:
        return loss
    errors = (coordinates.float() - target_coordinates).abs().sum(dim=2) * weights  # (N, K)
    return loss + coordinate_weight * errors.sum() / weights.sum().clamp(min=1)


def gaussian_maps(coordinates: Tensor, sigma: Tensor, size: tuple[int, int]) -> Tensor:
    """Compute maps with Gaussians of height 1.

    Args:
        coordinates: (N, K, 2) centres, x and y relative to the map's width and height.
        sigma: (K,) cells.
        size: (h, w) cells.

    Returns:
        (N, K, h, w).
    """
    height, width = size
    y = torch.arange(height, device=coordinates.device) + 0.5  # (h,)
    x = torch.arange(width, device=coordinates.device) + 0.5  # (w,)
    sigma = sigma[None, :, None]  # (1, K, 1)
    across = torch.exp(-(((x - width * coordinates[..., :1]) / sigma) ** 2) / 2)  # (N, K, w)
    down = torch.exp(-(((y - height * coordinates[..., 1:]) / sigma) ** 2) / 2)  # (N, K, h)
    return down[..., None] * across[..., None, :]


def run_modules(modules: Iterable[nn.Module], features: list[Tensor]) -> list[Tensor]:
    """Run the modules of a stage in sequence."""
    for module in modules:
        features = module(features)
    return features


def _conv_norm_relu(
    in_channels: int, out_channels: int, *, kernel: int = 3, stride: int = 1, relu: bool = True
) -> nn.Sequential:
    conv = nn.Conv2d(in_channels, out_channels, kernel, stride=stride, padding=kernel // 2, bias=False)
    norm = nn.BatchNorm2d(out_channels)
    return nn.Sequential(conv, norm, nn.ReLU(inplace=True)) if relu else nn.Sequential(conv, norm)


def _new_branch(in_channels: int, out_channels: int) -> nn.Sequential:
    return nn.Sequential(_conv_norm_relu(in_channels, out_channels, stride=2))


def _transition(widths: tuple[int, ...], num_branches: int) -> nn.ModuleList:
    """Return identities for the existing branches, and a new branch from the coarsest one."""
    existing = [nn.Identity() for _ in range(num_branches - 1)]
    return nn.ModuleList((*existing, _new_branch(widths[num_branches - 2], widths[num_branches - 1])))


def _stage(config: HrnetConfig, stage: int) -> nn.Sequential:
    """Build stage 2, 3 or 4; the last module of stage 4 returns only the finest branch."""
    count = config.num_modules[stage - 2]
    outputs = [stage] * (count - 1) + [1 if stage == 4 else stage]
    widths = config.widths[:stage]
    return nn.Sequential(*(HrModule(widths, num_blocks=config.num_blocks, num_outputs=n) for n in outputs))


def _fusion(widths: tuple[int, ...], source: int, target: int) -> nn.Module:
    """Build the path between two branches: identity, nearest-neighbour upsampling, or strided convolutions."""
    if source == target:
        return nn.Identity()
    if source > target:
        conv, norm = _conv_norm_relu(widths[source], widths[target], kernel=1, relu=False)
        return nn.Sequential(conv, norm, nn.Upsample(scale_factor=2 ** (source - target), mode="nearest"))
    steps = [_conv_norm_relu(widths[source], widths[source], stride=2) for _ in range(target - source - 1)]
    return nn.Sequential(*steps, _conv_norm_relu(widths[source], widths[target], stride=2, relu=False))


def _initialise(net: Hrnet) -> None:
    """Initialise with Kaiming-normal convolutions and heat maps near 0.

    The side branch starts with coordinates at the crop's centre and adds nothing to the features.
    """
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    nn.init.normal_(net.head.final_layer.weight, std=0.001)
    nn.init.zeros_(cast("Tensor", net.head.final_layer.bias))
    if net.side_branch is not None:
        nn.init.normal_(net.side_branch.coordinates.weight, std=0.001)
        nn.init.constant_(net.side_branch.coordinates.bias, 0.5)
        for layer in (net.side_branch.channel_bias, net.side_branch.spread):
            nn.init.zeros_(layer.weight)
        nn.init.zeros_(net.side_branch.channel_bias.bias)
