"""Which videos a person means: files, folders with all that is in them, patterns with * and ?."""

from __future__ import annotations

import glob
import mimetypes
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from actparse.core.errors import VideoError
from actparse.video.decode import open_container, video_stream

VIDEO_SUFFIXES = (  # a file of such a name is meant to be a video, even if it is none
    *(".3g2", ".3gp", ".asf", ".avi", ".divx", ".f4v", ".flv", ".gif", ".m2ts", ".m2v", ".m4v", ".mkv"),
    *(".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".mxf", ".ogv", ".vob", ".webm", ".wmv"),
)
MAYBE_SUFFIXES = (".ts",)  # a transport stream, or something for a compiler or a translator
STILLS = ("image2", "_pipe")  # ends of the names of FFmpeg's formats for single pictures


def find_videos(sources: Iterable[str | Path], *, not_beside: str | None = None) -> list[Path]:
    """Every video that is meant, once, in the order of `sources`, those of a folder or pattern by name.

    A file is taken as it is, there or not: whoever reads it says what is wrong with it. In folders, and among what a
    pattern finds, videos are told by their suffix, those of an unknown suffix by their content; hidden ones are left
    out.

    Args:
        sources: paths of files or folders, or patterns ("**" goes through folders).
        not_beside: the name of a file; folders below a source that hold one are left out, for they are our own results.

    Raises:
        VideoError: a folder or a pattern leads to no video.
    """
    found: dict[Path, Path] = {}
    for source in sources:
        for path in _videos_of(str(source), not_beside):
            found.setdefault(path.absolute(), path)
    return list(found.values())


def _videos_of(source: str, not_beside: str | None) -> list[Path]:
    path = Path(source)
    is_pattern = not os.path.lexists(path) and glob.has_magic(source)
    if not is_pattern and not path.is_dir():
        return [path]
    starts = map(Path, sorted(glob.glob(source, recursive=True))) if is_pattern else [path]  # noqa: PTH207 (absolute)
    files = dict.fromkeys(file for start in starts for file in _files(start))
    found = [file for file in files if not (not_beside and (file.parent / not_beside).exists()) and _is_video(file)]
    if not found:
        raise VideoError(f"{source}: needs at least one video, got none")
    return found


def _files(start: Path) -> Iterator[Path]:
    """A file itself, or all files below a folder that are not hidden, by name."""
    if not start.is_dir():
        yield start
        return
    for folder, folders, names in os.walk(start):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(folder, name) for name in sorted(names) if not name.startswith("."))


def _is_video(path: Path) -> bool:
    suffix = path.suffix.lower()
    if suffix in VIDEO_SUFFIXES:
        return True
    kind = mimetypes.guess_type(path.name)[0] or "video/unknown"
    return (kind.startswith("video/") or suffix in MAYBE_SUFFIXES) and _holds_video(path)


def _holds_video(path: Path) -> bool:
    """Whether FFmpeg finds moving pictures in the file."""
    try:
        with open_container(path) as container:
            video_stream(container, path)
            return not container.format.name.endswith(STILLS)
    except VideoError:
        return False
