"""Optimisers, and their learning rates: one cycle, or steps with a linear warm-up as in public recipes."""

from __future__ import annotations

import math

import torch
from torch import nn

from actparse.training.task import StepRule, Task, TaskSettings, steps_per_epoch

WARM_UP_SHARE = 0.04  # share of the steps of one cycle
FIRST_FACTOR = 0.02  # share of the learning rate at step 0 of the cycle
LAST_FACTOR = 0.005  # share of the learning rate at its end
FACTOR = "rate_factor"  # key of a parameter group: its rate as a share of the schedule's

_NORMS = (nn.modules.batchnorm._BatchNorm, nn.GroupNorm, nn.LayerNorm)


def build_optimizer(module: nn.Module, settings: TaskSettings) -> torch.optim.Optimizer:
    """Build the optimiser of all trained parameters of `module`; names of the task's network begin with "net."."""
    by_group: dict[tuple[float, float], list[nn.Parameter]] = {}  # by factor and weight decay
    factors = settings.rate_factors or {}
    for name, parameter in module.named_parameters():
        if parameter.requires_grad:
            factor = next((value for prefix, value in factors.items() if name.startswith(f"net.{prefix}")), 1.0)
            layer = module.get_submodule(name.rpartition(".")[0])
            is_decayed = {
                "vectors": parameter.dim() > 1,
                "norms": not isinstance(layer, _NORMS),
                "nothing": True,
            }[settings.undecayed]
            by_group.setdefault((factor, settings.weight_decay if is_decayed else 0.0), []).append(parameter)
    groups = [
        {"params": parameters, "weight_decay": decay, FACTOR: factor}
        for (factor, decay), parameters in by_group.items()
    ]
    if settings.optimizer == "adamw":
        return torch.optim.AdamW(groups, lr=settings.learning_rate, fused=True)
    return torch.optim.SGD(
        groups, lr=settings.learning_rate, momentum=settings.momentum, nesterov=settings.nesterov, foreach=True
    )


def set_rate(optimizer: torch.optim.Optimizer, learning_rate: float) -> None:
    """Set the learning rate of the next step."""
    for group in optimizer.param_groups:
        group["lr"] = learning_rate * group[FACTOR]


def learning_rate(task: Task, step: int, num_steps: int) -> float:
    """Return the learning rate of a step, counted from 0, in a run of `num_steps`.

    The epochs of a step rule do not depend on the length of the run.
    """
    settings = task.settings
    if settings.step_rule is None:
        return settings.learning_rate * one_cycle(step, num_steps)
    per_epoch = steps_per_epoch(task.num_samples, settings.batch_size)
    return settings.learning_rate * rule_factor(settings.step_rule, step, per_epoch)


def one_cycle(step: int, num_steps: int) -> float:
    """Return the rate as a share of its maximum: a linear rise over 4 % of the steps, times a falling half cosine."""
    warm_up = _ramp(FIRST_FACTOR, step, max(1, round(WARM_UP_SHARE * num_steps)))
    cosine = (1 + math.cos(math.pi * min(step / num_steps, 1.0))) / 2
    return (LAST_FACTOR + (1 - LAST_FACTOR) * cosine) * warm_up


def rule_factor(rule: StepRule, step: int, per_epoch: int) -> float:
    """Return the rate as a share of its maximum under a step rule, with `per_epoch` steps in an epoch.

    Source: the paper, section IV-A, and the public configs. The paper warms CSN up for "16 iterations", the public
    config for 16 epochs, of which the last has the full rate if the rate changes once per epoch.
    """
    epoch = step // per_epoch
    decay = rule.gamma ** sum(epoch >= milestone for milestone in rule.milestones)
    if rule.warmup_by_epoch:
        return decay * _ramp(rule.warmup_start, epoch, rule.warmup_epochs - 1)
    return decay * _ramp(rule.warmup_start, step, rule.warmup_epochs * per_epoch or rule.warmup_iterations)


def _ramp(start: float, step: int, num_steps: int) -> float:
    return start + (1 - start) * step / num_steps if step < num_steps else 1.0
