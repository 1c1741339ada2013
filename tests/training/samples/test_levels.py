"""Levels of labels: bounds of segments, clips around frames at the ends of a video, labels of kept frames."""

from __future__ import annotations

import numpy as np
import pytest

from actparse.core.vocabulary import GROUPS
from actparse.stages.actions.classifier import ClipConfig
from actparse.stages.actions.clips import FrameClips
from actparse.training.samples.levels import Level
from actparse.training.samples.reading import StoreConfig
from actparse.training.samples.store import Store, open_store
from actparse.training.samples.stretches import action_segments
from training.miniature import NUM_FRAMES, SIZE, write_miniature

STAGE = ClipConfig(num_frames=4, frame_stride=2, num_clips=7, frame_rate=10.0, short_side=48)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    root = write_miniature(tmp_path_factory.mktemp("data"), videos_per_action=1)
    return open_store(root, "train", StoreConfig(frame_size=SIZE, clip_size=(48, 64)))


@pytest.mark.parametrize(
    ("seconds", "bounds"),
    [
        pytest.param(10.0, [(0, 32)], id="longer than the video"),
        pytest.param(3.0, [(0, 32)], id="about the video"),
        pytest.param(1.0, [(0, 11), (11, 21), (21, 32)], id="a third of it"),
    ],
)
def test_segments_divide_a_video_equally(store: Store, seconds: float, bounds: list[tuple[int, int]]) -> None:
    stretches = Level(segment_seconds=seconds).stretches(store, STAGE)
    assert [(s.first, s.end) for s in stretches] == [*bounds, *((32 + a, 32 + b) for a, b in bounds)]
    assert {s.group_labels[GROUPS.index("arm")] for s in stretches} == {
        ("lunge", "bend", "none"),
        ("push_up", "none", "none"),
    }


def test_segments_of_the_stores_own_length_have_its_labels(store: Store) -> None:
    own, same = action_segments(store), Level(segment_seconds=3.0).stretches(store, STAGE)
    assert [(s.first, s.end, s.label, s.group_labels) for s in own] == [
        (s.first, s.end, s.label, s.group_labels) for s in same
    ]


def test_a_frames_clip_is_what_the_parser_will_take(store: Store) -> None:
    level = Level(kind="frame")
    assert level.stage(STAGE).num_clips == 1
    stretches = level.stretches(store, STAGE)
    assert len(stretches) == 2 * len(range(0, NUM_FRAMES, 5))
    clips = FrameClips(STAGE)
    taken = [clip for k in range(32) for clip in clips.add(store.clips[32 + k], k / 10, asked=k % 5 == 0)]
    taken += clips.rest()
    places = np.arange(4) * 2
    for stretch, clip in zip(stretches[7:], taken, strict=True):
        assert np.array_equal(store.clips[stretch.rows(places)], clip)
    assert stretches[7].rows(places).tolist() == [32, 32, 32, 34]
    assert stretches[6].rows(places).tolist() == [26, 28, 30, 31]
