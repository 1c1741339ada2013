"""Settings for inference: no gradients, and bfloat16 if the processor supports it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import torch

from actparse.stages.memory import keep_freed_memory


@cache
def computes_bfloat16(device_type: str) -> bool:
    """Return whether bfloat16 is faster than float32: on a GPU or a CPU (AVX-512 BF16, AMX) that computes it itself."""
    if device_type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))  # a V100 emulates it, slowly
    capabilities = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))


@contextmanager
def inference(device: torch.device, *, full_precision: bool = False) -> Iterator[None]:
    """Run the body without gradients, in mixed bfloat16 if `device` is faster with it; cast outputs to float after."""
    if device.type == "cpu":
        keep_freed_memory()
    low = not full_precision and computes_bfloat16(device.type)
    with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=low):
        yield
