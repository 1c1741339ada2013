"""The training loop: train a task for a number of steps with Lightning, on one device or several, with resuming.

All random numbers of a step derive from (seed, step): a run that was stopped and resumed gives the same result as an
uninterrupted run, and so does a run whose batches are made by worker processes. The task sets the optimiser and its
learning rates: AdamW in one cycle or SGD in steps.
"""

from __future__ import annotations

import copy
import logging
import math
import time
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from typing import Any, Literal

import cv2
import numpy as np
import torch
from lightning.fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.strategies import DDPStrategy, ParallelStrategy, Strategy
from torch import Tensor, nn
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from actparse.core.errors import TrainingError
from actparse.stages.memory import keep_freed_memory
from actparse.stages.precision import computes_bfloat16
from actparse.training.loop import ranks
from actparse.training.loop.callbacks import CheckHeldOut, ProgressLog, SaveLast, Watched
from actparse.training.loop.estimate import estimate
from actparse.training.loop.optimizers import build_optimizer, build_schedule, one_cycle, set_rate
from actparse.training.loop.tensorboard import tensorboard_callbacks
from actparse.training.options import TrainOptions
from actparse.training.run_folder import Plan, RunFolder, read_plan, write_json
from actparse.training.task import NAMES, Batch, SampledTask, Task, rows_of, steps_per_epoch
from actparse.weights.bundle import config_to_dict, file_sha256

__all__ = ["Hardware", "StepBatches", "TaskModule", "choose_hardware", "one_cycle", "put_channels_last", "train"]

NUM_WARM_STEPS = 6  # before the speed is measured
NUM_MEASURED_STEPS = 30
MAX_NAMES = 24  # samples that the message about a bad loss names

Precision = Literal["bf16-mixed", "16-mixed", "32-true"]  # in Lightning's terms
PRECISION_NAMES: dict[str, Precision] = {"bfloat16": "bf16-mixed", "float16": "16-mixed", "float32": "32-true"}


@dataclass(frozen=True)
class Hardware:
    """The device and the precision of a run."""

    device: torch.device
    precision: Precision


def choose_hardware(device: str, precision: str = "auto") -> Hardware:
    """Resolve "auto" to a device and a precision; bfloat16 is used if the processor computes it natively.

    Raises:
        TrainingError: "cuda" was requested but does not exist, or float16 was requested on a processor.
    """
    has_cuda = torch.cuda.is_available()
    if device == "cuda" and not has_cuda:
        raise TrainingError("train.device is cuda, which needs a CUDA device, got none")
    kind = "cuda" if has_cuda and device != "cpu" else "cpu"
    if kind == "cpu" and precision == "float16":
        raise TrainingError("train.precision float16 needs a CUDA device, got the processor")
    if precision == "auto":
        precision = "bfloat16" if computes_bfloat16(kind) else "float32"
    return Hardware(torch.device(kind), PRECISION_NAMES[precision])


def put_channels_last(net: nn.Module) -> None:
    """Store the weights of 2-D convolutions in the layout that is fastest in mixed precision, in place."""
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            module.weight.data = module.weight.data.contiguous(memory_format=torch.channels_last)


class StepBatches(IterableDataset[list[Batch]]):
    """The batches of this process in the steps [first, end): its share of each step's batch, in `pieces` parts."""

    def __init__(self, task: Task, *, seed: int, first: int, end: int, pieces: int = 1) -> None:
        self.task, self.seed, self.first, self.end = task, seed, first, end
        self.indices = ranks.share(task.settings.batch_size)
        num_samples = len(self.indices)
        if num_samples % pieces:
            raise TrainingError(
                f"train.accumulate must divide the {num_samples} samples that a device sees in a step, got {pieces}"
            )
        piece_size = num_samples // pieces
        self.pieces = [self.indices[start : start + piece_size] for start in range(0, num_samples, piece_size)]

    def __len__(self) -> int:
        return self.end  # Lightning counts the steps before a resume too

    def __iter__(self) -> Iterator[list[Batch]]:
        worker = get_worker_info()
        start, stride = (0, 1) if worker is None else (worker.id, worker.num_workers)
        for step in range(self.first + start, self.end, stride):
            yield self.at(step)

    def at(self, step: int) -> list[Batch]:
        """Return the parts of one step's batch."""
        if isinstance(self.task, SampledTask):
            return [self.task.rows_of_step(self.seed, step, piece) for piece in self.pieces]
        whole = self.task.batch(np.random.default_rng((self.seed, step)))
        is_whole = len(self.pieces) == 1 and len(self.indices) == self.task.settings.batch_size
        return [whole] if is_whole else [rows_of(whole, piece) for piece in self.pieces]


class TaskModule(Watched):
    """A task as a Lightning module. `last_losses` and `learning_rate` belong to the last finished step."""

    def __init__(self, task: Task, plan: Plan, *, pieces: int = 1, workers: int = 0) -> None:
        super().__init__()
        self.automatic_optimization = False  # a step has several pieces
        self.task = task
        self.plan = plan
        self.pieces, self.workers = pieces, workers
        self.net = task.net
        self.helper = task.helper
        self.last_losses: dict[str, float] = {}
        self.last_figures: dict[str, float] = {}
        self.learning_rate = 0.0
        self.schedule = build_schedule(task, plan.num_steps)

    def train_dataloader(self) -> DataLoader[list[Batch]]:
        """Return the batches from the current step on."""
        steps = {"seed": self.plan.seed, "first": self.global_step, "end": self.plan.num_steps, "pieces": self.pieces}
        if not self.workers:
            return DataLoader(StepBatches(self.task, **steps), batch_size=None)
        task = copy.copy(self.task)  # sent to the workers without its networks
        task.net, task.helper = nn.Identity(), None
        return DataLoader(
            StepBatches(task, **steps),
            batch_size=None,
            num_workers=self.workers,
            worker_init_fn=_start_worker,
            multiprocessing_context="spawn",
            pin_memory=self.device.type == "cuda",
        )

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Build the optimiser from the task's settings."""
        return build_optimizer(self, self.task.settings)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Restore the step from checkpoints of an earlier version, which Lightning counted in another field."""
        loops = checkpoint["loops"]["fit_loop"]
        loops["epoch_loop.manual_optimization.optim_step_progress"]["total"]["completed"] = checkpoint["global_step"]

    def on_train_batch_start(self, batch: list[Batch], batch_idx: int) -> None:
        """Set the step's learning rate and its seed (dropout)."""
        self.learning_rate = self.schedule.lr(self.global_step)
        set_rate(self.trainer.optimizers[0], self.learning_rate)
        torch.manual_seed(self.plan.seed * 1_000_003 + self.global_step + (ranks.rank() << 40))

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Clip the gradient; the Trainer's clipping does not support fused optimisers."""
        limit = self.task.settings.max_gradient_norm
        if limit is not None:
            torch.nn.utils.clip_grad_norm_(self.parameters(), limit)

    def training_step(self, pieces: list[Batch], batch_idx: int) -> None:
        """Take one optimiser step on the sum of the task's loss terms, with gradients summed over the pieces.

        Raises:
            TrainingError: a term is not a finite number; the message names the step and the samples.
        """
        optimizer: Any = self.optimizers()
        optimizer.zero_grad()
        losses_by_piece: list[dict[str, Tensor]] = []
        for index, batch in enumerate(pieces, start=1):
            with nullcontext() if index == len(pieces) else self._unsynchronised():
                losses = self.task.losses(self.net, batch)
                self._expect_finite(losses, batch)
                self.manual_backward(torch.stack(list(losses.values())).sum() / len(pieces))
            losses_by_piece.append({term: value.detach() for term, value in losses.items()})
        self._store_losses(losses_by_piece)
        optimizer.step()

    def _unsynchronised(self) -> AbstractContextManager[None]:
        """Return a context in which gradients stay on this device, for all but the last piece of a step."""
        strategy = self.trainer.strategy
        if not isinstance(strategy, ParallelStrategy):
            return nullcontext()
        context: AbstractContextManager[None] = strategy.block_backward_sync()
        return context

    def _expect_finite(self, losses: dict[str, Tensor], batch: Batch) -> None:
        for term, value in ((term, float(loss.detach())) for term, loss in losses.items()):
            if not math.isfinite(value):
                fault = f"{self.task.kind}: the loss term {term} is {value} at step {self.global_step}"
                raise TrainingError(fault + _listed(batch.get(NAMES, [])))

    def _store_losses(self, losses_by_piece: list[dict[str, Tensor]]) -> None:
        terms = list(losses_by_piece[0])
        by_piece = [torch.stack([losses[term].float() for term in terms]) for losses in losses_by_piece]
        values = torch.stack(by_piece)  # (pieces, L)
        means = ranks.mean_over_processes(values.mean(dim=0))  # (L,)
        self.last_losses = dict(zip(terms, means.tolist(), strict=True))


def _listed(samples: list[str]) -> str:
    names = list(dict.fromkeys(samples))  # some samples are drawn twice
    more = f" and {len(names) - MAX_NAMES} more" if len(names) > MAX_NAMES else ""
    return f", samples {', '.join(names[:MAX_NAMES])}{more}" if names else ""


def _start_worker(index: int) -> None:
    cv2.setNumThreads(1)


def train(task: Task, run: RunFolder, options: TrainOptions, hardware: Hardware) -> Plan:
    """Train `task.net` in place, from the run's checkpoint if `options.resume` is set and a checkpoint exists.

    Raises:
        TrainingError: the run's folder holds another run or a damaged checkpoint, or the loss is not finite.
    """
    if options.keep == "best" and options.check_every is None:
        raise TrainingError("train.keep is best, which needs checks on the way: --check-every, got none")
    if options.threads is not None:
        torch.set_num_threads(options.threads)
    cv2.setNumThreads(1)
    keep_freed_memory()
    ranks.join_group(hardware.device.type)
    resuming = options.resume and run.checkpoint.is_file()
    if run.checkpoint.is_file() and not options.resume:
        raise TrainingError(f"{run.folder} holds a run of {run.name} already: resume it, or choose another folder")
    if resuming and not zipfile.is_zipfile(run.checkpoint):
        raise TrainingError(
            f"{run.checkpoint}: needs a checkpoint, got a damaged file; without it the run starts again"
        )
    task.net.to(hardware.device)
    put_channels_last(task.net)
    plan = _resumed_plan(task, run, options) if resuming else _new_plan(task, run, options, hardware)
    if options.estimate or options.only_estimate:  # in all processes: a loss may be averaged over them
        options.report(estimate(task, plan, hardware.device, hardware.precision, options.accumulate))
    if options.only_estimate:
        return plan
    if not resuming and ranks.rank() == 0:
        write_json(run.plan, asdict(plan))
    ranks.wait_for_all()
    _fit(task, plan, hardware, _callbacks(task, run, plan, options), options, checkpoint=resuming and run.checkpoint)
    return plan


def _callbacks(task: Task, run: RunFolder, plan: Plan, options: TrainOptions) -> list[Callback]:
    callbacks: list[Callback] = []
    if ranks.rank() == 0:
        callbacks.append(
            ProgressLog(
                run.log,
                name=run.name,
                num_steps=plan.num_steps,
                batch_size=plan.batch_size,
                report=options.report,
                every_steps=options.log_every,
            )
        )
    if options.check_every is not None:
        callbacks.append(CheckHeldOut(task, run, options.check_every, options.report))
    if options.tensorboard and ranks.rank() == 0:
        callbacks += tensorboard_callbacks(run.tensorboard, options)
    return [*callbacks, SaveLast(run.checkpoint, options.checkpoint_seconds)]  # last, to save the state of the others


def _resumed_plan(task: Task, run: RunFolder, options: TrainOptions) -> Plan:
    plan, batch_size = read_plan(run), task.settings.batch_size
    if plan.batch_size != batch_size:
        raise TrainingError(
            f"{run.plan}: the run's batches hold {plan.batch_size}, got {batch_size}. "
            "Use a different --out to train again."
        )
    if plan.num_samples != task.num_samples:
        raise TrainingError(
            f"{run.plan}: the run trains on {plan.num_samples} samples, got {task.num_samples}. "
            "Use the same data, or a different --out to train again."
        )
    return plan


def _new_plan(task: Task, run: RunFolder, options: TrainOptions, hardware: Hardware) -> Plan:
    batch_size, rule = task.settings.batch_size, task.settings.step_rule
    if options.minutes is not None:
        num_steps = int(ranks.first_says(_steps_in(options.minutes * 60, task, hardware, options)))
    elif options.epochs is not None:
        num_steps = math.ceil(options.epochs * task.num_samples / batch_size)
    elif options.steps is not None:
        num_steps = options.steps
    elif rule is not None:
        num_steps = rule.epochs * steps_per_epoch(task.num_samples, batch_size)
    else:
        raise TrainingError(f"{run.name}: needs minutes, epochs or steps, got none")
    start = file_sha256(options.init) if options.init is not None and options.init.is_file() else None
    return Plan(
        num_steps=max(1, num_steps),
        seed=options.seed,
        batch_size=batch_size,
        start=start,
        hyperparameters={} if task.hyperparameters is None else config_to_dict(task.hyperparameters),
        num_samples=task.num_samples,
    )


def _steps_in(seconds: float, task: Task, hardware: Hardware, options: TrainOptions) -> int:
    """Return how many steps fit into a time, measured on a copy of the network."""
    start = time.monotonic()
    task_copy = copy.copy(task)
    task_copy.net, task_copy.helper = copy.deepcopy((task.net, task.helper))
    stopwatch = _Stopwatch()
    plan = Plan(NUM_WARM_STEPS + NUM_MEASURED_STEPS, options.seed, task.settings.batch_size)
    _fit(task_copy, plan, hardware, [stopwatch], options, checkpoint=False)
    seconds_left = seconds - (time.monotonic() - start)
    return max(1, int(seconds_left * stopwatch.steps_per_second))


class _Stopwatch(Callback):
    """Measures the steps per second after the first few steps."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *args: Any) -> None:
        self.times.append(time.monotonic())

    @property
    def steps_per_second(self) -> float:
        return NUM_MEASURED_STEPS / max(self.times[-1] - self.times[NUM_WARM_STEPS - 1], 1e-9)


def _strategy(hardware: Hardware) -> Strategy | str:
    if ranks.world_size() == 1:
        return "auto"
    return DDPStrategy(
        cluster_environment=TorchElasticEnvironment(),
        process_group_backend="nccl" if hardware.device.type == "cuda" else "gloo",
        timeout=ranks.PATIENCE,
        broadcast_buffers=False,  # each device has separate running statistics, as in the public recipes
    )


def _fit(
    task: Task, plan: Plan, hardware: Hardware, callbacks: list[Any], options: TrainOptions, *, checkpoint: Any
) -> None:
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    trainer = Trainer(
        max_steps=plan.num_steps,
        accelerator="gpu" if hardware.device.type == "cuda" else "cpu",
        devices=ranks.processes_here(),
        num_nodes=ranks.world_size() // ranks.processes_here(),
        strategy=_strategy(hardware),
        precision=hardware.precision,
        callbacks=callbacks,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        num_sanity_val_steps=0,
    )
    module = TaskModule(task, plan, pieces=options.accumulate, workers=options.workers)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="lightning")  # advice on workers and loggers that does not apply
        warnings.filterwarnings("ignore", message="Grad strides do not match")  # depthwise kernels, copied
        trainer.fit(module.train(), ckpt_path=str(checkpoint) if checkpoint else None, weights_only=True)
    task.net.to(hardware.device)  # Lightning moves the module back to the CPU
