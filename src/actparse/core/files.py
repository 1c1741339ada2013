"""Atomic file writing: a file is written under a temporary name in its folder, then renamed. Hashes and texts."""

from __future__ import annotations

import hashlib
import math
import os
import platform
import re
import shutil
import tempfile
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

from actparse.core.errors import OutputError

TEMPORARY = ".part-"  # begins the names of temporary files; then come the machine, the process and a random text
STALE_SECONDS = 86_400.0  # a temporary file of another machine is abandoned if nothing was written for this time
UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")  # also text direction


@contextmanager
def written_beside(path: Path) -> Iterator[Path]:
    """Yield a temporary path in the folder of `path`; it replaces `path` if the body succeeds, else it is removed.

    Temporary files that killed processes left in the folder are removed first.

    Raises:
        OutputError: the folder cannot be created or written, or the disk is full.
    """
    new_folders = [folder for folder in (path.parent, *path.parent.parents) if not folder.exists()]  # innermost first
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(path.parent.absolute())
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f"{TEMPORARY}{_process_name()}-", suffix=path.suffix)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror}") from None
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o666 & ~current_umask())
        with temporary.open("r+b") as file:
            os.fsync(file.fileno())  # else the new name may reach the disk before the content, and power may fail
        temporary.replace(path)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror or error}") from None
    finally:
        temporary.unlink(missing_ok=True)
        if not path.exists():
            with suppress(OSError):  # the first one that is not empty, or does not exist, ends it
                for folder in new_folders:
                    folder.rmdir()


def current_umask() -> int:
    """Return the process's umask, which can only be read by setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


@contextmanager
def folder_beside(path: Path) -> Iterator[Path]:
    """Yield a new folder beside `path` that gets its name if the body succeeds, unless another process was faster."""
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_abandoned(path.parent.absolute())
    temporary = Path(tempfile.mkdtemp(prefix=f"{TEMPORARY}{_process_name()}-", dir=path.parent))
    temporary.chmod(0o777 & ~current_umask())
    try:
        yield temporary
        try:
            temporary.rename(path)
        except OSError:
            if not path.is_dir():
                raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def remove_temporaries(folder: Path) -> None:
    """Remove all temporary files in a folder that no other process writes to."""
    for path in folder.glob(f"{TEMPORARY}*"):
        with suppress(OSError):
            path.unlink()


@lru_cache(maxsize=4096)  # once for each folder: listing a large one takes long
def _remove_abandoned(folder: Path) -> None:
    """Remove the temporary files and folders of killed processes."""
    for path in folder.glob(f"{TEMPORARY}*"):
        machine, _, process = path.name.removeprefix(TEMPORARY).rpartition("-")[0].partition("-")
        with suppress(OSError, ValueError):
            is_here = os.name == "posix" and machine == _process_name().partition("-")[0]
            if (is_here and not _is_running(int(process))) or time.time() - path.stat().st_mtime > STALE_SECONDS:
                shutil.rmtree(path) if path.is_dir() else path.unlink()


def _process_name() -> str:
    return f"{zlib.crc32(platform.node().encode('utf-8', 'replace')):08x}-{os.getpid()}"


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)  # sends nothing
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # of another user
    return True


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text, completely or not at all; what UTF-8 cannot hold, as in file names of any bytes, is escaped.

    Raises:
        OutputError: the file cannot be written.
    """
    with written_beside(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")  # as JSON escapes it, too


def copy_file(source: Path, path: Path) -> None:
    """Copy a file, completely or not at all.

    Raises:
        OutputError: the file cannot be read or written.
    """
    with written_beside(path) as temporary:
        shutil.copyfile(source, temporary)


def file_sha256(path: Path) -> str:
    """Compute the SHA-256 of a file, as hexadecimal text."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def printable(text: object) -> str:
    """Return a text or path as one line for a terminal or a log.

    Control characters and bytes that are not UTF-8 are escaped, as in \\n and \\xe9.
    """
    return UNPRINTABLE.sub(_escaped, str(text))


def _escaped(match: re.Match[str]) -> str:
    code = ord(match[0])
    if 0xDC80 <= code <= 0xDCFF:  # a byte of a file name that Python could not decode
        return f"\\x{code - 0xDC00:02x}"
    return match[0].encode("unicode_escape").decode("ascii")


def without_nan(value: Any) -> Any:
    """Replace every NaN by None, which JSON can store; a NaN means that there was nothing to measure."""
    if isinstance(value, dict):
        return {key: without_nan(inner) for key, inner in value.items()}
    return None if isinstance(value, float) and math.isnan(value) else value
