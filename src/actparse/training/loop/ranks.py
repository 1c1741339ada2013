"""The processes of one training run: their ranks, how they wait for each other, and how they are started.

The environment variables are those of torchrun (RANK, WORLD_SIZE, LOCAL_RANK ...), so `torchrun -m actparse.cli train
...` and `actparse train ... --devices N` work in the same way.
"""

from __future__ import annotations

import multiprocessing
import os
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import nn

from actparse.core.errors import TrainingError
from actparse.core.pools import run_as_child
from actparse.core.signals import postponed_interrupts

Item = TypeVar("Item")

PATIENCE = timedelta(hours=12)  # for a process that waits while the first one reads a dataset or evaluates the network
POLL_SECONDS = 0.2
STOP_SECONDS = 60.0  # for processes to finish their step and write a checkpoint after an interrupt


def world_size() -> int:
    """Return how many processes train together."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def rank() -> int:
    """Return the rank of this process, from 0."""
    return int(os.environ.get("RANK", "0")) if world_size() > 1 else 0


def share(count: int) -> range:
    """Return the indices of the `count` samples of a batch that belong to this process.

    Raises:
        TrainingError: the samples cannot be shared equally.
    """
    if count % world_size():
        raise TrainingError(f"train: a batch of {count} cannot be shared by {world_size()} devices equally")
    share_size = count // world_size()
    return range(rank() * share_size, (rank() + 1) * share_size)


def join_group(kind: str) -> None:
    """Connect to the other processes, if any; `kind` is "cuda" or "cpu"."""
    if world_size() > 1 and not dist.is_initialized():
        if kind == "cuda":
            torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
        dist.init_process_group("nccl" if kind == "cuda" else "gloo", timeout=PATIENCE)


def wait_for_all() -> None:
    """Wait until every process has called this function."""
    if dist.is_initialized():
        dist.barrier()


@contextmanager
def first_process_first() -> Iterator[None]:
    """Run the body in the first process, then in the others, which can use the files that the first has written."""
    if rank() != 0:
        wait_for_all()
    yield
    if rank() == 0:
        wait_for_all()


def mean_over_processes(values: torch.Tensor) -> torch.Tensor:
    """Return the mean of a tensor over all processes, without gradients."""
    if not dist.is_initialized():
        return values.detach()
    total = values.detach().clone()
    dist.all_reduce(total)
    return total / world_size()


def shard(items: Sequence[Item]) -> Sequence[Item]:
    """Return the consecutive items that belong to this process; the shares of all differ by one item at most."""
    first, end = (index * len(items) // world_size() for index in (rank(), rank() + 1))
    return items[first:end]


def gathered(items: Sequence[Item]) -> list[Item]:
    """Return the items of all processes, in the order of their ranks; each process must call this function."""
    if not dist.is_initialized():
        return list(items)
    shares: list[Any] = [None] * world_size()
    dist.all_gather_object(shares, list(items))
    return [item for share in shares for item in share]


def copy_from_first(net: nn.Module) -> None:
    """Copy the weights and statistics of the first process's network into those of all; each must call this function.

    While a network is trained, its weights are equal in all processes, but the statistics of its batch norms differ.
    """
    for tensor in (*net.parameters(), *net.buffers()) if dist.is_initialized() else ():
        values = tensor.detach().contiguous()
        dist.broadcast(values, 0)
        tensor.detach().copy_(values)


def any_process(value: bool) -> bool:
    """Return whether `value` is true in any process."""
    if not dist.is_initialized():
        return value
    device = "cuda" if dist.get_backend() == "nccl" else "cpu"
    return bool(mean_over_processes(torch.tensor(float(value), device=device)) > 0)


def run_together(count: int, work: Callable[..., object], *arguments: Any) -> None:
    """Run `work(*arguments)`, a module's function, in `count` new processes that form one group.

    An interrupt of this process ends the others after their step, with a checkpoint.

    Raises:
        TrainingError: one of them failed; the others are killed.
    """
    context = multiprocessing.get_context("spawn")
    errors = context.SimpleQueue()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    jobs = [
        context.Process(target=_run_one, args=(index, count, port, errors, work, arguments)) for index in range(count)
    ]
    try:
        with postponed_interrupts() as interrupts:
            for job in jobs:
                job.start()
            while not interrupts and any(job.is_alive() for job in jobs) and not any(job.exitcode for job in jobs):
                time.sleep(POLL_SECONDS)
            failed = next((index for index, job in enumerate(jobs) if job.exitcode), None)
            if interrupts:
                for job in jobs:
                    job.terminate()
                for job in jobs:
                    job.join(STOP_SECONDS)
    finally:
        for job in jobs:
            if job.pid is not None:
                job.kill()
                job.join()
    if failed is not None:
        fault = f"train: process {failed} of {count} ended with exit code {jobs[failed].exitcode}"
        raise TrainingError(fault if errors.empty() else errors.get())


def _run_one(
    index: int, count: int, port: int, errors: Any, work: Callable[..., object], arguments: tuple[Any, ...]
) -> None:
    numbers = {"RANK": index, "LOCAL_RANK": index, "WORLD_SIZE": count, "MASTER_PORT": port}
    os.environ.update({"MASTER_ADDR": "127.0.0.1", **{name: str(value) for name, value in numbers.items()}})
    try:
        run_as_child(work, arguments, errors.put)
        wait_for_all()  # gloo aborts a process whose partner leaves in the middle of their last exchange
    finally:
        if dist.is_initialized():
            dist.destroy_process_group()
