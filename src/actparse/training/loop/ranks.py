"""The processes of one training run: their ranks, how they wait for each other, and how they are started.

The environment variables are those of torchrun (RANK, WORLD_SIZE, LOCAL_RANK ...), so `torchrun -m actparse.cli train
...` and `actparse train ... --devices N` work in the same way.
"""

from __future__ import annotations

import multiprocessing
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from queue import Empty
from typing import Any

import torch
import torch.distributed as dist

from actparse.core.errors import ActparseError, TrainingError
from actparse.core.pools import end_with_parent

PATIENCE = timedelta(hours=12)  # for a process that waits while the first one reads a dataset or evaluates the network
POLL_SECONDS = 0.2


def world_size() -> int:
    """Return how many processes train together."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def rank() -> int:
    """Return the rank of this process, from 0."""
    return int(os.environ.get("RANK", "0")) if world_size() > 1 else 0


def local_rank() -> int:
    """Return the rank of this process on its machine, which is also the index of its GPU."""
    return int(os.environ.get("LOCAL_RANK", "0")) if world_size() > 1 else 0


def processes_here() -> int:
    """Return how many of the processes run on this machine."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", str(world_size())))


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
            torch.cuda.set_device(local_rank())
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


def first_says(value: float) -> float:
    """Return the first process's value in every process, as clocks differ."""
    if not dist.is_initialized():
        return value
    device = "cuda" if dist.get_backend() == "nccl" else "cpu"
    shared = torch.tensor(value, dtype=torch.float64, device=device)
    dist.broadcast(shared, src=0)
    return float(shared)


def run_together(count: int, work: Callable[..., None], *arguments: Any) -> None:
    """Run `work(*arguments)`, a module's function, in `count` new processes that form one group.

    Raises:
        TrainingError: one of them failed; the others are terminated.
    """
    context = multiprocessing.get_context("spawn")
    lines: Any = context.Queue()
    port = _free_port()
    jobs = [
        context.Process(target=_run_one, args=(index, count, port, lines, work, arguments)) for index in range(count)
    ]
    try:
        for job in jobs:
            job.start()
        while any(job.exitcode is None for job in jobs) and not any(job.exitcode for job in jobs):
            time.sleep(POLL_SECONDS)
        if any(job.exitcode for job in jobs):
            raise TrainingError(_first_line(lines, jobs))
    finally:
        for job in jobs:
            if job.pid is not None:
                job.terminate()
                job.join()


def _first_line(lines: Any, jobs: list[Any]) -> str:
    try:
        return str(lines.get(timeout=1.0))
    except Empty:
        index = next(index for index, job in enumerate(jobs) if job.exitcode)
        return f"train: process {index} of {len(jobs)} ended with exit code {jobs[index].exitcode}"


def _run_one(
    index: int, count: int, port: int, lines: Any, work: Callable[..., None], arguments: tuple[Any, ...]
) -> None:
    end_with_parent()
    variables = {"RANK": index, "LOCAL_RANK": index, "WORLD_SIZE": count, "LOCAL_WORLD_SIZE": count, "GROUP_RANK": 0}
    os.environ.update({name: str(value) for name, value in variables.items()})
    os.environ.update({"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)})
    try:
        work(*arguments)
    except ActparseError as error:
        lines.put(str(error))
        raise SystemExit(2) from None
    finally:
        leave_group()


def leave_group() -> None:
    """Disconnect from the other processes."""
    if dist.is_initialized():
        dist.destroy_process_group()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
