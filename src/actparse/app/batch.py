"""Parsing of several videos: one folder per video, up-to-date parses are reused, a failure does not stop the others."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from actparse.app.folders import FolderBusyError
from actparse.app.jobs import JobOptions, VideoOutcome, run_job
from actparse.core.errors import VideoError
from actparse.core.files import printable
from actparse.data.parses import PARSE_FILE
from actparse.parser import Parser, Progress
from actparse.video.sources import find_videos

BUSY_SECONDS = 0.5  # until a video that another process works on is tried again


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
