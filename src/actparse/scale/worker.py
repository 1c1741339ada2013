"""A worker of a batch: it fetches a video, lets a child process parse it within limits, and commits the result."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Literal, NoReturn

from actparse.app.jobs import JobOptions, VideoOutcome, content_sha256, describe_parse
from actparse.app.outputs import OUTPUT_FILES
from actparse.app.worker_process import WorkerProcess
from actparse.core.errors import ConfigError, DataError, OutputError, VideoError, failure_line, named
from actparse.core.files import printable
from actparse.core.structures import VideoParse
from actparse.data.parses import PARSE_FILE
from actparse.report.page import PAGE_FILE
from actparse.scale.manifest import Entry, result_folder, result_key, write_record
from actparse.scale.scratch import ScratchFolder
from actparse.scale.store import Store, error_line, is_permanent, is_store_error, open_file_system, with_attempts
from actparse.video.container import ADDRESS
from actparse.video.sources import VIDEO_SUFFIXES

if TYPE_CHECKING:
    from actparse.parser import Parser

START_SECONDS = 600.0  # that a child process gets to load the weights
POLL_SECONDS = 0.25  # between two looks at the limits
MIN_SCRATCH_BYTES = 64 << 20  # free on a worker's disk; with less, a failure is the machine's


@dataclass(frozen=True, kw_only=True)
class WorkSettings:
    """What every worker of a batch needs to know."""

    out: str  # URI of the results
    weights: str
    config: Mapping[str, Any]  # fields of ParserConfig
    bundle_sha256: str
    settings_sha256: str
    overlay: bool = True
    page: bool = True
    time_limit: float = 600.0  # seconds for one try of one video
    memory_limit: float | None = None  # gigabytes of one child process; None is unlimited
    threads: int = 1  # of one child process
    device: str = "cpu"

    def __post_init__(self) -> None:
        if not self.time_limit > 0:
            raise ConfigError(f"time_limit must be greater than 0 seconds, got {self.time_limit}")
        if self.memory_limit is not None and not self.memory_limit > 0:
            raise ConfigError(f"memory_limit must be greater than 0 gigabytes, got {self.memory_limit}")
        if self.memory_limit is not None and not Path("/proc/self/statm").exists():
            raise ConfigError("memory_limit needs Linux, got another system; leave it out")


@dataclass(frozen=True)
class Outcome:
    """The result of one try.

    "done": the result is committed. "failed": the video is at fault. "stopped": the machine, the store or the way to
    the input is at fault, which does not count against the video.
    """

    kind: Literal["done", "failed", "stopped"]
    entry: Entry
    was_there: bool = False  # another try, or another video of the same content, had committed it before


class Worker:
    """A warm parser in a child process, which is replaced after a video that hangs or kills it."""

    def __init__(self, settings: WorkSettings, name: str) -> None:
        self.settings = settings
        self.name = name
        self._store = Store(settings.out)
        self._folder = ScratchFolder()
        self._scratch = self._folder.path
        self._process: WorkerProcess | None = None
        self._is_closed = False

    def prepare(self) -> None:
        """Load the weights before the first video needs them.

        Raises:
            OutputError: they cannot be loaded: this machine is not fit.
        """
        self._start_child()

    def parse(self, entry: Entry) -> Outcome:
        """Parse a video and commit the result, unless its key has one; whatever fails becomes the outcome's reason."""
        start = time.perf_counter()
        entry = replace(entry, worker=self.name)
        try:
            outcome = self._parse(entry, start)
        except (VideoError, DataError) as error:
            outcome = Outcome("failed", replace(entry, reason=printable(error)))
        except Exception as error:  # of the store, whose library has errors of its own, or of this machine
            reason = printable(failure_line(self.settings.out, error))
            outcome = Outcome("stopped", replace(entry, reason=reason))
        try:
            has_space = shutil.disk_usage(self._scratch).free >= MIN_SCRATCH_BYTES  # before what is there is removed
        except OSError:  # the folder is gone
            has_space = False
        self._folder.clear("out", "video")
        return outcome if has_space or outcome.kind != "failed" else replace(outcome, kind="stopped")

    def close(self) -> None:
        """End the child process, whatever it does, and remove the scratch folder."""
        self._is_closed = True
        if self._process is not None:
            self._process.process.kill()
            self._process.process.join()  # else it may still write
        self._folder.close()

    def _parse(self, entry: Entry, start: float) -> Outcome:
        video = self._fetch(entry.uri)
        content = self._hash(video, entry.uri)
        key = result_key(content, self.settings.bundle_sha256, self.settings.settings_sha256)
        entry = replace(entry, content_sha256=content, key=key)
        parse_name = f"{result_folder(key)}/{PARSE_FILE}"
        committed = self._store.read(parse_name)
        if committed is not None:
            outcome = describe_parse(entry.uri, None, self._read_parse(committed, parse_name), is_reused=True)
            has_page = self._store.exists(f"{result_folder(key)}/{PAGE_FILE}")
        else:
            outcome = self._parse_in_child(video, entry.uri)
            if outcome.error is not None or outcome.folder is None:
                seconds = entry.seconds + time.perf_counter() - start
                reason = str(outcome.error).replace(str(video), printable(entry.uri))  # not the temporary file
                return Outcome("failed", replace(entry, reason=reason, seconds=seconds))
            has_page = self._commit(outcome.folder, key)
        entry = replace(
            entry,
            state="done",
            reason="",
            tries=entry.tries + 1,
            seconds=entry.seconds + time.perf_counter() - start,
            action=outcome.action or "",
            verdict=outcome.verdict_text,
            persons=outcome.num_persons or 0,
            video_seconds=outcome.video_seconds or 0.0,
            has_page=has_page,
            warnings="\n".join(outcome.warnings),
        )
        write_record(self._store, entry)
        return Outcome("done", entry, was_there=committed is not None)

    def _read_parse(self, data: bytes, name: str) -> VideoParse:
        try:
            return VideoParse.from_json(data.decode(errors="replace"))
        except DataError as error:
            raise DataError(named(f"{self.settings.out}/{name}", error)) from None

    def _commit(self, local: Path, key: str) -> bool:
        """Copy the files of a result into the store, the parse last; return whether it has a report page."""
        files = [name for name in OUTPUT_FILES if name != PARSE_FILE and (local / name).is_file()]
        for name in files:
            self._store.upload(local / name, f"{result_folder(key)}/{name}")
        self._store.create(f"{result_folder(key)}/{PARSE_FILE}", (local / PARSE_FILE).read_bytes())
        return PAGE_FILE in files

    def _fetch(self, uri: str) -> Path:
        """Return the local file of a video, downloaded if it is elsewhere.

        Raises:
            VideoError: it cannot be read.
        """
        if not ADDRESS.match(uri):
            return Path(uri)
        suffix = PurePosixPath(uri.partition("?")[0]).suffix.lower()
        path = self._scratch / "video" / f"video{suffix if suffix in VIDEO_SUFFIXES else ''}"
        path.parent.mkdir(exist_ok=True)
        try:
            fs, remote = open_file_system(uri)
            with_attempts(lambda: fs.get_file(remote, str(path)))
        except Exception as error:
            is_of_scratch = str(self._scratch) in str(getattr(error, "filename", ""))
            raise_input_error(error, f"{uri}: cannot be fetched", is_passing=is_of_scratch)
        return path

    def _hash(self, video: Path, uri: str) -> str:
        try:
            if not video.is_file():
                raise VideoError(f"{uri}: no such file")
            return content_sha256(video)
        except OSError as error:
            raise_input_error(error, f"{uri}: cannot be read")

    def _parse_in_child(self, video: Path, uri: str) -> VideoOutcome:
        """Let the child process parse a video; it is ended if it exceeds a limit."""
        process = self._start_child()
        try:
            process.send(video, recorded_path=uri)
        except OSError:
            reason = process.describe_end()
            process.end()
            self._process = None
            raise OutputError(f"{self.name}: the child process has ended: {reason}") from None
        deadline = time.monotonic() + self.settings.time_limit
        while True:
            if self._is_closed:
                raise OutputError(f"{self.name}: the batch has been stopped")
            reason = self._exceeded_limit(process, deadline)
            if process.connection.poll(0 if reason else POLL_SECONDS):
                try:
                    kind, content = process.connection.recv()
                except (EOFError, OSError):
                    reason = process.describe_end()
                else:
                    if kind == "done" and isinstance(content, VideoOutcome):
                        return content
                    continue  # beyond a limit, a later message may still be that it is done
            if reason:
                process.end()
                self._process = None
                return VideoOutcome(uri, error=printable(f"{uri}: cannot be parsed: {reason}"))

    def _start_child(self) -> WorkerProcess:
        """Return the child process, with its weights loaded.

        Raises:
            OutputError: it cannot load them: this machine is not fit.
        """
        if self._process is not None:
            if self._process.process.is_alive():
                return self._process
            self._process.end()
            self._process = None
        settings = self.settings
        load = partial(load_parser, settings.weights, settings.device, settings.config)
        options = JobOptions(out=self._scratch / "out", overlay=settings.overlay, page=settings.page)
        process = WorkerProcess(load, options, settings.threads)
        self._process = process
        reason = f"the weights were not loaded within {START_SECONDS:g} s"
        try:
            if process.connection.poll(START_SECONDS):
                kind, content = process.connection.recv()
                if kind == "ready":
                    return process
                reason = str(content)
        except (EOFError, OSError):
            reason = process.describe_end()
        process.end()
        self._process = None
        raise OutputError(f"{self.name}: cannot start: {reason}")

    def _exceeded_limit(self, process: WorkerProcess, deadline: float) -> str:
        """Return which limit a process exceeds, in words; empty if none."""
        if time.monotonic() >= deadline:
            return f"it exceeded the time limit of {self.settings.time_limit:g} s"
        limit = self.settings.memory_limit
        if limit is not None and resident_bytes(process.process.pid or 0) > limit * 1e9:
            return f"it exceeded the memory limit of {limit:g} GB"
        return ""


def load_parser(weights: str, device: str, config: Mapping[str, Any]) -> Parser:
    """Load the parser, in the child process: a worker that only supervises it does without torch."""
    from actparse.parser import Parser, ParserConfig

    return Parser.load(weights, device=device, config=ParserConfig(**config))


def raise_input_error(error: Exception, message: str, *, is_passing: bool = False) -> NoReturn:
    """Raise an error for an input that could not be read.

    Raises:
        VideoError: the video is at fault.
        OutputError: what lies between is at fault, such as the network, and another try may succeed.
    """
    is_passing |= is_store_error(error) and not is_permanent(error)
    raise (OutputError if is_passing else VideoError)(f"{message}: {error_line(error)}") from None


def resident_bytes(process: int) -> int:
    """Return the memory that a process has in use; 0 if it has ended. Only Linux reports it."""
    try:
        pages = Path(f"/proc/{process}/statm").read_text(encoding="ascii").split()[1]
    except (OSError, IndexError):
        return 0
    return int(pages) * os.sysconf("SC_PAGE_SIZE")
