"""Indices of videos: annotations without pixels, pieces, selections, the choice of held-out videos, decoding."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from actparse.core.errors import DataError
from actparse.data.division import Division, choose_division, held_out_names
from actparse.data.frames import index as index_module
from actparse.data.frames.index import VideoIndex, open_index
from actparse.data.kinetics_tps import KineticsTps
from actparse.training.samples.splits import open_indices, open_stores
from training.miniature import NUM_FRAMES, OBJECTS, person_box, write_miniature
from training.small import tiny_options

QUIET = tiny_options()


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_miniature(tmp_path_factory.mktemp("data"), videos_per_action=2)


@pytest.fixture(scope="module")
def index(data: Path, tmp_path_factory: pytest.TempPathFactory) -> VideoIndex:
    return open_index(data, "train", cache=tmp_path_factory.mktemp("cache"))


def test_index_has_frames_persons_and_states(index: VideoIndex) -> None:
    video = index.names.index("train_lunge_1")
    assert len(index.times_of(video)) == NUM_FRAMES
    frame = index.frames_of(video)[10]
    assert index.frame_name(frame) == "train_lunge_1 frame 10"
    np.testing.assert_allclose(index.person_boxes[index.persons_of(frame)][0], person_box("lunge", 1, 10))
    person = index.truth(frame).persons[0]
    assert {name: part.state for name, part in person.parts.items()}["left_arm"] == "bend"
    assert index.state_names(index.persons_of(frame))[0][:3] == ["none", "bend", "none"]
    assert index.states_of_part(1) == ("bend", "none")


def test_objects_follow_their_frames(tmp_path: Path) -> None:
    index = open_index(write_miniature(tmp_path, videos_per_action=1, with_objects=True), "train", cache=tmp_path / "c")
    assert index.objects == ("ball", "bar")
    for selected, video in ((index, 1), (index.select([1], stride=5), 0)):
        frames = selected.frames_of(video)
        has_object = [len(selected.object_names(selected.objects_of(frame))) for frame in frames]
        assert has_object == [int(index < NUM_FRAMES // 2) for index in selected.frame_indices[frames].tolist()]
        objects = selected.objects_of(frames[2])
        assert selected.object_names(objects) == ["bar"]
        np.testing.assert_array_equal(selected.object_boxes[objects], [OBJECTS["push_up"][1]])


def test_selected_videos_keep_their_frames(index: VideoIndex) -> None:
    selected = index.select([1, 3], stride=5)
    assert selected.names == (index.names[1], index.names[3])
    assert len(selected.frame_indices) == len(selected.person_boxes) == 2 * len(range(0, NUM_FRAMES, 5))
    frame = selected.frames_of(1)[2]
    assert selected.frame_name(frame) == f"{index.names[3]} frame 10"
    old = index.frames_of(3)[10]
    np.testing.assert_array_equal(
        selected.part_boxes[selected.persons_of(frame)], index.part_boxes[index.persons_of(old)]
    )
    np.testing.assert_array_equal(selected.times_of(1), index.times_of(3))
    assert [len(frames) for frames in index.videos(2)] == [NUM_FRAMES, NUM_FRAMES]
    assert [index.frame_videos[frames[0]] for frames in index.videos(2)] == [0, 3]
    empty = index.without_annotations()
    assert (empty.names, len(empty.frame_indices), len(empty.times)) == (index.names, 0, len(index.times))


def test_an_index_that_was_stopped_goes_on(
    index: VideoIndex, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index_module, "PIECE_VIDEOS", 1)
    monkeypatch.setattr(index_module, "REPORTED_VIDEOS", 1)
    lines: list[str] = []

    def stop_after_two(line: str) -> None:
        lines.append(line)
        if line.startswith("indexed 2/"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        open_index(data, "train", cache=tmp_path, report=stop_after_two)
    made = open_index(data, "train", cache=tmp_path, report=lines.append)
    assert lines == [f"indexed {done}/4 videos" for done in (1, 2, 3, 4)]  # no video was read twice
    assert [path.suffix for path in tmp_path.iterdir()] == [".npz"]
    expect_same_index(made, index)


def test_processes_index_what_one_does(
    index: VideoIndex, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index_module, "PIECE_VIDEOS", 1)
    monkeypatch.setattr(index_module, "FEW_JOBS", 0)
    expect_same_index(open_index(data, "train", cache=tmp_path), index)


def expect_same_index(made: VideoIndex, other: VideoIndex) -> None:
    for name, value in vars(replace(other, folder=made.folder)).items():
        np.testing.assert_array_equal(vars(made)[name], value, err_msg=name)


def test_damaged_index_says_so(data: Path, tmp_path: Path) -> None:
    open_index(data, "val", cache=tmp_path)
    next(tmp_path.glob("index-val-*.npz")).write_bytes(b"")
    with pytest.raises(DataError, match="damaged index"):
        open_index(data, "val", cache=tmp_path)


def test_images_are_those_of_their_indices(index: VideoIndex) -> None:
    video = index.names.index("train_lunge_1")
    indices = (31, 0, 9)
    for number, image in zip(indices, index.video_reader(video, indices)(), strict=True):
        x1, y1, x2, y2 = person_box("lunge", 1, number).astype(int)
        np.testing.assert_allclose(image[y1 + 4 : y2 - 4, x1 + 4 : x2 - 4].mean(axis=(0, 1)), (200, 60, 90), atol=12)
        assert image[y1 + 20, x1 - 4].max() < 140  # the block is not further left
    frames = index.frames_of(video)[3:5]
    assert np.array_equal(index.images(frames)[1], index.video_reader(video, [4])()[0])
    assert np.array_equal(index.read(index.offsets[video] + np.array([4]))[0], index.images(frames)[1])


def test_both_kinds_of_frames_hold_out_the_same_videos(data: Path, tmp_path: Path) -> None:
    whole, val = open_indices(data, tmp_path, QUIET)
    assert (len(whole.names), len(val.names)) == (4, 4)
    root = tmp_path / "data"
    for folder in ("train_videos", "train_annotations"):
        shutil.copytree(data / folder, root / folder)
    train, held_out = open_indices(root, tmp_path, QUIET)
    assert set(held_out.names) == held_out_names(whole.names) == set(open_stores(root, tmp_path, QUIET)[1].names)
    assert sorted((*train.names, *held_out.names)) == sorted(whole.names)
    by_seed = {open_indices(root, tmp_path, QUIET, seed=seed)[1].names for seed in range(8)}
    assert {len(names) for names in by_seed} == {1}
    assert len(by_seed) > 1


def test_all_annotated_videos_but_test_are_trained_on(data: Path, tmp_path: Path) -> None:
    everything = tiny_options(train_on="all")
    train, val = open_indices(data, tmp_path, everything)
    names = [record.name for record in KineticsTps(data).videos("train+val")]
    assert (len(names), list(train.names), len(val.names)) == (8, names, 4)
    assert set(open_stores(data, tmp_path, everything)[0].names) == set(names)
    first = train.images([train.frames_of(names.index("val_lunge_1"))[0]])[0]
    assert np.array_equal(first, val.images([val.frames_of(val.names.index("val_lunge_1"))[0]])[0])
    assert choose_division(data, train_on="all") == Division("train+val", "val", is_trained_on=True)

    root = tmp_path / "data"  # as Kinetics-TPS: no val, a test without annotations
    for folder in ("train_videos", "train_annotations"):
        shutil.copytree(data / folder, root / folder)
    shutil.copytree(data / "val_videos", root / "test_videos")
    whole, held_out = open_indices(root, tmp_path, everything)
    assert (len(whole.names), len(held_out.names)) == (4, 1)
    assert set(held_out.names) < set(whole.names)
    shutil.copytree(data / "val_annotations", root / "test_annotations")
    assert choose_division(root, train_on="all") == choose_division(root) == Division("train", "test")


def test_a_name_in_two_splits_cannot_be_joined(data: Path, tmp_path: Path) -> None:
    root = shutil.copytree(data, tmp_path / "data")
    shutil.copy(next((root / "train_videos").glob("*/*")), root / "val_videos" / "lunge" / "train_lunge_0.mp4")
    with pytest.raises(DataError, match="a video's name must be unique, got it also in"):
        open_indices(root, tmp_path, tiny_options(train_on="all"))
