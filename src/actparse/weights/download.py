"""Public checkpoints on this machine: fetched once, resumed where a transfer stopped, never used with a wrong hash."""

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
from actparse.weights.bundle import file_sha256
from actparse.weights.registry import Checkpoint

Progress = Callable[[int, int], None]  # bytes of this transfer that came, bytes that it has in all
Report = Callable[[str], None]

ATTEMPTS = 4  # of one mirror: a transfer that is cut is taken up again
TIMEOUT_SECONDS = 30.0  # without a byte
CHUNK = 1 << 20  # bytes
MAX_BYTES = 4 << 30  # of a file; the largest that is published here has a fifth of it


class _MirrorError(Exception):
    """A mirror did not give the file; the text says why."""


class _CutError(Exception):
    """A transfer ended before its end."""


def cache_folder() -> Path:
    """Where downloaded weights lie: $ACTPARSE_CACHE, or `actparse` in the user's cache folder."""
    default = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "actparse"
    return Path(os.environ.get("ACTPARSE_CACHE", default))


def cached_path(checkpoint: Checkpoint, cache: Path | None = None) -> Path:
    """The place of a checkpoint's file, there or not."""
    return (cache or cache_folder()) / "checkpoints" / checkpoint.file


def is_cached(checkpoint: Checkpoint, cache: Path | None = None) -> bool:
    """Whether a checkpoint's file and its shards are in the cache."""
    path = cached_path(checkpoint, cache)
    return all(file.is_file() for file in (path, *map(path.with_name, checkpoint.shards)))


def check_cached(checkpoint: Checkpoint, cache: Path | None = None) -> str:
    """The SHA-256 of a checkpoint's file in the cache; the shards beside it are checked too.

    Raises:
        WeightsError: one is not there, or is not what was published.
    """
    path = cached_path(checkpoint, cache)
    found = _check_file(path, checkpoint.sha256, checkpoint)
    for name, sha256 in checkpoint.shards.items():
        _check_file(path.with_name(name), sha256, checkpoint)
    return found


def _check_file(path: Path, sha256: str, checkpoint: Checkpoint) -> str:
    if not path.is_file():
        raise WeightsError(f"{path}: not there; {_how_to_get(checkpoint, path)}")
    found = file_sha256(path)
    if not found.startswith(sha256):
        raise WeightsError(f"{path}: needs SHA-256 {_begins(sha256)}, got {found}; delete it to fetch it again")
    return found


def fetch(
    checkpoint: Checkpoint,
    *,
    cache: Path | None = None,
    mirrors: Sequence[str] = (),
    offline: bool = False,
    progress: Progress = lambda done, total: None,
    report: Report = lambda line: None,
) -> Path:
    """A checkpoint's file, from the cache or else from the first address that has it.

    A transfer goes to `NAME.part` beside the file's place; what is there already is not transferred again. The file
    takes its place when its hash is right, and is removed when it is not.

    Args:
        checkpoint: which.
        cache: None is `cache_folder()`.
        mirrors: addresses of folders that hold a file of this name, tried before the published ones.
        offline: look at the cache alone.
        progress: told of each piece.
        report: told of what goes wrong on the way.

    Returns:
        The file's path; it has the published hash, where one is published.

    Raises:
        WeightsError: the cached file is another, no address gave it, or a person has to fetch it; says where to put it.
        OutputError: the cache cannot be written, or is full.
    """
    path = cached_path(checkpoint, cache)
    odd = next((mirror for mirror in mirrors if not re.fullmatch(r"https?://[!-~]+", mirror)), None)
    if odd is not None:
        raise WeightsError(f"mirror: needs an address that begins with http:// or https://, got {odd!r}")
    urls = (*(f"{mirror.rstrip('/')}/{checkpoint.file}" for mirror in mirrors), *checkpoint.urls)
    if path.is_file() or offline or not urls or not checkpoint.sha256:
        check_cached(checkpoint, cache)
        return path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _alone(path, report):
            if path.is_file():  # another process has fetched it meanwhile
                check_cached(checkpoint, cache)
            else:
                _fetch_from_any(urls, path, checkpoint, progress, report)
    except OSError as error:
        raise OutputError(f"{error.filename or path}: cannot be written: {error.strerror or error}") from None
    return path


@contextmanager
def _alone(path: Path, report: Report) -> Iterator[None]:
    """Let one process at a time fetch a file; the others wait, where the system knows such locks."""
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


def _how_to_get(checkpoint: Checkpoint, path: Path) -> str:
    if checkpoint.urls:
        return f"`actparse weights pull {checkpoint.name}` with a network, or put {checkpoint.urls[0]} there by hand"
    if checkpoint.instructions:
        commands = checkpoint.instructions.replace("FOLDER", shlex.quote(str(path.parent)))
        return f"it has to be fetched by hand: {commands}"
    same = "the file" if checkpoint.file_known else f"the file, renamed to {path.name},"
    return f"it has to be fetched by hand: put {same} there from {checkpoint.page}"


def _begins(sha256: str) -> str:
    return sha256 if len(sha256) == 64 else f"beginning {sha256}"


def _fetch_from(url: str, part: Path, sha256: str, progress: Progress, report: Report) -> None:
    """Leave the whole file at `part`, with the right hash.

    Raises:
        _MirrorError: this address does not give it.
    """
    reason = "no attempt"
    for _ in range(ATTEMPTS):
        before = part.stat().st_size if part.is_file() else 0
        if before:
            report(f"{part.name}: goes on at {before / 1e6:.1f} MB")
        try:
            _receive(url, part, before, progress)
        except _CutError as error:
            reason = str(error)
            continue
        found = file_sha256(part)
        if found.startswith(sha256):
            return
        part.unlink()
        reason = f"needs SHA-256 {_begins(sha256)}, got {found}"
        if not before:
            break  # the whole file came from here
        report(f"{part.name}: {reason}; once more from the start")
    raise _MirrorError(reason)


def _receive(url: str, part: Path, start: int, progress: Progress) -> None:
    """Append what is missing behind byte `start` of `part`, or write it anew where the server cannot resume."""
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
                    return  # it is whole already
                part.unlink()
                raise _CutError("what was there is longer than the file") from None
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
            raise _CutError("the server resumes elsewhere than asked")
        header = response.headers.get("Content-Length", "")
        length = int(header) if header.isdecimal() and len(header) < 20 else None
        _write(response, part, start if resumes else 0, length, progress)


def _write(response: Any, part: Path, start: int, length: int | None, progress: Progress) -> None:
    """Write what comes behind byte `start` of `part`; what was there behind it is dropped."""
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
