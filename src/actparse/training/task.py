"""What a recipe must say for the loop to train it: its network, its batches, its loss, and how it is judged."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

Batch = dict[str, Any]  # tensors, or lists of tensors of different lengths


@dataclass(frozen=True, kw_only=True)
class TaskSettings:
    """The numbers of one training that do not depend on the data."""

    batch_size: int
    learning_rate: float  # at the top of the cycle
    weight_decay: float = 0.01
    max_gradient_norm: float = 5.0


class Task(ABC):
    """A network on its training data. `batch` must depend on nothing but its generator, so that a run can resume."""

    kind: str  # "persons", "poses", "parts", "action", "states-head", ...
    settings: TaskSettings
    net: nn.Module
    helper: nn.Module | None = None  # trained beside the network, for its loss alone, and dropped with the task

    @property
    @abstractmethod
    def num_samples(self) -> int:
        """Training samples; an epoch is `num_samples / batch_size` steps."""

    @abstractmethod
    def batch(self, rng: np.random.Generator) -> Batch:
        """Draw one augmented batch."""

    @abstractmethod
    def losses(self, net: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """The terms of the loss, scalars; their sum is minimised."""

    @abstractmethod
    def evaluate(self, net: nn.Module, device: torch.device) -> dict[str, Any]:
        """Held-out figures of the trained network, JSON values."""

    @abstractmethod
    def stage_settings(self) -> Mapping[str, Any]:
        """The settings of the stage that will use the network, JSON values."""

    def labels(self) -> Mapping[str, Any]:
        """What the network can say, JSON values; empty where its kind has no labels of its own."""
        return {}
