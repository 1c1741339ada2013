"""The recipe on keypoints: its stream, the errors that are put in, mirrors, and a few steps."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from actparse.core.errors import DataError
from actparse.data.frames.store import Store, StoreConfig, open_store
from actparse.nets.tracks import TrackConfig
from actparse.stages.actions.tracks import TracksConfig
from actparse.synth.actions.registry import ACTIONS
from actparse.training.recipes.tracks import (
    UNKNOWN,
    TinyTracks,
    TracksTask,
    lost_more,
    mirrored_windows,
    store_tracks,
    turned,
)
from actparse.training.rendered.track_stream import (
    HELD_OUT_MOTIONS,
    LEARNT_MOTIONS,
    TrackStream,
    TrackStreamConfig,
    open_track_stream,
)
from actparse.training.task import NAMES
from training.miniature import SIZE, write_miniature

CONFIG = TrackStreamConfig(seconds=2.0, step_seconds=0.25, other_share=0.0, scenes_per_shard=10)
NET = TrackConfig(width=16, num_instants=5, dilations=(1,))
HYPERPARAMETERS = TinyTracks(net_config=NET, stage_config=TracksConfig())


@pytest.fixture(scope="module")
def stream(tmp_path_factory: pytest.TempPathFactory) -> TrackStream:
    return open_track_stream(tmp_path_factory.mktemp("stream"), 10, CONFIG)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    root = write_miniature(tmp_path_factory.mktemp("data"))
    return open_store(root, "train", StoreConfig(frame_size=SIZE, clip_size=(24, 32), frame_rate=10.0))


@pytest.fixture(scope="module")
def task(store: Store, stream: TrackStream) -> TracksTask:
    torch.manual_seed(0)
    keypoints = store.person_keypoints.copy()
    return TracksTask((store, keypoints), (store, keypoints), stream, HYPERPARAMETERS)


def test_the_actions_take_turns_and_everyone_of_a_scene_has_its_action(stream: TrackStream) -> None:
    assert list(dict.fromkeys(stream.actions)) == list(ACTIONS[:10])
    assert stream.keypoints.shape == (len(stream.actions), 9, 17, 3)
    assert stream.states.shape == (len(stream.actions), 9, 10)
    assert {"none", "bend"} <= set(stream.state_names)
    assert (stream.keypoints[..., 2].sum(axis=2).max(axis=1) >= 6).all()


def test_a_share_of_the_scenes_shows_none_of_the_actions(tmp_path: Path) -> None:
    others = open_track_stream(tmp_path, 10, replace(CONFIG, other_share=1.0))
    assert set(others.actions) <= set(LEARNT_MOTIONS)
    assert not set(LEARNT_MOTIONS) & {*ACTIONS, *HELD_OUT_MOTIONS}


def test_of_none_of_the_actions_all_should_be_equally_likely(store: Store, tmp_path: Path) -> None:
    others = open_track_stream(tmp_path, 10, replace(CONFIG, other_share=1.0))
    keypoints = store.person_keypoints.copy()
    task = TracksTask((store, keypoints), (store, keypoints), others, HYPERPARAMETERS)
    batch = task.batch(np.random.default_rng(1))
    half = len(batch["actions"]) // 2
    assert (batch["actions"][half:] == UNKNOWN).all()
    assert (batch["given_actions"][half:] == 0).all()
    net = task.net.eval()
    torch.nn.init.zeros_(net.action[1].weight)
    torch.nn.init.zeros_(net.action[1].bias)
    equal = task.losses(net, batch)["action"]
    torch.nn.init.constant_(net.action[1].bias[:1], 5.0)
    assert task.losses(net, batch)["action"] > equal


def test_a_stream_is_the_same_again(stream: TrackStream, tmp_path: Path) -> None:
    again = open_track_stream(tmp_path, 10, CONFIG)
    assert np.array_equal(again.keypoints, stream.keypoints)
    assert np.array_equal(again.states, stream.states)
    assert again.actions == stream.actions


@pytest.mark.parametrize("name", ["keypoints", "states", "words"])
def test_a_damaged_shard_of_tracks_is_named(name: str, tmp_path: Path) -> None:
    open_track_stream(tmp_path, 2, CONFIG)
    (path,) = (path for path in tmp_path.rglob(f"{name}.npy") if path.parent.name == "00000")
    path.write_bytes(path.read_bytes()[:90])
    with pytest.raises(DataError, match="00000: needs a shard of scenes, got a damaged one"):
        open_track_stream(tmp_path, 2, CONFIG)


def test_persons_of_a_store_are_tracked_where_nobody_numbered_them(store: Store) -> None:
    numbered = store_tracks(store, store.person_keypoints)
    assert [video.action for video in numbered] == list(store.actions)
    assert {p.track_id for video in numbered for frame in video.frames for p in frame.persons} == {1}
    unnumbered = Store(**{**store.__dict__, "person_identities": np.full(len(store.person_boxes), -1)})
    tracked = store_tracks(unnumbered, store.person_keypoints)
    assert {p.track_id for video in tracked for frame in video.frames for p in frame.persons} == {1}
    persons = [persons for video in tracked for persons in video.persons]
    assert persons == [slice(n, n + 1) for n in range(len(store.person_boxes))]


def test_a_batch_joins_both_sources(task: TracksTask) -> None:
    batch = task.batch(np.random.default_rng(1))
    size = task.settings.batch_size
    assert batch["windows"].shape == (size, 5, 17, 3)
    assert batch["states"].shape == (size, 10)
    assert set(batch["actions"].tolist()) <= {0, 1}
    known = (batch["states"] != UNKNOWN).float().mean()
    assert known > 0.5  # of the stream's states the miniature dataset knows few
    assert torch.equal(batch["windows"], task.batch(np.random.default_rng(1))["windows"])
    for names, pattern in (
        (batch[NAMES][: size // 2], r"train_\w+ frame \d+"),
        (batch[NAMES][size // 2 :], r"track \d+ of the stream"),
    ):
        assert all(re.fullmatch(pattern, name) for name in names)


def test_a_few_steps_lower_the_loss(task: TracksTask) -> None:
    net = task.net.train()
    optimizer = torch.optim.Adam(net.parameters(), 3e-3)
    batch = task.batch(np.random.default_rng(2))
    totals = []
    for _ in range(25):
        loss = torch.stack(list(task.losses(net, batch).values())).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        totals.append(loss.item())
    assert totals[-1] < 0.7 * totals[0]


def test_held_out_figures(task: TracksTask) -> None:
    figures = task.evaluate(task.net, torch.device("cpu"))
    assert figures["videos"] == 4
    assert 0 <= figures["accuracy"] <= 1
    assert set(figures["states"]) == {"head", "arm", "hand", "hip", "leg", "foot"}


def windows(count: int = 200) -> np.ndarray:
    rng = np.random.default_rng(0)
    points = rng.uniform(0, 100, (count, 5, 17, 2))
    return np.concatenate((points, np.ones((count, 5, 17, 1))), axis=3).astype(np.float32)


def test_what_is_lost_is_lost_alone() -> None:
    found = lost_more(windows(), np.random.default_rng(0))
    assert 0.05 < (found[..., 2] == 0).mean() < 0.3


def test_a_turn_keeps_distances() -> None:
    clean = windows(3)
    round_about = turned(clean, np.random.default_rng(0))
    gaps = [np.linalg.norm(w[:, :, 5, :2] - w[:, :, 12, :2], axis=2) for w in (clean, round_about)]
    np.testing.assert_allclose(*gaps, rtol=1e-4)


def test_a_mirror_exchanges_the_sides() -> None:
    known = (("none",), ("bend", "lift"), ("bend", "lift"), ("hold",), ("grab", "hold"), *(("none",),) * 5)
    states = np.array([[0, 0, 1, 0, 1, 0, 0, 0, 0, 0], [0, 0, 1, 0, 0, 0, 0, 0, 0, UNKNOWN]])
    seen, mirrored = mirrored_windows(windows(2), states, known, np.array([True, True]))
    assert mirrored[0].tolist() == [0, 1, 0, 0, 1, 0, 0, 0, 0, 0]
    assert mirrored[1].tolist() == [0, 1, 0, UNKNOWN, 1, 0, 0, 0, UNKNOWN, 0]  # "grab" is no state of the left hand
    np.testing.assert_allclose(seen[:, :, 9, 0], -windows(2)[:, :, 10, 0])
    back, same = mirrored_windows(seen, mirrored, known, np.array([False, False]))
    assert np.array_equal(back, seen)
    assert np.array_equal(same, mirrored)
