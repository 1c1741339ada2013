"""The rule by which the detection and pose fixtures make every weight from its own name."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable
from math import prod

import numpy as np
from numpy.typing import NDArray

_DAMPED = re.compile(
    r"\.bn3\.weight$"
    r"|\.branches\.\d+\.\d+\.bn2\.weight$"
    r"|dilated_encoder_blocks\.\d+\.conv3\.bn\.weight$"
    r"|\.fuse_layers\."
)
_GAINS = {
    "bbox_head.cls_score.weight": 0.05,
    "bbox_head.object_pred.weight": 0.05,
    "bbox_head.bbox_pred.weight": 0.03,
}


def detection_rule(name: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """The values of the entry `name` (public mmdet or mmpose name); `num_batches_tracked` is 0."""
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    if name.endswith("num_batches_tracked"):
        return np.zeros(shape, np.float32)
    if name.endswith(("running_mean", ".bias")):
        values = rng.standard_normal(shape) * 0.1
    elif name.endswith("running_var"):
        values = rng.uniform(0.5, 1.5, shape)
    elif len(shape) >= 2:
        values = rng.standard_normal(shape) * np.sqrt(2 / prod(shape[1:])) * _GAINS.get(name, 1.0)
    elif _DAMPED.search(name):
        values = rng.uniform(0.1, 0.3, shape)
    else:
        values = rng.uniform(0.5, 1.5, shape)
    return values.astype(np.float32)


def detection_weights(names: Iterable[str], shapes: Iterable[tuple[int, ...]]) -> dict[str, NDArray[np.float32]]:
    """A whole state dictionary by the rule."""
    return {name: detection_rule(name, shape) for name, shape in zip(names, shapes, strict=True)}
