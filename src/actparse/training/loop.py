"""The loop: a task trained for a number of steps with AdamW over one cycle, on Lightning, so that it can be resumed.

Everything random in a step comes from (seed, step): a run that was stopped and resumed repeats the undisturbed one.
"""

from __future__ import annotations

import copy
import logging
import math
import time
import warnings
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal

import cv2
import numpy as np
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor, nn
from torch.utils.data import DataLoader, IterableDataset

from actparse.errors import TrainingError
from actparse.stages.precision import computes_bfloat16
from actparse.training.callbacks import ProgressLog, SaveLast, Watched
from actparse.training.options import TrainOptions
from actparse.training.runs import Plan, RunFolder, read_plan, write_json
from actparse.training.schedule import CosineSchedule
from actparse.training.task import Batch, Task

WARM_UP_SHARE = 0.04  # of the steps
FIRST_FACTOR = 0.02  # of the learning rate, at step 0
LAST_FACTOR = 0.005  # of the learning rate, at the end
NUM_WARM_STEPS = 6  # before the rate is measured
NUM_MEASURED_STEPS = 30


def one_cycle(learning_rate: float, num_steps: int) -> CosineSchedule:
    """The learning rate by step: a straight line up over the first 4 %, all under a half cosine down to nearly 0."""
    return CosineSchedule(
        base_lr=learning_rate,
        num_iterations=num_steps,
        warmup_iterations=max(1, round(WARM_UP_SHARE * num_steps)),
        warmup_start=FIRST_FACTOR,
        end=LAST_FACTOR,
    )


Precision = Literal["bf16-mixed", "32-true"]  # Lightning's names


@dataclass(frozen=True)
class Hardware:
    """Where a run computes and how."""

    device: torch.device
    precision: Precision


def choose_hardware(device: str) -> Hardware:
    """Resolve "auto"; bfloat16 is used where the processor computes it natively.

    Raises:
        TrainingError: "cuda" was asked for and there is none.
    """
    has_cuda = torch.cuda.is_available()
    if device == "cuda" and not has_cuda:
        raise TrainingError("train.device is cuda, which needs a CUDA device, got none")
    kind = "cuda" if has_cuda and device != "cpu" else "cpu"
    return Hardware(torch.device(kind), "bf16-mixed" if computes_bfloat16(kind) else "32-true")


def put_channels_last(net: nn.Module) -> None:
    """Store the weights of 2-D convolutions in the layout that is fastest in mixed precision, in place."""
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            module.weight.data = module.weight.data.contiguous(memory_format=torch.channels_last)


class StepBatches(IterableDataset[Batch]):
    """The batches of the steps [first, end), each from its own generator."""

    def __init__(self, task: Task, *, seed: int, first: int, end: int) -> None:
        self.task, self.seed, self.first, self.end = task, seed, first, end

    def __len__(self) -> int:
        return self.end - self.first

    def __iter__(self) -> Iterator[Batch]:
        for step in range(self.first, self.end):
            yield self.task.batch(np.random.default_rng((self.seed, step)))


class TaskModule(Watched):
    """A task as Lightning trains it. `last_losses` and `learning_rate` are those of the step just done."""

    def __init__(self, task: Task, plan: Plan) -> None:
        super().__init__()
        self.task = task
        self.plan = plan
        self.net = task.net
        self.helper = task.helper
        self.last_losses: dict[str, float] = {}
        self.learning_rate = 0.0
        self.schedule = one_cycle(task.settings.learning_rate, plan.num_steps)

    def train_dataloader(self) -> DataLoader[Batch]:
        """Batches from the step where the run stands."""
        batches = StepBatches(self.task, seed=self.plan.seed, first=self.global_step, end=self.plan.num_steps)
        return DataLoader(batches, batch_size=None)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """AdamW; biases and norms are not decayed."""
        decay = self.task.settings.weight_decay
        matrices = [p for p in self.parameters() if p.requires_grad and p.dim() > 1]
        vectors = [p for p in self.parameters() if p.requires_grad and p.dim() <= 1]
        groups = [{"params": matrices, "weight_decay": decay}, {"params": vectors, "weight_decay": 0.0}]
        return torch.optim.AdamW(groups, lr=self.task.settings.learning_rate, fused=True)

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        """Set the step's learning rate and its seed (dropout)."""
        self.learning_rate = self.schedule.lr(self.global_step)
        for group in self.trainer.optimizers[0].param_groups:
            group["lr"] = self.learning_rate
        torch.manual_seed(self.plan.seed * 1_000_003 + self.global_step)

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Clip the gradient; the Trainer's own clipping refuses a fused optimiser."""
        torch.nn.utils.clip_grad_norm_(self.parameters(), self.task.settings.max_gradient_norm)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """The sum of the task's loss terms.

        Raises:
            TrainingError: a term is not a finite number; the message names the step.
        """
        losses = self.task.losses(self.net, batch)
        self.last_losses = {term: float(value.detach()) for term, value in losses.items()}
        for term, value in self.last_losses.items():
            if not math.isfinite(value):
                raise TrainingError(f"{self.task.kind}: the loss term {term} is {value} at step {self.global_step}")
        return torch.stack(list(losses.values())).sum()


def train(task: Task, run: RunFolder, options: TrainOptions, hardware: Hardware) -> Plan:
    """Train `task.net` in place, from the run's checkpoint where `options.resume` asks for it and there is one.

    Raises:
        TrainingError: the run's folder holds another run, or the loss is no longer a number.
    """
    if options.threads is not None:
        torch.set_num_threads(options.threads)
    cv2.setNumThreads(1)
    resuming = options.resume and run.checkpoint.is_file()
    if run.checkpoint.is_file() and not options.resume:
        raise TrainingError(f"{run.folder} holds a run of {run.name} already: resume it, or choose another folder")
    task.net.to(hardware.device)
    put_channels_last(task.net)
    plan = read_plan(run) if resuming else _start_plan(task, run, options, hardware)
    watchers = [
        SaveLast(run.checkpoint, options.checkpoint_seconds),
        ProgressLog(
            run.log,
            name=run.name,
            num_steps=plan.num_steps,
            batch_size=plan.batch_size,
            report=options.report,
            every_steps=options.log_every,
        ),
    ]
    _fit(task, plan, hardware, watchers, checkpoint=str(run.checkpoint) if resuming else None)
    return plan


def _start_plan(task: Task, run: RunFolder, options: TrainOptions, hardware: Hardware) -> Plan:
    batch_size = task.settings.batch_size
    if options.minutes is not None:
        num_steps = _steps_in(options.minutes * 60, task, hardware, options.seed)
    elif options.epochs is not None:
        num_steps = math.ceil(options.epochs * task.num_samples / batch_size)
    elif options.steps is not None:
        num_steps = options.steps
    else:
        raise TrainingError(f"{run.name}: needs minutes, epochs or steps, got none")
    plan = Plan(max(1, num_steps), options.seed, batch_size)
    write_json(run.plan, asdict(plan))
    return plan


def _steps_in(seconds: float, task: Task, hardware: Hardware, seed: int) -> int:
    """How many steps fit into a time, measured on a copy of the network."""
    start = time.monotonic()
    trial = copy.copy(task)
    trial.net, trial.helper = copy.deepcopy((task.net, task.helper))
    stopwatch = _Stopwatch()
    plan = Plan(NUM_WARM_STEPS + NUM_MEASURED_STEPS, seed, task.settings.batch_size)
    _fit(trial, plan, hardware, [stopwatch], checkpoint=None)
    left = seconds - (time.monotonic() - start)
    return max(1, int(left * stopwatch.steps_per_second))


class _Stopwatch(Callback):
    """Measures the rate of the steps after the first few."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *args: Any) -> None:
        self.times.append(time.monotonic())

    @property
    def steps_per_second(self) -> float:
        return NUM_MEASURED_STEPS / max(self.times[-1] - self.times[NUM_WARM_STEPS - 1], 1e-9)


def _fit(task: Task, plan: Plan, hardware: Hardware, callbacks: list[Any], *, checkpoint: str | None) -> None:
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    trainer = Trainer(
        max_steps=plan.num_steps,
        accelerator="gpu" if hardware.device.type == "cuda" else "cpu",
        devices=1,
        precision=hardware.precision,
        callbacks=callbacks,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        num_sanity_val_steps=0,
    )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="lightning")  # advice on worker processes and loggers, unused here
        trainer.fit(TaskModule(task, plan).train(), ckpt_path=checkpoint)
    task.net.to(hardware.device)  # Lightning moves the module back to the CPU
