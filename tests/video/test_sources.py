from __future__ import annotations

from pathlib import Path

import pytest

from actparse.core.errors import VideoError
from actparse.video.sources import find_videos


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("b.mp4", "a.MOV", "deep/c.mkv", ".hidden/d.mp4", "notes.txt", "deep/e.jpg", "done/overlay.mp4"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "done" / "parse.json").touch()
    return tmp_path


def found(folder: Path, *sources: str) -> list[str]:
    videos = find_videos([str(folder / source) for source in sources], not_beside="parse.json")
    return [str(video.relative_to(folder)) for video in videos]


@pytest.mark.parametrize(
    ("sources", "expected"),
    [
        (["notes.txt", "none.mp4"], ["notes.txt", "none.mp4"]),
        ([""], ["a.MOV", "b.mp4", "deep/c.mkv"]),
        (["*.mp4"], ["b.mp4"]),
        (["**/*.m*"], ["b.mp4", "deep/c.mkv"]),
        (["d*"], ["deep/c.mkv"]),
        (["b.mp4", "deep", "b.mp4", ""], ["b.mp4", "deep/c.mkv", "a.MOV"]),
    ],
    ids=["files as they are", "a folder", "a pattern", "through folders", "a pattern of folders", "each once"],
)
def test_what_is_meant(folder: Path, sources: list[str], expected: list[str]) -> None:
    assert found(folder, *sources) == expected


def test_a_name_with_brackets_is_a_name(tmp_path: Path) -> None:
    (tmp_path / "lift [1080p].mp4").touch()
    assert find_videos([tmp_path / "lift [1080p].mp4"]) == [tmp_path / "lift [1080p].mp4"]


@pytest.mark.parametrize("source", ["deep/nothing*", ".hidden/deeper"])
def test_nothing_found_is_an_error(folder: Path, source: str) -> None:
    (folder / ".hidden" / "deeper").mkdir()
    with pytest.raises(VideoError, match="needs at least one video, got none"):
        found(folder, source)


def test_a_folder_behind_links_is_read_once(folder: Path) -> None:
    (folder / "deep" / "up").symlink_to(folder)  # a circle
    (folder / "again").symlink_to(folder / "deep")
    elsewhere = folder.parent / f"{folder.name}-elsewhere"
    elsewhere.mkdir()
    (elsewhere / "f.mp4").touch()
    (folder / "link").symlink_to(elsewhere)
    names = sorted(Path(name).name for name in found(folder, ""))
    assert names == ["a.MOV", "b.mp4", "c.mkv", "f.mp4"]


@pytest.mark.parametrize("source", ["https://a.example/v.mp4", "RTSP://camera", "-"])
def test_what_is_no_file_says_what_to_do(source: str) -> None:
    with pytest.raises(VideoError, match=r"needs a file.*actparse watch"):
        find_videos([source])


def test_a_folder_of_pictures_says_what_to_do(tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / f"{number}.{'heic' if number else 'png'}").touch()
    with pytest.raises(VideoError, match=r"got 3 pictures; name each .* or, if they are the frames .*--frame-rate"):
        find_videos([tmp_path])
