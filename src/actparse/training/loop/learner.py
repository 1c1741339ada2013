"""One optimiser step, and the state that steps change: network, optimiser and gradient scaler."""

from __future__ import annotations

import math
import warnings
from contextlib import nullcontext
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from actparse.core.errors import TrainingError
from actparse.core.files import written_beside
from actparse.training.loop import ranks
from actparse.training.loop.batches import to_device
from actparse.training.loop.hardware import Hardware
from actparse.training.loop.optimisation import build_optimizer, learning_rate, set_rate
from actparse.training.run_folder import Plan
from actparse.training.task import NAMES, Batch, Task

MAX_NAMES = 24  # samples that the message about a bad loss names


class TaskModule(nn.Module):
    """A task's network and auxiliary heads as one module, which maps a batch to the terms of the loss."""

    def __init__(self, task: Task) -> None:
        super().__init__()
        self.task = task
        self.net, self.helper = task.net, task.helper

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Return the scalar terms of the loss."""
        return self.task.losses(self.net, batch)


class Learner:
    """A task's network in training. `step` is the number of steps taken so far."""

    def __init__(self, task: Task, plan: Plan, hardware: Hardware) -> None:
        self.task, self.plan, self.hardware = task, plan, hardware
        self.step = 0
        self.learning_rate = 0.0  # of the last step
        self.module = TaskModule(task).to(hardware.device).train()
        self.optimizer = build_optimizer(self.module, task.settings)
        self.scaler = torch.amp.GradScaler(hardware.device.type, enabled=hardware.precision == "float16")
        self.parallel: DistributedDataParallel | None = None
        if ranks.world_size() > 1:
            warnings.filterwarnings("ignore", message="`broadcast_buffers` is deprecated")  # torch 2.6 has no other
            warnings.filterwarnings("ignore", message="Grad strides do not match")  # depthwise kernels, copied
            # each device has separate running statistics, as in the public recipes
            self.parallel = DistributedDataParallel(self.module, broadcast_buffers=False)

    def take_step(self, pieces: list[Batch]) -> dict[str, float]:
        """Take one optimiser step on the sum of the loss terms, with gradients summed over the pieces of a batch.

        Returns:
            The mean of each loss term over the pieces and the processes.

        Raises:
            TrainingError: a term is not a finite number; the message names the step and the samples.
        """
        torch.manual_seed(self.plan.seed * 1_000_003 + self.step + (ranks.rank() << 40))  # for dropout
        self.learning_rate = learning_rate(self.task, self.step, self.plan.num_steps)
        set_rate(self.optimizer, self.learning_rate)
        self.optimizer.zero_grad()
        values_by_piece: list[Tensor] = []
        for index, batch in enumerate(pieces, start=1):
            is_last = index == len(pieces)
            with nullcontext() if is_last or self.parallel is None else self.parallel.no_sync():
                with self.hardware.autocast():
                    losses = (self.parallel or self.module)(to_device(batch, self.hardware.device))
                    loss = torch.stack(list(losses.values())).sum() / len(pieces)
                values = torch.stack([value.detach().float() for value in losses.values()])  # (L,)
                self._expect_finite(dict(zip(losses, values.tolist(), strict=True)), batch)
                self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
            values_by_piece.append(values)
        if self.task.settings.max_gradient_norm is not None:
            self.scaler.unscale_(self.optimizer)
            nn.utils.clip_grad_norm_(self.module.parameters(), self.task.settings.max_gradient_norm)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.step += 1
        means = ranks.mean_over_processes(torch.stack(values_by_piece).mean(dim=0))  # (L,)
        return dict(zip(losses, means.tolist(), strict=True))

    def _expect_finite(self, losses: dict[str, float], batch: Batch) -> None:
        for term, value in losses.items():
            if not math.isfinite(value):
                names = list(dict.fromkeys(batch.get(NAMES, [])))  # some samples are drawn twice
                more = f" and {len(names) - MAX_NAMES} more" if len(names) > MAX_NAMES else ""
                samples = f", samples {', '.join(names[:MAX_NAMES])}{more}" if names else ""
                raise TrainingError(f"{self.task.kind}: the loss term {term} is {value} at step {self.step}{samples}")

    def check(self) -> dict[str, float]:
        """Return the held-out metrics that are numbers; the processes of a run measure them together.

        Raises:
            TrainingError: the metric that selects the best checkpoint is missing.
        """
        ranks.copy_from_first(self.task.net)
        metrics = self.task.check(self.task.net, self.hardware.device)
        self.module.train()
        numbers = {name: float(value) for name, value in metrics.items() if isinstance(value, int | float)}
        if self.task.metric not in numbers:
            raise TrainingError(
                f"{self.task.kind}: a check needs the metric {self.task.metric!r}, got {sorted(numbers)}"
            )
        return numbers

    def save(self, path: Path, log: dict[str, Any]) -> None:
        """Write a checkpoint with the state of the run's log, completely or not at all."""
        state = {
            "step": self.step,
            "state_dict": self.module.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
            "log": log,
        }
        with written_beside(path) as temporary, temporary.open("wb") as file:
            torch.save(state, file)  # given a path, torch would store its temporary name

    def load(self, path: Path) -> dict[str, Any]:
        """Restore a checkpoint; return the state of the run's log.

        Raises:
            TrainingError: the file is damaged, or belongs to another network or an earlier version.
        """
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
            self.module.load_state_dict(state["state_dict"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.scaler.load_state_dict(state["scaler"])
            self.step = int(state["step"])
            log: dict[str, Any] = state["log"]
        except (OSError, RuntimeError, EOFError, UnpicklingError, KeyError, TypeError, ValueError) as error:
            fault = str(error).splitlines()[0]
            raise TrainingError(
                f"{path}: needs a checkpoint of this run, got {type(error).__name__}: {fault}; "
                "without the file the run starts again"
            ) from None
        return log
