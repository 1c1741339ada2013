"""Files below a URI, on disk or in an object store: written whole, and where requested only once."""

from __future__ import annotations

import errno
import glob
import os
import random
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import fsspec
from fsspec.implementations.local import LocalFileSystem

from actparse.core.errors import ActparseError, ConfigError, OutputError
from actparse.core.files import copy_file, written_beside

Result = TypeVar("Result")
ATTEMPTS = 6  # of a call of a file system that fails for a reason that may pass
FIRST_WAIT_SECONDS = 0.1  # before the second attempt; doubled before each further one
PERMANENT = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM)  # waiting does not help
ABSENT = (FileNotFoundError, FileExistsError, IsADirectoryError, NotADirectoryError, PermissionError)
PASSING_STATUS = (408, 425, 429)  # of HTTP: too slow, too early, too many requests
BULK = 1000  # files that one call removes
NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EMLINK, errno.ENOSYS)  # of file systems without hard links


def open_file_system(uri: str) -> tuple[Any, str]:
    """Return the fsspec file system of a URI, or of a local path, and the path in it.

    Raises:
        ConfigError: the protocol is unknown, or its package is not installed.
    """
    if "://" not in uri:  # fsspec would take "a::b" for two file systems
        return LocalFileSystem(), os.path.abspath(uri)  # noqa: PTH100 (without "..", as paths are compared)
    try:
        fs, path = fsspec.core.url_to_fs(uri)
    except (ValueError, ImportError) as error:
        raise ConfigError(f"{uri}: {str(error).strip()}") from None
    return fs, str(path)


def absolute_uri(uri: str) -> str:
    """Return a URI, or the absolute path of a local one, which means the same in every working folder.

    Raises:
        ConfigError: see `open_file_system`.
    """
    fs, path = open_file_system(uri)
    return path if isinstance(fs, LocalFileSystem) else uri


def is_store_error(error: Exception) -> bool:
    """Return whether an error comes from a store or the way to it, and not from a fault of this program.

    Their libraries (botocore, aiohttp, fsspec) define errors that are no `OSError`; a fault of a program is an error
    of the language itself.
    """
    if isinstance(error, OSError | EOFError | RuntimeError):
        return True
    return type(error).__module__ != "builtins" and not isinstance(error, ActparseError)


def is_permanent(error: Exception) -> bool:
    """Return whether the same call fails again, however long one waits."""
    if isinstance(error, OSError) and (isinstance(error, ABSENT) or error.errno in PERMANENT):
        return True
    details = getattr(error, "response", None)  # of botocore, a dict
    response = details.get("ResponseMetadata", {}) if isinstance(details, dict) else {}
    status = getattr(error, "status", getattr(error, "code", response.get("HTTPStatusCode")))
    return isinstance(status, int) and 400 <= status < 500 and status not in PASSING_STATUS


def with_attempts(call: Callable[[], Result]) -> Result:
    """Return the result of a call; an error of a store is repeated with growing waits, unless waiting cannot help.

    Raises:
        Exception: that of the last attempt.
    """
    for attempt in range(ATTEMPTS):
        try:
            return call()
        except Exception as error:
            if not is_store_error(error) or is_permanent(error) or attempt == ATTEMPTS - 1:
                raise
            time.sleep(FIRST_WAIT_SECONDS * 2**attempt * random.uniform(0.5, 1.5))
    raise AssertionError("the last attempt returns or raises")


def error_line(error: Exception) -> str:
    """Return the reason of an error of a store, in one line."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


class Store:
    """The files below one URI; names are relative to it, with slashes.

    All methods raise `OutputError` if the store cannot be read or written, after several attempts.
    """

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
            return self._call(lambda: bytes(self._fs.cat_file(self._path(name))))
        except FileNotFoundError:
            return None

    def exists(self, name: str) -> bool:
        """Return whether there is such a file; an object store is asked each time."""
        try:
            self._call(lambda: self._fs.info(self._path(name), refresh=True))
        except FileNotFoundError:
            return False
        return True

    def write(self, name: str, data: bytes) -> None:
        """Write a file, completely or not at all; it replaces an earlier one."""
        if self._is_local:
            with written_beside(Path(self._path(name))) as temporary:
                temporary.write_bytes(data)
        else:
            self._call(lambda: self._fs.pipe_file(self._path(name), data))

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
            self._call(lambda: self._fs.pipe_file(self._path(name), data, mode="create"))
        except FileExistsError:
            return False
        return True

    def upload(self, source: Path, name: str) -> None:
        """Copy a local file into the store, completely or not at all."""
        if self._is_local:
            copy_file(source, Path(self._path(name)))
        else:
            self._call(lambda: self._fs.put_file(str(source), self._path(name)))

    def list(self, folder: str = "") -> list[str]:
        """Return the names directly in a folder, sorted, without hidden ones; without such a folder, none."""
        path = self._path(folder).rstrip("/")
        try:
            self._call(lambda: self._fs.invalidate_cache(path))
            paths = self._call(lambda: self._fs.ls(path, detail=False))
        except FileNotFoundError:
            return []
        names = (str(path).rstrip("/").rpartition("/")[2] for path in paths)
        return sorted(f"{folder}/{name}".lstrip("/") for name in names if name and not name.startswith("."))

    def remove(self, names: Iterable[str]) -> None:
        """Remove files; those that do not exist are skipped."""
        self._remove_paths([self._path(name) for name in names])

    def remove_folder(self, folder: str) -> None:
        """Remove a folder with everything in it, if it exists."""
        path = self._path(folder)
        with suppress(FileNotFoundError):
            if self._is_local:
                self._call(lambda: self._fs.rm(path, recursive=True))
            else:
                self._remove_paths(self._call(lambda: self._fs.find(path)))

    def _remove_paths(self, paths: Sequence[str]) -> None:
        """Remove files: many with one call, if no name is a pattern for fsspec and all of them exist."""
        for start in range(0, len(paths), BULK):
            chunk = list(paths[start : start + BULK])
            if len(chunk) > 1 and not self._is_local and not any(map(glob.has_magic, chunk)):
                with suppress(FileNotFoundError):
                    self._call(lambda chunk=chunk: self._fs.rm(chunk))  # type: ignore[misc]
                    continue
            for path in chunk:
                with suppress(FileNotFoundError):
                    self._call(lambda path=path: self._fs.rm_file(path))  # type: ignore[misc]

    def _call(self, call: Callable[[], Result]) -> Result:
        try:
            return with_attempts(call)
        except (FileNotFoundError, FileExistsError):
            raise
        except Exception as error:
            if not is_store_error(error):
                raise
            raise OutputError(f"{self.uri}: cannot be read or written: {error_line(error)}") from None

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
