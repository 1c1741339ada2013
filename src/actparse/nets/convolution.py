"""A convolution with its activation; in inference on a CPU, oneDNN computes both as one operation."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

HAS_ONEDNN: bool = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
Activation = Literal["none", "relu", "relu6", "leaky_relu"]

SLOPE = 0.1  # of the leaky ReLU below 0
ACTIVATIONS: dict[Activation, Callable[[Tensor], Tensor]] = {
    "none": lambda x: x,
    "relu": torch.relu_,
    "relu6": partial(F.relu6, inplace=True),
    "leaky_relu": partial(F.leaky_relu, negative_slope=SLOPE, inplace=True),
}
FUSED: dict[Activation, tuple[str, list[float]]] = {
    "none": ("none", []),
    "relu": ("relu", []),
    "relu6": ("hardtanh", [0.0, 6.0]),
    "leaky_relu": ("leaky_relu", [SLOPE]),
}  # names and parameters in PyTorch's operation mkldnn::_convolution_pointwise


class ActivatedConv(nn.Conv2d):
    """A convolution and the activation after it."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int = 1,
        *,
        stride: int = 1,
        padding: int = 0,
        groups: int = 1,
        bias: bool = True,
        activation: Activation = "none",
    ) -> None:
        super().__init__(in_channels, out_channels, kernel, stride, padding, groups=groups, bias=bias)
        self.activation: Activation = activation

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, C', H', W')."""
        return self.convolve(x, self.weight, int(self.padding[0]))

    def convolve(self, x: Tensor, weight: Tensor, padding: int) -> Tensor:
        """Return what `forward` does, for another weight (C', C / groups, k, k) and padding in pixels."""
        if not _is_fusible(x):
            out = F.conv2d(x, weight, self.bias, self.stride, padding, self.dilation, self.groups)
            return ACTIVATIONS[self.activation](out)
        # A separate activation reads and writes all features again, which do not fit into a CPU's caches.
        geometry = [padding] * 2, self.stride, self.dilation, self.groups
        fused: Tensor = torch.ops.mkldnn._convolution_pointwise(
            x, weight, self.bias, *geometry, *FUSED[self.activation], ""
        )
        return fused


def _is_fusible(x: Tensor) -> bool:
    """Return whether oneDNN can convolve `x` (N, C, H, W): without gradients, in float32, on a CPU."""
    is_inference = HAS_ONEDNN and torch.is_inference_mode_enabled() and not torch.is_autocast_enabled("cpu")
    return is_inference and x.is_cpu and x.dtype == torch.float32 and x.numel() > 0
