"""Optimisers and learning-rate schedules, built from a task's settings."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from actparse.training.loop.schedule import CosineSchedule, StepSchedule
from actparse.training.task import StepRule, Task, TaskSettings, steps_per_epoch

WARM_UP_SHARE = 0.04  # share of the steps of one cycle
FIRST_FACTOR = 0.02  # share of the learning rate at step 0
LAST_FACTOR = 0.005  # share of the learning rate at the end
FACTOR = "rate_factor"  # key in a parameter group whose rate differs from the schedule's

_NORMS = (nn.modules.batchnorm._BatchNorm, nn.GroupNorm, nn.LayerNorm)


def one_cycle(learning_rate: float, num_steps: int) -> CosineSchedule:
    """Build a schedule: a linear rise over the first 4 % of the steps, times a half cosine that falls to nearly 0."""
    return CosineSchedule(
        base_lr=learning_rate,
        num_iterations=num_steps,
        warmup_iterations=max(1, round(WARM_UP_SHARE * num_steps)),
        warmup_start=FIRST_FACTOR,
        end=LAST_FACTOR,
    )


def build_schedule(task: Task, num_steps: int) -> CosineSchedule | StepSchedule:
    """Build one cycle over the run, or the task's step rule, whose epochs do not depend on the run's length."""
    rule = task.settings.step_rule
    if rule is None:
        return one_cycle(task.settings.learning_rate, num_steps)
    return step_schedule(rule, task.settings.learning_rate, steps_per_epoch(task.num_samples, task.settings.batch_size))


def step_schedule(rule: StepRule, learning_rate: float, iterations_per_epoch: int) -> StepSchedule:
    """Convert a step rule from epochs to iterations."""
    iterations = rule.warmup_iterations
    if rule.warmup_epochs and not rule.warmup_by_epoch:
        iterations = rule.warmup_epochs * iterations_per_epoch
    return StepSchedule(
        base_lr=learning_rate,
        iterations_per_epoch=iterations_per_epoch,
        milestones=rule.milestones,
        gamma=rule.gamma,
        warmup_iterations=iterations,
        warmup_epochs=rule.warmup_epochs if rule.warmup_by_epoch else 0,
        warmup_start=rule.warmup_start,
    )


def build_optimizer(module: nn.Module, settings: TaskSettings) -> torch.optim.Optimizer:
    """Build the optimiser of all trained parameters of `module`; names of the task's network begin with "net."."""
    groups = _groups(module, settings)
    if settings.optimizer == "adamw":
        return torch.optim.AdamW(groups, lr=settings.learning_rate, fused=True)
    return torch.optim.SGD(
        groups, lr=settings.learning_rate, momentum=settings.momentum, nesterov=settings.nesterov, foreach=True
    )


def set_rate(optimizer: torch.optim.Optimizer, learning_rate: float) -> None:
    """Set the learning rate of the next step."""
    for group in optimizer.param_groups:
        group["lr"] = learning_rate * group.get(FACTOR, 1.0)


def _groups(module: nn.Module, settings: TaskSettings) -> list[dict[str, Any]]:
    """Return parameter groups by learning rate, for each rate the decayed parameters before the others."""
    groups: list[dict[str, Any]] = []
    for factor, parameters in _by_factor(module, settings).items():
        extra = {} if factor == 1.0 else {FACTOR: factor}
        decayed = [p for name, p in parameters.items() if _is_decayed(module, name, p, settings)]
        others = [p for name, p in parameters.items() if not _is_decayed(module, name, p, settings)]
        groups.append({"params": decayed, "weight_decay": settings.weight_decay, **extra})
        groups.append({"params": others, "weight_decay": 0.0, **extra})
    return groups if settings.optimizer == "adamw" else [group for group in groups if group["params"]]


def _by_factor(module: nn.Module, settings: TaskSettings) -> dict[float, dict[str, nn.Parameter]]:
    groups: dict[float, dict[str, nn.Parameter]] = {1.0: {}}
    for name, parameter in module.named_parameters():
        if parameter.requires_grad:
            factors = settings.rate_factors or {}
            factor = next((value for prefix, value in factors.items() if name.startswith(f"net.{prefix}")), 1.0)
            groups.setdefault(factor, {})[name] = parameter
    return groups


def _is_decayed(module: nn.Module, name: str, parameter: nn.Parameter, settings: TaskSettings) -> bool:
    if settings.undecayed == "vectors":
        return parameter.dim() > 1
    if settings.undecayed == "norms":
        return not isinstance(module.get_submodule(name.rpartition(".")[0]), _NORMS)
    return True
