"""Parsing of several videos: one folder per video, up-to-date parses are reused, a failure does not stop the others."""

from __future__ import annotations

import hashlib
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
from actparse.video.container import open_container, sequence_files
from actparse.weights.bundle import file_sha256

CONTENT = "video_sha256"  # key in a parse's `model`, next to the weights' hashes and the configuration


@dataclass(frozen=True)
class VideoOutcome:
    """The result of one video: a summary of its parse and its folder, or a one-line error."""

    video: Path
    folder: Path | None = None
    action: str | None = None  # the action with the largest score
    verdict: Verdict | None = None  # whether the action is asserted
    score: float | None = None  # of the action, 0..1
    num_persons: int | None = None  # the largest number in one sampled frame
    video_seconds: float | None = None  # duration of the parsed video
    seconds: float = 0.0  # processing time
    was_there: bool = False  # whether an up-to-date parse of the video already existed
    warnings: tuple[str, ...] = ()
    error: str | None = None

    @property
    def verdict_text(self) -> str:
        """The verdict in words, with the score; empty if the video could not be parsed."""
        return "" if self.verdict is None else verdict_text(self.verdict, str(self.action), self.score)

    def to_dict(self) -> dict[str, Any]:
        """Convert the outcome to plain JSON values; paths become text."""
        folder = None if self.folder is None else str(self.folder)
        return {**asdict(self), "video": str(self.video), "folder": folder, "warnings": list(self.warnings)}


def parse_videos(
    parser: Parser,
    videos: Sequence[Path],
    out: Path,
    *,
    time_range: TimeRange | None = None,
    frame_rate: float | None = None,
    overlay: bool = True,
    page: bool = True,
    force: bool = False,
    progress: Callable[[Path], Progress] | None = None,
    report: Callable[[VideoOutcome], None] | None = None,
) -> list[VideoOutcome]:
    """Parse several videos, each into a separate folder below `out`.

    The folder's name is the video's stem or, if that folder has the parse of another video, "<stem>-2" and so on.

    Args:
        parser: an existing parse is reused if the parser's weights and configuration, the video's content and the time
            range are the same.
        videos: files; one that cannot be parsed is reported and does not stop the others.
        out: the parent of the videos' folders.
        time_range: (start, end) in seconds.
        frame_rate: frames a second of image sequences.
        overlay: whether to write an overlay video.
        page: whether to write a report page.
        force: parse again even if an up-to-date parse exists.
        progress: called with a video at its start; returns the function that is called with its frames.
        report: called with each outcome.
    """
    outcomes = []
    for video in videos:
        start = time.perf_counter()
        step = progress(video) if progress else None
        try:
            job = _Job(parser, video, out, time_range, frame_rate, overlay, page)
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
    """The parsing of one video into its folder."""

    parser: Parser
    video: Path
    out: Path
    time_range: TimeRange | None
    frame_rate: float | None
    overlay: bool
    page: bool

    def run(self, *, force: bool, progress: Progress | None) -> VideoOutcome:
        """Parse the video, or load an up-to-date parse; write the missing files.

        Raises:
            ActparseError: the video cannot be read, or the folder cannot be written.
        """
        # A file that is not a video fails here, before its hash is computed.
        open_container(self.video, frame_rate=self.frame_rate).close()
        with self.parser.timer("files"):
            key = self._key()
        folder, parse = _find_folder(self.out, self.video, key[CONTENT])
        was_there = parse is not None and parse.model == key and not force
        if parse is None or not was_there:
            parse = self.parser.parse(
                self.video, time_range=self.time_range, frame_rate=self.frame_rate, progress=progress
            )
            parse = replace(parse, model=key)
        write_outputs(
            parse,
            self.video,
            folder,
            time_range=self.time_range,
            frame_rate=self.frame_rate,
            overlay=self.overlay,
            page=self.page,
            only_missing=was_there,
            timer=self.parser.timer,
        )
        return _outcome(self.video, folder, parse, was_there=was_there)

    def _key(self) -> dict[str, str]:
        """Return what identifies a parse: weights, program, configuration, time range and the video's content."""
        config = {**asdict(self.parser.config), "time": self.time_range or (None, None)}
        if self.frame_rate is not None:
            config["frame_rate"] = self.frame_rate
        return {**self.parser.model, "config": json.dumps(config), CONTENT: content_sha256(self.video)}


def content_sha256(video: Path) -> str:
    """Return the hash of a file or, for an image sequence, of its files' hashes."""
    if video.is_file():
        return file_sha256(video)
    hashes = "".join(file_sha256(file) for file in sequence_files(video))
    return hashlib.sha256(hashes.encode()).hexdigest()


def _find_folder(out: Path, video: Path, content: str) -> tuple[Path, VideoParse | None]:
    """Return the first folder for a video below `out` that is free or has a parse of this video, and that parse.

    Raises:
        DataError: a parse.json in one of the folders is invalid.
    """
    for attempt in count(1):
        folder = out / (video.stem if attempt == 1 else f"{video.stem}-{attempt}")
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
