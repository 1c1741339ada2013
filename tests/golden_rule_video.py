"""The rule that makes the weights and inputs of the golden cases `video_*.npz`; no weights are stored."""

from __future__ import annotations

import re
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

GOLDEN = Path(__file__).parent / "golden"
_LAST_OF_BLOCK = re.compile(r"layer\d+\.\d+\.conv3\.bn\.weight$")


def load(name: str) -> dict[str, NDArray[Any]]:
    """Arrays of the golden file `video_<name>.npz`."""
    with np.load(GOLDEN / f"video_{name}.npz", allow_pickle=False) as arrays:
        return {key: arrays[key] for key in arrays.files}


def golden_entry(name: str, shape: tuple[int, ...]) -> Tensor:
    """One entry of a state dict, from its public name and shape alone."""
    if name.endswith("num_batches_tracked"):
        return torch.zeros(shape, dtype=torch.int64)
    return torch.from_numpy(np.asarray(_values(name, shape), dtype=np.float32))


def _values(name: str, shape: tuple[int, ...]) -> NDArray[np.float64]:
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    if name.endswith("running_var"):
        return rng.uniform(0.5, 1.5, shape)
    if name.endswith((".running_mean", ".bias")):
        return rng.standard_normal(shape) * 0.1
    if _LAST_OF_BLOCK.search(name):
        return rng.uniform(0.1, 0.3, shape)
    if name.endswith(".bn.weight"):
        return rng.uniform(0.5, 1.5, shape)
    return rng.standard_normal(shape) * np.sqrt(2 / np.prod(shape[1:]))


def golden_weights(net: torch.nn.Module) -> dict[str, Tensor]:
    """A state dict for `net` by the rule."""
    return {name: golden_entry(name, tuple(entry.shape)) for name, entry in net.state_dict().items()}


def golden_input(shape: NDArray[np.int64] | tuple[int, ...]) -> Tensor:
    """Standard normal float32 values of the shape."""
    values = np.random.default_rng(0).standard_normal(tuple(int(n) for n in shape))
    return torch.from_numpy(values.astype(np.float32))
