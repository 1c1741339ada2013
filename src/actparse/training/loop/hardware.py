"""The device and the precision of a training run."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from actparse.core.errors import TrainingError
from actparse.stages.precision import computes_bfloat16


@dataclass(frozen=True)
class Hardware:
    """A device, and the type in which it computes: "bfloat16", "float16" or "float32"; weights are always float32."""

    device: torch.device
    precision: str

    def autocast(self) -> torch.autocast:
        """Return a context for forward passes in this precision."""
        dtype = {"bfloat16": torch.bfloat16, "float16": torch.float16}.get(self.precision)
        return torch.autocast(self.device.type, dtype, enabled=dtype is not None)


def choose_hardware(device: str, precision: str = "auto") -> Hardware:
    """Resolve "auto" to a device and a precision: bfloat16 where it is computed natively, float16 on other GPUs.

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
        precision = "bfloat16" if computes_bfloat16(kind) else "float16" if kind == "cuda" else "float32"
    return Hardware(torch.device(kind), precision)


def put_channels_last(net: nn.Module) -> None:
    """Store the weights of 2-D convolutions in the layout that is fastest in mixed precision, in place."""
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            module.weight.data = module.weight.data.contiguous(memory_format=torch.channels_last)
