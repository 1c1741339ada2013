"""The interface between a recipe and the training loop: network, batches, loss and evaluation."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from actparse.core.errors import ConfigError
from actparse.core.ranges import Count, Positive, expect_ranges
from actparse.weights.bundle import config_to_dict

Batch = dict[str, Any]  # tensors, or lists of tensors of different lengths, with one entry for each sample
NAMES = "names"  # optional key of a batch: names of its samples (file and frame), for the message about a bad loss
OptimizerName = Literal["adamw", "sgd"]
Undecayed = Literal["vectors", "norms", "nothing"]  # parameters without weight decay; vectors are biases and norms


@dataclass(frozen=True, kw_only=True)
class StepRule:
    """A learning rate that falls at milestones, with a linear warm-up; in epochs, as papers describe it."""

    epochs: int  # of the whole run
    milestones: tuple[int, ...]  # epochs, counted from 0, at whose start the rate is reduced
    gamma: float = 0.1  # factor at each milestone
    warmup_iterations: int = 0  # first iteration at the full rate
    warmup_epochs: int = 0  # alternative: the warm-up in epochs
    warmup_by_epoch: bool = False  # `warmup_epochs` changes the rate once per epoch, not at every iteration
    warmup_start: float = 0.0  # share of the rate at iteration 0

    def __post_init__(self) -> None:
        if self.epochs < 1 or any(epoch < 1 for epoch in self.milestones):
            raise ConfigError(f"step rule needs epochs of at least 1, got {self.epochs} and {self.milestones}")


@dataclass(frozen=True, kw_only=True)
class TaskSettings:
    """Hyperparameters of a training run that do not depend on the data."""

    batch_size: Count  # samples of one optimiser step, over all devices
    learning_rate: Positive  # at the top of the cycle
    weight_decay: float = 0.01
    max_gradient_norm: float | None = 5.0  # L2 norm of all gradients; None does not limit it
    optimizer: OptimizerName = "adamw"
    momentum: float = 0.9  # for "sgd"
    nesterov: bool = False  # for "sgd"
    undecayed: Undecayed = "vectors"
    rate_factors: Mapping[str, float] | None = None  # factors of the rate, by prefix of the parameters' names in `net`
    step_rule: StepRule | None = None  # None: one cycle over the whole run

    def __post_init__(self) -> None:
        expect_ranges(self, "settings.")
        if self.nesterov and not self.momentum > 0:
            raise ConfigError(f"settings.nesterov needs a momentum greater than 0, got {self.momentum}")


@dataclass(frozen=True)
class Start:
    """A trained network that another recipe can start from, and its labels."""

    net: nn.Module
    labels: Mapping[str, Any]


class Task(ABC):
    """A network with its training data. `batch` must depend only on its generator, so that a run can resume."""

    kind: str  # "persons", "poses", "parts", "action", "states-head", ...
    settings: TaskSettings
    hyperparameters: Any = None  # of the recipe, a dataclass for the run's record
    stage: Any  # settings of the stage that will use the network, a dataclass
    net: nn.Module
    helper: nn.Module | None = None  # auxiliary heads, trained with the network for their loss; not saved
    stored_as: torch.dtype = torch.float16  # type of the weights in the network's file
    metric: str  # held-out metric that selects the best checkpoint; higher is better

    @property
    @abstractmethod
    def num_samples(self) -> int:
        """Number of training samples; an epoch is `num_samples / batch_size` steps."""

    @abstractmethod
    def batch(self, rng: np.random.Generator) -> Batch:
        """Draw one augmented batch."""

    def rows_of_step(self, seed: int, step: int, positions: range) -> Batch:
        """Return the samples at `positions` (from 0 to batch_size - 1) of an optimiser step."""
        return rows_of(self.batch(np.random.default_rng((seed, step))), positions)

    @abstractmethod
    def losses(self, net: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """Return the scalar terms of the loss; their sum is minimised."""

    @abstractmethod
    def evaluate(self, net: nn.Module, device: torch.device) -> dict[str, Any]:
        """Return held-out metrics of the trained network, as JSON values; all processes of a run call it together."""

    def check(self, net: nn.Module, device: torch.device) -> dict[str, Any]:
        """Return held-out metrics during training: those of `evaluate`, or of a part of the data if that takes long."""
        return self.evaluate(net, device)

    def stage_settings(self) -> Mapping[str, Any]:
        """Return the settings of the stage that will use the network, as JSON values."""
        return config_to_dict(self.stage)

    def labels(self) -> Mapping[str, Any]:
        """Return the labels of the network's outputs, as JSON values; empty if its kind has fixed labels."""
        return {}

    def starts(self) -> Mapping[str, Start]:
        """Return networks for other recipes to start from, by recipe, made of the network and its auxiliary heads."""
        return {}

    def adopt(self, starts: Mapping[str, Start]) -> tuple[str, ...]:
        """Initialise the auxiliary heads from an earlier run's `starts`; return the names of the loaded heads."""
        return ()


class SampledTask(Task):
    """A task whose samples are made one by one, each with a separate random generator.

    Several processes can make the samples, and the batch of a step does not depend on the number of processes.
    """

    @abstractmethod
    def sample(self, row: int, rng: np.random.Generator) -> Any:
        """Read and augment the training sample with index `row`, 0 to `num_samples` - 1."""

    @abstractmethod
    def collate(self, samples: Sequence[Any]) -> Batch:
        """Combine samples into one batch."""

    def batch(self, rng: np.random.Generator) -> Batch:
        """Draw samples at random; `rows_of_step`, in contrast, visits all samples in each epoch."""
        indices = rng.integers(0, self.num_samples, self.settings.batch_size)
        return self.collate([self.sample(int(index), rng) for index in indices])

    def rows_of_step(self, seed: int, step: int, positions: range) -> Batch:
        """Return the samples at `positions` (from 0 to batch_size - 1) of an optimiser step.

        Every epoch shuffles all samples again; its last batch is filled up from the beginning of the epoch.
        """
        batch_size, count = self.settings.batch_size, self.num_samples
        epoch, epoch_step = divmod(step, steps_per_epoch(count, batch_size))
        order = np.random.default_rng((seed, epoch, 0)).permutation(count)  # (num_samples,)
        indices = [int(order[(epoch_step * batch_size + position) % count]) for position in positions]
        generators = [np.random.default_rng((seed, step, 1, position)) for position in positions]
        return self.collate([self.sample(*pair) for pair in zip(indices, generators, strict=True)])


def steps_per_epoch(num_samples: int, batch_size: int) -> int:
    """Return the optimiser steps of an epoch; the last one may repeat some samples."""
    return max(1, -(-num_samples // batch_size))


def rows_of(batch: Batch, indices: range) -> Batch:
    """Return the samples of a batch at consecutive indices; values other than tensors and lists stay unchanged."""
    return {
        key: value[indices.start : indices.stop] if isinstance(value, Tensor | list) else value
        for key, value in batch.items()
    }
