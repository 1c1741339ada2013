"""Estimates of a run's time and memory, measured on one sample before the run starts."""

from __future__ import annotations

import math
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from actparse.training.loop import ranks
from actparse.training.loop.callbacks import clock
from actparse.training.run_folder import Plan
from actparse.training.task import Batch, SampledTask, Task, rows_of

GIGA = 1e9
STATES = {"adamw": 2, "sgd": 1}  # values that an optimiser stores for each weight


@dataclass(frozen=True)
class SampleCost:
    """The cost of the forward and backward pass of one sample in training mode, and the memory of the weights."""

    seconds: float
    forward_seconds: float
    activation_bytes: int  # stored from the forward to the backward pass
    weight_bytes: int  # weights, gradients and the optimiser's values


def estimate(task: Task, plan: Plan, device: torch.device, precision: str, pieces: int) -> str:
    """Return one line: the run's time and memory for each device, and what to do if there is not enough memory."""
    cost = sample_cost(task, plan.seed, device, precision)
    num_samples = len(ranks.share(plan.batch_size))
    seconds = plan.num_steps * num_samples * cost.seconds
    piece = -(-num_samples // pieces)
    needed = cost.weight_bytes + piece * cost.activation_bytes
    line = (
        f"{task.kind}: {plan.num_steps} steps of {plan.batch_size} samples; one sample took {cost.seconds:.2f} s "
        f"(forward {cost.forward_seconds:.2f}), {_giga(cost.activation_bytes)} beside {_giga(cost.weight_bytes)} for "
        f"the weights, at its peak {_giga(peak_memory(device))}: about {clock(seconds)} and {_giga(needed)} with "
        f"{piece} at a time, without reading and held-out checks"
    )
    free = free_memory(device)
    if needed <= free:
        return line
    room = max(1, int((free - cost.weight_bytes) // max(cost.activation_bytes, 1)))
    fitting = next(
        (count for count in range(1, num_samples + 1) if num_samples % count == 0 and num_samples // count <= room),
        num_samples,
    )
    return f"{line}; {_giga(free)} are free: --accumulate {fitting} needs less"


def _giga(num_bytes: float) -> str:
    return f"{num_bytes / GIGA:.2f} GB"


def sample_cost(task: Task, seed: int, device: torch.device, precision: str) -> SampleCost:
    """Measure the second of two passes over the first sample; the network stays unchanged."""
    batch = _to_device(_one_sample(task, seed), device)
    net = task.net.train()
    buffers = {name: value.clone() for name, value in net.named_buffers()}
    low = {"bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}.get(precision)
    sizes: dict[int, int] = {}
    for _ in range(2):
        sizes.clear()
        start = time.monotonic()
        with (
            torch.autocast(device.type, low or torch.bfloat16, enabled=low is not None),
            torch.autograd.graph.saved_tensors_hooks(_count_storages(sizes, net), lambda tensor: tensor),
        ):
            loss = torch.stack(list(task.losses(net, batch).values())).sum()
        if device.type == "cuda":
            torch.cuda.synchronize()
        forward_seconds = time.monotonic() - start
        loss.backward()  # type: ignore[no-untyped-call]
        if device.type == "cuda":
            torch.cuda.synchronize()
        seconds = time.monotonic() - start
    for name, value in net.named_buffers():
        value.copy_(buffers[name])
    trained = sum(p.numel() for p in net.parameters() if p.requires_grad)
    frozen = sum(p.numel() for p in net.parameters() if not p.requires_grad)
    for parameter in net.parameters():
        parameter.grad = None
    states = STATES[task.settings.optimizer]
    return SampleCost(seconds, forward_seconds, sum(sizes.values()), 4 * (trained * (2 + states) + frozen))


def free_memory(device: torch.device) -> float:
    """Return the bytes that are free on a device."""
    if device.type == "cuda":
        return float(torch.cuda.mem_get_info()[0])
    lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines() if Path("/proc/meminfo").is_file() else []
    kilobytes = (line.split()[1] for line in lines if line.startswith("MemAvailable:"))
    return 1024.0 * float(next(kilobytes, math.inf))


def peak_memory(device: torch.device) -> float:
    """Return the maximum number of bytes that this process has allocated on a device."""
    if device.type == "cuda":
        return float(torch.cuda.max_memory_allocated())
    return 1024.0 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _one_sample(task: Task, seed: int) -> Batch:
    if isinstance(task, SampledTask):
        return task.rows_of_step(seed, 0, range(1))
    return rows_of(task.batch(np.random.default_rng((seed, 0))), range(1))


def _to_device(value: object, device: torch.device) -> Batch:
    def move(item: object) -> object:
        if isinstance(item, Tensor):
            return item.to(device)
        if isinstance(item, list):
            return [move(inner) for inner in item]
        return {key: move(inner) for key, inner in item.items()} if isinstance(item, dict) else item

    result = move(value)
    assert isinstance(result, dict)
    return result


def _count_storages(sizes: dict[int, int], net: nn.Module) -> Callable[[Tensor], Tensor]:
    """Return a hook that records in `sizes` the bytes of each storage saved for the backward pass, without weights."""
    weights = {parameter.untyped_storage().data_ptr() for parameter in net.parameters()}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            sizes[storage.data_ptr()] = storage.nbytes()
        return tensor

    return pack
