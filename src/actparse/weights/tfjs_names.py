"""Names of the entries of MoveNet and NanoDet in the published TensorFlow.js graphs.

A graph contains a constant for every number in its computation. Constants such as axes, margins and grids are
distinguished from weights by their type, their shape and a few names.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from actparse.nets.detectors.nanodet import COCO_CLASSES, STAGE_BLOCKS

_CONSTANT = re.compile(
    r"(?:^|/)(?:ConstantFolding/.*|Reshape(?:_\d+)?|truediv(?:_\d+)?|strided_slice_\d+|zeros_like|stack.*|Const(?:_\d+)?)$"
)
_MODEL = "StatefulPartitionedCall/center_net_mobile_net_v2fpn_feature_extractor/model_1/"
_HEADS = {  # our name to the graph's
    "center": "center_0",
    "heatmap": "kpt_heatmap_0",
    "regress": "kpt_regress_0",
    "offset": "kpt_offset_0",
    "box_scale": "box_scale_0",
    "box_offset": "box_offset_0",
}
_FIRST_HEAD = 3  # index of the first head's separable convolution
_PERSON_ORDER = ("center", "heatmap", "regress", "offset")
_MULTIPOSE_ORDER = ("center", "box_scale", "box_offset", "heatmap", "regress", "offset")
_NANODET_HEAD_BIASES = (60, 62, 66, 68, 70, 72)  # indices of the head's biases, of convolutions 28 to 33


def is_graph_constant(name: str, value: Any) -> bool:
    """Return whether an entry is a constant of the computation (integer, scalar, grid) and not a weight."""
    try:
        tensor = torch.as_tensor(value)
    except (TypeError, ValueError, RuntimeError):
        return False
    return not tensor.is_floating_point() or tensor.ndim == 0 or bool(_CONSTANT.search(name))


def graph_values(name: str, value: Tensor, ours: Tensor) -> Tensor:
    """Convert a graph's entry to PyTorch's order of axes.

    If our detector has one class, only the first class of the graph's last layers is used.

    Args:
        name: our name of the entry.
        value: (kh, kw, in, out), of a depthwise convolution (kh, kw, channels, 1), or a bias (out,).
        ours: our entry, which gets the values.
    """
    if value.ndim == 4:
        value = value.permute(2, 3, 0, 1) if ".depthwise." in name else value.permute(3, 2, 0, 1)
    if name.startswith("head_outputs.") and len(value) == len(ours) + COCO_CLASSES - 1:
        value = torch.cat((value[:1], value[COCO_CLASSES:]))
    return value


def movenet_person_name(name: str) -> str:
    """Convert our name of an entry to that in the graphs of Thunder and Lightning."""
    return _movenet_name(name, _PERSON_ORDER)


def movenet_multipose_name(name: str) -> str:
    """Convert our name of an entry to that in the graph of MultiPose."""
    return _movenet_name(name, _MULTIPOSE_ORDER)


def _movenet_name(name: str, heads: tuple[str, ...]) -> str:
    section, *path, kind = name.split(".")
    if section == "heads":
        return _head_name(path, kind, heads)
    if section == "pyramid":
        return _pyramid_name(path, kind)
    layer = {"stem": "Conv1", "last": "Conv_1"}.get(path[0])
    if layer is None:
        block = "expanded_conv" if path[1] == "0" else f"block_{path[1]}"
        layer = f"{block}_{path[2]}"
    conv = "depthwise" if path[-1] == "depthwise" else "Conv2D"
    return f"{_MODEL}model/{layer}/{conv}_{'weights' if kind == 'weight' else 'bn_offset'}"


def _pyramid_name(path: list[str], kind: str) -> str:
    index = "" if path[1] == "0" else f"_{path[1]}"
    if path[0] == "laterals":
        return f"{_MODEL}conv2d{index}/{'Conv2D' if kind == 'weight' else 'BiasAdd'}/ReadVariableOp"
    layer = f"{_MODEL}separable_conv2d{index}/separable_conv2d"
    if path[2] == "depthwise":
        return f"{layer}/ReadVariableOp"
    return f"{layer}_{'weights' if kind == 'weight' else 'bn_offset'}"


def _head_name(path: list[str], kind: str, heads: tuple[str, ...]) -> str:
    head = path[0]
    index = _FIRST_HEAD + heads.index(head) if head in heads else -1
    section = f"StatefulPartitionedCall/{_HEADS[head]}"
    if path[1] == "output":
        return f"{section}/conv2d_{index + 1}/{'Conv2D' if kind == 'weight' else 'BiasAdd'}/ReadVariableOp"
    layer = f"{section}/separable_conv2d_{index}"
    if kind == "bias":
        return f"{layer}/BiasAdd/ReadVariableOp"
    return f"{layer}/separable_conv2d/ReadVariableOp{'' if path[2] == 'depthwise' else '_1'}"


def nanodet_name(name: str) -> str:
    """Convert our name of an entry to that in the graph of NanoDet-g, which numbers its convolutions."""
    index, kind = _NANODET_CONVS[name.rsplit(".", 1)[0]], name.rsplit(".", 1)[1]
    if kind == "weight":
        return f"PartitionedCall/split{f'_{index}' if index else ''}"
    first = len(_NANODET_CONVS) - len(_NANODET_HEAD_BIASES)
    return f"unknown_{2 * index if index < first else _NANODET_HEAD_BIASES[index - first]}"


def _nanodet_convs() -> Mapping[str, int]:
    """Return our convolutions' names and their indices in the graph."""
    names = ["backbone.stem.conv"]
    for stage, count in enumerate(STAGE_BLOCKS):
        pairs = [f"{layer}.{block}" for block in range(count) for layer in ("outer", "inner")]
        names += [f"backbone.stages.{stage}.{layer}.conv" for layer in ("first", *pairs, "last")]
    names += [f"laterals.{level}" for level in range(3)]
    for level in range(3):
        names += [f"head_convs.{level}.conv", f"head_outputs.{level}"]
    return {name: index for index, name in enumerate(names)}


_NANODET_CONVS = _nanodet_convs()
