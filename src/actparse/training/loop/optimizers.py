"""The optimiser of a task's settings."""

from __future__ import annotations

import torch
from torch import nn

from actparse.training.task import TaskSettings

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
