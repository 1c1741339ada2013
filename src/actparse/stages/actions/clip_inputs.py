"""Conversion of clips to network inputs: frames for CSN and TSN, stacks of coded optical flow for TSN on flow."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from actparse.core.errors import ConfigError, ShapeError
from actparse.stages.inputs import InputNorm
from actparse.video.flow import Coding, FlowBytes, TvL1, TvL1Config, flow_to_bytes
from actparse.video.transforms import flow_to_stacks

FLOW_MEAN = 128.0  # mean of coded flow, and its deviation; no motion becomes 0. Source: the public TSN configs


@dataclass(frozen=True, kw_only=True)
class FlowInput:
    """Settings for optical flow as input: a clip's frames are cut into runs, and each run is a stack of flow fields."""

    num_fields: int = 5  # of a stack; its run has one frame more
    tvl1: TvL1Config = field(default_factory=TvL1Config)
    coding: Coding = "rounded"

    def __post_init__(self) -> None:
        if self.num_fields < 1:
            raise ConfigError(f"flow.num_fields must be at least 1, got {self.num_fields}")

    @property
    def run(self) -> int:
        """Frames of a stack."""
        return self.num_fields + 1


def frame_inputs(clips: NDArray[np.uint8], norm: InputNorm, device: torch.device, *, places_first: bool) -> Tensor:
    """Normalise clips (N, T, H, W, 3) RGB to (N, 3, T, H, W), or with `places_first` to (N, T, 3, H, W) for TSN."""
    frames = norm(torch.from_numpy(clips).to(device).permute(0, 4, 1, 2, 3))  # (N, 3, T, H, W)
    return frames.transpose(1, 2) if places_first else frames


def flow_inputs(clips: NDArray[np.uint8], flow: FlowInput, device: torch.device) -> Tensor:
    """Convert clips (N, T, H, W, 3) RGB to S = T / run stacks of flow (N, S, 2 * num_fields, h, w), normalised.

    Raises:
        ShapeError: T is not a multiple of the frames of a stack.
    """
    if clips.shape[1] % flow.run:
        raise ShapeError(f"clips must have a multiple of {flow.run} frames for stacks of flow, got {clips.shape[1]}")
    fields = _FlowCache(flow)
    stacks = [
        flow_to_stacks(fields.along(run), flow.num_fields)  # (1, 2 * num_fields, h, w)
        for clip in clips
        for run in clip.reshape(-1, flow.run, *clip.shape[1:])
    ]
    coded = torch.from_numpy(np.concatenate(stacks)).to(device)  # (N * S, 2 * num_fields, h, w)
    return normalised_flow(coded.view(len(clips), -1, *coded.shape[1:]))


class _FlowCache:
    """Flow between frames with a cache of pairs: clips of an interval overlap, and flow takes most of the time."""

    def __init__(self, flow: FlowInput) -> None:
        self._solver, self._coding = TvL1(flow.tvl1), flow.coding
        self._by_digests: dict[tuple[bytes, bytes], FlowBytes] = {}  # by the digests of the two frames

    def along(self, run: NDArray[np.uint8]) -> FlowBytes:
        """Compute the coded flow (T - 1, h, w, 2) between the frames (T, H, W, 3) of one run."""
        digests = [hashlib.blake2b(frame.tobytes()).digest() for frame in run]
        for first, pair in enumerate(pairwise(digests)):
            if pair not in self._by_digests:
                self._by_digests[pair] = fields_of(run[first : first + 2], self._solver, self._coding)
        return np.concatenate([self._by_digests[pair] for pair in pairwise(digests)])


def fields_of(frames: NDArray[np.uint8], solver: TvL1, coding: Coding = "rounded") -> FlowBytes:
    """Compute the coded flow (T - 1, h, w, 2) between the frames (T, H, W, 3) of one run."""
    return np.stack([flow_to_bytes(field, coding=coding) for field in solver.along(frames)])


def normalised_flow(coded: Tensor) -> Tensor:
    """Convert coded flow of any shape to float32; no motion becomes 0."""
    return (coded.float() - FLOW_MEAN) / FLOW_MEAN
