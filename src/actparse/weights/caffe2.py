"""Conversion of ImageNet ResNets from Caffe2's names (detectron2's R-50.pkl) to detectron2's names.

`res2_0_branch2a_w` is `res2.0.conv1.weight`; `_bn_s` and `_bn_b` are a batch norm's weight and bias. If
running statistics are absent, they were folded into those two; then the mean is 0 and the variance makes the divisor 1.
Source: detectron2's loader of Caffe2 models.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

BATCH_NORM_EPS = 1e-5  # of all ResNets here

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
_CLASSIFIERS = ("pred", "fc1000")  # names of the classifier, which depend on the training program
_OPTIMISER_SUFFIX = "_momentum"  # of entries of the optimiser


def is_caffe2(entries: Mapping[str, Any]) -> bool:
    """Return whether a file has Caffe2's names."""
    return "conv1_w" in entries


def from_caffe2(entries: Mapping[str, Any]) -> dict[str, Any]:
    """Return the entries by detectron2's names; unknown names are unchanged, so that they are reported later."""
    renamed = {_renamed(name): value for name, value in entries.items() if not name.endswith(_OPTIMISER_SUFFIX)}
    for name in [name for name in renamed if name.endswith("norm.weight")]:
        layer = name.removesuffix("weight")
        width = np.shape(renamed[name])
        renamed.setdefault(f"{layer}running_mean", np.zeros(width, np.float32))
        renamed.setdefault(f"{layer}running_var", np.full(width, 1 - BATCH_NORM_EPS, np.float32))
    return renamed


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
