"""The batches of a run, step by step, made in this process or by worker processes."""

from __future__ import annotations

import copy
import signal
from collections.abc import Iterator
from typing import Any

import cv2
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from actparse.core.errors import TrainingError
from actparse.training.loop import ranks
from actparse.training.loop.hardware import Hardware
from actparse.training.options import TrainOptions
from actparse.training.run_folder import Plan
from actparse.training.task import Batch, Task


class StepBatches(IterableDataset[list[Batch]]):
    """The batches of this process for the steps [first, plan.num_steps), each as a list of `num_pieces` equal parts.

    Raises:
        TrainingError: the batch cannot be divided among the processes, or into the pieces.
    """

    def __init__(self, task: Task, plan: Plan, *, first: int, num_pieces: int) -> None:
        self.task, self.plan, self.first = task, plan, first
        samples = ranks.share(plan.batch_size)
        if len(samples) % num_pieces:
            raise TrainingError(
                f"train.accumulate must divide the {len(samples)} samples that a device sees in a step, "
                f"got {num_pieces}"
            )
        size = len(samples) // num_pieces
        self.pieces = [samples[start : start + size] for start in range(0, len(samples), size)]

    def __iter__(self) -> Iterator[list[Batch]]:
        worker = get_worker_info()
        start, stride = (0, 1) if worker is None else (worker.id, worker.num_workers)
        for step in range(self.first + start, self.plan.num_steps, stride):
            yield [self.task.rows_of_step(self.plan.seed, step, piece) for piece in self.pieces]


def load_batches(
    task: Task, plan: Plan, hardware: Hardware, options: TrainOptions, *, first: int = 0
) -> DataLoader[list[Batch]]:
    """Return the batches of `StepBatches` in their order, made ahead by `options.workers` processes, or here if 0."""
    if options.workers:
        task = copy.copy(task)  # sent to the workers without its networks
        task.net, task.helper = nn.Identity(), None
    return DataLoader(
        StepBatches(task, plan, first=first, num_pieces=options.accumulate),
        batch_size=None,
        num_workers=options.workers,
        worker_init_fn=_start_worker,
        multiprocessing_context="spawn" if options.workers else None,
        pin_memory=hardware.device.type == "cuda",
    )


def _start_worker(index: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches every process of a terminal; the loop ends them
    cv2.setNumThreads(1)


def to_device(batch: Batch, device: torch.device) -> Batch:
    """Return the batch with all tensors on a device, also those in lists and dicts."""

    def move(value: Any) -> Any:
        if isinstance(value, Tensor):
            return value.to(device, non_blocking=True)
        if isinstance(value, list):
            return [move(item) for item in value]
        return {key: move(item) for key, item in value.items()} if isinstance(value, dict) else value

    return {key: move(value) for key, value in batch.items()}
