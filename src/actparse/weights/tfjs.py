"""TensorFlow.js graph models: the file that lists the weights, its shards, and how the graphs name our entries.

A graph holds a constant for everything that it computes with. Numbers of the computation (axes, margins, grids) are
told from weights by their type, their shape and a few names.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from actparse.errors import WeightsError
from actparse.nets.nanodet import COCO_CLASSES, STAGE_BLOCKS

MAX_BYTES = 2**31  # of all shards of a file
_DTYPES = {"float32": "<f4", "float16": "<f2", "int32": "<i4", "uint8": "u1", "uint16": "<u2", "bool": "?"}
_CONSTANT = re.compile(
    r"(?:^|/)(?:ConstantFolding/.*|Reshape(?:_\d+)?|truediv(?:_\d+)?|strided_slice_\d+|zeros_like|stack.*|Const(?:_\d+)?)$"
)
_MODEL = "StatefulPartitionedCall/center_net_mobile_net_v2fpn_feature_extractor/model_1/"
_HEADS = {  # ours to the graph's
    "center": "center_0",
    "heatmap": "kpt_heatmap_0",
    "regress": "kpt_regress_0",
    "offset": "kpt_offset_0",
    "box_scale": "box_scale_0",
    "box_offset": "box_offset_0",
}
_FIRST_HEAD = 3  # number of the first head's separable convolution
_PERSON_ORDER = ("center", "heatmap", "regress", "offset")
_MULTIPOSE_ORDER = ("center", "box_scale", "box_offset", "heatmap", "regress", "offset")
_NANODET_HEAD_BIASES = (60, 62, 66, 68, 70, 72)  # numbers of the head's biases, of the convolutions 28 to 33


def read_graph_weights(path: Path) -> dict[str, Tensor]:
    """Read the weights of a graph model.

    Args:
        path: the .json file; its shards are in the same folder.

    Returns:
        Every tensor of the manifest by its name, in TensorFlow's order of axes; quantised ones as float32.

    Raises:
        WeightsError: it is no graph model, a shard is missing, or the sizes do not fit.
    """
    weights: dict[str, Tensor] = {}
    for group in _manifest(path):
        paths, specs = group.get("paths"), group.get("weights")
        if not isinstance(paths, list) or not isinstance(specs, list):
            raise WeightsError(f"{path}: weightsManifest must hold lists of paths and weights")
        raw = b"".join(_read_shard(path, name) for name in paths)
        start = 0
        for spec in specs:
            name, dtype, shape = _described(path, spec)
            end = start + np.dtype(dtype).itemsize * math.prod(shape)
            if end > len(raw):
                raise WeightsError(f"{path}: {name} needs bytes up to {end} of {', '.join(paths)}, got {len(raw)}")
            if name in weights:
                raise WeightsError(f"{path}: weightsManifest names {name} twice")
            values = np.frombuffer(raw[start:end], dtype).reshape(shape)
            weights[name] = torch.from_numpy(np.array(_dequantised(values, spec.get("quantization"))))
            start = end
        if start != len(raw):
            raise WeightsError(f"{path}: weights need {start} bytes of {', '.join(paths)}, got {len(raw)}")
    return weights


def _manifest(path: Path) -> list[dict[str, Any]]:
    try:
        graph = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise WeightsError(f"{path}: needs the JSON file of a TensorFlow.js graph model, got: {error}") from None
    groups = graph.get("weightsManifest") if isinstance(graph, dict) else None
    if not isinstance(groups, list) or not all(isinstance(group, dict) for group in groups):
        raise WeightsError(f"{path}: needs a TensorFlow.js graph model with a weightsManifest")
    return groups


def _read_shard(path: Path, name: Any) -> bytes:
    """The bytes of a shard in the folder of `path`; a name that leads out of it is not followed."""
    if not isinstance(name, str) or name in ("", ".", "..") or re.search(r"[/\\\0]", name):
        raise WeightsError(f"{path}: weightsManifest paths must be names of files beside it, got {name!r}")
    shard = path.parent / name
    if not shard.is_file():
        raise WeightsError(f"{path}: needs the shard {name} beside it")
    if shard.stat().st_size > MAX_BYTES:
        raise WeightsError(f"{shard}: must be at most {MAX_BYTES} bytes, got {shard.stat().st_size}")
    return shard.read_bytes()


def _described(path: Path, spec: Any) -> tuple[str, str, tuple[int, ...]]:
    """Name, stored dtype and shape of a weight."""
    match spec:
        case {"name": str(name), "shape": list(shape), "dtype": str(dtype)}:
            quantised = spec.get("quantization")
            stored = quantised.get("dtype") if isinstance(quantised, dict) else dtype
            is_shape = all(isinstance(side, int) and 0 <= side < MAX_BYTES for side in shape)
            if is_shape and math.prod(shape) < MAX_BYTES and stored in _DTYPES:
                return name, _DTYPES[stored], tuple(shape)
    known = ", ".join(_DTYPES)
    raise WeightsError(f"{path}: a weight must have a name, a shape and a dtype of {known}, got {str(spec)[:120]}")


def _dequantised(values: NDArray[Any], quantization: Any) -> NDArray[Any]:
    if not isinstance(quantization, dict):
        return values
    scale, least = quantization.get("scale", 1.0), quantization.get("min", 0.0)
    return values.astype(np.float32) * np.float32(scale) + np.float32(least)


def is_graph_constant(name: str, value: Any) -> bool:
    """Whether an entry is a number of the computation and no weight: integers, scalars, grids."""
    try:
        tensor = torch.as_tensor(value)
    except (TypeError, ValueError, RuntimeError):
        return False
    return not tensor.is_floating_point() or tensor.ndim == 0 or bool(_CONSTANT.search(name))


def graph_values(name: str, value: Tensor, ours: Tensor) -> Tensor:
    """A graph's entry in PyTorch's order of axes; of the detector's last layers the first class, if ours has one.

    Args:
        name: our name of the entry.
        value: (kh, kw, in, out), of a depthwise convolution (kh, kw, channels, 1), or a bias (out,).
        ours: the entry that it is for.
    """
    if value.ndim == 4:
        value = value.permute(2, 3, 0, 1) if ".depthwise." in name else value.permute(3, 2, 0, 1)
    if name.startswith("head_outputs.") and len(value) == len(ours) + COCO_CLASSES - 1:
        value = torch.cat((value[:1], value[COCO_CLASSES:]))
    return value


def movenet_person_name(name: str) -> str:
    """Our name of an entry as the graphs of Thunder and Lightning have it."""
    return _movenet_name(name, _PERSON_ORDER)


def movenet_multipose_name(name: str) -> str:
    """Our name of an entry as the graph of MultiPose has it."""
    return _movenet_name(name, _MULTIPOSE_ORDER)


def _movenet_name(name: str, heads: tuple[str, ...]) -> str:
    room, *path, kind = name.split(".")
    if room == "heads":
        return _head_name(path, kind, heads)
    if room == "pyramid":
        return _pyramid_name(path, kind)
    layer = {"stem": "Conv1", "last": "Conv_1"}.get(path[0])
    if layer is None:
        block = "expanded_conv" if path[1] == "0" else f"block_{path[1]}"
        layer = f"{block}_{path[2]}"
    conv = "depthwise" if path[-1] == "depthwise" else "Conv2D"
    return f"{_MODEL}model/{layer}/{conv}_{'weights' if kind == 'weight' else 'bn_offset'}"


def _pyramid_name(path: list[str], kind: str) -> str:
    number = "" if path[1] == "0" else f"_{path[1]}"
    if path[0] == "laterals":
        return f"{_MODEL}conv2d{number}/{'Conv2D' if kind == 'weight' else 'BiasAdd'}/ReadVariableOp"
    layer = f"{_MODEL}separable_conv2d{number}/separable_conv2d"
    if path[2] == "depthwise":
        return f"{layer}/ReadVariableOp"
    return f"{layer}_{'weights' if kind == 'weight' else 'bn_offset'}"


def _head_name(path: list[str], kind: str, heads: tuple[str, ...]) -> str:
    head = path[0]
    number = _FIRST_HEAD + heads.index(head) if head in heads else -1
    room = f"StatefulPartitionedCall/{_HEADS[head]}"
    if path[1] == "output":
        return f"{room}/conv2d_{number + 1}/{'Conv2D' if kind == 'weight' else 'BiasAdd'}/ReadVariableOp"
    layer = f"{room}/separable_conv2d_{number}"
    if kind == "bias":
        return f"{layer}/BiasAdd/ReadVariableOp"
    return f"{layer}/separable_conv2d/ReadVariableOp{'' if path[2] == 'depthwise' else '_1'}"


def nanodet_name(name: str) -> str:
    """Our name of an entry as the graph of NanoDet-g has it, which numbers its convolutions."""
    number, kind = _NANODET_CONVS[name.rsplit(".", 1)[0]], name.rsplit(".", 1)[1]
    if kind == "weight":
        return f"PartitionedCall/split{f'_{number}' if number else ''}"
    first = len(_NANODET_CONVS) - len(_NANODET_HEAD_BIASES)
    return f"unknown_{2 * number if number < first else _NANODET_HEAD_BIASES[number - first]}"


def _nanodet_convs() -> Mapping[str, int]:
    """Our convolutions' names to their numbers in the graph."""
    names = ["backbone.stem.conv"]
    for stage, count in enumerate(STAGE_BLOCKS):
        pairs = [f"{layer}.{block}" for block in range(count) for layer in ("outer", "inner")]
        names += [f"backbone.stages.{stage}.{layer}.conv" for layer in ("first", *pairs, "last")]
    names += [f"laterals.{level}" for level in range(3)]
    for level in range(3):
        names += [f"head_convs.{level}.conv", f"head_outputs.{level}"]
    return {name: number for number, name in enumerate(names)}


_NANODET_CONVS = _nanodet_convs()
