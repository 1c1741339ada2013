"""What clip networks are given: stacks of flow, whose overlapping clips need each pair of frames once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from actparse.core.errors import ShapeError
from actparse.stages.actions import clip_inputs
from actparse.stages.actions.clip_inputs import FlowInput, flow_inputs
from actparse.video.flow import FAST_TVL1

FLOW = FlowInput(num_fields=2, tvl1=FAST_TVL1)
CPU = torch.device("cpu")


@pytest.fixture
def frames() -> NDArray[np.uint8]:
    """A textured ground (8, 48, 64, 3) that moves faster and faster."""
    ground = np.random.default_rng(0).integers(0, 256, (48, 200, 3), np.uint8)
    return np.stack([ground[:, shift : shift + 64] for shift in (0, 1, 3, 6, 10, 15, 21, 28)])


def test_overlapping_clips_have_the_stacks_of_each_alone(frames: NDArray[np.uint8]) -> None:
    clips = np.stack([frames[:6], frames[2:8], frames[:6]])
    together = flow_inputs(clips, FLOW, CPU)
    assert together.shape[:3] == (3, 2, 4)
    for number, clip in enumerate(clips):
        assert torch.equal(together[number], flow_inputs(clip[None], FLOW, CPU)[0])
    assert not torch.equal(together[0], together[1])


def test_each_pair_of_frames_is_computed_once(frames: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch) -> None:
    computed = []
    original = clip_inputs.fields_of

    def counting(run: NDArray[np.uint8], *args: Any) -> Any:
        computed.append(run)
        return original(run, *args)

    monkeypatch.setattr(clip_inputs, "fields_of", counting)
    flow_inputs(np.stack([frames[:6], frames[1:7], frames[3:6][[0, 1, 2, 0, 1, 2]]]), FLOW, CPU)
    pairs = {(0, 1), (1, 2), (3, 4), (4, 5), (2, 3), (5, 6)}  # of the first clip's two runs, then of the second's
    assert len(computed) == len(pairs)


def test_runs_must_fill_a_clip(frames: NDArray[np.uint8]) -> None:
    with pytest.raises(ShapeError, match="multiple of 3 frames for stacks of flow, got 5"):
        flow_inputs(frames[None, :5], FLOW, CPU)
