"""The stream of rendered clips."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from actparse.data.synth.motion import ACTIONS
from actparse.training.clip_stream import ClipStreamConfig, open_clip_stream
from actparse.training.stretches import Stretch, state_stretches
from actparse.vocabulary import GROUPS

CONFIG = ClipStreamConfig(size=(48, 64), rendered_size=(72, 96), num_frames=3, clips_per_shard=4)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("stream")


@pytest.fixture(scope="module")
def stream(folder: Path) -> tuple[Stretch, ...]:
    return open_clip_stream(folder, 7, CONFIG, processes=1)


def test_clips_have_the_actions_in_turn_and_labels_of_all_groups(stream: tuple[Stretch, ...]) -> None:
    assert [clip.label for clip in stream] == [(action,) for action in ACTIONS[:8]]
    for clip in stream:
        assert len(clip.group_labels) == len(GROUPS)
        assert all(label is not None and label[0] == clip.label[0] for label in clip.group_labels)
        frames = clip.source.frames[clip.first : clip.end]
        assert frames.shape == (3, 48, 64, 3)
        assert frames.std() > 5


def test_frames_of_a_clip_move(stream: tuple[Stretch, ...]) -> None:
    changes = [np.abs(np.diff(clip.source.frames[clip.first : clip.end].astype(int), axis=0)).mean() for clip in stream]
    assert min(changes) > 0


def test_only_missing_shards_are_rendered(folder: Path, stream: tuple[Stretch, ...]) -> None:
    lines: list[str] = []
    more = open_clip_stream(folder, 12, CONFIG, processes=1, report=lines.append)
    assert lines == ["rendered 12/12 clips"]
    assert np.array_equal(more[3].source.frames, stream[3].source.frames)


def test_no_clips_are_an_empty_stream(folder: Path) -> None:
    assert open_clip_stream(folder, 0, CONFIG) == ()


def test_states_of_a_group_leave_the_action_in_the_label(stream: tuple[Stretch, ...]) -> None:
    arms = state_stretches(stream, "arm")
    assert len(arms) == len(stream)
    assert all(len(clip.label) == 3 for clip in arms)
