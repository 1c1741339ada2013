"""Many videos in one call: a folder for each; what is there is not done again; one that fails stops no other."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any

from actparse.app.outputs import write_outputs
from actparse.core.errors import ActparseError
from actparse.core.structures import Verdict, VideoParse, verdict_text
from actparse.data.parses import PARSE_FILE, load_parse
from actparse.parser import Parser, Progress, TimeRange
from actparse.report.overlay import MIN_PERSON_SCORE
from actparse.report.tracks import confident_tracks
from actparse.video.decode import open_container
from actparse.weights.bundle import file_sha256

CONTENT = "video_sha256"  # in a parse's `model`, beside the weights' hashes and the configuration


@dataclass(frozen=True)
class VideoOutcome:
    """How one video of a call went: what was found and where it lies, or the one line that says what was wrong."""

    video: Path
    folder: Path | None = None
    action: str | None = None  # the one with the largest score
    verdict: Verdict | None = None  # whether it is asserted
    score: float | None = None  # of the action, 0..1
    num_persons: int | None = None  # the most in one sampled frame
    video_seconds: float | None = None  # that were parsed
    seconds: float = 0.0  # that it took
    was_there: bool = False  # the same video had been parsed with the same weights and options
    warnings: tuple[str, ...] = ()
    error: str | None = None

    @property
    def verdict_text(self) -> str:
        """What the video shows, in words and with the score; empty where it could not be parsed."""
        return "" if self.verdict is None else verdict_text(self.verdict, str(self.action), self.score)

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it; paths are text."""
        folder = None if self.folder is None else str(self.folder)
        return {**asdict(self), "video": str(self.video), "folder": folder, "warnings": list(self.warnings)}


def parse_videos(
    parser: Parser,
    videos: Sequence[Path],
    out: Path,
    *,
    time_range: TimeRange | None = None,
    overlay: bool = True,
    page: bool = True,
    force: bool = False,
    progress: Callable[[Path], Progress] | None = None,
    report: Callable[[VideoOutcome], None] | None = None,
) -> list[VideoOutcome]:
    """Parse several videos, each into a folder of its own below `out`.

    The folder has the name of the video's stem; where that holds the parse of another video, "<stem>-2" and so on.

    Args:
        parser: whose weights and configuration decide, with the video's content and the time, what is the same parse.
        videos: files; one that cannot be parsed is reported and does not stop the others.
        out: the folder of folders.
        time_range: (start, end) in seconds.
        overlay: whether an overlay video is written too.
        page: whether a report page is.
        force: parse again what is there.
        progress: called with a video as it begins; gives the function that is told of its frames.
        report: told of each outcome as it comes.
    """
    outcomes = []
    for video in videos:
        start = time.perf_counter()
        step = progress(video) if progress else None
        try:
            job = _Job(parser, video, out, time_range, overlay, page)
            outcome = job.run(force=force, progress=step)
        except ActparseError as error:
            outcome = VideoOutcome(video, error=str(error))
        except OSError as error:
            outcome = VideoOutcome(video, error=f"{error.filename or video}: {error.strerror or error}")
        outcomes.append(replace(outcome, seconds=time.perf_counter() - start))
        if report:
            report(outcomes[-1])
    return outcomes


@dataclass(frozen=True)
class _Job:
    """One video on its way to its folder."""

    parser: Parser
    video: Path
    out: Path
    time_range: TimeRange | None
    overlay: bool
    page: bool

    def run(self, *, force: bool, progress: Progress | None) -> VideoOutcome:
        """Parse the video, or take the parse that is there; write what is missing.

        Raises:
            ActparseError: the video cannot be read, or the folder cannot be written.
        """
        open_container(self.video).close()  # what is no video says so before its bytes are counted
        with self.parser.timer("files"):
            key = self._key()
        folder, found = _place(self.out, self.video, key[CONTENT])
        was_there = found is not None and found.model == key and not force
        if found is None or not was_there:
            found = replace(self.parser.parse(self.video, time_range=self.time_range, progress=progress), model=key)
        write_outputs(
            found,
            self.video,
            folder,
            time_range=self.time_range,
            overlay=self.overlay,
            page=self.page,
            only_missing=was_there,
            timer=self.parser.timer,
        )
        return _outcome(self.video, folder, found, was_there=was_there)

    def _key(self) -> dict[str, str]:
        """What makes two parses the same: weights, program, configuration, time and the video's content."""
        config = {**asdict(self.parser.config), "time": self.time_range or (None, None)}
        return {**self.parser.model, "config": json.dumps(config), CONTENT: file_sha256(self.video)}


def _place(out: Path, video: Path, content: str) -> tuple[Path, VideoParse | None]:
    """The folder of a video below `out`, and the parse that it holds: the first that is free or is the video's own.

    Raises:
        DataError: a parse.json on the way is none.
    """
    for number in count(1):
        folder = out / (video.stem if number == 1 else f"{video.stem}-{number}")
        if not (folder / PARSE_FILE).exists():
            return folder, None
        parse = load_parse(folder / PARSE_FILE)
        if parse.model.get(CONTENT) == content or Path(parse.video.path).absolute() == video.absolute():
            return folder, parse
    raise AssertionError("count has no end")


def _outcome(video: Path, folder: Path, parse: VideoParse, *, was_there: bool) -> VideoOutcome:
    track_ids = confident_tracks(parse.frames, MIN_PERSON_SCORE)
    persons = (sum(person.track_id in track_ids for person in frame.persons) for frame in parse.frames)
    return VideoOutcome(
        video,
        folder,
        action=parse.action,
        verdict=parse.verdict,
        score=parse.action_scores[parse.action],
        num_persons=max(persons, default=0),
        video_seconds=parse.video.duration_seconds,
        was_there=was_there,
        warnings=parse.warnings,
    )
