"""The gradient of depthwise 3x3x3 convolutions by their weights: ours against PyTorch's own pass, on one core.

python benchmarks/depthwise_gradient.py   # the layers of the tiny ip-CSN, 16 clips; a ratio above 1: ours is faster
"""

from __future__ import annotations

import json
import time

import torch
import torch.nn.functional as F
from torch import Tensor

from actparse.nets.clips.separable import Triple, depthwise_conv

LAYERS: tuple[tuple[int, Triple, Triple], ...] = (  # channels, (T, H, W), stride
    (32, (8, 12, 16), (1, 1, 1)),
    (48, (8, 12, 16), (1, 2, 2)),
    (48, (8, 6, 8), (1, 1, 1)),
    (96, (8, 6, 8), (2, 2, 2)),
    (96, (4, 3, 4), (1, 1, 1)),
    (192, (4, 3, 4), (2, 2, 2)),
    (192, (2, 2, 2), (1, 1, 1)),
)
NUM_CLIPS = 16
REPEATS = 20


def main() -> None:
    """Measure and print one JSON line for each layer."""
    torch.set_num_threads(1)
    for channels, size, stride in LAYERS:
        clips = torch.randn(NUM_CLIPS, channels, *size).contiguous(memory_format=torch.channels_last_3d)
        weight = torch.randn(channels, 1, 3, 3, 3, requires_grad=True)
        own = F.conv3d(clips, weight, None, stride, 1, groups=channels)
        ours = depthwise_conv(clips, weight, None, stride)
        gradient = torch.randn(own.shape).contiguous(memory_format=torch.channels_last_3d)
        ratio = seconds_of(own, weight, gradient) / seconds_of(ours, weight, gradient)
        layer = f"{channels}x{'x'.join(map(str, size))}, stride {stride}"
        print(json.dumps({"layer": layer, "ratio": round(ratio, 2)}))


def seconds_of(output: Tensor, weight: Tensor, gradient: Tensor) -> float:
    """Return the least of several backward passes."""
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        torch.autograd.grad(output, weight, gradient, retain_graph=True)
        times.append(time.perf_counter() - start)
    return min(times)


if __name__ == "__main__":
    main()
