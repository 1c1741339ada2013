"""Search for videos by file, by folder with everything inside, by pattern with * and ?, or as images of a sequence."""

from __future__ import annotations

import glob
import mimetypes
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from actparse.core.errors import VideoError
from actparse.video.container import ADDRESS, missing_text, open_container, sequence_files, video_stream

VIDEO_SUFFIXES = (  # files with these suffixes are treated as videos, even if they are not
    *(".3g2", ".3gp", ".apng", ".asf", ".avi", ".divx", ".f4v", ".flv", ".gif", ".m2ts", ".m2v", ".m4v", ".mkv"),
    *(".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".mxf", ".ogv", ".vob", ".webm", ".wmv"),
)
MAYBE_SUFFIXES = (".ts", ".webp")  # transport streams, but also TypeScript; animations, but also still pictures
PICTURE_SUFFIXES = (".avif", ".bmp", ".heic", ".heif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
STILLS = ("image2", "_pipe")  # suffixes of FFmpeg's format names for single pictures


def find_videos(
    sources: Iterable[str | Path], *, not_beside: str | None = None, frame_rate: float | None = None
) -> list[Path]:
    """List the videos of all sources, each once, in the order of `sources`; folders and patterns sorted by name.

    A file path is returned unchecked, even if it does not exist: reading it reports the error. So is a folder or a
    pattern without a video, if another source has one. In folders and among the matches of a pattern, videos are
    recognised by their suffix or, if it is unknown, by their content; hidden files are skipped.

    Args:
        sources: paths of files or folders, or patterns ("**" goes through folders).
        frame_rate: frames a second of image sequences; with it, a folder of images is a video too.
        not_beside: the name of a file; folders with such a file are skipped, because they hold results of this program.

    Raises:
        VideoError: no source has a video, and one is a folder or a pattern; or a source is an address or "-".
    """
    videos: dict[Path, Path] = {}
    empty = None
    for source in sources:
        paths = _videos_of(str(source), not_beside, frame_rate is not None)
        if not paths:
            empty, paths = source, [Path(source)]
        for path in paths:
            videos.setdefault(path.absolute(), path)
    if empty is not None and len(videos) == 1:
        raise VideoError(f"{empty}: needs at least one video, got none")
    return list(videos.values())


def _videos_of(source: str, not_beside: str | None, with_sequences: bool) -> list[Path]:
    path = Path(source)
    exists = os.path.lexists(path)
    if not exists and (source == "-" or ADDRESS.match(source)):
        raise VideoError(f"{source}: {missing_text(source)}")
    is_pattern = not exists and glob.has_magic(source)
    if not is_pattern and not path.is_dir():
        return [path]
    starts = map(Path, sorted(glob.glob(source, recursive=True))) if is_pattern else [path]  # noqa: PTH207 (absolute)
    files = dict.fromkeys(file for start in starts for file in _files(start, with_sequences))
    videos = [file for file in files if not (not_beside and (file.parent / not_beside).exists()) and _is_video(file)]
    num_pictures = sum(file.suffix.lower() in PICTURE_SUFFIXES for file in files)
    if not videos and num_pictures:
        raise VideoError(
            f"{source}: needs at least one video, got {num_pictures} pictures; name each picture to parse it or, "
            "if they are the frames of a video, give --frame-rate"
        )
    return videos


def _files(start: Path, with_sequences: bool) -> Iterator[Path]:
    """Yield a file, or all files in a folder and its subfolders that are not hidden, sorted by name.

    With sequences, a folder of images is yielded too. A folder behind symbolic links is read once.
    """
    if not start.is_dir():
        yield start
        return
    visited = {os.path.realpath(start)}
    for folder, folders, names in os.walk(start, followlinks=True):
        if with_sequences and sequence_files(Path(folder)):
            yield Path(folder)
        paths = [Path(folder, name) for name in folders if not name.startswith(".")]
        folders[:] = []
        for path in sorted(paths, key=lambda path: (path.is_symlink(), path.name)):  # by its real name, if it has one
            if os.path.realpath(path) not in visited:
                visited.add(os.path.realpath(path))
                folders.append(path.name)
        folders.sort()
        yield from (Path(folder, name) for name in sorted(names) if not name.startswith("."))


def _is_video(path: Path) -> bool:
    """Return whether a file counts as a video by its suffix or else, if it may be one, by its content."""
    suffix = path.suffix.lower()
    if suffix in VIDEO_SUFFIXES or path.is_dir():
        return True
    kind = mimetypes.guess_type(path.name)[0] or "video/unknown"
    if not kind.startswith("video/") and suffix not in MAYBE_SUFFIXES:
        return False
    try:
        with open_container(path) as container:
            video_stream(container, path)
            return not container.format.name.endswith(STILLS)
    except VideoError:
        return False
