"""A convolution with its activation; in inference on a CPU, oneDNN computes both as one operation."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

HAS_ONEDNN: bool = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
SLOPE = 0.1  # of the leaky ReLU below 0
Activation = Literal["none", "relu", "relu6", "leaky_relu"]
ACTIVATIONS: dict[Activation, tuple[Callable[[Tensor], Tensor], str, list[float]]] = {
    "none": (lambda x: x, "none", []),
    "relu": (torch.relu_, "relu", []),
    "relu6": (partial(F.relu6, inplace=True), "hardtanh", [0.0, 6.0]),
    "leaky_relu": (partial(F.leaky_relu, negative_slope=SLOPE, inplace=True), "leaky_relu", [SLOPE]),
}  # the function; its name and parameters in PyTorch's operation mkldnn::_convolution_pointwise


class ActivatedConv(nn.Conv2d):
    """A convolution and the activation after it, for which its owner sets `activation`."""

    activation: Activation = "none"

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, C', H', W')."""
        return self.convolve(x, self.weight, int(self.padding[0]))

    def convolve(self, x: Tensor, weight: Tensor, padding: int) -> Tensor:
        """Return what `forward` does, for another weight (C', C / groups, k, k) and padding in pixels."""
        activate, name, parameters = ACTIVATIONS[self.activation]
        is_inference = HAS_ONEDNN and torch.is_inference_mode_enabled() and not torch.is_autocast_enabled("cpu")
        if not (is_inference and x.is_cpu and x.dtype == torch.float32 and x.numel()):
            return activate(F.conv2d(x, weight, self.bias, self.stride, padding, self.dilation, self.groups))
        # A separate activation reads and writes all features again, which do not fit into a CPU's caches.
        geometry = [padding] * 2, self.stride, self.dilation, self.groups
        out: Tensor = torch.ops.mkldnn._convolution_pointwise(x, weight, self.bias, *geometry, name, parameters, "")
        return out
