"""Labelled intervals: bounds of segments, clips around frames at the ends of a video, labels, names."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest

from actparse.core.vocabulary import GROUPS
from actparse.data.frames.index import open_index
from actparse.data.frames.intervals import (
    ClipSource,
    Interval,
    LabelledVideo,
    around_frames,
    index_videos,
    segments,
    store_videos,
    whole_videos,
    with_states,
)
from actparse.data.frames.store import Store, StoreConfig, open_store
from actparse.stages.actions.classifier import ClipConfig
from actparse.stages.actions.clips import FrameClips
from training.miniature import ACTIONS, NUM_FRAMES, SIZE, write_miniature

STAGE = ClipConfig(num_frames=4, frame_stride=2, num_clips=7, frame_rate=10.0, short_side=48)
LABELS = {("lunge", "bend", "none"), ("push_up", "none", "none")}  # of arms
Videos = Callable[[], Iterable[LabelledVideo]]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_miniature(tmp_path_factory.mktemp("data"), videos_per_action=1)


@pytest.fixture(scope="module")
def store(root: Path) -> Store:
    return open_store(root, "train", StoreConfig(frame_size=SIZE, clip_size=(48, 64), frame_rate=10.0))


@pytest.fixture(scope="module", params=["decoded", "on demand"])
def videos(request: pytest.FixtureRequest, root: Path, store: Store) -> Videos:
    """The same two videos from memory maps and from their files."""
    if request.param == "decoded":
        return lambda: store_videos(store, 10.0)
    index = open_index(root, "train", cache=root / ".cache")
    return lambda: index_videos(index)


@pytest.mark.parametrize(
    ("seconds", "bounds"),
    [
        pytest.param(10.0, [(0, 32)], id="longer than the video"),
        pytest.param(3.0, [(0, 32)], id="about the video"),
        pytest.param(1.6, [(0, 16), (16, 32)], id="a half of it"),
        pytest.param(1.0, [(0, 11), (11, 22), (22, 32)], id="a third of it"),
    ],
)
def test_segments_divide_a_video_equally(videos: Videos, seconds: float, bounds: list[tuple[int, int]]) -> None:
    intervals = segments(videos(), seconds)
    assert [(i.first, i.end) for i in intervals] == [*bounds, *((32 + a, 32 + b) for a, b in bounds)]
    assert {i.label for i in intervals} == {(action,) for action in ACTIONS}
    assert {i.label for i in with_states(intervals, "arm")} == LABELS
    assert len(intervals[0].source.read(intervals[0].frames(np.arange(3)))) == 3


def test_only_requested_groups_are_labelled(videos: Videos) -> None:
    intervals = segments(videos(), 3.0, ("arm",))
    assert all(i.group_labels[GROUPS.index("leg")] is None for i in intervals)
    assert {i.label for i in with_states(intervals, "arm")} == LABELS


def test_whole_videos_have_their_action(videos: Videos) -> None:
    assert [(i.first, i.end, i.label[0]) for i in whole_videos(videos())] == [(0, 32, ACTIONS[0]), (32, 64, ACTIONS[1])]


def test_intervals_around_frames(videos: Videos) -> None:
    intervals = around_frames(videos(), 8, stride=5)
    assert len(intervals) == 2 * len(range(0, NUM_FRAMES, 5))
    assert [(i.first, i.end) for i in intervals[:2]] == [(-4, 4), (1, 9)]
    positions = np.arange(4) * 2
    assert intervals[7].frames(positions).tolist() == [32, 32, 32, 34]
    assert intervals[6].frames(positions).tolist() == [26, 28, 30, 31]
    assert intervals[0].name == "train_lunge_0 from frame 0"


def test_a_frames_clip_is_what_the_parser_will_take(store: Store) -> None:
    intervals = around_frames(store_videos(store, 10.0), 8)
    clips = FrameClips(STAGE)
    taken = [clip for k in range(32) for clip in clips.add(store.clips[32 + k], k / 10, asked=k % 5 == 0)]
    taken += clips.rest()
    for interval, clip in zip(intervals[7:], taken, strict=True):
        assert np.array_equal(store.clips[interval.frames(np.arange(4) * 2)], clip)


def test_an_interval_has_a_name_for_messages() -> None:
    source = ClipSource(np.zeros((8, 2, 2, 3), np.uint8), (0, 4, 8), Path("nowhere"), ("a", "b"))
    assert Interval(source=source, first=5, end=8, label=("lunge",)).name == "b from frame 1"
    assert Interval(source=source, first=3, end=8, label=("lunge",), video=(4, 8)).name == "b from frame 0"
