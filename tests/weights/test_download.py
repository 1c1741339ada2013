from __future__ import annotations

import hashlib
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from actparse.core.errors import OutputError, WeightsError
from actparse.weights import download
from actparse.weights.download import cache_folder, cached_path, check_cached, fetch
from actparse.weights.registry import Checkpoint

CONTENT = np.random.default_rng(0).bytes(3_000_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
HALF = 1_500_000


def published(**changes: Any) -> Checkpoint:
    """A checkpoint whose file is `CONTENT`; the tests' server is given as a mirror of it."""
    fields: dict[str, Any] = {"name": "net", "file": "net-1.pth", "network": "yolof-r50", "layout": "openmmlab"}
    fields |= {"program": "a program", "licence": "MIT", "trained_on": ("COCO",), "page": "a page"}
    return Checkpoint(**{**fields, "sha256": SHA256[:8], **changes})


@pytest.fixture
def offered(server: Any) -> Any:
    """The server with the file."""
    server.files["net-1.pth"] = CONTENT
    return server


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("checkpoints/*"))


def leave_part(cache: Path, content: bytes) -> None:
    part = cached_path(published(), cache).with_name("net-1.pth.part")
    part.parent.mkdir(parents=True)
    part.write_bytes(content)


def test_a_file_is_fetched_once(offered: Any, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    path = fetch(
        published(),
        cache=tmp_path,
        mirrors=[offered.url + "/"],
        progress=lambda done, total: seen.append((done, total)),
    )
    assert path.read_bytes() == CONTENT
    assert names_in(tmp_path) == ["net-1.pth"]
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert fetch(published(), cache=tmp_path, mirrors=[offered.url]) == path
    assert offered.requests == [("/net-1.pth", None)]
    assert check_cached(published(), tmp_path) == SHA256


def test_a_transfer_goes_on_where_an_earlier_one_stopped(offered: Any, tmp_path: Path) -> None:
    leave_part(tmp_path, CONTENT[:HALF])
    assert fetch(published(), cache=tmp_path, mirrors=[offered.url]).read_bytes() == CONTENT
    assert offered.requests == [("/net-1.pth", f"bytes={HALF}-")]
    assert names_in(tmp_path) == ["net-1.pth"]


def test_a_transfer_that_is_cut_is_taken_up_at_once(offered: Any, tmp_path: Path) -> None:
    offered.cut_at = [1_000_000, 500_000]
    told: list[str] = []
    path = fetch(published(), cache=tmp_path, mirrors=[offered.url], report=told.append)
    assert path.read_bytes() == CONTENT
    assert [asked for _, asked in offered.requests] == [None, "bytes=1000000-", "bytes=1500000-"]
    assert told == ["net-1.pth.part: resumes at 1.0 MB", "net-1.pth.part: resumes at 1.5 MB"]


def test_a_transfer_that_is_cut_again_and_again_keeps_what_came(offered: Any, tmp_path: Path) -> None:
    offered.cut_at = [1000] * download.ATTEMPTS
    with pytest.raises(
        WeightsError, match=r"net: cannot be fetched: .*cut at 1000 of \d+ bytes.*by hand: put the file"
    ):
        fetch(published(), cache=tmp_path, mirrors=[offered.url])
    assert names_in(tmp_path) == ["net-1.pth.part"]
    assert fetch(published(), cache=tmp_path, mirrors=[offered.url]).read_bytes() == CONTENT
    assert offered.requests[-1][1] == f"bytes={1000 * download.ATTEMPTS}-"


def test_an_interrupted_transfer_leaves_no_file_and_goes_on_later(offered: Any, tmp_path: Path) -> None:
    def interrupt(done: int, _: int) -> None:
        if done >= HALF:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(published(), cache=tmp_path, mirrors=[offered.url], progress=interrupt)
    assert names_in(tmp_path) == ["net-1.pth.part"]
    start = cached_path(published(), tmp_path).with_name("net-1.pth.part").stat().st_size
    assert HALF <= start < len(CONTENT)
    assert fetch(published(), cache=tmp_path, mirrors=[offered.url]).read_bytes() == CONTENT
    assert offered.requests[-1] == ("/net-1.pth", f"bytes={start}-")


def test_a_server_without_ranges_sends_the_whole_again(offered: Any, tmp_path: Path) -> None:
    offered.knows_ranges = False
    leave_part(tmp_path, CONTENT[:HALF])
    assert fetch(published(), cache=tmp_path, mirrors=[offered.url]).read_bytes() == CONTENT
    assert len(offered.requests) == 1


@pytest.mark.parametrize(
    ("part", "requests"),
    [
        pytest.param(CONTENT, 1, id="whole"),
        pytest.param(CONTENT + b"more", 2, id="too long"),
        pytest.param(b"x" * HALF, 2, id="of another file"),
    ],
)
def test_whatever_the_part_is(offered: Any, tmp_path: Path, part: bytes, requests: int) -> None:
    leave_part(tmp_path, part)
    assert fetch(published(), cache=tmp_path, mirrors=[offered.url]).read_bytes() == CONTENT
    assert len(offered.requests) == requests
    assert names_in(tmp_path) == ["net-1.pth"]


def test_a_wrong_hash_is_never_used(offered: Any, tmp_path: Path) -> None:
    offered.files["net-1.pth"] = b"a page that says: sign in"
    with pytest.raises(WeightsError, match=f"needs SHA-256 beginning {SHA256[:8]}, got [0-9a-f]{{64}}; by hand"):
        fetch(published(), cache=tmp_path, mirrors=[offered.url])
    assert names_in(tmp_path) == []


def test_the_next_mirror_is_tried(offered: Any, tmp_path: Path) -> None:
    mirrors = [f"{offered.url}/nothing", offered.url]
    assert fetch(published(), cache=tmp_path, mirrors=mirrors).read_bytes() == CONTENT
    with pytest.raises(WeightsError, match=r"nothing/net-1\.pth: HTTP 404 Not Found; by hand: put the file at"):
        fetch(published(), cache=tmp_path / "other", mirrors=mirrors[:1])


def test_a_mirror_that_stops_half_way_is_helped_by_the_next(offered: Any, tmp_path: Path) -> None:
    offered.files["old/net-1.pth"] = CONTENT[:HALF] + b"another end"
    mirrors = [f"{offered.url}/old", offered.url]
    assert fetch(published(), cache=tmp_path, mirrors=mirrors).read_bytes() == CONTENT


def test_offline_is_one_line_that_says_what_to_do(tmp_path: Path) -> None:
    nobody = "http://127.0.0.1:9"
    place = tmp_path / "checkpoints" / "net-1.pth"
    with pytest.raises(WeightsError) as error:
        fetch(published(), cache=tmp_path, mirrors=[nobody])
    assert "cannot be reached" in str(error.value)
    assert "is this machine offline?" in str(error.value)
    assert str(error.value).endswith(f"by hand: put the file at {place}")
    assert "\n" not in str(error.value)
    assert names_in(tmp_path) == []
    there = published(urls=("https://example.invalid/net-1.pth",))
    with pytest.raises(
        WeightsError, match=r"not there; `actparse weights pull net` with a network, or put https://exa"
    ):
        fetch(there, cache=tmp_path, offline=True)
    place.write_bytes(CONTENT)
    assert fetch(there, cache=tmp_path, offline=True) == place


def test_what_has_to_be_fetched_by_hand(tmp_path: Path) -> None:
    by_hand = published(sha256="")
    with pytest.raises(WeightsError, match=r"net-1\.pth: not there; .* by hand: put the file there from a page"):
        fetch(by_hand, cache=tmp_path)
    with pytest.raises(WeightsError, match=r"put the file, renamed to net-1\.pth, there from a page"):
        fetch(published(sha256="", file_known=False), cache=tmp_path)
    place = cached_path(by_hand, tmp_path)
    place.parent.mkdir()
    place.write_bytes(CONTENT)
    assert fetch(by_hand, cache=tmp_path) == place


def test_a_cached_file_that_changed_is_not_used(offered: Any, tmp_path: Path) -> None:
    path = fetch(published(), cache=tmp_path, mirrors=[offered.url])
    path.write_bytes(CONTENT[:-1])
    with pytest.raises(WeightsError, match=r"needs SHA-256 beginning .*; delete it to fetch it again"):
        fetch(published(), cache=tmp_path, mirrors=[offered.url])


def test_two_at_a_time_fetch_it_once(offered: Any, tmp_path: Path) -> None:
    pytest.importorskip("fcntl")
    offered.pause_seconds = 0.005
    paths: list[Path] = []
    threads = [
        threading.Thread(target=lambda: paths.append(fetch(published(), cache=tmp_path, mirrors=[offered.url])))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [path.read_bytes() == CONTENT for path in paths] == [True, True]
    assert len(offered.requests) == 1
    assert names_in(tmp_path) == ["net-1.pth"]


def test_a_file_without_end_is_given_up(offered: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "MAX_BYTES", 1_000_000)
    with pytest.raises(WeightsError, match="needs a file of at most 1000000 bytes, got 3000000"):
        fetch(published(), cache=tmp_path, mirrors=[offered.url])
    assert names_in(tmp_path) == []


@pytest.mark.parametrize(
    "mirror", ["file:///etc", "ftp://a.b", "/etc", "", "http://a b", "http://ä.example", "http://"]
)
def test_a_mirror_is_an_address_of_the_web(tmp_path: Path, mirror: str) -> None:
    with pytest.raises(WeightsError, match="mirror: needs an address that begins with http:// or https://, got"):
        fetch(published(), cache=tmp_path, mirrors=[mirror])


@pytest.mark.parametrize("mirror", ["http://[", "http://127.0.0.1:port", "http://127.0.0.1:99999"])
def test_an_address_that_cannot_be_read(tmp_path: Path, mirror: str) -> None:
    with pytest.raises(WeightsError, match="cannot be fetched"):
        fetch(published(), cache=tmp_path, mirrors=[mirror])


def test_a_cache_that_cannot_be_written_is_named(offered: Any, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("in the way")
    with pytest.raises(OutputError, match="cannot be written"):
        fetch(published(), cache=tmp_path / "cache", mirrors=[offered.url])


def test_the_cache_is_where_the_environment_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACTPARSE_CACHE", str(tmp_path))
    assert cached_path(published()) == tmp_path / "checkpoints" / "net-1.pth"
    monkeypatch.delenv("ACTPARSE_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    assert cache_folder() == tmp_path / "home" / "actparse"
