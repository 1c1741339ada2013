"""A store of fsspec on the disk, in which every tenth call fails: `flaky:///folder/file`."""

from __future__ import annotations

import errno
import itertools
import os
from pathlib import Path
from typing import Any

from fsspec.implementations.local import LocalFileSystem
from fsspec.spec import AbstractFileSystem

FAILS_EVERY = 10


class NoWayError(Exception):
    """An error that is no `OSError`, as libraries of stores have."""


class FlakyFileSystem(AbstractFileSystem):
    """An object store: no folders to make, a put is whole, and one with a condition succeeds once."""

    protocol = "flaky"
    cachable = False
    calls = itertools.count(1)
    is_broken = False  # whether all calls fail
    is_unreadable = False  # whether no file can be fetched

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self._disk = LocalFileSystem(auto_mkdir=True)

    def _call(self) -> None:
        if self.is_broken or next(self.calls) % FAILS_EVERY == 0:
            raise OSError(errno.EIO, "the store is busy")

    def ls(self, path: str, detail: bool = True, **_: Any) -> Any:
        self._call()
        return self._disk.ls(self._strip_protocol(path), detail=detail)

    def info(self, path: str, **_: Any) -> Any:
        self._call()
        return self._disk.info(self._strip_protocol(path))

    def cat_file(self, path: str, **_: Any) -> bytes:
        self._call()
        return Path(self._strip_protocol(path)).read_bytes()

    def get_file(self, rpath: str, lpath: str, **_: Any) -> None:
        self._call()
        if self.is_unreadable:
            raise NoWayError("there is no way to the store")
        self._disk.get_file(self._strip_protocol(rpath), lpath)

    def put_file(self, lpath: str, rpath: str, **_: Any) -> None:
        self._put(self._strip_protocol(rpath), Path(lpath).read_bytes(), exclusive=False)

    def pipe_file(self, path: str, value: bytes, mode: str = "overwrite", **_: Any) -> None:
        self._put(self._strip_protocol(path), value, exclusive=mode == "create")

    def rm_file(self, path: str) -> None:
        self._call()
        Path(self._strip_protocol(path)).unlink()

    def rm(self, path: str, recursive: bool = False, **_: Any) -> None:
        self._call()
        self._disk.rm(self._strip_protocol(path), recursive=recursive)

    def _put(self, path: str, data: bytes, *, exclusive: bool) -> None:
        self._call()
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        beside = target.with_name(f".{os.getpid()}-{next(self.calls)}")
        beside.write_bytes(data)
        try:
            if exclusive:
                os.link(beside, target)
            else:
                os.replace(beside, target)  # noqa: PTH105
        finally:
            beside.unlink(missing_ok=True)
