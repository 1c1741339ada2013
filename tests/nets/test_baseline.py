"""The official baseline's network: shapes, what its features depend on, sizes."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from actparse.core.errors import ConfigError, ShapeError
from actparse.nets.baseline import Baseline, BaselineConfig, FrameBoxes, baseline
from actparse.nets.resnet import ResNetConfig

TINY = BaselineConfig(
    backbone=ResNetConfig(
        block="basic",
        num_blocks=(1, 1),
        widths=(8, 12),
        strides=(2, 2),
        dilations=(1, 1),
        stem_width=8,
        stem_pool=False,
    ),  # stride 8
    num_actions=3,
    num_states=(2, 4, 4, 3, 3, 1, 5, 5, 2, 2),
    roi_channels=6,
    roi_size=2,
    width=16,
    dropout=0.0,
)


@pytest.fixture(scope="module")
def net() -> Baseline:
    torch.manual_seed(0)
    return Baseline(TINY).eval()


def boxes_of(person_frames: list[int], *, objects: list[int] | None = None, seed: int = 0) -> FrameBoxes:
    """Persons and objects at random places of frames of 48 x 64."""
    generator = torch.Generator().manual_seed(seed)

    def some(*shape: int) -> Tensor:
        corner = torch.rand(*shape, 2, generator=generator) * 30
        return torch.cat((corner, corner + 4 + 14 * torch.rand(*shape, 2, generator=generator)), dim=-1)

    count, object_frames = len(person_frames), torch.tensor(objects or [], dtype=torch.int64)
    persons, parts = some(count), some(count, 10)
    frames = torch.tensor(person_frames, dtype=torch.int64)
    return FrameBoxes(persons, parts, frames, some(len(object_frames)), object_frames)


def frames_of(num_videos: int, num_segments: int) -> Tensor:
    generator = torch.Generator().manual_seed(9)
    return torch.randn(num_videos, num_segments, 3, 48, 64, generator=generator)


@torch.inference_mode()
def test_every_video_gets_an_action_and_every_part_of_a_person_its_own_states(net: Baseline) -> None:
    logits = net(frames_of(2, 3), boxes_of([0, 0, 2, 5], objects=[1, 5, 5]))
    assert logits.actions.shape == (2, 3)
    assert [part.shape for part in logits.states] == [(4, count) for count in TINY.num_states]


@torch.inference_mode()
@pytest.mark.parametrize("pooling", ["mean", "max"])
def test_pooling_over_parts_persons_and_frames(pooling: Any) -> None:
    net = Baseline(replace(TINY, pooling=pooling)).eval()
    frames, boxes = frames_of(1, 3), boxes_of([0, 0, 2])
    boxes.parts[1, 4:] = 0  # six parts of the second person are not there
    found = net.frame_features(frames[0], boxes)
    assert found.peopled.tolist() == [1, 0, 1]
    assert not found.people[1].any()
    alone = [
        net.frame_features(
            frames[0], FrameBoxes.without_objects(boxes.persons[p : p + 1], one, boxes.person_frames[p : p + 1])
        )
        for p, one in [(0, boxes.parts[:1]), (1, boxes.parts[1:2])]
    ]
    both = torch.stack([each.people[0] for each in alone])  # (2, D)
    torch.testing.assert_close(found.people[0], both.mean(dim=0) if pooling == "mean" else both.amax(dim=0))
    each_part = []
    for part in range(4):
        single = torch.zeros(1, 10, 4)
        single[0, part] = boxes.parts[1, part]
        only = FrameBoxes.without_objects(boxes.persons[1:2], single, boxes.person_frames[1:2])
        each_part.append(net.frame_features(frames[0], only).people[0])
    of_parts = torch.stack(each_part)  # (4, D)
    torch.testing.assert_close(alone[1].people[0], of_parts.mean(dim=0) if pooling == "mean" else of_parts.amax(dim=0))
    people = found.people[[0, 2]].mean(dim=0, keepdim=True)  # the frame without anybody does not count
    want = net.action_logits(found.scene.mean(dim=0, keepdim=True), people)
    torch.testing.assert_close(net(frames, boxes).actions, want)


@torch.inference_mode()
def test_the_order_of_persons_and_videos_does_not_matter(net: Baseline) -> None:
    frames, boxes = frames_of(2, 2), boxes_of([3, 0, 2, 0], objects=[2, 0])
    order = torch.tensor([2, 0, 3, 1])
    shuffled = replace(
        boxes, persons=boxes.persons[order], parts=boxes.parts[order], person_frames=boxes.person_frames[order]
    )
    one, other = net(frames, boxes), net(frames, shuffled)
    torch.testing.assert_close(other.actions, one.actions)
    torch.testing.assert_close(other.states[1], one.states[1][order])
    rows, frames_of_rows = [0, 2], torch.tensor([1, 0])  # what the second video has, its frames counted from 0
    last = FrameBoxes(
        boxes.persons[rows], boxes.parts[rows], frames_of_rows, boxes.objects[:1], torch.zeros(1, dtype=torch.int64)
    )
    torch.testing.assert_close(net(frames[1:], last).actions, one.actions[1:])


@torch.inference_mode()
def test_a_state_depends_on_part_person_and_objects_alone(net: Baseline) -> None:
    frames, boxes = frames_of(1, 2), boxes_of([0, 1], objects=[0])
    before = net(frames, boxes).states[1]  # (2, 4)

    def changed(**fields: Tensor) -> list[bool]:
        after = net(frames, replace(boxes, **fields)).states[1]
        return (after - before).abs().amax(dim=1).gt(1e-6).tolist()

    other = boxes_of([0, 1], objects=[0], seed=5)
    arm, leg = boxes.parts.clone(), boxes.parts.clone()
    arm[0, 1], leg[0, 6] = other.parts[0, 1], other.parts[0, 6]
    assert changed(parts=arm) == [True, False]
    assert changed(parts=leg) == [False, False]
    assert changed(persons=torch.stack((other.persons[0], boxes.persons[1]))) == [True, False]
    assert changed(objects=other.objects) == [True, False]
    assert changed(object_frames=torch.tensor([1])) == [True, True]


@torch.inference_mode()
def test_nobody_and_nothing(net: Baseline) -> None:
    logits = net(frames_of(2, 2), boxes_of([]))
    assert logits.actions.shape == (2, 3)
    assert logits.actions.isfinite().all()
    assert [part.shape for part in logits.states] == [(0, count) for count in TINY.num_states]
    assert net(frames_of(0, 2), boxes_of([])).actions.shape == (0, 3)


@pytest.mark.parametrize("block", ["basic", "bottleneck"])
@pytest.mark.parametrize("pooling", ["mean", "max"])
def test_all_weights_get_gradients(block: Any, pooling: Any) -> None:
    torch.manual_seed(0)
    net = Baseline(replace(TINY, backbone=replace(TINY.backbone, block=block), pooling=pooling)).train()
    with torch.autocast("cpu", torch.bfloat16):
        logits = net(frames_of(2, 2), boxes_of([0, 1, 3], objects=[1]))
    total = torch.stack([part.float().square().sum() for part in (logits.actions, *logits.states)]).sum()
    total.backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in net.parameters())


def test_parameter_counts() -> None:
    with torch.device("meta"):
        net = baseline(50, num_actions=24, num_states=(8,) * 10)
    counts = {name: sum(p.numel() for p in part.parameters()) for name, part in net.named_children()}
    assert counts == {
        "backbone": 23_508_032,
        "reduce": 2048 * 256 + 256,
        "embed": 256 * 49 * 1024 + 1024,
        "kinds": 12 * 1024,
        "refine": (3 * 1024 + 1) * 1024 + (1024 + 1) * 1024,
        "state_heads": 10 * (1024 + 1) * 8,
        "cls_head": (2048 + 1024 + 1) * 24,
    }
    assert sum(counts.values()) == 41_243_048


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_states": (2,) * 9}, "baseline.num_states must be 10 numbers of at least 1, got (2, 2,"),
        ({"roi_size": 0}, "baseline.roi_size must be at least 1, got 0"),
        ({"sampling_ratio": 0}, "baseline.sampling_ratio must be None or at least 1, got 0"),
        ({"pooling": "sum"}, "baseline.pooling must be 'mean' or 'max', got 'sum'"),
        ({"dropout": 1.0}, "baseline.dropout must be at least 0 and less than 1, got 1.0"),
    ],
    ids=lambda value: value if isinstance(value, str) else next(iter(value)),
)
def test_config_errors(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        replace(TINY, **change)


def test_wrong_inputs_are_refused(net: Baseline) -> None:
    with pytest.raises(
        ShapeError, match=re.escape("frames must have shape (any, any, 3, any, any), got (2, 3, 48, 64)")
    ):
        net(frames_of(1, 2)[0], boxes_of([]))
    with pytest.raises(ShapeError, match="person_frames must be int64 numbers of the 2 frames, counted from 0, got"):
        net(frames_of(1, 2), boxes_of([2]))
    with pytest.raises(ShapeError, match=re.escape("parts must have shape (1, 10, 4), got (1, 9, 4)")):
        FrameBoxes.without_objects(torch.zeros(1, 4), torch.zeros(1, 9, 4), torch.zeros(1, dtype=torch.int64))
    with pytest.raises(ConfigError, match=r"resnet\.depth must be one of 18, 34, 50, 101, 152, got 51"):
        baseline(51)
