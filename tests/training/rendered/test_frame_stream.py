"""The stream of rendered frames, and the pose task on it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from actparse.nets.poses.hrnet import HrnetConfig, SideBranchConfig
from actparse.stages.people.poses import PosesConfig
from actparse.training.recipes.poses import PosesTask, TinyPoses, clear_persons, tellable_pairs
from actparse.training.rendered.frame_stream import FrameStreamConfig, open_frame_stream
from actparse.training.samples.store import Store
from actparse.training.task import NAMES

CONFIG = FrameStreamConfig(size=(96, 128), frames_per_shard=6, times_per_scene=2)
NET = HrnetConfig(
    width=8,
    num_modules=(1, 1, 1),
    num_blocks=1,
    stem_width=8,
    layer1_blocks=1,
    layer1_width=8,
    side_branch=SideBranchConfig(),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("stream")


@pytest.fixture(scope="module")
def stream(folder: Path) -> Store:
    return open_frame_stream(folder, "train", 10, CONFIG, processes=1, report=lambda line: None)


def test_shards_are_full_and_boxes_hold_their_persons(stream: Store) -> None:
    assert stream.frames.shape == (12, 96, 128, 3)
    assert stream.names == ("train stream 00000", "train stream 00001")
    assert len(stream.person_boxes) == len(stream.person_frames) > 6
    visible = stream.person_keypoints[..., 2] == 2
    x, y = stream.person_keypoints[..., 0], stream.person_keypoints[..., 1]
    x1, y1, x2, y2 = (stream.person_boxes[:, [side]] for side in range(4))
    inside = (x > x1 - 2) & (x < x2 + 2) & (y > y1 - 2) & (y < y2 + 2)
    assert inside[visible].mean() > 0.95
    parts = stream.part_boxes[(stream.part_boxes != 0).any(axis=2)]
    assert (parts[:, 2:] > parts[:, :2]).all()


def test_only_missing_shards_are_rendered(folder: Path, stream: Store) -> None:
    lines: list[str] = []
    more = open_frame_stream(folder, "train", 18, CONFIG, processes=1, report=lines.append)
    assert lines == ["rendered 18/18 frames"]
    assert np.array_equal(more.frames[:12], stream.frames)


def test_frames_of_train_and_val_differ(folder: Path, stream: Store) -> None:
    held_out = open_frame_stream(folder, "val", 6, CONFIG, processes=1)
    assert not np.array_equal(held_out.frames[0], stream.frames[0])


def test_task_trains_and_is_judged(stream: Store) -> None:
    task = PosesTask(
        stream,
        stream,
        TinyPoses(net_config=NET, stage_config=PosesConfig(size=(64, 64), decoding="dark", blur_kernel=5)),
    )
    batch = task.batch(np.random.default_rng(0))
    assert batch["images"].shape == (32, 3, 64, 64)
    assert torch.equal(batch["keypoints"], task.batch(np.random.default_rng(0))["keypoints"])
    persons = clear_persons(stream)
    assert 0 < len(persons) <= len(stream.person_boxes)
    assert set(batch[NAMES]) <= {f"rendered person {person}" for person in persons}
    losses = task.losses(task.net, batch)
    assert set(losses) == {"heatmaps", "coordinates"}
    sum(losses.values()).backward()  # type: ignore[union-attr]
    figures = task.evaluate(task.net, torch.device("cpu"))
    assert 0 <= figures["pck"] <= 1
    assert figures["persons"] == len(persons)


def test_near_pairs_do_not_count() -> None:
    keypoints = np.full((1, 17, 3), 2, np.float32)
    keypoints[0, 5, 0] = 40  # the left shoulder lies apart from the right one
    kept = tellable_pairs(keypoints, np.array([10], np.float32))
    assert kept[0, [5, 6], 2].tolist() == [2, 2]
    assert kept[0, [7, 8], 2].tolist() == [0, 0]
