"""Listing of the files in a dataset's folders: no file is opened, and unexpected files are not errors."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from actparse.core.errors import DataError
from actparse.data.kinetics_tps import SPLITS, VIDEO_SUFFIXES


@dataclass(frozen=True)
class AnnotatedVideo:
    """The annotation files of one video; each as path below `folder`, size in bytes and modification time in ns."""

    split: str
    action: str
    name: str
    folder: str  # below the dataset's root
    files: tuple[tuple[str, int, int], ...]  # sorted


@dataclass(frozen=True)
class AnnotationListing:
    """The annotations of one split, sorted by action and name; `odd` are unexpected paths below the root."""

    videos: tuple[AnnotatedVideo, ...]
    odd: tuple[str, ...]


@dataclass(frozen=True)
class VideoListing:
    """The videos of one split, paths below the root, sorted; two actions may have videos of the same name."""

    paths: tuple[Path, ...]
    odd: tuple[str, ...]


def find_splits(root: Path) -> tuple[str, ...]:
    """Return the splits of which a dataset has videos or annotations.

    Raises:
        DataError: there are none.
    """
    splits = tuple(s for s in SPLITS if (root / f"{s}_videos").is_dir() or (root / f"{s}_annotations").is_dir())
    if not splits:
        got = "none of them" if root.is_dir() else "no such folder"
        raise DataError(f"{root}: needs a folder train_videos, train_annotations or the like of val or test, got {got}")
    return splits


def list_annotations(root: Path, split: str) -> AnnotationListing:
    """List the files of <split>_annotations/<action>/<video>[/<video>]/; none if the folder does not exist."""
    videos: list[AnnotatedVideo] = []
    unexpected: list[str] = []
    top = f"{split}_annotations"
    for action in _folders(root, top, unexpected):
        for name in _folders(root, f"{top}/{action}", unexpected):
            folder = f"{top}/{action}/{name}"
            files = list(_files(root, folder, "", unexpected, may_nest=name))
            # nested files come first: KineticsTps uses the nested folder if it exists
            files.sort(key=lambda file: ("/" not in file[0], file[0]))
            videos.append(AnnotatedVideo(split, action, name, folder, tuple(files)))
    return AnnotationListing(tuple(videos), tuple(unexpected))


def list_videos(root: Path, split: str) -> VideoListing:
    """List the videos of <split>_videos/<action>/."""
    paths: list[Path] = []
    unexpected: list[str] = []
    top = f"{split}_videos"
    for action in _folders(root, top, unexpected):
        for entry in _entries(root, f"{top}/{action}", unexpected):
            path = Path(top, action, entry.name)
            if entry.is_file() and path.suffix.lower() in VIDEO_SUFFIXES:
                paths.append(path)
            else:
                unexpected.append(path.as_posix())
    return VideoListing(tuple(paths), tuple(unexpected))


def _files(
    root: Path, folder: str, below: str, unexpected: list[str], *, may_nest: str
) -> Iterator[tuple[str, int, int]]:
    for entry in _entries(root, f"{folder}/{below}" if below else folder, unexpected):
        path = f"{below}{entry.name}"
        if entry.is_file() and entry.name.endswith(".json"):
            status = entry.stat()
            yield path, status.st_size, status.st_mtime_ns
        elif entry.is_dir() and entry.name == may_nest and not below:
            yield from _files(root, folder, f"{may_nest}/", unexpected, may_nest=may_nest)
        else:
            unexpected.append(f"{folder}/{path}")


def _folders(root: Path, folder: str, unexpected: list[str]) -> Sequence[str]:
    """Return the names of the folders in a folder; add its files to `unexpected`."""
    names = []
    for entry in _entries(root, folder, unexpected):
        if entry.is_dir():
            names.append(entry.name)
        else:
            unexpected.append(f"{folder}/{entry.name}")
    return names


def _entries(root: Path, folder: str, unexpected: list[str]) -> list[os.DirEntry[str]]:
    """Return a folder's entries, sorted by name, without hidden files; names that are not UTF-8 are unexpected."""
    try:
        with os.scandir(root / folder) as entries:
            visible = sorted(
                (entry for entry in entries if not entry.name.startswith(".")), key=lambda entry: entry.name
            )
    except FileNotFoundError:
        return []
    except OSError:  # a file instead of a folder, or a folder without permission
        unexpected.append(folder)
        return []
    unexpected += [f"{folder}/{os.fsencode(entry.name)!r}" for entry in visible if not _is_utf8(entry.name)]
    return [entry for entry in visible if _is_utf8(entry.name)]


def _is_utf8(name: str) -> bool:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
