"""The parsing of one video of a batch into its result folder; whatever fails becomes one line."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from actparse.app.folders import FolderBusyError, result_folder
from actparse.app.outputs import write_drawings, write_parse
from actparse.core.errors import ActparseError, DataError, OutputError, failure_line
from actparse.core.files import file_sha256, printable
from actparse.core.structures import Verdict, VideoParse, verdict_text
from actparse.data.parses import CONTENT, PARSE_FILE, load_parse
from actparse.report.overlay import MIN_PERSON_SCORE
from actparse.report.tracks import confident_tracks
from actparse.video.container import open_container, sequence_files

if TYPE_CHECKING:  # a process that lets another one parse needs no torch
    from actparse.parser import Parser, ParserConfig, Progress, TimeRange

MIN_FREE_BYTES = 1 << 20  # on the disk of the results; below it a parse might be computed and then not be written


@dataclass(frozen=True, kw_only=True)
class JobOptions:
    """What to write for every video of a batch, and where."""

    out: Path  # parent of the result folders
    time_range: TimeRange | None = None  # (start, end) in seconds
    frame_rate: float | None = None  # frames a second of image sequences
    persons: Path | None = None  # file of persons that replace those of the detector, for one video
    overlay: bool = True  # whether to write an overlay video
    page: bool = True  # whether to write a report page
    force: bool = False  # parse again even if an up-to-date parse exists


@dataclass(frozen=True)
class VideoOutcome:
    """The result of one video: a summary of its parse and its folder, or a one-line error."""

    video: Path | str  # the file; a text is a source without any
    folder: Path | None = None
    action: str | None = None  # the action with the largest score
    verdict: Verdict | None = None  # whether the action is asserted
    score: float | None = None  # of the action, 0..1
    num_persons: int | None = None  # as its report page counts them: tracks that the overlay draws
    video_seconds: float | None = None  # duration of the parsed video
    seconds: float = 0.0  # processing time, of all tries
    was_there: bool = False  # whether an up-to-date parse of the video already existed
    tries: int = 1  # 2: the first one exceeded the time limit or killed its process
    warnings: tuple[str, ...] = ()
    error: str | None = None
    details: str | None = None  # the traceback of an unexpected error, several lines

    @property
    def status(self) -> str:
        """What happened: "parsed", "reused" (an up-to-date parse already existed) or "failed"."""
        return "failed" if self.error is not None else "reused" if self.was_there else "parsed"

    @property
    def verdict_text(self) -> str:
        """The verdict in words, with the score; empty if the video could not be parsed."""
        return "" if self.verdict is None else verdict_text(self.verdict, str(self.action), self.score)

    def to_dict(self) -> dict[str, Any]:
        """Convert the outcome to plain JSON values; paths become text."""
        record = {**asdict(self), "status": self.status, "warnings": list(self.warnings)}
        del record["details"]
        folder = None if self.folder is None else str(self.folder)
        return {**record, "video": str(self.video), "folder": folder}


def run_job(
    parser: Parser,
    video: Path,
    options: JobOptions,
    *,
    recorded_path: str | None = None,
    progress: Progress | None = None,
    notify: Callable[[Path | VideoOutcome], None] | None = None,
) -> VideoOutcome:
    """Parse a video into its folder, or reuse an up-to-date parse; write the missing files.

    Args:
        parser: an existing parse is reused if the parser's weights and configuration, the video's content and the time
            range are the same.
        video: the file.
        options: what to write, and where.
        recorded_path: the path of the video in its parse, as for a file that was downloaded; default: `video`.
        progress: called with the number of frames read so far and the number expected.
        notify: called with the folder when work in it begins, and with the outcome when the parse is saved.

    Returns:
        The outcome; any failure of this video, of whatever kind, is its `error`.

    Raises:
        FolderBusyError: another process works on this video.
    """
    start = time.perf_counter()
    try:
        outcome = _parse_into_folder(parser, video, options, recorded_path, progress, notify or (lambda _: None))
    except FolderBusyError:
        raise
    except Exception as error:
        is_expected = isinstance(error, ActparseError | OSError | MemoryError)
        details = None if is_expected else traceback.format_exc()
        outcome = VideoOutcome(video, error=printable(failure_line(video, error)), details=details)
    return replace(outcome, seconds=time.perf_counter() - start)


def _parse_into_folder(
    parser: Parser,
    video: Path,
    options: JobOptions,
    recorded_path: str | None,
    progress: Progress | None,
    notify: Callable[[Path | VideoOutcome], None],
) -> VideoOutcome:
    # A file that is not a video fails here, before its hash is computed.
    open_container(video, frame_rate=options.frame_rate).close()
    _expect_space(options.out)
    with parser.timer("files"):
        content = content_sha256(video)
    config = job_config(parser.config, options)
    key = {**parser.model, "config": config, CONTENT: content}
    with result_folder(options.out, video, content) as folder:
        notify(folder)
        parse, warnings = _existing_parse(folder, content)
        is_reused = parse is not None and parse.model == key and not options.force
        if parse is None or not is_reused:
            parse = parser.parse(
                video,
                time_range=options.time_range,
                frame_rate=options.frame_rate,
                persons=options.persons,
                progress=progress,
            )
            path = printable(recorded_path or parse.video.path)  # text, whatever bytes the name has
            info = replace(parse.video, path=path)
            parse = replace(parse, model=key, video=info, warnings=tuple(map(printable, parse.warnings)))
            with parser.timer("files"):
                write_parse(parse, video, folder)
        outcome = describe_parse(video, folder, parse, is_reused, warnings)
        notify(outcome)
        warnings = write_drawings(
            parse,
            video,
            folder,
            time_range=options.time_range,
            frame_rate=options.frame_rate,
            overlay=options.overlay,
            page=options.page,
            timer=parser.timer,
        )
    return replace(outcome, warnings=outcome.warnings + warnings)


def job_config(config: ParserConfig, options: JobOptions) -> str:
    """Return, as JSON text, all settings that change a parse, for the field "config" of its `model`."""
    values = {**asdict(config), "time": options.time_range or (None, None)}
    if options.frame_rate is not None:
        values["frame_rate"] = options.frame_rate
    if options.persons is not None:
        values["persons_sha256"] = file_sha256(options.persons)
    return json.dumps(values)


def content_sha256(video: Path) -> str:
    """Return the hash of a file or, for an image sequence, of its files' hashes."""
    if video.is_file():
        return file_sha256(video)
    hashes = "".join(file_sha256(file) for file in sequence_files(video))
    return hashlib.sha256(hashes.encode()).hexdigest()


def _expect_space(out: Path) -> None:
    existing = next(folder for folder in (out.absolute(), *out.absolute().parents) if folder.exists())
    free = shutil.disk_usage(existing).free
    if free < MIN_FREE_BYTES:
        raise OutputError(f"{out}: needs {MIN_FREE_BYTES >> 20} MB of free disk, got {free >> 20} MB")


def _existing_parse(folder: Path, content: str) -> tuple[VideoParse | None, tuple[str, ...]]:
    """Return the parse in a folder that is claimed for `content`, and a warning if it is damaged.

    Raises:
        DataError: it is the parse of another video.
    """
    path = folder / PARSE_FILE
    if not path.exists():
        return None, ()
    try:
        parse = load_parse(path)
    except DataError as error:
        return None, (printable(f"{error}; the video is parsed again"),)
    if parse.model.get(CONTENT) != content:
        raise DataError(f"{path}: needs the parse of this video, got one of another; move it away")
    return parse, ()


def describe_parse(
    video: Path | str, folder: Path | None, parse: VideoParse, is_reused: bool, warnings: tuple[str, ...] = ()
) -> VideoOutcome:
    """Return the outcome of a video with this parse."""
    return VideoOutcome(
        video,
        folder,
        action=parse.action,
        verdict=parse.verdict,
        score=parse.action_scores[parse.action],
        num_persons=len(confident_tracks(parse.frames, MIN_PERSON_SCORE)),
        video_seconds=parse.video.duration_seconds,
        was_there=is_reused,
        warnings=warnings + parse.warnings,
    )
