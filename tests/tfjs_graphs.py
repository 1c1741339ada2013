"""Writing small TensorFlow.js graph models."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

FLOAT16 = {"dtype": "float16", "original_dtype": "float32"}


def weight(name: Any, shape: Any, dtype: Any = "float32", quantization: Any = None) -> dict[str, Any]:
    """A tensor as a manifest describes it."""
    entry = {"name": name, "shape": shape, "dtype": dtype}
    return entry if quantization is None else {**entry, "quantization": quantization}


def write_graph(path: Path, *groups: tuple[list[Any], list[Any], bytes]) -> Path:
    """Write a .json file and its shards: of each group the shards' names, the tensors, and the bytes, cut evenly."""
    manifest = []
    for names, weights, raw in groups:
        manifest.append({"paths": names, "weights": weights})
        size = -(-len(raw) // max(len(names), 1))
        for index, name in enumerate(names):
            (path.parent / name).write_bytes(raw[index * size : (index + 1) * size])
    path.write_text(json.dumps({"format": "graph-model", "modelTopology": {}, "weightsManifest": manifest}))
    return path


def write_network(path: Path, net: nn.Module, names: Callable[[str], str], extra: Any = ()) -> Path:
    """Write a network as the public files have it: float16, TensorFlow's order of axes, entries from last to first."""
    weights, raw = list(extra), b"".join(bytes(4) for _ in extra)
    for name, value in reversed(net.state_dict().items()):
        array: NDArray[Any] = value.numpy()
        if array.ndim == 4:
            array = array.transpose(2, 3, 0, 1) if ".depthwise." in name else array.transpose(2, 3, 1, 0)
        weights.append(weight(names(name), list(array.shape), quantization=FLOAT16))
        raw += np.ascontiguousarray(array, "<f2").tobytes()
    return write_graph(path, ([path.with_suffix(".bin").name], weights, raw))
