"""The stream of rendered clips."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from actparse.core.errors import ConfigError, DataError
from actparse.core.vocabulary import GROUPS
from actparse.data.frames.intervals import Interval, with_states
from actparse.synth.actions.registry import ACTIONS
from actparse.training.rendered.clip_stream import ClipStreamConfig, open_clip_stream

CONFIG = ClipStreamConfig(size=(48, 64), rendered_size=(72, 96), num_frames=3, clips_per_shard=4)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("stream")


@pytest.fixture(scope="module")
def stream(folder: Path) -> tuple[Interval, ...]:
    return open_clip_stream(folder, 7, CONFIG)


def test_clips_have_the_actions_in_turn_and_labels_of_all_groups(stream: tuple[Interval, ...]) -> None:
    assert [clip.label for clip in stream] == [(action,) for action in ACTIONS[:8]]
    for clip in stream:
        assert len(clip.group_labels) == len(GROUPS)
        assert all(label is not None and label[0] == clip.label[0] for label in clip.group_labels)
        frames = clip.source.frames[clip.first : clip.end]
        assert frames.shape == (3, 48, 64, 3)
        assert frames.std() > 5
        assert clip.keypoints is not None
        assert clip.keypoints.shape == (3, 17, 3)
        visible = clip.keypoints[clip.keypoints[..., 2] == 2]
        assert (visible[:, :2] >= 0).all()
        assert (visible[:, :2] <= (64, 48)).all()
    assert re.fullmatch("rendered clip 1 of .*/00000 from frame 0", stream[1].name)


def test_frames_of_a_clip_move(stream: tuple[Interval, ...]) -> None:
    changes = [np.abs(np.diff(clip.source.frames[clip.first : clip.end].astype(int), axis=0)).mean() for clip in stream]
    assert min(changes) > 0


def test_only_missing_shards_are_rendered(folder: Path, stream: tuple[Interval, ...]) -> None:
    lines: list[str] = []
    more = open_clip_stream(folder, 12, CONFIG, report=lines.append)
    assert lines == ["rendered 12/12 clips"]
    assert np.array_equal(more[3].source.frames, stream[3].source.frames)


def test_no_clips_are_an_empty_stream(folder: Path) -> None:
    assert open_clip_stream(folder, 0, CONFIG) == ()


def test_states_of_a_group_leave_the_action_in_the_label(stream: tuple[Interval, ...]) -> None:
    arms = with_states(stream, "arm")
    assert len(arms) == len(stream)
    assert all(len(clip.label) == 3 for clip in arms)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:200])


@pytest.mark.parametrize(
    ("name", "damage", "got"),
    [
        pytest.param("frames", cut, "mmap length is greater", id="frames cut"),
        pytest.param(
            "frames", lambda path: path.write_bytes(b"\xff" * 400), "the magic string is not correct", id="garbage"
        ),
        pytest.param(
            "frames",
            lambda path: path.write_bytes(b"PK\x03\x04" * 9),
            "the magic string is not correct",
            id="no archive",
        ),
        pytest.param("frames", lambda path: path.write_bytes(b""), "EOF: reading magic string", id="empty"),
        pytest.param("frames", Path.unlink, "No such file", id="no file"),
        pytest.param("frames", lambda path: np.save(path, np.zeros((3, 4))), "must have shape", id="other frames"),
        pytest.param("keypoints", lambda path: np.save(path, np.zeros((4, 17))), "must have shape", id="keypoints"),
        pytest.param("labels", lambda path: np.save(path, np.array("{")), "property name", id="no JSON"),
        pytest.param("labels", lambda path: np.save(path, np.array("[" * 200_000)), "recursion", id="deep"),
        pytest.param("labels", lambda path: np.save(path, np.array("3")), "without a list of 4 clips", id="no list"),
        pytest.param("labels", lambda path: np.save(path, np.array("[]")), "without a list of 4 clips", id="no labels"),
        pytest.param(
            "labels", lambda path: np.save(path, np.array(json.dumps([["a", []]] * 4))), "other groups", id="no groups"
        ),
    ],
)
def test_a_damaged_shard_is_named(
    folder: Path, stream: tuple[Interval, ...], tmp_path: Path, name: str, damage: Callable[[Path], Any], got: str
) -> None:
    shutil.copytree(folder, tmp_path / "stream")
    shard = tmp_path / "stream" / CONFIG.folder_name / "00000"
    damage(shard / f"{name}.npy")
    with pytest.raises(DataError) as error:
        open_clip_stream(tmp_path / "stream", 4, CONFIG)
    text = str(error.value)
    assert text.startswith(f"{shard}: needs a shard of clips, got a damaged one (")
    assert got in text
    assert text.endswith("): remove it")
    assert "\n" not in text


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        pytest.param({}, "clips-8-0-96x72-from-192x144-20-at-5-120", id="default"),
        pytest.param({"rendered_size": (90, 120)}, "clips-8-0-96x72-from-120x90-20-at-5-120", id="rendered size"),
        pytest.param({"frame_rate": 12.5}, "clips-8-0-96x72-from-192x144-20-at-12.5-120", id="rate"),
    ],
)
def test_another_stream_has_another_folder(changes: dict[str, Any], name: str) -> None:
    assert ClipStreamConfig(**changes).folder_name == name


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param({"size": (0, 64)}, r"stream.size must be at least 1, got \(0, 64\)", id="zero"),
        pytest.param(
            {"frame_rate": float("nan")}, "stream.frame_rate must be at least 1 and finite, got nan", id="rate"
        ),
    ],
)
def test_streams_are_checked_at_birth(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        ClipStreamConfig(**changes)
