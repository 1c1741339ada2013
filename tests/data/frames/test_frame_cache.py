"""Stored copies of frames: their pixels, one pass of decoding, several processes, damage, a disk without room."""

from __future__ import annotations

import multiprocessing
import resource
import shutil
from dataclasses import replace
from multiprocessing.pool import ThreadPool
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pytest
from filelock import FileLock
from torch._utils import ExceptionWrapper

from actparse import cli
from actparse.core.errors import DataError, OutputError
from actparse.data.frames import frame_cache
from actparse.data.frames.frame_cache import CachedVideo, FrameForm
from actparse.data.frames.index import VideoIndex, open_index
from actparse.training.samples.splits import open_indices
from actparse.video.decode import read_frames
from training.miniature import NUM_FRAMES, write_miniature
from training.small import tiny_options

STRIDE = 5
INDICES = tuple(range(0, NUM_FRAMES, STRIDE))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_miniature(tmp_path_factory.mktemp("data"), videos_per_action=1)


@pytest.fixture
def index(data: Path, tmp_path: Path) -> VideoIndex:
    return open_index(data, "train", cache=tmp_path).select([0, 1], stride=STRIDE)


@pytest.fixture
def openings(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The videos that are opened to be stored, in their order."""
    opened: list[Path] = []

    def counted(path: Path, **arguments: tuple[float, float]) -> object:
        opened.append(path)
        return read_frames(path, **arguments)

    monkeypatch.setattr(frame_cache, "read_frames", counted)
    return opened


@pytest.mark.parametrize(("form", "max_error"), [("png", 0.0), ("jpeg", 1.0)])
def test_stored_frames_are_those_of_the_video(index: VideoIndex, form: FrameForm, max_error: float) -> None:
    frames = [index.frames_of(1)[row] for row in (4, 0, 6)]  # in any order
    images, decoded = index.stored_as(form).images(frames), index.images(frames)
    for image, other in zip(images, decoded, strict=True):
        assert image.shape == other.shape
        assert image.dtype == np.uint8
        assert np.abs(image.astype(float) - other).mean() <= max_error  # grey levels


def test_each_video_is_decoded_once(index: VideoIndex, openings: list[Path]) -> None:
    stored = index.stored_as("png")
    openings.clear()  # those of the estimate
    first = stored.images(stored.frames_of(0)[2:3])[0]
    for frame in stored.frames_of(0):
        stored.images([frame])
    again = stored.images(stored.frames_of(0))
    assert openings == [index.root / index.paths[0]]
    assert np.array_equal(again[2], first)
    (archive,) = (index.folder / "frames").iterdir()  # no lock and no temporary file remains
    with ZipFile(archive) as file:
        assert file.namelist() == [f"{number}.png" for number in INDICES]


def test_other_frames_or_forms_have_their_files(index: VideoIndex) -> None:
    frame = index.frames_of(0)[:1]
    index.stored_as("png").images(frame)
    index.stored_as("jpeg").images(frame)
    index.select([0], stride=2 * STRIDE).stored_as("png").images(frame)
    assert len(list((index.folder / "frames").iterdir())) == 3


def test_processes_read_the_same_frames(index: VideoIndex) -> None:
    video = index.stored_as("jpeg").cached_video(0)
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        reads = pool.map(video.read, [INDICES] * 4, chunksize=1)
    assert all(np.array_equal(images, reads[0]) for images in reads)
    assert [path.name for path in video.folder.iterdir()] == [video.path.name]


def test_a_video_that_another_process_stores_is_not_decoded(index: VideoIndex, openings: list[Path]) -> None:
    video = index.stored_as("png").cached_video(0)
    other = replace(video, folder=index.folder / "other")
    expected = other.read(INDICES)
    openings.clear()
    video.folder.mkdir()
    with ThreadPool(1) as pool:
        with FileLock(video.folder / f".{video.path.name}.lock"):
            reading = pool.apply_async(video.read, (INDICES,))
            reading.wait(0.2)
            assert not reading.ready()
            shutil.copy(other.path, video.path)
        np.testing.assert_array_equal(reading.get(30), expected)
    assert not openings


@pytest.mark.parametrize("damage", ["cut", "changed", "empty"])
def test_damage_is_one_line(index: VideoIndex, damage: str) -> None:
    video = index.stored_as("jpeg").cached_video(0)
    video.read([0])
    content = bytearray(video.path.read_bytes())
    content[100] ^= 255  # in the first image
    video.path.write_bytes({"cut": content[:-50], "changed": content, "empty": bytearray()}[damage])
    with pytest.raises(DataError, match=r"\.zip: a damaged frame cache, remove it to create it again: ") as caught:
        video.read([0])
    assert "\n" not in str(caught.value)


def test_a_video_that_no_longer_has_a_frame_is_not_stored(index: VideoIndex) -> None:
    video = index.stored_as("png").cached_video(0)
    longer = CachedVideo(video.video, (*video.indices, 99), (0.0, 99.0), video.folder, "png")
    with pytest.raises(DataError, match="needs frame 99, got a video that no longer has it"):
        longer.read([0])
    assert not list(video.folder.iterdir())
    with pytest.raises(DataError, match=r"nothing\.mp4: cannot be read: No such file"):
        CachedVideo(Path("nothing.mp4"), (0,), (0.0, 1.0), video.folder, "png").read([0])


def test_a_folder_that_cannot_be_written_is_one_line(index: VideoIndex) -> None:
    (index.folder / "frames").write_text("a file\n")
    with pytest.raises(OutputError, match=r"\.zip: cannot be written: "):
        index.stored_as("png").images(index.frames_of(0)[:1])


def test_a_disk_without_room_is_one_line(index: VideoIndex) -> None:
    stored, limits = index.stored_as("png"), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, limits[1]))  # bytes of a file
    try:
        with pytest.raises(OutputError, match=r"\.zip: cannot be written: File too large$"):
            stored.images(index.frames_of(0)[:1])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not list((index.folder / "frames").iterdir())


def test_the_space_is_reported_before_the_start(index: VideoIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[str] = []
    index.stored_as("jpeg", report=lines.append)
    assert len(lines) == 1
    assert f"will hold {2 * len(INDICES)} frames of 2 videos as jpeg, about 0.0 GB; " in lines[0]
    usage = shutil.disk_usage(index.folder)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=100))
    with pytest.raises(OutputError, match=r"needs about 0\.0 GB for 14 frames .* --set frame_cache=off decodes"):
        index.stored_as("jpeg")
    monkeypatch.undo()
    for video in (0, 1):
        index.stored_as("jpeg").images(index.frames_of(video)[:1])
    lines.clear()
    index.stored_as("jpeg", report=lines.append)
    assert not lines  # all are stored


def test_only_frames_to_train_on_are_stored(data: Path, tmp_path: Path) -> None:
    train, held_out = open_indices(data, tmp_path, tiny_options(), stride=STRIDE, form="jpeg")
    assert (train.frame_form, held_out.frame_form) == ("jpeg", "off")


def test_an_error_of_a_process_that_prepares_batches_is_one_line() -> None:
    try:
        raise DataError("a.zip: a damaged frame cache: reason")
    except DataError:
        wrapped = ExceptionWrapper(where="in DataLoader worker process 0")  # type: ignore[no-untyped-call]
    with pytest.raises(DataError) as caught:
        wrapped.reraise()  # type: ignore[no-untyped-call]
    assert cli._message(caught.value) == "a.zip: a damaged frame cache: reason"
