"""Result folders: each video claims one below --out, by its content, whatever other processes do at the same time.

The folder's name is the video's stem. If that folder is taken by another video or has files of somebody else, the name
is "<stem>-2", "<stem>-3" and so on. The claim, a small hidden file, stores the hash of the video's content. While a
process works on the video it holds a lock on the claim, which the system releases when the process ends.
"""

from __future__ import annotations

import errno
import json
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import chain, count
from pathlib import Path

from filelock import lock_descriptor

from actparse.app.outputs import OUTPUT_FILES
from actparse.core.errors import ActparseError, DataError, OutputError
from actparse.core.files import remove_temporaries
from actparse.data.parses import CONTENT, PARSE_FILE, load_parse

CLAIM_FILE = ".source.json"
MAX_NAME_BYTES = 255  # of a folder's name, on all common file systems
BUSY_SECONDS = 0.5  # until a video that another process works on is tried again
POLL_SECONDS = 0.01  # while another process writes its claim
NO_LOCKS = (errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK)  # errors of file systems without locks
WINDOWS_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\.|$)", re.IGNORECASE)


class FolderBusyError(ActparseError):
    """Another process works on this video at the moment."""


@contextmanager
def result_folder(out: Path, video: Path, content: str) -> Iterator[Path]:
    """Yield the folder of a video's results, locked; if the body writes no parse, the folder is removed again.

    Args:
        out: the parent of the result folders; created if it is missing.
        video: its stem names the folder.
        content: the SHA-256 of the video.

    Raises:
        FolderBusyError: another process works on a video with this content and stem.
        OutputError: the folder cannot be created or written.
    """
    is_new = not out.exists()
    try:
        folder, claim = _claim(out, folder_name(video), content)
    except OSError as error:
        raise OutputError(f"{error.filename or out}: cannot be written: {error.strerror or error}") from None
    try:
        remove_temporaries(folder)
        yield folder
    finally:
        _release(folder, claim)
        if is_new:
            with suppress(OSError):  # it has results
                out.rmdir()


def discard_unfinished(folder: Path) -> None:
    """Remove what a killed process left in its result folder; with a parse only the temporary files are removed."""
    with suppress(OSError):
        claim = os.open(folder / CLAIM_FILE, os.O_RDWR)
        if not _lock(claim):
            os.close(claim)
            return
        remove_temporaries(folder)
        _release(folder, claim)


def folder_name(video: Path, *, windows: bool = os.name == "nt") -> str:
    """Return the name of a video's result folder: its stem, as far as that can name a folder.

    A stem of dots only becomes underscores, and bytes that are not UTF-8 become %E9, so that the names in results are
    always text. On Windows the characters that it forbids become underscores, and the names of its devices begin with
    one.
    """
    stem = os.fsencode(video.stem).decode("utf-8", "surrogateescape")
    name = re.sub("[\udc80-\udcff]", lambda byte: f"%{ord(byte[0]) - 0xDC00:02X}", stem)
    if not name.strip("."):
        name = "_" * max(1, len(name))
    if windows:
        name = re.sub(r'[<>:"/\\|?*\x00-\x1f]|[. ]$', "_", name)
        name = f"_{name}" if WINDOWS_DEVICES.match(name) else name
    return _numbered(name, 1)


def _numbered(name: str, number: int) -> str:
    """Return a folder's name with its number; 1 is left out. Names that are too long lose their end."""
    suffix = "" if number == 1 else f"-{number}"
    return os.fsencode(name)[: MAX_NAME_BYTES - len(suffix)].decode("utf-8", "ignore") + suffix


def _claim(out: Path, name: str, content: str) -> tuple[Path, int]:
    """Return the locked folder of a video and the descriptor of its claim.

    Raises:
        FolderBusyError: another process works on this video.
        OSError: a folder or a claim cannot be written.
    """
    out.mkdir(parents=True, exist_ok=True)
    claimed = []  # folders of this name that a video with this content has claimed before
    for entry in os.scandir(out):
        ending = re.search(r"-([1-9]\d*)$", entry.name)
        if entry.name == name or (ending and entry.name == _numbered(name, int(ending[1]))):
            with suppress(OSError):
                if _content(Path(entry.path, CLAIM_FILE).read_bytes()) == content:
                    claimed.append(entry.name)
    claimed.sort(key=lambda name: (len(name), name))
    for candidate in chain(claimed, (_numbered(name, number) for number in count(1))):
        claim = _try_claim(out / candidate, content)
        if claim is not None:
            return out / candidate, claim
    raise AssertionError("count has no end")


def _try_claim(folder: Path, content: str) -> int | None:
    """Claim and lock a folder; return the descriptor of the claim, or None if the folder is not free for this video.

    Raises:
        FolderBusyError: another process works on this video.
        OSError: the folder or the claim cannot be written.
    """
    while True:
        with suppress(FileExistsError):
            folder.mkdir(parents=True)
        path = folder / CLAIM_FILE
        if folder.is_symlink() or not folder.is_dir() or not (path.is_file() or _is_free(folder, content)):
            return None
        try:
            claim = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o666)
        except FileNotFoundError:
            continue  # another process has removed the folder that it failed to fill
        is_locked = _lock(claim)
        if is_locked and os.fstat(claim).st_nlink == 0:
            os.close(claim)  # the same, between opening and locking
            continue
        owner = _content(os.read(claim, 4096))
        if is_locked and (owner == content or _is_free(folder, content)):  # a claim without a parse is abandoned
            os.ftruncate(claim, 0)
            os.lseek(claim, 0, os.SEEK_SET)
            os.write(claim, json.dumps({"sha256": content}).encode())
            return claim
        os.close(claim)
        if owner == content:
            raise FolderBusyError(f"{folder}: another process parses this video")
        if is_locked or owner is not None:
            return None
        time.sleep(POLL_SECONDS)  # another process has the lock and is about to write its claim


def _is_free(folder: Path, content: str) -> bool:
    """Return whether a folder has no results, or, from a version without claims, those of a video with this content."""
    if not any(os.path.lexists(folder / name) for name in OUTPUT_FILES):
        return True
    if (folder / CLAIM_FILE).is_file() and (folder / CLAIM_FILE).stat().st_size:
        return False
    try:
        return load_parse(folder / PARSE_FILE).model.get(CONTENT) == content
    except DataError:
        return False


def _lock(claim: int) -> bool:
    """Lock a claim if no other process has; a file system without locks serves one process at a time."""
    try:
        return lock_descriptor(claim, blocking=False)
    except OSError as error:
        if error.errno in NO_LOCKS:
            return True
        raise


def _content(claim: bytes) -> str | None:
    """Return the hash in a claim; None if it is incomplete."""
    try:
        return str(json.loads(claim)["sha256"])
    except (ValueError, KeyError, TypeError):
        return None


def _release(folder: Path, claim: int) -> None:
    """Unlock a folder; remove it if it has no parse and nothing else."""
    if not (folder / PARSE_FILE).exists():
        with suppress(OSError):
            (folder / CLAIM_FILE).unlink()
        with suppress(OSError):
            folder.rmdir()
    os.close(claim)
