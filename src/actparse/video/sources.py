"""Search for videos by file, by folder with everything inside, or by pattern with * and ?."""

from __future__ import annotations

import glob
import mimetypes
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from actparse.core.errors import VideoError
from actparse.video.decode import open_container, video_stream

VIDEO_SUFFIXES = (  # files with these suffixes are treated as videos, even if they are not
    *(".3g2", ".3gp", ".asf", ".avi", ".divx", ".f4v", ".flv", ".gif", ".m2ts", ".m2v", ".m4v", ".mkv"),
    *(".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".mxf", ".ogv", ".vob", ".webm", ".wmv"),
)
MAYBE_SUFFIXES = (".ts",)  # transport streams, but also TypeScript and translation files
PICTURE_SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
STILLS = ("image2", "_pipe")  # suffixes of FFmpeg's format names for single pictures


def find_videos(sources: Iterable[str | Path], *, not_beside: str | None = None) -> list[Path]:
    """List the videos of all sources, each once, in the order of `sources`; folders and patterns sorted by name.

    A file path is returned unchecked, even if it does not exist: reading it reports the error. In folders and among the
    matches of a pattern, videos are recognised by their suffix or, if it is unknown, by their content; hidden files are
    skipped.

    Args:
        sources: paths of files or folders, or patterns ("**" goes through folders).
        not_beside: the name of a file; folders with such a file are skipped, because they hold results of this program.

    Raises:
        VideoError: a folder or a pattern has no video, or a source is an address or "-".
    """
    videos: dict[Path, Path] = {}
    for source in sources:
        for path in _videos_of(str(source), not_beside):
            videos.setdefault(path.absolute(), path)
    return list(videos.values())


def _videos_of(source: str, not_beside: str | None) -> list[Path]:
    path = Path(source)
    exists = os.path.lexists(path)
    if not exists and (source == "-" or re.match(r"[a-zA-Z][a-zA-Z0-9+.-]*://", source)):
        raise VideoError(f"{source}: needs a file; download it first, or watch it as it comes: actparse watch {source}")
    if not exists and re.search(r"%0?\d*d", source):
        advice = f"ffmpeg -framerate 25 -i '{source}' video.mp4"
        raise VideoError(f"{source}: needs a file, got the pattern of a sequence of pictures; make them one: {advice}")
    is_pattern = not exists and glob.has_magic(source)
    if not is_pattern and not path.is_dir():
        return [path]
    starts = map(Path, sorted(glob.glob(source, recursive=True))) if is_pattern else [path]  # noqa: PTH207 (absolute)
    files = dict.fromkeys(file for start in starts for file in _files(start))
    videos = [file for file in files if not (not_beside and (file.parent / not_beside).exists()) and _is_video(file)]
    if not videos:
        hint = _sequence_hint(source, files)
        raise VideoError(f"{source}: needs at least one video, got {hint or 'none'}")
    return videos


def _sequence_hint(source: str, files: Iterable[Path]) -> str:
    """Return what to do with the pictures of a source without videos; empty if it has none."""
    pictures = [file for file in files if file.suffix.lower() in PICTURE_SUFFIXES]
    if not pictures:
        return ""
    pattern = f"{pictures[0].parent}/*{pictures[0].suffix}"
    advice = f"make them one: ffmpeg -framerate 25 -pattern_type glob -i '{pattern}' {Path(source).name or 'video'}.mp4"
    return f"{len(pictures)} pictures; if they are the frames of a video, {advice}"


def _files(start: Path) -> Iterator[Path]:
    """Yield a file, or all files in a folder and its subfolders that are not hidden, sorted by name.

    A folder behind symbolic links is read once.
    """
    if not start.is_dir():
        yield start
        return
    visited = {os.path.realpath(start)}
    for folder, folders, names in os.walk(start, followlinks=True):
        paths = [Path(folder, name) for name in folders if not name.startswith(".")]
        folders[:] = []
        for path in sorted(
            paths, key=lambda path: (path.is_symlink(), path.name)
        ):  # by its own name, if it has one here
            if os.path.realpath(path) not in visited:
                visited.add(os.path.realpath(path))
                folders.append(path.name)
        folders.sort()
        yield from (Path(folder, name) for name in sorted(names) if not name.startswith("."))


def _is_video(path: Path) -> bool:
    suffix = path.suffix.lower()
    if suffix in VIDEO_SUFFIXES:
        return True
    kind = mimetypes.guess_type(path.name)[0] or "video/unknown"
    return (kind.startswith("video/") or suffix in MAYBE_SUFFIXES) and _holds_video(path)


def _holds_video(path: Path) -> bool:
    """Return whether FFmpeg finds a video stream in the file."""
    try:
        with open_container(path) as container:
            video_stream(container, path)
            return not container.format.name.endswith(STILLS)
    except VideoError:
        return False
