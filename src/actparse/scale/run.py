"""The driver of a batch: it gives videos to workers, counts tries, and writes manifest, dataset, pages and metrics."""

from __future__ import annotations

import hashlib
import json
import math
import os
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from actparse.app.jobs import JobOptions, job_config
from actparse.core.errors import ConfigError, OutputError
from actparse.core.files import printable
from actparse.core.progress import counted
from actparse.parser import Parser, ParserConfig
from actparse.report.page import PAGE_FILE
from actparse.scale.dataset import write_dataset
from actparse.scale.executors import MAX_DOUBLINGS, Answer, Executor, LocalExecutor
from actparse.scale.index_pages import BatchRow, earlier_pages, write_pages
from actparse.scale.manifest import Entry, Manifest, result_folder
from actparse.scale.metrics import METRICS_FILE, BatchMetrics, format_metrics
from actparse.scale.quarantine import put_into_quarantine, release
from actparse.scale.sources import find_sources
from actparse.scale.store import Store, absolute_uri
from actparse.scale.worker import Worker, WorkSettings
from actparse.stages.loading import bundled_names

TRIES = 2  # of a video, on two workers if there are two
MAX_LOSSES = 5  # workers that may die over one video before it is at fault
MAX_STOPS = 8  # rounds of tries in a row that the machine, the store or the input's side ends, before the batch stops
FIRST_PAUSE_SECONDS = 1.0  # after such a round; doubled after each further one
MAX_PAUSE_SECONDS = 60.0
POLL_SECONDS = 0.5
COMPACT_SECONDS = 60.0  # between two manifests, at least
COMPACT_SHARE = 0.02  # of the time may go into writing the manifest
METRICS_SECONDS = 15.0


@dataclass(frozen=True, kw_only=True)
class BatchOptions:
    """What a batch parses with, what it writes, and what runs it."""

    out: str  # URI of the results
    weights: str = "people"
    config: ParserConfig = field(default_factory=ParserConfig)
    overlay: bool = True
    page: bool = True
    time_limit: float = 600.0  # seconds for one try of one video
    memory_limit: float | None = None  # gigabytes of the process that parses
    workers: int | None = None  # None: as many as the machine or the cluster has resources for
    cpus: float = 1.0  # of one worker
    gpus: float = 0.0  # of one worker
    ray: bool = True  # whether to use Ray if it is installed
    address: str | None = None  # of a Ray cluster
    retry_failed: bool = False  # try videos in quarantine again
    command: Sequence[str] = ()  # further options that reproduce a failure

    def __post_init__(self) -> None:
        if self.workers is not None and self.workers < 1:
            raise ConfigError(f"workers must be at least 1, got {self.workers}")
        if not 0 < self.cpus < math.inf:
            raise ConfigError(f"cpus must be greater than 0 and finite, got {self.cpus}")
        if not (0 <= self.gpus <= 1 or (self.gpus < math.inf and self.gpus % 1 == 0)):
            raise ConfigError(f"gpus must be 0..1 or a whole number, got {self.gpus}")


@dataclass(frozen=True)
class BatchSummary:
    """What became of a batch."""

    states: dict[str, int]  # number of videos that are done, failed, waiting
    metrics: BatchMetrics  # of this run
    failed: tuple[Entry, ...]


def run_batch(inputs: Sequence[str | Path], options: BatchOptions, *, notify: Callable[[str], None]) -> BatchSummary:
    """Parse all videos that have no result yet; see `docs/scale.md`.

    Args:
        inputs: see `find_sources`.
        options: of the batch.
        notify: called with lines for people: what runs the workers, and each failure.

    Raises:
        ConfigError: an option is out of its range, or there is no such cluster.
        VideoError: an input has no video.
        WeightsError: there is no such bundle.
        DataError: the manifest or a result is damaged.
        OutputError: the store cannot be written; what is committed stays, and the next run resumes.
    """
    options = replace(options, out=absolute_uri(options.out), weights=_absolute_weights(options.weights))
    sources = find_sources(inputs)
    store = Store(options.out)
    settings = build_settings(options)
    try:
        earlier_pages(store, num_rows=len(sources))  # somebody else's page is an error now rather than at the end
        manifest = Manifest(store, sources, bundle=settings.bundle_sha256, settings=settings.settings_sha256)
        if options.retry_failed:
            manifest.reset_failed()
        manifest.compact()
        driver = _Driver(store, manifest, options, notify)
        if manifest.counts()["waiting"]:
            executor = build_executor(settings, options, videos=manifest.with_state("waiting"), notify=notify)
            try:
                driver.run(executor)
            finally:
                try:
                    executor.close()
                finally:
                    driver.save()
        write_dataset(store, manifest.with_state("done"))
        write_pages(store, _index_rows(manifest))
    except OSError as error:
        raise OutputError(f"{options.out}: cannot be read or written: {error.strerror or error}") from None
    return BatchSummary(dict(manifest.counts()), driver.metrics, tuple(manifest.with_state("failed")))


def _absolute_weights(weights: str) -> str:
    """Return the name of a shipped bundle, or the path of a folder, which means the same on every machine."""
    is_folder = weights not in bundled_names() and Path(weights).is_dir()
    return str(Path(weights).absolute()) if is_folder else weights


def build_settings(options: BatchOptions) -> WorkSettings:
    """Return what the workers need, with the hashes of the weights and of the settings.

    Raises:
        WeightsError: there is no such bundle, or a file in it is damaged.
    """
    model = Parser.load(options.weights, device="cpu", config=options.config).model
    outputs = {"overlay": options.overlay, "page": options.page}
    config = job_config(options.config, JobOptions(out=Path()))
    return WorkSettings(
        out=options.out,
        weights=options.weights,
        config=asdict(options.config),
        bundle_sha256=hashlib.sha256(json.dumps(model, sort_keys=True).encode()).hexdigest(),
        settings_sha256=hashlib.sha256(json.dumps([config, outputs]).encode()).hexdigest(),
        overlay=options.overlay,
        page=options.page,
        time_limit=options.time_limit,
        memory_limit=options.memory_limit,
        threads=max(1, int(options.cpus)),
        device="cuda" if options.gpus else "cpu",
    )


def build_executor(
    settings: WorkSettings, options: BatchOptions, *, videos: Sequence[Entry], notify: Callable[[str], None]
) -> Executor:
    """Return Ray's workers if it is installed and wanted, else processes of this machine.

    Raises:
        ConfigError: an address is given and Ray is not installed; or see `RayExecutor`.
    """
    if options.ray or options.address:
        try:
            from actparse.scale.ray_executor import RayExecutor

            return RayExecutor(
                settings,
                address=options.address,
                num_workers=None if options.workers is None else min(options.workers, len(videos)),
                cpus=options.cpus,
                gpus=options.gpus,
                local_file=next((entry.uri for entry in videos if _is_local_file(entry.uri)), None),
            )
        except ModuleNotFoundError:
            if options.address:
                raise ConfigError("address needs Ray: pip install 'actparse[scale]'") from None
            notify("Ray is not installed (pip install 'actparse[scale]'): this machine's processes do the work")
    num_gpus = _count_gpus() if options.gpus else 0
    if options.gpus > num_gpus:
        raise ConfigError(f"gpus of a worker must be on this machine, got {options.gpus:g} of {num_gpus}")
    possible = int(num_gpus / options.gpus) if options.gpus else int((os.cpu_count() or 1) / options.cpus)
    size = max(1, min(options.workers or possible, len(videos)))

    def build(index: int, name: str) -> Worker:
        device = f"cuda:{index % num_gpus}" if num_gpus else "cpu"
        return Worker(replace(settings, device=device), name)

    return LocalExecutor(build, size)


def _is_local_file(uri: str) -> bool:
    try:
        return Path(uri).is_file()
    except OSError:  # a path that is too long, or in a folder that may not be read
        return False


def _count_gpus() -> int:
    import torch

    return torch.cuda.device_count()


class _Driver:
    """The state of one run."""

    def __init__(self, store: Store, manifest: Manifest, options: BatchOptions, notify: Callable[[str], None]) -> None:
        self.metrics = BatchMetrics()
        self._store, self._manifest, self._options, self._notify = store, manifest, options, notify
        self._waiting = deque(manifest.with_state("waiting"))
        self._losses: dict[str, int] = {}  # id of a video -> workers that died over it
        self._stops: Counter[str] = Counter()  # id of a video -> tries that were stopped since a video was finished
        self._first_stops: dict[str, int] = {}  # id of a video -> number of finished ones when it was first stopped
        self._num_finished = 0  # by this run
        self._resume_at = 0.0  # no videos are given out before
        self._start = time.monotonic()
        self._next_manifest = self._start + COMPACT_SECONDS
        self._next_metrics = self._start

    def run(self, executor: Executor) -> None:
        """Parse all waiting videos.

        Raises:
            OutputError: the store or all machines fail.
        """
        where = f"; dashboard: {executor.dashboard}" if executor.dashboard else ""
        self._notify(f"{len(self._waiting)} videos, {executor.describe()}{where}")
        total, running = len(self._waiting), 0
        with counted("videos", "batch") as progress:
            while self._waiting or running:
                running += self._assign(executor)
                for answer in executor.wait(POLL_SECONDS):
                    running -= 1
                    self.metrics.running = running
                    self._handle(answer, executor)
                self.metrics.workers, self.metrics.running = executor.num_workers(), running
                self.metrics.elapsed_seconds = time.monotonic() - self._start  # without the end of the workers
                self._save_sometimes()
                progress(total - len(self._waiting) - running, total)

    def save(self) -> None:
        """Write the manifest and the metrics."""
        self.metrics.running = 0
        self._write_metrics()
        self._manifest.compact()

    def _assign(self, executor: Executor) -> int:
        """Give videos to free workers; return how many.

        A second try goes to another worker than the first, unless nothing else runs: others may never come.
        """
        count = 0
        if time.monotonic() < self._resume_at:
            return count
        is_alone = executor.num_workers() == 1 or not self.metrics.running
        for worker in executor.free_workers():
            for _ in range(len(self._waiting)):
                entry = self._waiting.popleft()
                if entry.worker != worker or is_alone:
                    executor.submit(worker, entry)
                    count += 1
                    break
                self._waiting.append(entry)
        return count

    def _handle(self, answer: Answer, executor: Executor) -> None:
        if answer.outcome is None:
            self._handle_loss(answer)
            return
        entry = answer.outcome.entry
        self.metrics.work_seconds += entry.seconds - answer.entry.seconds
        if answer.outcome.kind == "stopped":
            self._handle_stop(entry, executor.num_workers())
            return
        self._stops.clear()
        self._num_finished += 1
        if answer.outcome.kind == "failed":
            self._retry_or_fail(replace(entry, tries=entry.tries + 1))
            return
        if answer.outcome.was_there:
            self.metrics.reused += 1
        else:
            self.metrics.parsed += 1
            self.metrics.video_seconds += entry.video_seconds
        self._manifest.update(entry)
        if self._options.retry_failed:
            release(self._store, entry)

    def _handle_stop(self, entry: Entry, num_workers: int) -> None:
        """Pause, then try again; after the last round either this video is at fault or nothing can be done.

        A video is at fault if others were finished since its first stop, or if it is the only one that is stopped and
        others are done.

        Raises:
            OutputError: nothing gets through, after about two minutes.
        """
        self.metrics.stopped += 1
        self._stops[entry.id] += 1
        first = self._first_stops.setdefault(entry.id, self._num_finished)
        rounds = max(self._stops[entry.id], self._stops.total() // max(1, num_workers))
        is_at_fault = self._num_finished > first or (len(self._stops) == 1 and self._manifest.counts()["done"] > 0)
        if rounds >= MAX_STOPS and is_at_fault:
            self._stops.clear()
            self._fail(replace(entry, tries=entry.tries + MAX_STOPS))
        elif rounds >= MAX_STOPS and not self.metrics.running:
            self._waiting.append(entry)
            raise OutputError(f"{entry.reason}; what is done stays, start again to resume")
        else:
            self._waiting.append(replace(entry, reason=""))
            pause = FIRST_PAUSE_SECONDS * 2 ** min(rounds - 1, MAX_DOUBLINGS)
            self._resume_at = time.monotonic() + min(MAX_PAUSE_SECONDS, pause)

    def _handle_loss(self, answer: Answer) -> None:
        """Let another worker try; a video over which one worker after the other dies is at fault."""
        self.metrics.lost_workers += 1
        entry = replace(answer.entry, worker=answer.worker)
        self._losses[entry.id] = self._losses.get(entry.id, 0) + 1
        if self._losses[entry.id] < MAX_LOSSES:
            self._waiting.appendleft(entry)
        else:
            reason = f"{entry.uri}: cannot be parsed: {MAX_LOSSES} workers died over it"
            self._fail(replace(entry, reason=printable(reason)))

    def _retry_or_fail(self, entry: Entry) -> None:
        if entry.tries < TRIES:
            self.metrics.retries += 1
            self._waiting.append(entry)
        else:
            self._fail(entry)

    def _fail(self, entry: Entry) -> None:
        entry = replace(entry, state="failed")
        command = [
            "actparse",
            "batch",
            entry.uri,
            "--out",
            "reproduced",
            "--no-ray",
            "--weights",
            self._options.weights,
        ]
        put_into_quarantine(self._store, entry, [*command, *self._options.command])
        self._manifest.update(entry)
        self.metrics.failed += 1
        self._notify(f"{entry.reason}, {entry.tries} tries")

    def _save_sometimes(self) -> None:
        moment = time.monotonic()
        if moment >= self._next_metrics:
            self._next_metrics = moment + METRICS_SECONDS
            self._write_metrics()
        if moment >= self._next_manifest:
            self._manifest.compact()
            seconds = time.monotonic() - moment
            self._next_manifest = moment + max(COMPACT_SECONDS, seconds / COMPACT_SHARE)

    def _write_metrics(self) -> None:
        self._store.write(METRICS_FILE, format_metrics(self.metrics, self._manifest.counts()).encode())


def _index_rows(manifest: Manifest) -> list[BatchRow]:
    """Return the rows of the index pages: what has failed, then what is done."""
    return [
        BatchRow(
            video=printable(entry.uri),
            text=entry.verdict if entry.state == "done" else entry.reason,
            has_failed=entry.state == "failed",
            num_persons=entry.persons,
            video_seconds=entry.video_seconds,
            seconds=entry.seconds,
            page=f"{result_folder(entry.key)}/{PAGE_FILE}" if entry.has_page else None,
        )
        for entry in (*manifest.with_state("failed"), *manifest.with_state("done"))
    ]
