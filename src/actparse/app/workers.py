"""Parsing of several videos in worker processes: a video that hangs or kills its process fails alone."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from multiprocessing.connection import wait
from pathlib import Path

import torch

from actparse.app.folders import BUSY_SECONDS, discard_unfinished, folder_name
from actparse.app.jobs import JobOptions, VideoOutcome
from actparse.app.worker_process import Message, WorkerProcess
from actparse.core.errors import ActparseError, ConfigError
from actparse.core.files import printable
from actparse.core.progress import ParallelProgress
from actparse.parser import Parser

TRIES = 2  # of a video that exceeds the time limit or kills its process
MAX_FAILED_STARTS = 3  # processes in a row that end while they load the weights; more would not help
END_SECONDS = 5.0  # that an interrupted worker gets to remove its unfinished files
POLL_SECONDS = 1.0  # longest wait for a message


def parse_in_processes(
    load: Callable[[], Parser],
    videos: Sequence[Path],
    options: JobOptions,
    *,
    jobs: int = 1,
    time_limit: float | None = None,
    report: Callable[[VideoOutcome], None] | None = None,
    progress: ParallelProgress | None = None,
) -> list[VideoOutcome]:
    """Parse several videos in worker processes, each of which loads the weights once.

    A video that exceeds the time limit, or whose process ends, is tried once more after the others, and then fails.

    Args:
        load: returns the parser; it is pickled and called in each process.
        videos: as for `parsing.parse_videos`.
        options: what to write, and where.
        jobs: number of processes; each gets an equal share of the threads.
        time_limit: seconds for one try of one video, with its drawings; None is unlimited.
        report: called with each outcome.
        progress: shows how far the videos are.

    Returns:
        The outcomes in the order of `videos`.

    Raises:
        ConfigError: `jobs` or `time_limit` is out of its range.
        ActparseError: the weights cannot be loaded.
    """
    if jobs < 1:
        raise ConfigError(f"jobs must be at least 1, got {jobs}")
    if time_limit is not None and not time_limit > 0:
        raise ConfigError(f"time_limit must be greater than 0 seconds, got {time_limit}")
    size = min(jobs, max(1, len(videos)))
    pool = _Pool(load, videos, options, size, time_limit, report or (lambda _: None), progress)
    try:
        return pool.run()
    finally:
        pool.end()


@dataclass
class _Task:
    """A video of the batch."""

    index: int
    video: Path
    tries: int = 0
    start: float = 0.0  # of the last try, `time.monotonic()`
    seconds: float = 0.0  # of the tries that failed
    not_before: float = 0.0  # `time.monotonic()`
    frames: tuple[int, int] = (0, 1)  # read in the last try, expected
    folder: Path | None = None
    saved: VideoOutcome | None = None  # set when the parse is on the disk

    @property
    def name(self) -> str:
        """The name for which videos compete; only one of them runs at a time, so that the first gets the stem."""
        return folder_name(self.video).casefold()


class _Worker(WorkerProcess):
    """A process of the batch, with the video that it works on."""

    task: _Task | None = None


class _Pool:
    """The worker processes of one batch, and the videos that wait for them."""

    def __init__(
        self,
        load: Callable[[], Parser],
        videos: Sequence[Path],
        options: JobOptions,
        size: int,
        time_limit: float | None,
        report: Callable[[VideoOutcome], None],
        progress: ParallelProgress | None,
    ) -> None:
        self._load, self._options, self._size, self._time_limit = load, options, size, time_limit
        self._report, self._progress = report, progress
        self._num_frames = 0  # that all workers have read
        self._waiting = [_Task(index, video) for index, video in enumerate(videos)]
        self._workers: list[_Worker] = []
        self._outcomes: dict[int, VideoOutcome] = {}
        self._was_ready = False  # whether any process has loaded the weights
        self._failed_starts = 0
        self._num_videos = len(videos)

    def run(self) -> list[VideoOutcome]:
        """Parse all videos; see `parse_in_processes`."""
        while len(self._outcomes) < self._num_videos:
            running = sum(worker.task is not None for worker in self._workers)
            while len(self._workers) < min(self._size, running + len(self._waiting)):
                self._workers.append(_Worker(self._load, self._options, max(1, torch.get_num_threads() // self._size)))
            for worker in self._workers:
                if worker.is_ready and worker.task is None:
                    self._assign(worker)
            answered = wait([worker.connection for worker in self._workers], self._patience())
            for worker in [worker for worker in self._workers if worker.connection in answered]:
                self._receive(worker)
            self._end_overdue()
            if self._progress is not None:
                tasks = [worker.task for worker in self._workers if worker.task is not None]
                shares = sum(task.frames[0] / task.frames[1] for task in tasks)
                num_reused = sum(outcome.was_there for outcome in self._outcomes.values())
                self._progress.update(len(self._outcomes), num_reused, shares, self._num_frames)
        return [self._outcomes[index] for index in range(self._num_videos)]

    def end(self) -> None:
        """End all processes; those with a video remove its unfinished files first."""
        busy = [worker for worker in self._workers if worker.task is not None]
        for worker in busy:
            worker.process.terminate()
        for worker in self._workers:
            worker.end(END_SECONDS if worker in busy else 0.0)
            if worker.task is not None and worker.task.folder is not None:
                discard_unfinished(worker.task.folder)

    def _assign(self, worker: _Worker) -> None:
        names = {other.task.name for other in self._workers if other.task is not None}
        moment = time.monotonic()
        for task in self._waiting:
            if task.name not in names and task.not_before <= moment:
                self._waiting.remove(task)
                task.tries, task.start, task.frames = task.tries + 1, moment, (0, 1)
                worker.task = task
                with suppress(OSError):  # if it has ended, its connection reports that next
                    worker.send(task.video)
                return
            names.add(task.name)  # one that waits comes before the later ones of its name

    def _patience(self) -> float:
        """Return the seconds until a time limit passes or a video is tried again, at most POLL_SECONDS."""
        moment = time.monotonic()
        starts = [worker.task.start for worker in self._workers if worker.task is not None]
        limits = [] if self._time_limit is None else [start + self._time_limit - moment for start in starts]
        returns = [task.not_before - moment for task in self._waiting if task.not_before > moment]
        return max(0.0, min([POLL_SECONDS, *limits, *returns]))

    def _receive(self, worker: _Worker) -> None:
        try:
            message: Message = worker.connection.recv()
        except (EOFError, OSError):
            self._workers.remove(worker)
            self._replace(worker, worker.describe_end())
            return
        match message, worker.task:
            case ("ready", _), _:
                worker.is_ready = self._was_ready = True
                self._failed_starts = 0
            case ("unfit", ActparseError() as error), _:
                if not self._was_ready:
                    raise error
                self._workers.remove(worker)
                worker.end()
                self._replace(worker, str(error))
            case ("folder", Path() as folder), _Task() as task:
                task.folder = folder
            case ("frames", (int() as num_read, int() as num_expected)), _Task() as task:
                self._num_frames += max(0, num_read - task.frames[0])
                task.frames = num_read, max(num_read, num_expected, 1)
            case ("saved", VideoOutcome() as outcome), _Task() as task:
                task.saved = task.saved or outcome
            case ("busy", _), _Task() as task:
                worker.task = None
                task.tries -= 1
                task.not_before = time.monotonic() + BUSY_SECONDS
                self._waiting.append(task)
            case ("done", VideoOutcome() as outcome), _Task() as task:
                worker.task = None
                self._finish(task, outcome)

    def _end_overdue(self) -> None:
        for worker in list(self._workers):
            limit, task = self._time_limit, worker.task
            if limit is None or task is None or worker.connection.poll():
                continue  # its message may be that it is done
            if time.monotonic() - task.start >= limit:
                self._workers.remove(worker)
                worker.end()
                self._replace(worker, f"it exceeded the time limit of {limit:g} s")

    def _replace(self, worker: _Worker, reason: str) -> None:
        """Return the video of a process that has ended to those that wait, or let it fail."""
        task = worker.task
        if not worker.is_ready:
            self._failed_starts += 1
            self._size = max(1, self._size - 1)  # memory may suffice for fewer
            if self._failed_starts >= MAX_FAILED_STARTS and not any(other.is_ready for other in self._workers):
                for lost in self._waiting:
                    self._finish(lost, VideoOutcome(lost.video, error=printable(f"{lost.video}: not tried: {reason}")))
                self._waiting = []
        if task is None:
            return
        task.seconds += time.monotonic() - task.start
        if task.folder is not None:
            discard_unfinished(task.folder)
        if task.tries < TRIES:
            self._waiting.append(task)
        elif task.saved is not None:
            warning = printable(f"{task.video}: not all of its files were drawn: {reason}, {task.tries} tries")
            self._finish(task, replace(task.saved, warnings=(*task.saved.warnings, warning), seconds=0.0))
        else:
            error = printable(f"{task.video}: cannot be parsed: {reason}, {task.tries} tries")
            self._finish(task, VideoOutcome(task.video, error=error))

    def _finish(self, task: _Task, outcome: VideoOutcome) -> None:
        if task.saved is not None and outcome.was_there:
            outcome = replace(outcome, was_there=task.saved.was_there)  # parsed in the first try, drawn in the second
        outcome = replace(outcome, tries=max(1, task.tries), seconds=outcome.seconds + task.seconds)
        self._outcomes[task.index] = outcome
        self._report(outcome)
