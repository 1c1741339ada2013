"""The stream of keypoints and part boxes, and the task on it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from actparse.core.vocabulary import PART_INDEX
from actparse.data.frames.store import Store
from actparse.metrics.boxes import row_iou
from actparse.nets.part_regression import PartRegressionConfig
from actparse.stages.loading import load_part_fusion
from actparse.stages.people.part_fusion import PartFusionConfig
from actparse.training.recipes.part_regression import (
    KeypointErrors,
    PartRegressionTask,
    TinyPartRegression,
    moved_persons,
    with_errors,
)
from actparse.training.rendered.part_stream import PartStreamConfig, open_part_stream
from actparse.weights.bundle import save_network

CONFIG = PartStreamConfig(frame_size=(120, 160), size=96, crops_per_shard=6, times_per_scene=2)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("stream")


@pytest.fixture(scope="module")
def stream(folder: Path) -> Store:
    return open_part_stream(folder, "train", 10, CONFIG)


def found_in(stream: Store) -> np.ndarray:
    keypoints = stream.person_keypoints.copy()
    keypoints[..., 2] /= 2
    return keypoints


def task(stream: Store) -> PartRegressionTask:
    torch.manual_seed(0)
    split = (stream, found_in(stream))
    hyperparameters = TinyPartRegression(net_config=PartRegressionConfig(width=32, num_layers=1))
    return PartRegressionTask(split, split, hyperparameters)


def test_shards_are_full_and_joints_are_in_their_parts(stream: Store) -> None:
    assert stream.frames.shape == (12, 96, 96, 3)
    assert len(stream.person_boxes) == 12
    sides = stream.person_boxes[:, 2:] - stream.person_boxes[:, :2]
    np.testing.assert_allclose(sides.max(axis=1), 96 / 1.5, rtol=1e-4)
    heads, noses = stream.part_boxes[:, PART_INDEX["head"]], stream.person_keypoints[:, 0]
    seen = (noses[:, 2] == 2) & (heads != 0).any(axis=1)
    assert seen.any()
    assert ((noses[seen, :2] >= heads[seen, :2] - 3) & (noses[seen, :2] <= heads[seen, 2:] + 3)).all()


def test_a_stream_is_kept_and_the_same_again(stream: Store, folder: Path, tmp_path: Path) -> None:
    again = open_part_stream(tmp_path, "train", 10, CONFIG)
    assert np.array_equal(again.frames, stream.frames)
    assert np.array_equal(again.part_boxes, stream.part_boxes)
    kept = open_part_stream(folder, "train", 10, CONFIG)
    assert kept.folder == stream.folder


def test_moved_persons_keep_their_joints_in_their_parts(stream: Store) -> None:
    keypoints, boxes = (np.repeat(array, 20, axis=0) for array in (stream.person_keypoints, stream.part_boxes))
    moved, targets = moved_persons(keypoints, boxes, np.random.default_rng(0))
    wrists, hands = moved[:, 9], targets[:, PART_INDEX["left_hand"]]
    before, was = keypoints[:, 9], boxes[:, PART_INDEX["left_hand"]]
    whole = (hands != 0).any(axis=1) & (wrists[:, 2] == 2)
    assert whole.sum() > 20
    distance = np.abs((hands[:, :2] + hands[:, 2:]) / 2 - wrists[:, :2]).max(axis=1)
    largest = np.abs((was[:, :2] + was[:, 2:]) / 2 - before[:, :2]).max() * 1.5 + 5
    assert (distance[whole] <= largest).all()
    assert (moved[..., 2] == 0).sum() > (keypoints[..., 2] == 0).sum()  # some are cut off
    assert (targets[..., 2:] >= targets[..., :2]).all()


def test_errors_of_unsure_keypoints_are_larger() -> None:
    keypoints = np.zeros((4000, 17, 3), np.float32)
    keypoints[..., 1] = np.linspace(0, 170, 17)
    keypoints[..., 2] = 2
    keypoints[:, 7:9, 2] = 1
    found = with_errors(keypoints, KeypointErrors(swapped=0, swapped_limbs=0, removed=0), np.random.default_rng(0))
    confidence, error = found[..., 2], np.abs(found[..., 0])
    assert ((confidence >= 0) & (confidence <= 1)).all()
    assert error[confidence < 0.2].mean() > 2 * error[confidence > 0.6].mean()
    assert confidence[:, 7].mean() < confidence[:, 9].mean()


def test_removed_keypoints_have_no_position() -> None:
    keypoints = np.full((500, 17, 3), 2, np.float32)
    found = with_errors(keypoints, KeypointErrors(removed=0.5), np.random.default_rng(0))
    gone = found[..., 2] == 0
    assert 0.04 < gone.mean() < 0.15
    assert not found[gone].any()


def test_training_brings_the_boxes_closer(stream: Store) -> None:
    trained = task(stream)
    optimizer, rng = torch.optim.AdamW(trained.net.parameters(), 3e-3), np.random.default_rng(0)
    before = trained.evaluate(trained.net, torch.device("cpu"))
    for _ in range(60):
        loss = torch.stack(list(trained.losses(trained.net, trained.batch(rng)).values())).sum()
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    after = trained.evaluate(trained.net, torch.device("cpu"))
    assert after["iou"] > before["iou"] + 0.1
    assert set(after) == {"iou", "share_at_0.5", "iou_by_group", "persons"}


def test_the_file_of_the_network_holds_the_fusion(stream: Store, tmp_path: Path) -> None:
    trained = task(stream)
    path = tmp_path / "part-regression.safetensors"
    save_network(path, trained.net, kind=trained.kind, settings=trained.stage_settings())
    fusion = load_part_fusion(path, None)
    assert fusion.config == PartFusionConfig()
    keypoints = found_in(stream)
    boxes, scores = fusion.detect([np.zeros((240, 320, 3), np.uint8)], [np.zeros((12, 4), np.float32)], [keypoints])[0]
    assert scores.shape == (12, 10)
    assert row_iou(boxes, boxes).max() == pytest.approx(1)
