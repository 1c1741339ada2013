"""Several recipes in parallel, each in a separate process with one thread."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from multiprocessing.process import BaseProcess
from pathlib import Path
from queue import Empty
from typing import Any

from actparse.core.errors import TrainingError
from actparse.core.pools import run_as_child
from actparse.core.progress import Report, discard_line
from actparse.training.options import TrainOptions
from actparse.training.run_folder import RunFolder
from actparse.training.runs.network_run import run_network

JOB_ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    # glibc keeps freed memory for the next step instead of returning it: 5 to 15 % faster, measured
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": str(16 * 2**30),
    "MALLOC_TOP_PAD_": str(256 * 2**20),
}


@dataclass(frozen=True)
class Job:
    """One recipe in a run's folder; `needs` are the names of jobs that must be finished before it starts."""

    recipe: str
    data: Path
    out: Path
    options: TrainOptions
    needs: tuple[str, ...] = ()

    @property
    def is_finished(self) -> bool:
        """Whether its network and its metrics exist."""
        return RunFolder(self.out, self.recipe).is_finished


def run_jobs(
    jobs: Mapping[str, Job],
    *,
    slots: int,
    report: Report,
    changed: Callable[[list[str]], None] = lambda running: None,
) -> None:
    """Run all unfinished jobs, those with the most dependents first; interrupted jobs resume.

    Args:
        jobs: by name.
        slots: how many jobs run at a time.
        report: receives every line that the jobs report.
        changed: called with the names of the running jobs whenever one starts or ends.

    Raises:
        TrainingError: a job failed; the others are terminated, and all can be resumed.
    """
    num_dependents = Counter(name for job in jobs.values() for name in job.needs)
    by_dependents = sorted(jobs, key=lambda name: -num_dependents[name])  # stable
    context = multiprocessing.get_context("spawn")
    lines: Any = context.Queue()
    running: dict[str, BaseProcess] = {}
    try:
        while not all(job.is_finished for job in jobs.values()):
            for name in by_dependents:
                is_ready = not jobs[name].is_finished and all(jobs[need].is_finished for need in jobs[name].needs)
                if len(running) < slots and name not in running and is_ready:
                    running[name] = context.Process(target=_run_job, args=(jobs[name], lines), daemon=False)
                    with _environment(JOB_ENVIRONMENT):
                        running[name].start()
                    changed(sorted(running))
            _forward(lines, report)
            for name in _ended(running, jobs):
                del running[name]
                changed(sorted(running))
    finally:
        for process in running.values():
            process.terminate()
            process.join()
        _forward(lines, report, wait_seconds=0.0)


def _run_job(job: Job, lines: Any) -> None:
    """Train one network in a separate process; its lines and its error are sent through a queue."""
    options = replace(job.options, report=lines.put, resume=True, threads=1)
    arguments = (job.recipe, job.data, job.out, options)
    run_as_child(run_network, arguments, lambda error: lines.put(f"{job.recipe} failed: {error}"))


def without_report(options: TrainOptions) -> TrainOptions:
    """Return options that can be sent to another process, without the caller's report."""
    return replace(options, report=discard_line)


@contextmanager
def _environment(variables: dict[str, str]) -> Iterator[None]:
    """Set environment variables for processes started in the body, except those that the user has set."""
    added = {name: value for name, value in variables.items() if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            del os.environ[name]


def _forward(lines: Any, report: Report, *, wait_seconds: float = 1.0) -> None:
    """Report the lines of the jobs, waiting up to `wait_seconds` for the first."""
    try:
        while True:
            report(lines.get(timeout=wait_seconds) if wait_seconds else lines.get_nowait())
            wait_seconds = 0.0
    except Empty:
        return


def _ended(running: Mapping[str, BaseProcess], jobs: Mapping[str, Job]) -> list[str]:
    """Return the names of the jobs that have ended successfully.

    Raises:
        TrainingError: one of them failed.
    """
    ended = [name for name, process in running.items() if process.exitcode is not None]
    for name in ended:
        running[name].join()
        if running[name].exitcode != 0 or not jobs[name].is_finished:
            time.sleep(0.2)  # for its last line to arrive
            raise TrainingError(f"{name} failed with exit code {running[name].exitcode}; the run can be resumed")
    return ended
