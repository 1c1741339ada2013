"""Files at URIs: whole, and of several writers exactly one; on disk, in memory, and on an S3 server."""

from __future__ import annotations

import errno
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from actparse.core.errors import ConfigError, OutputError
from actparse.scale import store as store_module
from actparse.scale.store import Store, with_attempts


@pytest.fixture(params=["disk", "file", "memory", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "s3":
        return Store(f"{request.getfixturevalue('s3_bucket')}/some folder")
    roots = {"disk": str(tmp_path / "out"), "file": f"file://{tmp_path}/out", "memory": f"memory://{tmp_path.name}"}
    return Store(roots[request.param])


def test_files_come_back(store: Store, tmp_path: Path) -> None:
    assert store.read("a/b.bin") is None
    assert not store.exists("a/b.bin")
    assert store.list("a") == []
    store.write("a/b.bin", b"one")
    store.write("a/b.bin", b"two")
    (tmp_path / "local").write_bytes(b"three")
    store.upload(tmp_path / "local", "a/c.bin")
    assert (store.read("a/b.bin"), store.read("a/c.bin")) == (b"two", b"three")
    assert store.exists("a/b.bin")
    assert store.list("a") == ["a/b.bin", "a/c.bin"]
    store.remove(["a/b.bin", "a/none.bin"])
    assert store.list("a") == ["a/c.bin"]
    for name in ("b/1", "b/2", "b/c/3", "bc"):
        store.write(name, b"x")
    assert store.list() == ["a", "b", "bc"]
    store.remove(["b/1", "b/none", "b/2"])
    assert store.list("b") == ["b/c"]
    for _ in range(2):
        store.remove_folder("a")
        store.remove_folder("b")
        assert (store.list("a"), store.list("b"), store.read("bc")) == ([], [], b"x")


def test_of_many_writers_one_creates(store: Store) -> None:
    contents = [str(n).encode() for n in range(8)]
    with ThreadPoolExecutor(8) as pool:
        created = list(pool.map(lambda content: store.create("key/parse.json", content), contents))
    assert sum(created) == 1
    assert store.read("key/parse.json") == contents[created.index(True)]
    assert store.list("key") == ["key/parse.json"]


class EndpointError(Exception):
    """An error of a store's library."""

    def __init__(self, status: int = 503) -> None:
        super().__init__("no endpoint")
        self.status = status


def test_a_library_error_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "FIRST_WAIT_SECONDS", 0.0)
    monkeypatch.setattr(MemoryFileSystem, "cat_file", lambda *_: (_ for _ in ()).throw(EndpointError()))
    with pytest.raises(OutputError, match="memory://x: cannot be read or written: EndpointError: no endpoint"):
        Store("memory://x").read("a")


def test_calls_are_repeated_unless_it_cannot_help(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "FIRST_WAIT_SECONDS", 0.0)
    calls: list[int] = []

    def call(failures: int, error: Exception) -> int:
        calls.append(1)
        if len(calls) <= failures:
            raise error
        return len(calls)

    def count(failures: int, error: Exception) -> Any:
        calls.clear()
        return with_attempts(lambda: call(failures, error))

    assert count(5, TimeoutError("slow")) == 6
    with pytest.raises(TimeoutError):
        count(6, TimeoutError("slow"))
    assert count(2, EndpointError()) == 3
    for error in (TypeError("a fault of the program"), EndpointError(status=403)):
        with pytest.raises(type(error)):
            count(1, error)
        assert len(calls) == 1
    for error in (FileNotFoundError(), PermissionError(), OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))):
        with pytest.raises(type(error)):
            count(1, error)
        assert len(calls) == 1


def test_an_unknown_protocol_is_an_error_of_use() -> None:
    with pytest.raises(ConfigError, match="nonsense://x: Protocol not known"):
        Store("nonsense://x")
