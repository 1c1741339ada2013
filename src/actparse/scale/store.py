"""Files below a URI, on disk or in an object store: written whole, and where requested only once."""

from __future__ import annotations

import errno
import os
import random
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import fsspec
from fsspec.implementations.local import LocalFileSystem

from actparse.core.errors import ConfigError, OutputError
from actparse.core.files import copy_file, written_beside

Result = TypeVar("Result")
ATTEMPTS = 6  # of a call of a file system that fails for a reason that may pass
FIRST_WAIT_SECONDS = 0.1  # before the second attempt; doubled before each further one
PERMANENT = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM)  # waiting does not help
NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EMLINK, errno.ENOSYS)  # of file systems without hard links


def open_file_system(uri: str) -> tuple[Any, str]:
    """Return the fsspec file system of a URI, or of a local path, and the path in it.

    Raises:
        ConfigError: the protocol is unknown, or its package is not installed.
    """
    try:
        fs, path = fsspec.core.url_to_fs(uri)
    except (ValueError, ImportError) as error:
        raise ConfigError(f"{uri}: {str(error).strip()}") from None
    return fs, str(path)


def with_attempts(call: Callable[[], Result]) -> Result:
    """Return the result of a call; one that fails is repeated with growing waits, unless waiting cannot help.

    Raises:
        Exception: that of the last attempt.
    """
    for attempt in range(ATTEMPTS):
        try:
            return call()
        except (FileNotFoundError, FileExistsError, IsADirectoryError, NotADirectoryError, PermissionError):
            raise
        except Exception as error:  # libraries of stores have errors of their own
            is_permanent = isinstance(error, OSError) and error.errno in PERMANENT
            if is_permanent or attempt == ATTEMPTS - 1:
                raise
            time.sleep(FIRST_WAIT_SECONDS * 2**attempt * random.uniform(0.5, 1.5))
    raise AssertionError("the last attempt returns or raises")


class Store:
    """The files below one URI; names are relative to it, with slashes."""

    def __init__(self, uri: str) -> None:
        """Open the store; nothing is created.

        Raises:
            ConfigError: see `open_file_system`.
        """
        self.uri = uri
        self._fs, self._root = open_file_system(uri)
        self._is_local = isinstance(self._fs, LocalFileSystem)

    def read(self, name: str) -> bytes | None:
        """Return the content of a file; None if it does not exist."""
        try:
            return with_attempts(lambda: bytes(self._fs.cat_file(self._path(name))))
        except FileNotFoundError:
            return None

    def exists(self, name: str) -> bool:
        """Return whether there is such a file; an object store is asked each time."""
        try:
            with_attempts(lambda: self._fs.info(self._path(name), refresh=True))
        except FileNotFoundError:
            return False
        return True

    def write(self, name: str, data: bytes) -> None:
        """Write a file, completely or not at all; it replaces an earlier one."""
        if self._is_local:
            with written_beside(Path(self._path(name))) as temporary:
                temporary.write_bytes(data)
        else:
            with_attempts(lambda: self._fs.pipe_file(self._path(name), data))

    def create(self, name: str, data: bytes) -> bool:
        """Write a file, completely or not at all, unless it exists.

        On disk it is written beside and linked to its name; in an object store the put has a condition
        (`If-None-Match: *`). Of several processes exactly one succeeds.

        Returns:
            Whether the file did not exist.
        """
        if self._is_local:
            return _create_local(Path(self._path(name)), data)
        try:
            with_attempts(lambda: self._fs.pipe_file(self._path(name), data, mode="create"))
        except FileExistsError:
            return False
        return True

    def upload(self, source: Path, name: str) -> None:
        """Copy a local file into the store, completely or not at all."""
        if self._is_local:
            copy_file(source, Path(self._path(name)))
        else:
            with_attempts(lambda: self._fs.put_file(str(source), self._path(name)))

    def list(self, folder: str) -> list[str]:
        """Return the names of the files directly in a folder, sorted; without such a folder, none."""
        try:
            with_attempts(lambda: self._fs.invalidate_cache(self._path(folder)))
            paths = with_attempts(lambda: self._fs.ls(self._path(folder), detail=False))
        except FileNotFoundError:
            return []
        names = (str(path).rpartition("/")[2] for path in paths)
        return sorted(f"{folder}/{name}" for name in names if name and not name.startswith("."))

    def remove(self, names: Iterable[str]) -> None:
        """Remove files; those that do not exist are skipped."""
        for name in names:
            with suppress(FileNotFoundError):
                with_attempts(lambda name=name: self._fs.rm_file(self._path(name)))  # type: ignore[misc]

    def remove_folder(self, folder: str) -> None:
        """Remove a folder with everything in it, if it exists."""
        with suppress(FileNotFoundError):
            with_attempts(lambda: self._fs.rm(self._path(folder), recursive=True))

    def _path(self, name: str) -> str:
        return f"{self._root.rstrip('/')}/{name}"


def _create_local(path: Path, data: bytes) -> bool:
    """Write a new file; see `Store.create`.

    Raises:
        OutputError: it cannot be written.
    """
    if path.exists():
        return False
    beside = path.with_name(f".new-{os.getpid()}-{time.monotonic_ns()}-{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with beside.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(beside, path)
        except FileExistsError:
            return False
        except OSError as error:
            if error.errno not in NO_LINKS:
                raise
            beside.replace(path)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror or error}") from None
    finally:
        with suppress(OSError):
            beside.unlink(missing_ok=True)
    return True
