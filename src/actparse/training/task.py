"""What a recipe must say for the loop to train it: its network, its batches, its loss, and how it is judged."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from actparse.core.errors import ConfigError

Batch = dict[str, Any]  # tensors, or lists of tensors of different lengths, one row for each sample
NAMES = "names"  # of a batch's samples, where the batch has them: file and frame, for the message of a bad loss
OptimizerName = Literal["adamw", "sgd"]
Undecayed = Literal["vectors", "norms", "nothing"]  # which parameters are not decayed; vectors are biases and norms


@dataclass(frozen=True, kw_only=True)
class StepRule:
    """A rate that falls at milestones, with a linear warm-up; in epochs, as papers write it."""

    epochs: int  # of the whole run
    milestones: tuple[int, ...]  # epochs from whose start, counted from 0, the rate is lower
    gamma: float = 0.1  # factor at each of them
    warmup_iterations: int = 0  # the full rate from this iteration on
    warmup_epochs: int = 0  # instead, in epochs
    warmup_by_epoch: bool = False  # `warmup_epochs` moves the rate once an epoch, not at every iteration
    warmup_start: float = 0.0  # share of the rate at iteration 0

    def __post_init__(self) -> None:
        if self.epochs < 1 or any(epoch < 1 for epoch in self.milestones):
            raise ConfigError(f"step rule needs epochs of at least 1, got {self.epochs} and {self.milestones}")


@dataclass(frozen=True, kw_only=True)
class TaskSettings:
    """The numbers of one training that do not depend on the data."""

    batch_size: int  # samples of one optimiser step, over all devices
    learning_rate: float  # at the top of the cycle
    weight_decay: float = 0.01
    max_gradient_norm: float | None = 5.0  # L2, of all gradients; None leaves them as they are
    optimizer: OptimizerName = "adamw"
    momentum: float = 0.9  # of "sgd"
    nesterov: bool = False  # of "sgd"
    undecayed: Undecayed = "vectors"
    rate_factors: Mapping[str, float] | None = None  # of the rate, for parameters of `net` whose names begin so
    step_rule: StepRule | None = None  # None: one cycle over the whole run

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            raise ConfigError(f"settings.batch_size must be at least 1, got {self.batch_size}")
        if not self.learning_rate > 0:
            raise ConfigError(f"settings.learning_rate must be greater than 0, got {self.learning_rate}")
        if self.nesterov and not self.momentum > 0:
            raise ConfigError(f"settings.nesterov needs a momentum greater than 0, got {self.momentum}")


@dataclass(frozen=True)
class Start:
    """A network that another recipe may start from, and its labels."""

    net: nn.Module
    labels: Mapping[str, Any]


class Task(ABC):
    """A network on its training data. `batch` must depend on nothing but its generator, so that a run can resume."""

    kind: str  # "persons", "poses", "parts", "action", "states-head", ...
    settings: TaskSettings
    net: nn.Module
    helper: nn.Module | None = None  # trained beside the network, for its loss alone, and dropped with the task
    stored_as: torch.dtype = torch.float16  # what the network's file holds
    metric: str  # the held-out figure, higher is better, that tells the best checkpoint

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

    def check(self, net: nn.Module, device: torch.device) -> dict[str, Any]:
        """Held-out figures on the way: those of `evaluate`, or of a part of the data where that takes long."""
        return self.evaluate(net, device)

    @abstractmethod
    def stage_settings(self) -> Mapping[str, Any]:
        """The settings of the stage that will use the network, JSON values."""

    def labels(self) -> Mapping[str, Any]:
        """What the network can say, JSON values; empty where its kind has no labels of its own."""
        return {}

    def starts(self) -> Mapping[str, Start]:
        """What the trained network and its helper leave to other recipes, by their names."""
        return {}

    def adopt(self, starts: Mapping[str, Start]) -> tuple[str, ...]:
        """Let the helper begin with what an earlier training left by `starts`; returns the names of what it took."""
        return ()


class SampledTask(Task):
    """A task whose samples come one by one, each with a generator of its own.

    Several processes can then make them, and what a step sees does not depend on how many there are.
    """

    @abstractmethod
    def sample(self, row: int, rng: np.random.Generator) -> Any:
        """Read and augment training sample `row`, 0 to `num_samples` - 1."""

    @abstractmethod
    def collate(self, samples: Sequence[Any]) -> Batch:
        """Samples as one batch."""

    def batch(self, rng: np.random.Generator) -> Batch:
        """Samples drawn at random; the loop draws them itself, in the order of `epoch_row`."""
        rows = rng.integers(0, self.num_samples, self.settings.batch_size)
        return self.collate([self.sample(int(row), rng) for row in rows])

    def rows_of_step(self, seed: int, step: int, numbers: range) -> Batch:
        """The samples `numbers` (of 0 to batch_size - 1) of an optimiser step, as a batch.

        Every epoch shuffles all rows anew; its last batch is filled up from the epoch's beginning.
        """
        batch_size, count = self.settings.batch_size, self.num_samples
        epoch, within = divmod(step, steps_per_epoch(count, batch_size))
        order = np.random.default_rng((seed, epoch, 0)).permutation(count)  # (num_samples,)
        rows = [int(order[(within * batch_size + number) % count]) for number in numbers]
        generators = [np.random.default_rng((seed, step, 1, number)) for number in numbers]
        return self.collate([self.sample(*pair) for pair in zip(rows, generators, strict=True)])


def steps_per_epoch(num_samples: int, batch_size: int) -> int:
    """Optimiser steps of an epoch; the last one may see some samples twice."""
    return max(1, -(-num_samples // batch_size))


def rows_of(batch: Batch, rows: range) -> Batch:
    """Some rows of a batch; what is neither tensor nor list belongs to all."""
    return {
        key: value[rows.start : rows.stop] if isinstance(value, Tensor | list) else value
        for key, value in batch.items()
    }
