"""From the frames of a clip to what its network takes: frames for CSN and TSN, stacks of coded flow for TSN on flow."""

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

FLOW_MEAN = 128.0  # of coded flow, and its deviation; no motion is 0. Source: the public TSN configs


@dataclass(frozen=True, kw_only=True)
class FlowInput:
    """Optical flow in the place of frames: a clip's frames are cut into runs, each a stack of flow fields."""

    num_fields: int = 5  # of a stack, one less than the frames of its run
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
    """Clips (N, T, H, W, 3) RGB -> (N, 3, T, H, W) normalised; with `places_first` (N, T, 3, H, W), as TSN takes it."""
    frames = norm(torch.from_numpy(clips).to(device).permute(0, 4, 1, 2, 3))  # (N, 3, T, H, W)
    return frames.transpose(1, 2) if places_first else frames


def flow_inputs(clips: NDArray[np.uint8], flow: FlowInput, device: torch.device) -> Tensor:
    """Clips (N, T, H, W, 3) RGB -> (N, S, 2 * num_fields, h, w) of S = T / run stacks, normalised.

    Raises:
        ShapeError: T is not a multiple of the frames of a stack.
    """
    if clips.shape[1] % flow.run:
        raise ShapeError(f"clips must have a multiple of {flow.run} frames for stacks of flow, got {clips.shape[1]}")
    fields = _FieldsOnce(flow)
    stacks = [
        flow_to_stacks(fields.along(run), flow.num_fields)  # (1, 2 * num_fields, h, w)
        for clip in clips
        for run in clip.reshape(-1, flow.run, *clip.shape[1:])
    ]
    coded = torch.from_numpy(np.concatenate(stacks)).to(device)  # (N * S, 2 * num_fields, h, w)
    return normalised_flow(coded.view(len(clips), -1, *coded.shape[1:]))


class _FieldsOnce:
    """Flow between frames, each pair's once: the clips of a stretch overlap, and its flow takes most of the time."""

    def __init__(self, flow: FlowInput) -> None:
        self._solver, self._coding = TvL1(flow.tvl1), flow.coding
        self._known: dict[tuple[bytes, bytes], FlowBytes] = {}  # by what the two frames show

    def along(self, run: NDArray[np.uint8]) -> FlowBytes:
        """The coded flow (T - 1, h, w, 2) between the frames (T, H, W, 3) of one run."""
        shown = [hashlib.blake2b(frame.tobytes()).digest() for frame in run]
        for first, pair in enumerate(pairwise(shown)):
            if pair not in self._known:
                self._known[pair] = fields_of(run[first : first + 2], self._solver, self._coding)
        return np.concatenate([self._known[pair] for pair in pairwise(shown)])


def fields_of(frames: NDArray[np.uint8], solver: TvL1, coding: Coding = "rounded") -> FlowBytes:
    """The coded flow (T - 1, h, w, 2) between the frames (T, H, W, 3) of one run."""
    return np.stack([flow_to_bytes(field, coding=coding) for field in solver.along(frames)])


def normalised_flow(coded: Tensor) -> Tensor:
    """Coded flow of any shape as float32, no motion at 0."""
    return (coded.float() - FLOW_MEAN) / FLOW_MEAN
