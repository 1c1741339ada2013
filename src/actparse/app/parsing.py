"""Parsing of several videos: one folder per video, up-to-date parses are reused, a failure does not stop the others."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from actparse.app.folders import BUSY_SECONDS, FolderBusyError
from actparse.app.jobs import JobOptions, VideoOutcome, run_job
from actparse.app.records import BatchRecords
from actparse.app.workers import parse_in_processes
from actparse.core.errors import ConfigError, VideoError
from actparse.core.files import printable
from actparse.core.progress import ParallelProgress, VideoProgress
from actparse.data.parses import PARSE_FILE
from actparse.parser import Parser, Progress
from actparse.stages.timing import StageTimer
from actparse.video.sources import find_videos


@dataclass(frozen=True)
class ParsingResult:
    """The outcomes of a batch: first the sources without a video, then the videos in their order."""

    outcomes: tuple[VideoOutcome, ...]
    failed_records: tuple[str, ...]  # one line for each of log and summary that could not be written to its end
    timer: StageTimer  # seconds of the stages; empty with worker processes


def parse_sources(
    load: Callable[[], Parser],
    sources: Iterable[str | Path],
    options: JobOptions,
    *,
    jobs: int = 1,
    time_limit: float | None = None,
    log: Path | None = None,
    summary: Path | None = None,
    report: Callable[[VideoOutcome], None],
) -> ParsingResult:
    """Parse the videos of all sources, in this process or, with several jobs or a time limit, in worker processes.

    Args:
        load: returns the parser; not called without any video.
        sources: see `find_videos`.
        options: what to write, and where.
        jobs: number of videos that are parsed at the same time.
        time_limit: seconds for one try of one video; None is unlimited.
        log: see `BatchRecords`.
        summary: see `BatchRecords`.
        report: called with each outcome.

    Raises:
        ConfigError: `jobs` or `time_limit` is out of its range, or a file of persons is given for several videos.
        OutputError: the log or the summary cannot be written.
        ActparseError: the weights cannot be loaded.
    """
    videos, outcomes = find_inputs(sources, frame_rate=options.frame_rate)
    if options.persons is not None and len(videos) > 1:
        raise ConfigError(f"persons: needs a single video, got {len(videos)}")
    timer = StageTimer()
    with BatchRecords(videos, log=log, summary=summary) as records:

        def record(outcome: VideoOutcome) -> None:
            records.add(outcome)
            report(outcome)

        for outcome in outcomes:
            record(outcome)
        if videos and (jobs != 1 or time_limit is not None):
            with ParallelProgress(len(videos)) as shown:
                outcomes += parse_in_processes(
                    load, videos, options, jobs=jobs, time_limit=time_limit, report=record, progress=shown
                )
        elif videos:
            parser = load()
            timer = parser.timer
            with VideoProgress(len(videos)) as progress:
                outcomes += parse_videos(parser, videos, options, progress=progress.start, report=record)
    return ParsingResult(tuple(outcomes), tuple(records.failures.values()), timer)


def find_inputs(
    sources: Iterable[str | Path], *, frame_rate: float | None = None
) -> tuple[list[Path], list[VideoOutcome]]:
    """List the videos of all sources, as `find_videos` does, and a failure for each source without any."""
    videos: dict[Path, Path] = {}
    failures = []
    for source in sources:
        try:
            for video in find_videos([source], not_beside=PARSE_FILE, frame_rate=frame_rate):
                videos.setdefault(video.absolute(), video)
        except VideoError as error:
            failures.append(VideoOutcome(str(source), error=printable(error)))
    return list(videos.values()), failures


def parse_videos(
    parser: Parser,
    videos: Sequence[Path],
    options: JobOptions,
    *,
    progress: Callable[[Path], Progress] | None = None,
    report: Callable[[VideoOutcome], None] | None = None,
) -> list[VideoOutcome]:
    """Parse several videos in this process, each into a separate folder; see `folders` for its name.

    A video that another process works on is tried again after the others.

    Args:
        parser: see `run_job`.
        videos: files; one that cannot be parsed is reported and does not stop the others.
        options: what to write, and where.
        progress: called with a video at its start; returns the function that is called with its frames.
        report: called with each outcome.

    Returns:
        The outcomes in the order of `videos`.
    """
    outcomes: dict[int, VideoOutcome] = {}
    waiting = deque(enumerate(videos))
    while waiting:
        index, video = waiting.popleft()
        try:
            outcomes[index] = run_job(parser, video, options, progress=progress(video) if progress else None)
        except FolderBusyError:
            waiting.append((index, video))
            time.sleep(BUSY_SECONDS)
            continue
        if report:
            report(outcomes[index])
    return [outcomes[index] for index in range(len(videos))]
