"""Download of public checkpoints: each is fetched once, interrupted transfers resume, and every hash is checked."""

from __future__ import annotations

import http.client
import os
import re
import shlex
import shutil
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from actparse.core.errors import OutputError, WeightsError
from actparse.core.files import file_sha256
from actparse.weights.registry import Checkpoint

Progress = Callable[[int, int], None]  # received bytes of this transfer, its total bytes
Report = Callable[[str], None]

ATTEMPTS = 4  # per mirror: an interrupted transfer resumes
TIMEOUT_SECONDS = 30.0  # time without a byte
CHUNK = 1 << 20  # bytes
MAX_BYTES = 4 << 30  # largest size of a file; the largest published one has a fifth of it


class _MirrorError(Exception):
    """A mirror did not provide the file; the message has the reason."""


class _CutError(Exception):
    """A transfer was interrupted."""


def cache_folder() -> Path:
    """Return the folder of downloaded weights: $ACTPARSE_CACHE, or `actparse` in the user's cache folder."""
    default = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "actparse"
    return Path(os.environ.get("ACTPARSE_CACHE", default))


def cached_path(checkpoint: Checkpoint, cache: Path | None = None) -> Path:
    """Return the path of a checkpoint's file in the cache, whether it exists or not."""
    return (cache or cache_folder()) / "checkpoints" / checkpoint.file


def is_cached(checkpoint: Checkpoint) -> bool:
    """Return whether a checkpoint's file and its shards are in the cache."""
    path = cached_path(checkpoint)
    return all(file.is_file() for file in (path, *map(path.with_name, checkpoint.shards)))


def check_cached(checkpoint: Checkpoint, cache: Path | None = None) -> str:
    """Return the SHA-256 of a checkpoint's file in the cache, after a check of the file and its shards.

    Raises:
        WeightsError: a file is missing, or has another hash than the published one.
    """
    path = cached_path(checkpoint, cache)
    actual = _check_file(path, checkpoint.sha256, checkpoint)
    for name, sha256 in checkpoint.shards.items():
        _check_file(path.with_name(name), sha256, checkpoint)
    return actual


def _check_file(path: Path, sha256: str, checkpoint: Checkpoint) -> str:
    if not path.is_file():
        by_hand = "it has to be fetched by hand:"
        description = "the file" if checkpoint.file_known else f"the file, renamed to {path.name},"
        advice = f"{by_hand} put {description} there from {checkpoint.page}"
        if checkpoint.urls:
            advice = (
                f"`actparse weights pull {checkpoint.name}` with a network, or put {checkpoint.urls[0]} there by hand"
            )
        elif checkpoint.instructions:
            advice = f"{by_hand} {checkpoint.instructions.replace('FOLDER', shlex.quote(str(path.parent)))}"
        raise WeightsError(f"{path}: not there; {advice}")
    actual = file_sha256(path)
    if not actual.startswith(sha256):
        raise WeightsError(f"{path}: needs SHA-256 {_begins(sha256)}, got {actual}; delete it to fetch it again")
    return actual


def fetch(
    checkpoint: Checkpoint,
    *,
    cache: Path | None = None,
    mirrors: Sequence[str] = (),
    offline: bool = False,
    progress: Progress = lambda done, total: None,
    report: Report = lambda line: None,
) -> Path:
    """Return the path of a checkpoint's file, from the cache or downloaded from the first address that has it.

    A transfer goes to `NAME.part` in the same folder; existing bytes are not transferred again. The file is renamed if
    its hash is right, and removed if it is not.

    Args:
        checkpoint: the checkpoint.
        cache: None uses `cache_folder()`.
        mirrors: addresses of folders with a file of this name, tried before the published addresses.
        offline: use only the cache.
        progress: called after each chunk.
        report: called with messages about problems.

    Returns:
        The path; the file has the published hash, if one is published.

    Raises:
        WeightsError: the cached file has another hash, no address provides the file, or it must be downloaded by hand;
            the message says where to put it.
        OutputError: the cache cannot be written, or is full.
    """
    path = cached_path(checkpoint, cache)
    invalid = next((mirror for mirror in mirrors if not re.fullmatch(r"https?://[!-~]+", mirror)), None)
    if invalid is not None:
        raise WeightsError(f"mirror: needs an address that begins with http:// or https://, got {invalid!r}")
    urls = (*(f"{mirror.rstrip('/')}/{checkpoint.file}" for mirror in mirrors), *checkpoint.urls)
    if path.is_file() or offline or not urls or not checkpoint.sha256:
        check_cached(checkpoint, cache)
        return path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _locked(path, report):
            if path.is_file():  # another process has fetched it in the meantime
                check_cached(checkpoint, cache)
            else:
                _fetch_from_any(urls, path, checkpoint, progress, report)
    except OSError as error:
        raise OutputError(f"{error.filename or path}: cannot be written: {error.strerror or error}") from None
    return path


@contextmanager
def _locked(path: Path, report: Report) -> Iterator[None]:
    """Let one process at a time fetch a file; the others wait, if the system supports such locks."""
    try:
        import fcntl
    except ImportError:
        yield
        return
    lock = path.with_name(f".{path.name}.lock")
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            report(f"{path.name}: another process fetches it; waiting")
            fcntl.flock(file, fcntl.LOCK_EX)
        except OSError:
            pass  # a file system without locks: the hash still decides
        try:
            yield
        finally:
            lock.unlink(missing_ok=True)


def _fetch_from_any(
    urls: Sequence[str], path: Path, checkpoint: Checkpoint, progress: Progress, report: Report
) -> None:
    part = path.with_name(path.name + ".part")
    reasons = []
    for url in urls:
        try:
            _fetch_from(url, part, checkpoint.sha256, progress, report)
        except _MirrorError as error:
            reasons.append(f"{url}: {error}")
            continue
        part.replace(path)
        return
    raise WeightsError(f"{checkpoint.name}: cannot be fetched: {'; '.join(reasons)}; by hand: put the file at {path}")


def _begins(sha256: str) -> str:
    return sha256 if len(sha256) == 64 else f"beginning {sha256}"


def _fetch_from(url: str, part: Path, sha256: str, progress: Progress, report: Report) -> None:
    """Download the complete file to `part` and check its hash.

    Raises:
        _MirrorError: this address does not provide it.
    """
    reason = "no attempt"
    for _ in range(ATTEMPTS):
        start = part.stat().st_size if part.is_file() else 0
        if start:
            report(f"{part.name}: resumes at {start / 1e6:.1f} MB")
        try:
            _receive(url, part, start, progress)
        except _CutError as error:
            reason = str(error)
            continue
        actual = file_sha256(part)
        if actual.startswith(sha256):
            return
        part.unlink()
        reason = f"needs SHA-256 {_begins(sha256)}, got {actual}"
        if not start:
            break  # the whole file came from this address
        report(f"{part.name}: {reason}; starting again")
    raise _MirrorError(reason)


def _receive(url: str, part: Path, start: int, progress: Progress) -> None:
    """Append the bytes after `start` to `part`, or write the whole file if the server cannot resume."""
    headers = {"User-Agent": "actparse", "Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
    try:
        request = urllib.request.Request(url, headers=headers)
        response = urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS)
    except urllib.error.HTTPError as error:
        with error:
            if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and start:
                if error.headers.get("Content-Range", "").endswith(f"/{start}"):
                    return  # the file is already complete
                part.unlink()
                raise _CutError("the partial file is longer than the published one") from None
            raise _MirrorError(f"HTTP {error.code} {http.client.responses.get(error.code, '')}".strip()) from None
    except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
        reason = getattr(error, "reason", None) or error
        raise _MirrorError(f"cannot be reached ({reason}); is this machine offline?") from None
    except (ValueError, OverflowError) as error:
        raise _MirrorError(f"needs an address, got one that cannot be read ({error})") from None
    with response:
        resumes = response.status == http.HTTPStatus.PARTIAL_CONTENT and start
        if resumes and not response.headers.get("Content-Range", "").startswith(f"bytes {start}-"):
            part.unlink()
            raise _CutError("the server resumed at another byte")
        header = response.headers.get("Content-Length", "")
        length = int(header) if header.isdecimal() and len(header) < 20 else None
        _write(response, part, start if resumes else 0, length, progress)


def _write(response: Any, part: Path, start: int, length: int | None, progress: Progress) -> None:
    """Write the response to `part` after byte `start`; existing bytes after it are discarded."""
    if start + (length or 0) > MAX_BYTES:
        raise _MirrorError(f"needs a file of at most {MAX_BYTES} bytes, got {start + (length or 0)}")
    free = shutil.disk_usage(part.parent).free
    if length is not None and length > free:
        raise OutputError(f"{part}: needs {length / 1e6:.0f} MB of free space, got {free / 1e6:.0f} MB")
    done = 0
    with part.open("ab" if start else "wb") as file:
        while True:
            try:
                chunk = response.read1(CHUNK)
            except (http.client.HTTPException, OSError) as error:
                raise _CutError(f"the transfer was cut ({error})") from None
            if not chunk:
                break
            if start + done + len(chunk) > MAX_BYTES:
                part.unlink()
                raise _MirrorError(f"needs a file of at most {MAX_BYTES} bytes, got more")
            file.write(chunk)
            done += len(chunk)
            progress(done, length or done)
    if length is not None and done < length:
        raise _CutError(f"the transfer was cut at {done} of {length} bytes")
