"""Estimates of a run's time and memory, measured on one sample before the run starts."""

from __future__ import annotations

import math
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from actparse.core.progress import format_duration
from actparse.training.loop import ranks
from actparse.training.loop.batches import to_device
from actparse.training.loop.hardware import Hardware
from actparse.training.run_folder import Plan
from actparse.training.task import Task

GIGA = 1e9
STATES = {"adamw": 2, "sgd": 1}  # values that an optimiser stores for each weight


@dataclass(frozen=True)
class SampleCost:
    """The cost of the forward and backward pass of one sample in training mode, and the memory of the weights."""

    seconds: float
    forward_seconds: float
    activation_bytes: int  # stored from the forward to the backward pass
    weight_bytes: int  # weights, gradients and the optimiser's values


def estimate(task: Task, plan: Plan, hardware: Hardware, num_pieces: int) -> str:
    """Return one line: the run's time and memory for each device, and what to do if there is not enough memory."""
    cost = sample_cost(task, plan.seed, hardware)
    num_samples = len(ranks.share(plan.batch_size))
    duration = format_duration(plan.num_steps * num_samples * cost.seconds)
    piece_size = -(-num_samples // num_pieces)
    needed = cost.weight_bytes + piece_size * cost.activation_bytes
    line = (
        f"{task.kind}: {plan.num_steps} steps of {plan.batch_size} samples; one sample took {cost.seconds:.2f} s "
        f"(forward {cost.forward_seconds:.2f}), {_giga(cost.activation_bytes)} beside {_giga(cost.weight_bytes)} for "
        f"the weights, at its peak {_giga(_peak_memory(hardware.device))}: about {duration} and {_giga(needed)} with "
        f"{piece_size} at a time, without reading and held-out checks"
    )
    free = _free_memory(hardware.device)
    if needed <= free:
        return line
    max_size = max(1, int((free - cost.weight_bytes) // max(cost.activation_bytes, 1)))
    divisors = (count for count in range(1, num_samples + 1) if num_samples % count == 0)
    fitting = next(count for count in divisors if num_samples // count <= max_size)
    return f"{line}; {_giga(free)} are free: --accumulate {fitting} needs less"


def _giga(num_bytes: float) -> str:
    return f"{num_bytes / GIGA:.2f} GB"


def sample_cost(task: Task, seed: int, hardware: Hardware) -> SampleCost:
    """Measure the second of two passes over the first sample; the network stays unchanged."""
    batch = to_device(task.rows_of_step(seed, 0, range(1)), hardware.device)
    net = task.net.train()
    buffers = {name: value.clone() for name, value in net.named_buffers()}
    sizes: dict[int, int] = {}
    for _ in range(2):
        sizes.clear()
        start = time.monotonic()
        with (
            hardware.autocast(),
            torch.autograd.graph.saved_tensors_hooks(_count_storages(sizes, net), lambda tensor: tensor),
        ):
            loss = torch.stack(list(task.losses(net, batch).values())).sum()
        forward_seconds = _seconds_since(start, hardware.device)
        loss.backward()  # type: ignore[no-untyped-call]
        seconds = _seconds_since(start, hardware.device)
    for name, value in net.named_buffers():
        value.copy_(buffers[name])
    num_values = 0
    for parameter in net.parameters():
        num_values += parameter.numel() * (2 + STATES[task.settings.optimizer] if parameter.requires_grad else 1)
        parameter.grad = None
    return SampleCost(seconds, forward_seconds, sum(sizes.values()), 4 * num_values)


def _seconds_since(start: float, device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.monotonic() - start


def _free_memory(device: torch.device) -> float:
    if device.type == "cuda":
        return float(torch.cuda.mem_get_info()[0])
    lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines() if Path("/proc/meminfo").is_file() else []
    kilobytes = (line.split()[1] for line in lines if line.startswith("MemAvailable:"))
    return 1024.0 * float(next(kilobytes, math.inf))


def _peak_memory(device: torch.device) -> float:
    if device.type == "cuda":
        return float(torch.cuda.max_memory_allocated())
    return 1024.0 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _count_storages(sizes: dict[int, int], net: nn.Module) -> Callable[[Tensor], Tensor]:
    """Return a hook that records in `sizes` the bytes of each storage saved for the backward pass, without weights."""
    weights = {parameter.untyped_storage().data_ptr() for parameter in net.parameters()}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            sizes[storage.data_ptr()] = storage.nbytes()
        return tensor

    return pack
