"""The recipe of the official baseline: batches, mirrors, a few steps, held-out figures, and its file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from actparse.core.errors import DataError
from actparse.core.progress import discard_line
from actparse.core.vocabulary import PART_FLIP, PARTS
from actparse.data.frames.store import Store, StoreConfig, open_store
from actparse.nets.baseline import BaselineConfig
from actparse.nets.resnet import ResNetConfig
from actparse.stages.actions.baseline import BaselineSettings, build_recognizer
from actparse.training import TrainOptions, run_recipe
from actparse.training.recipes.baseline import (
    UNKNOWN,
    BaselineTask,
    FrameMotion,
    TinyBaseline,
    drawn_frames,
    true_frame,
)
from actparse.training.task import rows_of
from actparse.weights.bundle import load_network
from training.miniature import SIZE, write_miniature

NET = BaselineConfig(
    backbone=ResNetConfig(
        block="basic", num_blocks=(1, 1), widths=(8, 8), strides=(2, 2), dilations=(1, 1), stem_width=8, stem_pool=False
    ),  # stride 8
    roi_channels=8,
    roi_size=2,
    width=16,
    dropout=0.0,
)
HYPERPARAMETERS = TinyBaseline(net_config=NET, stage_config=BaselineSettings(short_side=48))
LEFT_ARM, RIGHT_ARM = PARTS.index("left_arm"), PARTS.index("right_arm")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_miniature(tmp_path_factory.mktemp("data"), videos_per_action=1)


@pytest.fixture(scope="module")
def store(data: Path) -> Store:
    return open_store(data, "train", StoreConfig(frame_size=SIZE, clip_size=(24, 32), frame_rate=10.0))


@pytest.fixture
def task(store: Store) -> BaselineTask:
    torch.manual_seed(0)
    return BaselineTask(store, store, HYPERPARAMETERS)


def test_a_batch_has_frames_boxes_and_labels(task: BaselineTask) -> None:
    batch = task.batch(np.random.default_rng(0))
    assert batch["images"].shape == (8, 3, 48, 64, 3)
    assert batch["images"].dtype == torch.uint8
    assert set(batch["actions"].tolist()) == {0, 1}
    for persons, parts, states, segments in zip(
        *(batch[n] for n in ("boxes", "parts", "states", "segments")), strict=True
    ):
        count = len(persons)
        assert parts.shape == (count, 10, 4)
        assert states.shape == (count, 10)
        assert set(segments.tolist()) <= {0, 1, 2}
        assert (states[(parts == 0).all(dim=2)] == UNKNOWN).all()
        assert (states != UNKNOWN).float().mean() > 0.5
        for boxes in (persons, parts):
            assert (boxes >= 0).all()
            assert (boxes[..., 2] <= 64).all()
            assert (boxes[..., 3] <= 48).all()
    again = task.batch(np.random.default_rng(0))
    assert torch.equal(batch["images"], again["images"])
    assert torch.equal(batch["parts"][0], again["parts"][0])


def test_boxes_lie_on_the_block_that_is_the_person(task: BaselineTask) -> None:
    """The block is of one colour, the ground of another: the middle of a box is unlike the corner of the image."""
    batch = task.batch(np.random.default_rng(3))
    for images, persons, segments in zip(batch["images"], batch["boxes"], batch["segments"], strict=True):
        for box, segment in zip(persons, segments.tolist(), strict=True):
            x1, y1, x2, y2 = box.tolist()
            inside = images[segment, int((y1 + y2) / 2), int(x1) + 2 : int(x2) - 2].float()  # (w, 3)
            assert inside.std(dim=0).max() < 12
            assert (inside.mean(dim=0) - images[segment, -1, -1].float()).abs().max() > 15


def test_in_a_mirror_left_is_right(store: Store) -> None:
    """The left arm alone is ever bent: what the network cannot say of the right arm is unknown."""
    task = BaselineTask(store, store, HYPERPARAMETERS)
    lunge = store.actions.index("lunge")
    frame = store.frames_of(lunge)[0]
    still = np.array([[0.5, 0, 0], [0, 0.5, 0]])
    plain = task.persons(frame, FrameMotion(still, (48, 64), False))
    turned = np.array([[-0.5, 0, 64], [0, 0.5, 0]])
    seen = task.persons(frame, FrameMotion(turned, (48, 64), True))
    bend, none = task.states[LEFT_ARM].index("bend"), task.states[LEFT_ARM].index("none")
    assert plain.states[0, LEFT_ARM] == bend
    assert seen.states[0, LEFT_ARM] == none
    assert seen.states[0, RIGHT_ARM] == UNKNOWN
    x1, y1, x2, y2 = plain.parts[0, LEFT_ARM].tolist()
    np.testing.assert_allclose(seen.parts[0, RIGHT_ARM], [64 - x2, y1, 64 - x1, y2], rtol=1e-5)
    assert PART_FLIP[LEFT_ARM] == RIGHT_ARM


def test_frames_come_from_all_of_a_video() -> None:
    frames = np.arange(100, 112)
    drawn = np.array([drawn_frames(frames, 3, np.random.default_rng(seed)) for seed in range(50)])
    assert (drawn // 4 == np.array([25, 26, 27])).all()
    assert len(np.unique(drawn)) == 12
    assert drawn_frames(frames[:1], 3, np.random.default_rng(0)).tolist() == [100, 100, 100]


def test_a_part_of_a_batch_is_a_batch(task: BaselineTask) -> None:
    batch = task.batch(np.random.default_rng(1))
    task.net.eval()
    losses = [task.losses(task.net, rows_of(batch, range(n, n + 4)))["action"].item() for n in (0, 4)]
    assert np.mean(losses) == pytest.approx(task.losses(task.net, batch)["action"].item(), rel=1e-4)


def test_a_few_steps_lower_both_losses(task: BaselineTask) -> None:
    net = task.net.train()
    optimizer = torch.optim.Adam(net.parameters(), 3e-3)
    batch = task.batch(np.random.default_rng(2))
    seen = []
    for _ in range(50):
        losses = task.losses(net, batch)
        optimizer.zero_grad()
        torch.stack(list(losses.values())).sum().backward()
        optimizer.step()
        seen.append({name: loss.item() for name, loss in losses.items()})
    assert seen[-1]["action"] < 0.8 * seen[0]["action"]
    assert seen[-1]["states"] < 0.5 * seen[0]["states"]


def test_held_out_figures(task: BaselineTask) -> None:
    figures = task.evaluate(task.net, torch.device("cpu"))
    assert figures["videos"] == 2
    assert 0 <= figures["accuracy"] <= 1
    assert set(figures["states"]) == {"head", "arm", "hand", "hip", "leg", "foot"}
    assert figures["states"]["head"] == 100  # it has one state


def test_kept_frames_as_a_parse(store: Store) -> None:
    rows = store.frames_of(0)
    parsed = [true_frame(store, row) for row in rows]
    assert [frame.index for frame in parsed] == store.frame_indices[list(rows)].tolist()
    person = parsed[1].persons[0]
    assert [part.name for part in person.parts] == list(PARTS)
    assert person.box == tuple(store.person_boxes[store.persons_of(rows[1])][0].tolist())


def test_nothing_annotated_is_an_error(store: Store) -> None:
    empty = replace(store, frame_videos=store.frame_videos[:0])
    with pytest.raises(DataError, match="baseline: the training split has no annotated frame"):
        BaselineTask(empty, store, HYPERPARAMETERS)


def test_the_recipe_leaves_a_network_that_its_stage_can_use(data: Path, tmp_path: Path) -> None:
    figures = run_recipe("baseline", data, tmp_path, TrainOptions(steps=1, device="cpu", report=discard_line))
    assert {"accuracy", "videos", "states", "steps", "seed"} == set(figures)
    recognizer = build_recognizer(load_network(tmp_path / "baseline.safetensors"))
    assert recognizer.actions == ("lunge", "push_up")
    assert recognizer.states[LEFT_ARM] == ("bend", "none")
    assert recognizer.settings.short_side == 240
