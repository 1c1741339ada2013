"""Clips cut out along the tracks of persons, and the states that they give each person."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from actparse import Parser
from actparse.core.errors import ConfigError, WeightsError
from actparse.core.structures import FrameParse, PersonParse, SegmentParse
from actparse.core.vocabulary import GROUPS, NUM_KEYPOINTS
from actparse.stages.actions.observers import ClipObserver
from actparse.stages.actions.person_clips import PersonClips, person_squares
from actparse.stages.actions.segments import ClippedSegment
from actparse.stages.config import ParserConfig
from actparse.stages.loading import load_bundle
from actparse.stages.timing import StageTimer
from actparse.video.decode import DecodedFrame
from actparse.weights.bundle import config_to_dict, load_network, save_network
from bundles import CLIPS

ALONG = replace(CLIPS, num_clips=1, along_tracks=True)
POINTS = ((0.0, 0.0, 0.0),) * NUM_KEYPOINTS


def person(track: int, x: float) -> PersonParse:
    return PersonParse(track, (x, 10.0, x + 10.0, 30.0), 0.9, POINTS, ())


def image(left: int, right: int) -> np.ndarray:
    """The left half has one brightness, the right half another."""
    frame = np.full((40, 100, 3), left, np.uint8)
    frame[:, 50:] = right
    return frame


@pytest.fixture(scope="module")
def bundle(random_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle with random weights, whose state networks need clips along tracks."""
    folder = shutil.copytree(random_bundle, tmp_path_factory.mktemp("along") / "bundle")
    for group in GROUPS:
        _save_along_tracks(folder / f"states-{group}.safetensors")
    return folder


def _save_along_tracks(path: Path) -> None:
    file = load_network(path)
    save_network(path, file.net, kind=file.kind, settings=config_to_dict(ALONG), labels=file.labels)


def test_a_square_has_the_person_in_its_middle_and_a_margin() -> None:
    frame = np.zeros((40, 100, 3), np.uint8)
    frame[10:30, 20:30] = 255
    (square,) = person_squares(frame, np.array([[20, 10, 30, 30]], np.float32), 50)
    assert square.shape == (50, 50, 3)
    rows, columns = np.nonzero(square[..., 0] > 127)
    assert (rows.min(), rows.max()) == (5, 44)  # 20 of 25 pixels high, with a margin of a tenth on each side
    assert (columns.min(), columns.max()) == (15, 34)


def test_clips_follow_each_track_and_begin_again_in_the_next_segment() -> None:
    clips = PersonClips(ALONG)
    for index in range(6):  # the second person appears later
        persons = (person(7, 20.0), person(8, 70.0))[: 1 + (index >= 3)]
        clips.add(image(10 * index, 100 + 10 * index), FrameParse(index, index / 10, persons))
    taken = clips.take()
    assert {track: clip.shape for track, clip in taken.items()} == {7: (1, 4, 32, 32, 3), 8: (1, 4, 32, 32, 3)}
    assert taken[7][0, :, 16, 16, 0].tolist() == [10, 20, 30, 40]  # the middle four of six frames
    assert set(taken[8][0, :, 16, 16, 0].tolist()) <= {130, 140, 150}
    assert clips.take() == {}


def test_the_observer_gives_each_track_scores_and_the_segment_their_mean(bundle: Path) -> None:
    loaded = load_bundle(bundle)
    assert loaded.action is not None
    assert loaded.states is not None
    observer = ClipObserver(loaded.action, loaded.states, StageTimer())
    assert observer.segment_clips == ()
    frames = [FrameParse(n, n / 10, (person(7, 20.0), person(8, 70.0))) for n in range(4)]
    images = [DecodedFrame(n, n / 10, image(10 * n, 200)) for n in range(4)]
    assert observer.observe(images, frames) == frames
    scored = observer.score(ClippedSegment(SegmentParse(0.0, 1.0, 0, 4), {}))
    assert set(scored.track_scores) == {7, 8}
    for group in GROUPS:
        both = [scored.track_scores[track][group] for track in (7, 8)]
        assert not np.array_equal(*both)
        assert scored.group_scores[group] == pytest.approx(np.mean(both, axis=0), abs=1e-6)
    empty = observer.score(ClippedSegment(SegmentParse(1.0, 2.0, 4, 8), {}))
    assert (empty.group_scores, empty.track_scores) == ({}, {})


def test_a_parse_has_states_of_persons(bundle: Path, small_video: Path) -> None:
    parser = Parser.load(bundle, device="cpu", config=ParserConfig(use_tracks=False))
    parse = parser.parse(small_video)
    persons = [person for frame in parse.frames for person in frame.persons]
    assert persons
    assert {part.state for person in persons for part in person.parts} == {"bend"}
    streamed = list(parser.stream(small_video))
    assert [len(frame.persons) for frame in streamed] == [len(frame.persons) for frame in parse.frames]
    with pytest.raises(ConfigError, match="level must be 'segment' for clips along tracks, got 'frame'"):
        Parser.load(bundle, device="cpu", config=ParserConfig(level="frame", use_tracks=False))


def test_all_state_networks_need_the_same_kind_of_clips(random_bundle: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(random_bundle, tmp_path / "bundle")
    _save_along_tracks(folder / "states-arm.safetensors")
    with pytest.raises(WeightsError, match="along_tracks"):
        load_bundle(folder)
