"""The stream of rendered person crops, and the pose task on it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from actparse.nets.poses.hrnet import HrnetConfig, SideBranchConfig
from actparse.stages.people.poses import PosesConfig
from actparse.training.recipes.poses import PosesTask, TinyPoses, tellable_pairs
from actparse.training.rendered.pose_stream import CropStream, StreamConfig, open_stream
from actparse.training.task import NAMES

CONFIG = StreamConfig(size=64, crops_per_shard=6, times_per_scene=1)
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
def stream(folder: Path) -> CropStream:
    return open_stream(folder, "train", 10, CONFIG, processes=1, report=lambda line: None)


def test_shards_are_full_and_persons_fill_their_crops(stream: CropStream) -> None:
    assert len(stream) == 12
    assert stream.crop(7).shape == (64, 64, 3)
    np.testing.assert_allclose(stream.sides.max(axis=1), 64 / 1.5, rtol=1e-5)
    seen = stream.keypoints[stream.keypoints[..., 2] == 2]
    assert ((seen[:, :2] > 0) & (seen[:, :2] < 64)).all()


def test_only_missing_shards_are_rendered(folder: Path, stream: CropStream) -> None:
    lines: list[str] = []
    more = open_stream(folder, "train", 18, CONFIG, processes=1, report=lines.append)
    assert lines == ["rendered 18/18 person crops"]
    assert np.array_equal(more.keypoints[:12], stream.keypoints)


def test_shards_of_train_and_val_differ(folder: Path, stream: CropStream) -> None:
    held_out = open_stream(folder, "val", 6, CONFIG, processes=1)
    assert not np.array_equal(held_out.crop(0), stream.crop(0))


def test_task_trains_and_is_judged(stream: CropStream) -> None:
    task = PosesTask(
        stream,
        stream,
        TinyPoses(net_config=NET, stage_config=PosesConfig(size=(64, 64), decoding="dark", blur_kernel=5)),
    )
    batch = task.batch(np.random.default_rng(0))
    assert batch["images"].shape == (32, 3, 64, 64)
    assert torch.equal(batch["keypoints"], task.batch(np.random.default_rng(0))["keypoints"])
    assert set(batch[NAMES]) <= {f"rendered person {row}" for row in range(12)}
    losses = task.losses(task.net, batch)
    assert set(losses) == {"heatmaps", "coordinates"}
    sum(losses.values()).backward()  # type: ignore[union-attr]
    figures = task.evaluate(task.net, torch.device("cpu"))
    assert 0 <= figures["pck"] <= 1
    assert figures["persons"] == 12


def test_near_pairs_do_not_count() -> None:
    keypoints = np.full((1, 17, 3), 2, np.float32)
    keypoints[0, 5, 0] = 40  # the left shoulder lies apart from the right one
    kept = tellable_pairs(keypoints, np.array([10], np.float32))
    assert kept[0, [5, 6], 2].tolist() == [2, 2]
    assert kept[0, [7, 8], 2].tolist() == [0, 0]
