"""Which files a dataset's folders hold, taken as they lie: nothing is opened, nothing odd is an error."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from actparse.core.errors import DataError
from actparse.data.kinetics_tps import SPLITS, VIDEO_SUFFIXES


@dataclass(frozen=True)
class AnnotatedVideo:
    """The annotation files of one video; each a path below `folder`, its bytes and its time of change in ns."""

    split: str
    action: str
    name: str
    folder: str  # below the dataset's root
    files: tuple[tuple[str, int, int], ...]  # sorted


@dataclass(frozen=True)
class AnnotationListing:
    """The annotations of one split, sorted by action and name; `odd` are paths below the root that do not belong."""

    videos: tuple[AnnotatedVideo, ...]
    odd: tuple[str, ...]


@dataclass(frozen=True)
class VideoListing:
    """The videos of one split, paths below the root, sorted; a name may stand in two actions."""

    paths: tuple[Path, ...]
    odd: tuple[str, ...]


def find_splits(root: Path) -> tuple[str, ...]:
    """The splits that a dataset has videos or annotations of.

    Raises:
        DataError: it has none.
    """
    found = tuple(s for s in SPLITS if (root / f"{s}_videos").is_dir() or (root / f"{s}_annotations").is_dir())
    if not found:
        got = "none of them" if root.is_dir() else "no such folder"
        raise DataError(f"{root}: needs a folder train_videos, train_annotations or the like of val or test, got {got}")
    return found


def list_annotations(root: Path, split: str) -> AnnotationListing:
    """Go through <split>_annotations/<action>/<video>[/<video>]/; a split without the folder has none."""
    videos: list[AnnotatedVideo] = []
    odd: list[str] = []
    top = f"{split}_annotations"
    for action in _folders(root, top, odd):
        for name in _folders(root, f"{top}/{action}", odd):
            folder = f"{top}/{action}/{name}"
            files = list(_files(root, folder, "", odd, may_nest=name))
            videos.append(AnnotatedVideo(split, action, name, folder, tuple(sorted(files, key=_nested_first))))
    return AnnotationListing(tuple(videos), tuple(odd))


def _nested_first(file: tuple[str, int, int]) -> tuple[bool, str]:
    return "/" not in file[0], file[0]  # the tree has the name twice; KineticsTps takes that folder where it is there


def list_videos(root: Path, split: str) -> VideoListing:
    """Go through <split>_videos/<action>/."""
    paths: list[Path] = []
    odd: list[str] = []
    top = f"{split}_videos"
    for action in _folders(root, top, odd):
        for entry in _entries(root, f"{top}/{action}", odd):
            path = Path(top, action, entry.name)
            if entry.is_file() and path.suffix.lower() in VIDEO_SUFFIXES:
                paths.append(path)
            else:
                odd.append(path.as_posix())
    return VideoListing(tuple(paths), tuple(odd))


def _files(root: Path, folder: str, below: str, odd: list[str], *, may_nest: str) -> Iterator[tuple[str, int, int]]:
    for entry in _entries(root, f"{folder}/{below}" if below else folder, odd):
        path = f"{below}{entry.name}"
        if entry.is_file() and entry.name.endswith(".json"):
            status = entry.stat()
            yield path, status.st_size, status.st_mtime_ns
        elif entry.is_dir() and entry.name == may_nest and not below:
            yield from _files(root, folder, f"{may_nest}/", odd, may_nest=may_nest)
        else:
            odd.append(f"{folder}/{path}")


def _folders(root: Path, folder: str, odd: list[str]) -> Sequence[str]:
    """Names of the folders in a folder; files there are odd."""
    found = []
    for entry in _entries(root, folder, odd):
        if entry.is_dir():
            found.append(entry.name)
        else:
            odd.append(f"{folder}/{entry.name}")
    return found


def _entries(root: Path, folder: str, odd: list[str]) -> list[os.DirEntry[str]]:
    """What a folder holds, sorted by name, hidden files aside; names that are no UTF-8 are odd."""
    try:
        with os.scandir(root / folder) as entries:
            found = sorted((entry for entry in entries if not entry.name.startswith(".")), key=lambda entry: entry.name)
    except FileNotFoundError:
        return []
    except OSError:  # a file in a folder's place, or one that may not be read
        odd.append(folder)
        return []
    kept = [entry for entry in found if _is_utf8(entry.name)]
    odd += [f"{folder}/{os.fsencode(entry.name)!r}" for entry in found if not _is_utf8(entry.name)]
    return kept


def _is_utf8(name: str) -> bool:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
