"""Stores of decoded videos: what a miniature dataset becomes."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from actparse.core.errors import DataError
from actparse.data.division import held_out_names
from actparse.data.frames.store import Store, StoreConfig, fit_frame, open_store
from actparse.data.kinetics_tps import KineticsTps
from actparse.training.samples.splits import open_stores
from training.miniature import NUM_FRAMES, OBJECTS, SIZE, person_box, write_miniature
from training.small import tiny_options

QUIET = tiny_options()

CONFIG = StoreConfig(frame_size=SIZE, clip_size=(48, 64), frame_rate=10.0)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_miniature(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def store(root: Path) -> Store:
    return open_store(root, "train", CONFIG)


def test_every_fifth_frame_is_kept_with_its_person(store: Store) -> None:
    per_video = len(range(0, NUM_FRAMES, 5))
    assert store.frames.shape == (4 * per_video, *SIZE, 3)
    assert store.frame_indices[:per_video].tolist() == list(range(0, NUM_FRAMES, 5))
    assert np.diff(store.person_offsets).tolist() == [1] * (4 * per_video)
    video = store.names.index("train_lunge_1")
    row = int(np.flatnonzero((store.frame_videos == video) & (store.frame_indices == 10))[0])
    np.testing.assert_allclose(store.person_boxes[store.persons_of(row)][0], person_box("lunge", 1, 10))
    x1, y1, x2, y2 = person_box("lunge", 1, 10).astype(int)
    inside = store.frames[row, y1 + 4 : y2 - 4, x1 + 4 : x2 - 4].mean(axis=(0, 1))
    np.testing.assert_allclose(inside, (200, 60, 90), atol=12)


def test_objects_are_scaled_with_their_frames(store: Store, tmp_path: Path) -> None:
    small = open_store(
        write_miniature(tmp_path, videos_per_action=1, with_objects=True),
        "train",
        StoreConfig(frame_size=(SIZE[0] // 2, SIZE[1] // 2), clip_size=(24, 32), frame_rate=10.0),
    )
    objects = small.objects_of(small.frames_of(0)[0])
    assert small.object_names(objects) == ["ball"]
    np.testing.assert_array_equal(small.object_boxes[objects], [np.array(OBJECTS["lunge"][1], np.float32) / 2])
    assert store.objects == ()
    assert store.objects_of(len(store.frame_indices) - 1) == slice(0, 0)


def test_all_frames_are_clip_frames(store: Store) -> None:
    assert store.clips.shape == (4 * NUM_FRAMES, 48, 64, 3)
    assert store.clip_offsets.tolist() == [NUM_FRAMES * n for n in range(5)]


def test_second_opening_reads_what_the_first_wrote(root: Path, store: Store) -> None:
    lines: list[str] = []
    again = open_store(root, "train", CONFIG, report=lines.append)
    assert lines == []
    assert again.folder == store.folder
    assert np.array_equal(again.frames, store.frames)
    assert again.states == store.states
    assert np.array_equal(again.part_states, store.part_states)


def test_changed_annotations_make_another_store(tmp_path: Path) -> None:
    root = write_miniature(tmp_path, videos_per_action=1)
    before = open_store(root, "train", CONFIG)
    for path in root.rglob("train_annotations/lunge/**/*.json"):
        path.write_text(path.read_text().replace('"bend"', '"sit"'))
    after = open_store(root, "train", CONFIG)
    assert before.states == ("bend", "none")
    assert after.states == ("none", "sit")


@pytest.mark.parametrize("leave_test", [False, True])
def test_what_is_held_out_of_train_is_not_trained_on(root: Path, tmp_path: Path, *, leave_test: bool) -> None:
    for folder in ("train_videos", "train_annotations"):
        shutil.copytree(root / folder, tmp_path / folder)
    if leave_test:  # as Kinetics-TPS: without annotations
        shutil.copytree(root / "val_videos", tmp_path / "test_videos")
    train, held_out = open_stores(tmp_path, tmp_path, QUIET)
    names = [record.name for record in KineticsTps(tmp_path).videos("train")]
    assert set(held_out.names) == held_out_names(names) != set()
    assert sorted((*train.names, *held_out.names)) == sorted(names)


def test_too_few_videos_hold_out_none(root: Path, tmp_path: Path) -> None:
    shutil.copytree(root / "train_videos" / "lunge", tmp_path / "train_videos" / "lunge")
    shutil.copytree(root / "train_annotations" / "lunge", tmp_path / "train_annotations" / "lunge")
    with pytest.raises(DataError, match="needs an annotated val or test, or 3 videos in train, got 2"):
        open_stores(tmp_path, tmp_path, QUIET)


def test_damaged_store_says_so(root: Path, tmp_path: Path) -> None:
    made = open_store(root, "val", CONFIG, cache=tmp_path)
    (made.folder / "arrays.npz").write_bytes(b"")
    with pytest.raises(DataError, match="damaged store"):
        open_store(root, "val", CONFIG, cache=tmp_path)


def test_small_frame_is_fitted() -> None:
    image, scale = fit_frame(np.full((60, 80, 3), 200, np.uint8), (240, 400))
    assert scale == 4
    assert image[239, 319].tolist() == [200] * 3
    assert image[0, 320].tolist() == [0] * 3


def test_clips_of_another_aspect_ratio_keep_it_between_bars() -> None:
    image, scale = fit_frame(np.full((160, 90, 3), 200, np.uint8), (72, 96), centered=True)
    assert image.shape == (72, 96, 3)
    assert scale == pytest.approx(0.45)
    assert (image[:, 28:68] > 190).all()  # 40 pixels of 90, in the middle
    assert (image[:, :27] == 0).all()
    assert (image[:, 69:] == 0).all()


def test_stored_clips_of_upright_videos_are_between_bars(tmp_path: Path) -> None:
    root = write_miniature(tmp_path, videos_per_action=1)
    clips = open_store(root, "train", StoreConfig(frame_size=SIZE, clip_size=(24, 64), frame_rate=10.0)).clips
    width = round(SIZE[1] * 24 / SIZE[0])
    border = (64 - width) // 2
    assert (clips[:, :, :border] == 0).all()
    assert (clips[:, :, border + width :] == 0).all()
    assert clips[:, :, border + 1 : border + width - 1].mean() > 20
