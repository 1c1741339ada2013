"""A temporal convolutional network on the keypoints of one person: the action, and the state of each body part.

Its input is a window of instants around the one to classify. Source: the temporal convolutions over keypoints of
VideoPose3D (Pavllo et al. 2019), with classification heads; states are predicted given the action, as in the paper's
labels (PCF, section II-C), but separately for each person.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from actparse.core.errors import ConfigError, expect_shape
from actparse.core.vocabulary import NUM_KEYPOINTS, PARTS

LEAST_SCALE = 1.0  # pixels; smaller poses are not enlarged further


@dataclass(frozen=True, kw_only=True)
class TrackConfig:
    """Size of the network and numbers of its labels."""

    num_actions: int = 24
    num_states: tuple[int, ...] = (8,) * len(PARTS)  # of each part
    num_instants: int = 11  # of a window, odd; the middle one is classified
    width: int = 192  # channels
    dilations: tuple[int, ...] = (1, 2, 4)  # of the residual blocks, in instants
    dropout: float = 0.2
    min_confidence: float = 0.15  # keypoints below it count as not visible

    def __post_init__(self) -> None:
        if self.num_instants < 1 or self.num_instants % 2 == 0:
            raise ConfigError(f"tracks.num_instants must be odd and at least 1, got {self.num_instants}")
        if len(self.num_states) != len(PARTS) or min(self.num_states) < 1:
            raise ConfigError(f"tracks.num_states must be {len(PARTS)} numbers of at least 1, got {self.num_states}")
        for name in ("num_actions", "width"):
            if getattr(self, name) < 1:
                raise ConfigError(f"tracks.{name} must be at least 1, got {getattr(self, name)}")
        if not self.dilations or min(self.dilations) < 1:
            raise ConfigError(f"tracks.dilations must be numbers of at least 1, got {self.dilations}")
        if not 0 < self.min_confidence <= 1:
            raise ConfigError(f"tracks.min_confidence must be above 0 and at most 1, got {self.min_confidence}")
        if not 0 <= self.dropout < 1:
            raise ConfigError(f"tracks.dropout must be 0 to below 1, got {self.dropout}")


class TemporalBlock(nn.Module):
    """A residual block: two convolutions over time, the first one dilated; the length is preserved."""

    def __init__(self, width: int, dilation: int, dropout: float) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv1d(width, width, 3, padding=dilation, dilation=dilation, bias=False),
            nn.BatchNorm1d(width),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Conv1d(width, width, 1, bias=False),
            nn.BatchNorm1d(width),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, K) to (N, C, K)."""
        out: Tensor = (x + self.body(x)).relu()  # (N, C, K)
        return out


class TrackNet(nn.Module):
    """The network: it maps a window of keypoints to a person's action, and to states given the action."""

    def __init__(self, config: TrackConfig) -> None:
        super().__init__()
        self.config = config
        width = config.width
        self.embed = nn.Sequential(
            nn.Conv1d(3 * NUM_KEYPOINTS, width, 1, bias=False),
            nn.BatchNorm1d(width),
            nn.ReLU(inplace=True),
            nn.Conv1d(width, width, 1, bias=False),
            nn.BatchNorm1d(width),
            nn.ReLU(inplace=True),
        )
        self.blocks = nn.Sequential(*(TemporalBlock(width, d, config.dropout) for d in config.dilations))
        self.action = nn.Sequential(nn.Dropout(config.dropout), nn.Linear(3 * width, config.num_actions))
        self.action_embed = nn.Linear(config.num_actions, width, bias=False)
        self.join = nn.Sequential(
            nn.Linear(4 * width, width), nn.ReLU(inplace=True), nn.Dropout(config.dropout), nn.Linear(width, width)
        )
        self.states = nn.Linear(width, sum(config.num_states))

    def features(self, windows: Tensor) -> Tensor:
        """Map windows (N, K, 17, 3) of x, y in pixels and confidence to features (N, 3 * width).

        Raises:
            ShapeError: the windows are of another shape.
        """
        expect_shape("windows", windows, (None, self.config.num_instants, NUM_KEYPOINTS, 3))
        keypoints = normalised(windows, self.config.min_confidence)  # (N, K, 17, 3)
        over_time = self.blocks(self.embed(keypoints.flatten(2).transpose(1, 2)))  # (N, C, K)
        middle = over_time[..., self.config.num_instants // 2]  # (N, C)
        return torch.cat((middle, over_time.mean(dim=2), over_time.amax(dim=2)), dim=1)  # (N, 3C)

    def action_logits(self, features: Tensor) -> Tensor:
        """Map features (N, 3 * width) to logits (N, num_actions)."""
        logits: Tensor = self.action(features)
        return logits

    def state_logits(self, features: Tensor, actions: Tensor) -> tuple[Tensor, ...]:
        """Compute the logits of every part's states, given the action.

        Args:
            features: (N, 3 * width).
            actions: (N, num_actions) probabilities; zeros if the action is unknown.

        Returns:
            For each of the ten parts (N, number of its states).
        """
        action_features = self.action_embed(actions)  # (N, C)
        joined = self.join(torch.cat((features, action_features), dim=1)).relu()  # (N, C)
        logits: Tensor = self.states(joined)  # (N, sum of num_states)
        return torch.split(logits, list(self.config.num_states), dim=1)

    def forward(self, windows: Tensor) -> Tensor:
        """Map windows (N, K, 17, 3) to the action's logits (N, num_actions)."""
        return self.action_logits(self.features(windows))


def normalised(windows: Tensor, min_confidence: float) -> Tensor:
    """Return keypoints relative to the middle of their window, in units of the person's spread; invisible ones are 0.

    Args:
        windows: (N, K, 17, 3) x, y in pixels, confidence.
        min_confidence: least confidence of a visible keypoint.

    Returns:
        (N, K, 17, 3); the third value is the confidence.
    """
    visible = (windows[..., 2:] >= min_confidence).float()  # (N, K, 17, 1)
    points = windows[..., :2]
    count = visible.sum(dim=(1, 2), keepdim=True).clamp(min=1)  # (N, 1, 1, 1)
    center = (points * visible).sum(dim=(1, 2), keepdim=True) / count  # (N, 1, 1, 2)
    num_visible = visible.sum(dim=2, keepdim=True).clamp(min=1)  # (N, K, 1, 1)
    of_instant = (points * visible).sum(dim=2, keepdim=True) / num_visible  # (N, K, 1, 2)
    spread = ((points - of_instant).square().sum(dim=3, keepdim=True) * visible).sum(dim=(1, 2), keepdim=True) / count
    scale = spread.sqrt().clamp(min=LEAST_SCALE)  # (N, 1, 1, 1)
    return torch.cat(((points - center) / scale * visible, windows[..., 2:] * visible), dim=3)


def tracks(
    num_actions: int = 24, num_states: Sequence[int] = (8,) * len(PARTS), *, num_instants: int = 11, width: int = 192
) -> TrackNet:
    """Build the network with fresh weights.

    Args:
        num_actions: number of actions.
        num_states: number of states of each of the ten parts.
        num_instants: instants of a window, odd.
        width: channels.

    Raises:
        ConfigError: a value is out of its range.
    """
    return TrackNet(
        TrackConfig(num_actions=num_actions, num_states=tuple(num_states), num_instants=num_instants, width=width)
    )
