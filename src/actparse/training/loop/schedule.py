"""Learning-rate schedules: steps with linear warm-up, as in the paper and the public recipes, and cosine cycles."""

from __future__ import annotations

import math
from dataclasses import dataclass

from actparse.core.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class StepSchedule:
    """A learning rate multiplied by `gamma` at each milestone, and by the factor of the warm-up.

    Source: the paper, section IV-A, and the public configs. The paper warms CSN up for "16 iterations", the public
    config for 16 epochs: both can be configured here; `warmup_epochs` follows the current
    config, with one update per epoch.
    """

    base_lr: float
    iterations_per_epoch: int
    milestones: tuple[int, ...] = ()  # epochs, counted from 0, at whose start the rate is reduced
    gamma: float = 0.1
    warmup_iterations: int = 0  # first iteration at the full rate
    warmup_epochs: int = 0  # alternative: number of warm-up epochs, of which the last has the full rate
    warmup_start: float = 0.0  # share of the rate at iteration 0

    def __post_init__(self) -> None:
        _expect_positive("base_lr", self.base_lr)
        _expect_positive("iterations_per_epoch", self.iterations_per_epoch)
        _expect_positive("gamma", self.gamma)
        _expect_at_least_0("warmup_iterations", self.warmup_iterations)
        _expect_at_least_0("warmup_epochs", self.warmup_epochs)
        if self.warmup_iterations and self.warmup_epochs:
            got = f"{self.warmup_iterations} and {self.warmup_epochs}"
            raise ConfigError(f"schedule.warmup_iterations and warmup_epochs must not both be set, got {got}")
        _expect_share("warmup_start", self.warmup_start)

    def lr(self, iteration: int) -> float:
        """Return the rate of an iteration, counted from 0 over all epochs."""
        return self.base_lr * self.factor(iteration)

    def factor(self, iteration: int) -> float:
        """Return the rate as a share of `base_lr`, for `torch.optim.lr_scheduler.LambdaLR`."""
        epoch = iteration // self.iterations_per_epoch
        passed = sum(epoch >= milestone for milestone in self.milestones)
        return self.gamma**passed * self._warmup(iteration, epoch)

    def _warmup(self, iteration: int, epoch: int) -> float:
        if self.warmup_epochs > 1:
            return _ramp(self.warmup_start, epoch, self.warmup_epochs - 1)
        return _ramp(self.warmup_start, iteration, self.warmup_iterations)


@dataclass(frozen=True, kw_only=True)
class CosineSchedule:
    """A learning rate in `num_cycles` equal half cosines from `base_lr` to `end` of it, times one linear warm-up."""

    base_lr: float
    num_iterations: int
    num_cycles: int = 1
    warmup_iterations: int = 0
    warmup_start: float = 0.0  # share of the rate at iteration 0
    end: float = 0.0  # share of the rate at the end of each cycle

    def __post_init__(self) -> None:
        _expect_positive("base_lr", self.base_lr)
        _expect_positive("num_iterations", self.num_iterations)
        if not 1 <= self.num_cycles <= self.num_iterations:
            raise ConfigError(f"schedule.num_cycles must be 1 to {self.num_iterations}, got {self.num_cycles}")
        _expect_at_least_0("warmup_iterations", self.warmup_iterations)
        _expect_share("warmup_start", self.warmup_start)
        _expect_share("end", self.end)

    def lr(self, iteration: int) -> float:
        """Return the rate of an iteration, counted from 0."""
        return self.base_lr * self.factor(iteration)

    def factor(self, iteration: int) -> float:
        """Return the rate as a share of `base_lr`; from `num_iterations` on it is `end`."""
        if iteration >= self.num_iterations:
            return self.end
        length = self.num_iterations / self.num_cycles
        progress = (iteration % length) / length  # of this cycle
        cosine = self.end + (1 - self.end) * (1 + math.cos(math.pi * progress)) / 2
        return cosine * _ramp(self.warmup_start, iteration, self.warmup_iterations)


def _ramp(start: float, step: int, num_steps: int) -> float:
    return start + (1 - start) * step / num_steps if step < num_steps else 1.0


def _expect_positive(name: str, value: float) -> None:
    if not value > 0:
        raise ConfigError(f"schedule.{name} must be greater than 0, got {value}")


def _expect_at_least_0(name: str, value: int) -> None:
    if value < 0:
        raise ConfigError(f"schedule.{name} must be at least 0, got {value}")


def _expect_share(name: str, value: float) -> None:
    if not 0 <= value <= 1:
        raise ConfigError(f"schedule.{name} must be 0 to 1, got {value}")
