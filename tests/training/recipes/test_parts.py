"""The part task: crops, targets in mirrors, keypoints found once, and twins that change places."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from actparse.core.errors import WeightsError
from actparse.core.vocabulary import KEYPOINT_FLIP, PART_FLIP
from actparse.data.frames.store import Store, StoreConfig, open_store
from actparse.nets.poses.hrnet import Hrnet, HrnetConfig
from actparse.stages.people.person_crops import square_crops
from actparse.stages.people.poses import PosesConfig
from actparse.stages.people.refine import grow_boxes
from actparse.training.recipes.parts import PaperParts, PartsTask, TinyParts
from actparse.training.samples.keypoints import jittered_boxes, predicted_keypoints
from actparse.training.task import NAMES, TaskSettings
from actparse.weights.bundle import config_to_dict, save_network
from training.miniature import SIZE, write_miniature

NET = HrnetConfig(width=8, num_modules=(1, 1, 1), num_blocks=1, stem_width=8, layer1_blocks=1, layer1_width=8)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    root = write_miniature(tmp_path_factory.mktemp("data"), videos_per_action=1)
    return open_store(root, "train", StoreConfig(frame_size=SIZE, clip_size=(48, 64), frame_rate=10.0))


@pytest.fixture(scope="module")
def keypoints(store: Store) -> NDArray[np.float32]:
    return store.person_keypoints / np.array([1, 1, 2], np.float32)  # all confident


def test_keypoints_are_found_once(store: Store, tmp_path: Path) -> None:
    settings = config_to_dict(PosesConfig(size=(64, 64), flip_test=False))
    save_network(tmp_path / "poses.safetensors", Hrnet(NET), kind="poses", settings=settings)
    lines: list[str] = []
    found = predicted_keypoints(store, tmp_path / "poses.safetensors", report=lines.append)
    assert found.shape == store.person_keypoints.shape
    assert lines == ["keypoints predicted in 2/2 videos"]
    again = predicted_keypoints(store, tmp_path / "poses.safetensors", report=lines.append)
    assert np.array_equal(found, again)
    assert len(lines) == 1


def test_only_a_pose_network_finds_keypoints(store: Store, tmp_path: Path) -> None:
    task = PartsTask("parts", (store, store.person_keypoints), (store, store.person_keypoints), TinyParts())
    save_network(tmp_path / "parts.safetensors", task.net, kind="parts", settings={})
    with pytest.raises(WeightsError, match="needs a pose network, got one of kind parts"):
        predicted_keypoints(store, tmp_path / "parts.safetensors")


def test_jittered_boxes_stay_near_and_inside() -> None:
    boxes = np.tile(np.array([[20, 10, 60, 90]], np.float32), (500, 1))
    moved = jittered_boxes(boxes, np.random.default_rng(0), (100, 80))
    assert np.abs((moved - boxes).mean(axis=0)).max() < 0.5
    assert moved.min() >= 0
    assert moved[:, 2].max() <= 80


def test_targets_in_a_mirror_change_sides(store: Store, keypoints: NDArray[np.float32]) -> None:
    still = {"box_jitter": 0.0, "zoom": (1.0, 1.0), "shift": 0.0, "dot_jitter": 0.0, "dropped_dots": 0.0}
    plain, mirrored = (
        PartsTask("parts", (store, keypoints), (store, keypoints), TinyParts(mirror_share=share, **still)).sample(
            0, np.random.default_rng(0)
        )
        for share in (0.0, 1.0)
    )
    assert mirrored.labels.tolist() == [PART_FLIP[label] for label in plain.labels]
    np.testing.assert_allclose(mirrored.boxes[:, [0, 2]], 192 - plain.boxes[:, [2, 0]], rtol=1e-5)
    np.testing.assert_allclose(mirrored.keypoints[list(KEYPOINT_FLIP), 0], 192 - plain.keypoints[:, 0], rtol=1e-5)


def test_a_zoomed_window_moves_pixels_boxes_and_keypoints(store: Store, keypoints: NDArray[np.float32]) -> None:
    hyperparameters = TinyParts(mirror_share=0.0, dot_jitter=0.0, dropped_dots=0.0, zoom=(0.6, 0.7), shift=0.1)
    task = PartsTask("parts", (store, keypoints), (store, keypoints), hyperparameters)
    for seed in range(5):
        sample = task.sample(seed, np.random.default_rng(seed))
        x1, y1, x2, y2 = (int(v) for v in (*sample.boxes[:, :2].min(axis=0), *sample.boxes[:, 2:].max(axis=0)))
        inside = sample.image[max(y1, 0) + 6 : y2 - 6, max(x1, 0) + 6 : x2 - 6].astype(int)  # a block of one colour
        assert inside.reshape(-1, 3).std(axis=0).max() < 12
        assert sample.keypoints[0, :2] == pytest.approx([x1, y1], abs=3)


def test_full_size_samples_are_those_of_the_stage(store: Store, keypoints: NDArray[np.float32]) -> None:
    hyperparameters = PaperParts(depth=18, size=96, mirror_share=0.0, shift_share=0.0)
    task = PartsTask("parts", (store, keypoints), (store, keypoints), hyperparameters)
    sample = task.sample(0, np.random.default_rng(0))
    box = grow_boxes(store.person_boxes[:1], keypoints[:1], min_confidence=0.25, size=SIZE)
    assert np.array_equal(sample.image, square_crops(box, size=96, padding=1.0).cut(store.frames[0])[0])


@pytest.mark.parametrize("with_dots", [True, False])
def test_losses_are_finite_and_repeatable(store: Store, keypoints: NDArray[np.float32], with_dots: bool) -> None:
    task = PartsTask("parts", (store, keypoints), (store, keypoints), TinyParts(dots=with_dots))
    task.settings = TaskSettings(batch_size=2, learning_rate=1e-3)
    batch, same = (task.batch(np.random.default_rng(4)) for _ in range(2))
    assert all(re.fullmatch(r"train_\w+ frame \d+ person \d+", name) for name in batch[NAMES])
    first, second = (task.losses(task.net, batch) for batch in (batch, same))
    assert torch.isfinite(first["boxes"])
    assert torch.equal(first["classification"], second["classification"])
