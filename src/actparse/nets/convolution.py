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
    _packed: Tensor | None = None  # the kernel in oneDNN's layout

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, C', H', W')."""
        return self.convolve(x, *self.kernel(), packed=self._packed)

    def convolve(self, x: Tensor, weight: Tensor, padding: int, *, packed: Tensor | None = None) -> Tensor:
        """Return what `forward` does, for any weight and padding.

        Args:
            x: (N, C, H, W).
            weight: (C', C / groups, k, k).
            padding: pixels at each side.
            packed: the same weight in oneDNN's layout, if there is one.
        """
        activate, name, parameters = ACTIVATIONS[self.activation]
        is_inference = HAS_ONEDNN and torch.is_inference_mode_enabled() and not torch.is_autocast_enabled("cpu")
        if not (is_inference and x.is_cpu and x.dtype == torch.float32 and x.numel()):
            return activate(F.conv2d(x, weight, self.bias, self.stride, padding, self.dilation, self.groups))
        # A separate activation reads and writes all features again, which do not fit into a CPU's caches.
        kernel = weight if packed is None else packed
        geometry = [padding] * 2, self.stride, self.dilation, self.groups
        out: Tensor = torch.ops.mkldnn._convolution_pointwise(x, kernel, self.bias, *geometry, name, parameters, "")
        return out

    def kernel(self) -> tuple[Tensor, int]:
        """Return the weight (C', C / groups, k, k) with which `forward` convolves, and its padding in pixels."""
        return self.weight, int(self.padding[0])

    def pack(self) -> None:
        """Keep the weight in oneDNN's layout too: without it, each pass converts the weight. Not for training."""
        weight, padding = self.kernel()
        with torch.inference_mode():
            self._packed = torch._C._nn.mkldnn_reorder_conv2d_weight(
                weight.detach().to_mkldnn(), [padding] * 2, list(self.stride), list(self.dilation), self.groups
            )


def pack_convolutions(net: nn.Module) -> None:
    """Pack the convolutions of a network that is not trained any more; on other devices than CPUs nothing changes."""
    for module in net.modules():
        if HAS_ONEDNN and isinstance(module, ActivatedConv) and module.weight.is_cpu:
            module.pack()
