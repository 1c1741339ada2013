"""Reading of TensorFlow.js graph models: the .json file lists the weights, the shards contain their values."""

from __future__ import annotations

import json
import math
import re
import reprlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from actparse.core.errors import WeightsError

MAX_BYTES = 2**29  # of all shards of a file; the largest published model here has 12 MB
MAX_JSON_BYTES = 2**26
MAX_AXES = 8
MAX_NAME = 1000  # characters
_MAX_FLOAT = float(np.finfo(np.float32).max)
_DTYPES = {"float32": "<f4", "float16": "<f2", "int32": "<i4", "uint8": "u1", "uint16": "<u2", "bool": "u1"}
_QUANTISED = ("float16", "uint8", "uint16")


@dataclass(frozen=True)
class _Spec:
    """One tensor of a manifest; its values are stored * `scale` + `least`."""

    name: str
    shape: tuple[int, ...]
    dtype: str  # TensorFlow.js's type of the values
    stored: str  # NumPy's type of the stored bytes
    scale: float = 1.0
    least: float = 0.0

    @property
    def num_bytes(self) -> int:
        """Number of bytes in a shard."""
        return np.dtype(self.stored).itemsize * math.prod(self.shape)

    @classmethod
    def from_json(cls, path: Path, entry: Any) -> _Spec:
        """Read the description of a tensor in the manifest of the file `path`; raise WeightsError if it is none."""
        match entry:
            case {"name": str(name), "dtype": str(dtype), "shape": list(shape)} if name.isprintable() and name:
                pass
            case _:
                raise WeightsError(f"{path}: a weight must have a name, a dtype and a shape, got {reprlib.repr(entry)}")
        if len(name) > MAX_NAME:
            raise WeightsError(f"{path}: a weight's name must have at most {MAX_NAME} characters, got {len(name)}")
        sides = [side for side in shape if type(side) is int and 0 <= side < MAX_BYTES]  # True is not a size
        if not len(sides) == len(shape) <= MAX_AXES or math.prod(side or 1 for side in sides) >= MAX_BYTES:
            raise WeightsError(
                f"{path}: shape of {name} must be at most {MAX_AXES} sizes of at least 0 that fit into {MAX_BYTES} "
                f"bytes, got {reprlib.repr(shape)}"
            )
        if dtype not in _DTYPES:
            options = ", ".join(_DTYPES)
            raise WeightsError(f"{path}: dtype of {name} must be one of {options}, got {reprlib.repr(dtype)}")
        quantization = entry.get("quantization")
        match quantization:
            case None:
                return cls(name, tuple(shape), dtype, _DTYPES[dtype])
            case {"dtype": "float16"}:
                return cls(name, tuple(shape), dtype, _DTYPES["float16"])
            case {
                "dtype": "uint8" | "uint16" as stored,
                "scale": int() | float() as scale,
                "min": int() | float() as least,
            } if all(-_MAX_FLOAT <= value <= _MAX_FLOAT for value in (scale, least)):
                return cls(name, tuple(shape), dtype, _DTYPES[stored], scale=float(scale), least=float(least))
        raise WeightsError(
            f"{path}: quantization of {name} must have a dtype of {', '.join(_QUANTISED)} and, but for float16, a "
            f"scale and a min, got {reprlib.repr(quantization)}"
        )

    def decode(self, raw: bytes) -> Tensor:
        """Convert the stored bytes to a tensor, dequantised if its values are."""
        values: NDArray[Any] = np.frombuffer(raw, self.stored).reshape(self.shape)
        if self.stored != _DTYPES[self.dtype]:
            with np.errstate(over="ignore"):
                values = values.astype(np.float32) * np.float32(self.scale) + np.float32(self.least)
        native = {"float32": np.float32, "int32": np.int32, "bool": np.bool_}.get(self.dtype, values.dtype)
        with np.errstate(invalid="ignore"):
            return torch.from_numpy(np.array(np.rint(values) if native is np.int32 else values, native))  # writable


@dataclass(frozen=True)
class _Group:
    """Shards, and the tensors stored in them one after the other."""

    shards: tuple[Path, ...]
    specs: tuple[Any, ...]  # as in the JSON file


def graph_shards(path: Path) -> tuple[Path, ...]:
    """List the files with the values of a graph model's .json file, in the manifest's order.

    Raises:
        WeightsError: it is not a graph model, a shard is missing, named twice, in another folder or too large.
    """
    return tuple(shard for group in _groups(path) for shard in group.shards)


def read_graph_weights(path: Path) -> dict[str, Tensor]:
    """Read the weights of a graph model.

    Args:
        path: the .json file; its shards are in the same folder.

    Returns:
        Every tensor of the manifest by its name, in TensorFlow's order of axes; quantised ones dequantised.

    Raises:
        WeightsError: it is not a graph model, a shard is missing, named twice, in another folder or too large, a
            tensor is not described, or the sizes do not fit. Memory stays in proportion to the files.
    """
    weights: dict[str, Tensor] = {}
    for group in _groups(path):
        try:
            raw = b"".join(shard.read_bytes() for shard in group.shards)
        except OSError as error:
            raise WeightsError(f"{error.filename}: cannot be read: {error.strerror}") from None
        names = ", ".join(shard.name for shard in group.shards)
        start = 0
        for entry in group.specs:
            spec = _Spec.from_json(path, entry)
            end = start + spec.num_bytes
            if end > len(raw):
                raise WeightsError(f"{path}: {spec.name} needs bytes up to {end} of {names}, got {len(raw)}")
            if spec.name in weights:
                raise WeightsError(f"{path}: weightsManifest names {spec.name} twice")
            weights[spec.name] = spec.decode(raw[start:end])
            start = end
        if start != len(raw):
            raise WeightsError(f"{path}: weights need {start} bytes of {names}, got {len(raw)}")
    return weights


def _groups(path: Path) -> list[_Group]:
    """Return the groups of a manifest, after a check that their shards exist and are not too large together."""
    try:
        with path.open("rb") as file:
            text = file.read(MAX_JSON_BYTES + 1)
        graph = json.loads(text.decode("utf-8")) if len(text) <= MAX_JSON_BYTES else None
    except (OSError, ValueError, RecursionError) as error:
        raise WeightsError(f"{path}: needs the JSON file of a TensorFlow.js graph model, got: {error}") from None
    if len(text) > MAX_JSON_BYTES:
        raise WeightsError(f"{path}: must be at most {MAX_JSON_BYTES} bytes, got more")
    manifest = graph.get("weightsManifest") if isinstance(graph, dict) else None
    if not isinstance(manifest, list) or not all(isinstance(group, dict) for group in manifest):
        raise WeightsError(f"{path}: needs a TensorFlow.js graph model with a weightsManifest")
    groups, sizes = [], dict[Path, int]()
    for group in manifest:
        names, specs = group.get("paths"), group.get("weights")
        if not isinstance(names, list) or not isinstance(specs, list):
            raise WeightsError(f"{path}: weightsManifest must hold lists of paths and weights")
        shards = []
        for name in names:
            shard = _shard(path, name)
            if shard in sizes:
                raise WeightsError(f"{path}: weightsManifest names the shard {name} twice")
            sizes[shard] = shard.stat().st_size
            shards.append(shard)
        groups.append(_Group(tuple(shards), tuple(specs)))
    if sum(sizes.values()) > MAX_BYTES:
        raise WeightsError(f"{path}: shards must be at most {MAX_BYTES} bytes, got {sum(sizes.values())}")
    return groups


def _shard(path: Path, name: Any) -> Path:
    """Return the file of a shard in the folder of `path`; a name outside this folder is an error."""
    if not isinstance(name, str) or not name.isprintable() or name in ("", ".", "..") or re.search(r"[/\\:]", name):
        raise WeightsError(f"{path}: weightsManifest paths must be names of files beside it, got {reprlib.repr(name)}")
    shard = path.parent / name
    try:
        if shard.is_file():
            return shard
    except OSError as error:  # a name that the system does not accept
        raise WeightsError(f"{path}: needs the shard {reprlib.repr(name)} beside it: {error.strerror}") from None
    raise WeightsError(f"{path}: needs the shard {name} beside it")
