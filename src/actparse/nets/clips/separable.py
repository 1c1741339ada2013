"""The two halves of a channel-separated 3-D convolution, 1x1x1 and depthwise, and their pool, fast on a CPU.

Each function equals that of PyTorch up to the order of summation, gradients included; parameters have their usual
shapes. On a CPU all are fastest with channels_last_3d; on an accelerator they call PyTorch's functions.
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
    """Apply a 1x1x1 convolution, on a CPU as one matrix product over channels-last rows.

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
    channels_last = clips.permute(0, 2, 3, 4, 1)  # (N, T', H', W', C)
    return F.linear(channels_last, weight.flatten(1), bias).permute(0, 4, 1, 2, 3)  # (N, M, T', H', W')


def depthwise_conv(clips: Tensor, weight: Tensor, bias: Tensor | None, stride: Triple = _ONES) -> Tensor:
    """Apply a depthwise 3x3x3 convolution padded by 1; on a CPU in float32, also if autocast selects bfloat16.

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
    """Apply a 3x3 max pool of stride 2 to every frame: (N, C, T, H, W) to (N, C, T, H', W'), H' = ceil(H / 2)."""
    if clips.device.type != "cpu":
        return F.max_pool3d(clips, (1, 3, 3), (1, 2, 2), (0, 1, 1))
    num_clips, _, num_frames = clips.shape[:3]
    frames = clips.transpose(1, 2).flatten(0, 1)  # (N*T, C, H, W), no copy when channels last
    pooled = F.max_pool2d(frames, 3, 2, 1)  # (N*T, C, H', W')
    return pooled.view(num_clips, num_frames, *pooled.shape[1:]).transpose(1, 2)  # (N, C, T, H', W')


class _Subsample(torch.autograd.Function):
    """Selection of every stride-th frame, row and column; the gradient is written once, not once per axis."""

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
    """A depthwise 3x3x3 convolution whose input gradient is also a forward convolution, with flipped kernels.

    oneDNN's backward pass for the input takes several times as long as its forward pass.
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
        clips_gradient = weight_gradient = bias_gradient = None
        gradient = gradient.contiguous(memory_format=torch.channels_last_3d)
        with torch.autocast("cpu", enabled=False):
            if ctx.needs_input_grad[0]:
                spread = gradient if ctx.stride == _ONES else _spread(gradient, clips.shape, ctx.stride)
                clips_gradient = F.conv3d(spread, weight.flip((2, 3, 4)), None, 1, 1, groups=len(weight))
            if ctx.needs_input_grad[1]:
                weight_gradient = _weight_gradient(gradient, clips, weight, ctx.stride)
            if ctx.needs_input_grad[2]:
                bias_gradient = gradient.sum(dim=(0, 2, 3, 4))  # (C,)
        return clips_gradient, weight_gradient, bias_gradient, None


def _weight_gradient(gradient: Tensor, clips: Tensor, weight: Tensor, stride: Triple) -> Tensor:
    """Compute the gradient of weights (C, 1, 3, 3, 3), as a 2-D convolution over all frames for each weight frame.

    oneDNN's 2-D pass takes less than half as long as its 3-D one.
    """
    steps, frames = gradient.transpose(1, 2), clips.transpose(1, 2)  # (N, T', C, H', W'), (N, T, C, H, W)
    frame_gradients = []
    for shift in (-1, 0, 1):  # of the weights' frame relative to the clip's frame
        first, end = int(shift < 0), min(steps.shape[1], (frames.shape[1] - 1 - shift) // stride[0] + 1)
        inputs = frames[:, first * stride[0] + shift :: stride[0]][:, : end - first].flatten(0, 1)  # (F, C, H, W)
        gradients = steps[:, first:end].flatten(0, 1)  # (F, C, H', W'), F may be 0
        frame_gradients.append(_frame_weight_gradient(gradients, inputs, weight[:, :, shift + 1], stride[1:]))
    return torch.stack(frame_gradients, dim=2)


def _frame_weight_gradient(gradient: Tensor, frames: Tensor, weight: Tensor, stride: tuple[int, int]) -> Tensor:
    output_mask, zeros = [False, True, False], [0, 0]  # of frames, weight, bias
    weight_gradient: Tensor = torch.ops.aten.convolution_backward(
        gradient, frames, weight, None, list(stride), [1, 1], [1, 1], False, zeros, len(weight), output_mask
    )[1]
    return weight_gradient


def _spread(values: Tensor, shape: torch.Size, stride: Triple) -> Tensor:
    """Return zeros of `shape` with `values` at every stride-th frame, row and column."""
    spread = torch.empty(shape, dtype=values.dtype, device=values.device, memory_format=torch.channels_last_3d).zero_()
    t, h, w = stride
    spread[:, :, ::t, ::h, ::w] = values
    return spread


def _apply(function: type[torch.autograd.Function], *args: Any) -> Tensor:
    result: Tensor = function.apply(*args)  # type: ignore[no-untyped-call]
    return result
