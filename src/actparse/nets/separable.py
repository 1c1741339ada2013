"""The two halves of a channel-separated 3-D convolution, 1x1x1 and depthwise, and their pool, fast on a CPU.

Each function equals PyTorch's own up to the order of summation, gradients included; parameters keep their usual shapes.
On a CPU all are at their best on channels_last_3d; on an accelerator they are PyTorch's own.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

Triple = tuple[int, int, int]  # over T, H, W
_ONES: Triple = (1, 1, 1)


def pointwise_conv(clips: Tensor, weight: Tensor, bias: Tensor | None, stride: Triple = _ONES) -> Tensor:
    """A 1x1x1 convolution, on a CPU one matrix product over channels-last rows.

    Args:
        clips: (N, C, T, H, W).
        weight: (M, C, 1, 1, 1).
        bias: (M,) or None.
        stride: steps over T, H, W.

    Returns:
        (N, M, T', H', W'), T' = ceil(T / stride).
    """
    if clips.device.type != "cpu":
        return F.conv3d(clips, weight, bias, stride)
    if stride != _ONES:
        clips = _apply(_Subsample, clips, stride)  # (N, C, T', H', W')
    rows = clips.permute(0, 2, 3, 4, 1)  # (N, T', H', W', C)
    return F.linear(rows, weight.flatten(1), bias).permute(0, 4, 1, 2, 3)  # (N, M, T', H', W')


def depthwise_conv(clips: Tensor, weight: Tensor, bias: Tensor | None, stride: Triple = _ONES) -> Tensor:
    """A depthwise 3x3x3 convolution padded by 1; on a CPU in float32 where autocast would take bfloat16.

    Args:
        clips: (N, C, T, H, W).
        weight: (C, 1, 3, 3, 3).
        bias: (C,) or None.
        stride: steps over T, H, W.

    Returns:
        (N, C, T', H', W'), T' = ceil(T / stride).
    """
    if clips.device.type != "cpu":
        return F.conv3d(clips, weight, bias, stride, 1, groups=len(weight))
    with torch.autocast("cpu", enabled=False):  # CPU kernels for bfloat16 are several times slower here
        clips = clips.to(weight.dtype)
        if torch.is_grad_enabled():
            return _apply(_DepthwiseConv, clips, weight, bias, stride)
        return F.conv3d(clips, weight, bias, stride, 1, groups=len(weight))


def max_pool_frames(clips: Tensor) -> Tensor:
    """3x3 max pool with stride 2 of every frame: (N, C, T, H, W) to (N, C, T, H', W'), H' = ceil(H / 2)."""
    if clips.device.type != "cpu":
        return F.max_pool3d(clips, (1, 3, 3), (1, 2, 2), (0, 1, 1))
    num_clips, _, num_frames = clips.shape[:3]
    frames = clips.transpose(1, 2).flatten(0, 1)  # (N*T, C, H, W), no copy when channels last
    pooled = F.max_pool2d(frames, 3, 2, 1)  # (N*T, C, H', W')
    return pooled.view(num_clips, num_frames, *pooled.shape[1:]).transpose(1, 2)  # (N, C, T, H', W')


class _Subsample(torch.autograd.Function):
    """Every stride-th frame, row and column; the gradient is written once, not once an axis."""

    @staticmethod
    def forward(ctx: Any, clips: Tensor, stride: Triple) -> Tensor:
        ctx.shape, ctx.stride = clips.shape, stride
        t, h, w = stride
        return clips[:, :, ::t, ::h, ::w].contiguous(memory_format=torch.channels_last_3d)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return _spread(gradient, ctx.shape, ctx.stride), None


class _DepthwiseConv(torch.autograd.Function):
    """Depthwise 3x3x3 whose input gradient is a forward convolution too: flipped kernels on the spread-out gradient.

    oneDNN's own backward pass by data takes several times as long as its forward pass.
    """

    @staticmethod
    def forward(ctx: Any, clips: Tensor, weight: Tensor, bias: Tensor | None, stride: Triple) -> Tensor:
        ctx.save_for_backward(clips, weight)
        ctx.stride = stride
        return F.conv3d(clips, weight, bias, stride, 1, groups=len(weight))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None, None]:
        clips, weight = ctx.saved_tensors
        of_clips = of_weight = of_bias = None
        gradient = gradient.contiguous(memory_format=torch.channels_last_3d)
        with torch.autocast("cpu", enabled=False):
            if ctx.needs_input_grad[0]:
                spread = gradient if ctx.stride == _ONES else _spread(gradient, clips.shape, ctx.stride)
                of_clips = F.conv3d(spread, weight.flip((2, 3, 4)), None, 1, 1, groups=len(weight))
            if ctx.needs_input_grad[1]:
                of_weight = _weight_gradient(gradient, clips, weight, ctx.stride)
            if ctx.needs_input_grad[2]:
                of_bias = gradient.sum(dim=(0, 2, 3, 4))  # (C,)
        return of_clips, of_weight, of_bias, None


def _weight_gradient(gradient: Tensor, clips: Tensor, weight: Tensor, stride: Triple) -> Tensor:
    """Gradient of weights (C, 1, 3, 3, 3): each of their three frames as a 2-D convolution over all frames.

    oneDNN's 2-D pass takes less than half as long as its 3-D one.
    """
    steps, frames = gradient.transpose(1, 2), clips.transpose(1, 2)  # (N, T', C, H', W'), (N, T, C, H, W)
    of_frames = []
    for place in (-1, 0, 1):  # of the weights' frame beside the clip's
        first, end = int(place < 0), min(steps.shape[1], (frames.shape[1] - 1 - place) // stride[0] + 1)
        met = frames[:, first * stride[0] + place :: stride[0]][:, : end - first].flatten(0, 1)  # (F, C, H, W)
        asked = steps[:, first:end].flatten(0, 1)  # (F, C, H', W'), F may be 0
        of_frames.append(_frame_weight_gradient(asked, met, weight[:, :, place + 1], stride[1:]))
    return torch.stack(of_frames, dim=2)


def _frame_weight_gradient(gradient: Tensor, frames: Tensor, weight: Tensor, stride: tuple[int, int]) -> Tensor:
    wanted, zeros = [False, True, False], [0, 0]  # of frames, weight, bias
    found: Tensor = torch.ops.aten.convolution_backward(
        gradient, frames, weight, None, list(stride), [1, 1], [1, 1], False, zeros, len(weight), wanted
    )[1]
    return found


def _spread(values: Tensor, shape: torch.Size, stride: Triple) -> Tensor:
    """Zeros of `shape` with `values` at every stride-th frame, row and column."""
    spread = torch.empty(shape, dtype=values.dtype, device=values.device, memory_format=torch.channels_last_3d).zero_()
    t, h, w = stride
    spread[:, :, ::t, ::h, ::w] = values
    return spread


def _apply(function: type[torch.autograd.Function], *args: Any) -> Tensor:
    result: Tensor = function.apply(*args)  # type: ignore[no-untyped-call]
    return result
