"""A phone's photo: HEIC in tiles, with a preview. libheif wrote the file, transposed (EXIF orientation 5)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from actparse.core.errors import VideoError
from actparse.video.decode import probe, read_frames
from actparse.video.tiles import Grid, read_grid
from drawn_videos import numbered

PHOTO = Path(__file__).parent / "photos" / "tiles.heic"
SIZE = (144, 172)  # (height, width) of the picture before it is transposed, in tiles of 64 x 64


def patched(path: Path, old: bytes, new: bytes) -> Path:
    data = PHOTO.read_bytes()
    assert data.count(old) == 1
    path.write_bytes(data.replace(old, new))
    return path


def test_tiles_are_joined_cut_turned_and_mirrored() -> None:
    reader = read_frames(PHOTO)
    (frame,) = reader
    expected = numbered(10, SIZE).swapaxes(0, 1)
    assert frame.image.shape == expected.shape
    assert np.abs(frame.image - expected.astype(float)).mean() < 1.5
    assert reader.warnings == []
    info = probe(PHOTO)
    assert (info.num_frames, info.duration_seconds, info.height, info.width) == (1, 0.04, 172, 144)


def test_the_grid_is_read() -> None:
    grid = read_grid(PHOTO)
    assert (grid.columns, grid.size, len(grid.tiles)) == (3, SIZE, 9)
    assert {kind for kind, _ in grid.changes} == {b"irot", b"imir"}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ((b"irot", 1), [[2, 4], [1, 3]]),  # a quarter counterclockwise
        ((b"irot", 3), [[3, 1], [4, 2]]),
        ((b"imir", 0), [[3, 4], [1, 2]]),  # upside down
        ((b"imir", 1), [[2, 1], [4, 3]]),  # left to right
    ],
)
def test_orientations(change: tuple[bytes, int], expected: list[list[int]]) -> None:
    image = np.repeat(np.array([[1, 2], [3, 4]], np.uint8)[..., None], 3, axis=2)
    assert Grid((1,), 1, (2, 2), (change,)).oriented(image)[..., 0].tolist() == expected


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (b"grid", b"iovl", "cropped or composed of others"),
        (b"imir", b"clap", "cropped or composed of others"),
        (b"\x02\x02\x00\xac\x00\x90", b"\x02\x02\x01\xac\x00\x90", "larger than its tiles"),
    ],
)
def test_what_cannot_be_joined_is_one_line_that_says_what_to_do(
    tmp_path: Path, old: bytes, new: bytes, words: str
) -> None:
    photo = patched(tmp_path / "v.heic", old, new)
    with pytest.raises(VideoError, match=words) as caught:
        read_frames(photo)
    assert str(caught.value).startswith(f"{photo}: needs a video file, got: a picture ")
    assert "convert it to JPEG" in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (b"\x02\x02\x00\xac\x00\x90", b"\x01\x02\x00\xac\x00\x90", "172 x 144 pixels in 9 tiles"),
        (b"\x02\x02\x00\xac\x00\x90", b"\x02\x02\x00\x00\x00\x90", "0 x 144 pixels in 9 tiles"),
        (b"idat", b"free", "damaged description"),
        (b"pitm", b"free", "damaged description"),
    ],
)
def test_what_ffmpeg_refuses_is_refused_here_too(tmp_path: Path, old: bytes, new: bytes, words: str) -> None:
    photo = patched(tmp_path / "v.heic", old, new)
    with pytest.raises(ValueError, match=words):
        read_grid(photo)


def test_a_file_cut_anywhere_is_one_line(tmp_path: Path) -> None:
    data = PHOTO.read_bytes()
    errors = []
    for length in range(40, len(data), 97):
        (tmp_path / "v.heic").write_bytes(data[:length])
        try:
            list(read_frames(tmp_path / "v.heic"))
        except VideoError as error:
            errors.append(str(error))
    assert errors
    assert not any("\n" in error for error in errors)
