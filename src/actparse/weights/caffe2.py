"""ImageNet ResNets as Caffe2 names them (detectron2's R-50.pkl), renamed to detectron2's own names.

`res2_0_branch2a_w` is `res2.0.conv1.weight`; `_bn_s` and `_bn_b` are a batch norm's weight and bias. Where running
statistics are absent they were folded into those two, so the mean is 0 and the variance such that nothing is divided.
Source: detectron2's names, as its loader of Caffe2 models maps them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

BATCH_NORM_EPS = 1e-5  # of every ResNet here

_BRANCHES = {"branch1": "shortcut", "branch2a": "conv1", "branch2b": "conv2", "branch2c": "conv3"}
_ENDINGS = {
    "w": "weight",
    "b": "bias",
    "bn_s": "norm.weight",
    "bn_b": "norm.bias",
    "bn_rm": "norm.running_mean",
    "bn_running_mean": "norm.running_mean",
    "bn_riv": "norm.running_var",
    "bn_running_var": "norm.running_var",
}
_CLASSIFIERS = ("pred", "fc1000")  # by the program that trained it
_OF_TRAINING = "_momentum"  # the optimiser's


def is_caffe2(entries: Mapping[str, Any]) -> bool:
    """Whether a file's names are Caffe2's."""
    return "conv1_w" in entries


def from_caffe2(entries: Mapping[str, Any]) -> dict[str, Any]:
    """The entries by detectron2's names; one that no ResNet has keeps its own, so that it is reported."""
    found = {_renamed(name): value for name, value in entries.items() if not name.endswith(_OF_TRAINING)}
    for name in [name for name in found if name.endswith("norm.weight")]:
        layer = name.removesuffix("weight")
        width = np.shape(found[name])
        found.setdefault(f"{layer}running_mean", np.zeros(width, np.float32))
        found.setdefault(f"{layer}running_var", np.full(width, 1 - BATCH_NORM_EPS, np.float32))
    return found


def _renamed(name: str) -> str:
    if name in ("conv1_w", "conv1_b"):
        return f"stem.conv1.{_ENDINGS[name[-1]]}"
    stem = re.fullmatch(r"(?:res_)?conv1_(bn_\w+)", name)
    if stem and stem[1] in _ENDINGS:
        return f"stem.conv1.{_ENDINGS[stem[1]]}"
    inner = re.fullmatch(r"res(\d)_(\d+)_(branch\d[abc]?)_(\w+)", name)
    if inner and inner[3] in _BRANCHES and inner[4] in _ENDINGS:
        return f"res{inner[1]}.{inner[2]}.{_BRANCHES[inner[3]]}.{_ENDINGS[inner[4]]}"
    classifier = re.fullmatch(r"(\w+)_([wb])", name)
    if classifier and classifier[1] in _CLASSIFIERS:
        return f"fc.{_ENDINGS[classifier[2]]}"
    return name
