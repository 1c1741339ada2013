"""What a parse leaves on disk: a folder for each video, with parse.json and overlay.mp4."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from actparse.errors import ActparseError
from actparse.files import write_text
from actparse.parser import Parser, Progress, TimeRange
from actparse.report.overlay import write_overlay
from actparse.structures import VideoParse

PARSE_FILE = "parse.json"
OVERLAY_FILE = "overlay.mp4"


@dataclass(frozen=True)
class VideoOutcome:
    """How one video of a call went: `folder` where its files lie, or the one line that says what was wrong."""

    video: Path
    folder: Path | None = None
    parse: VideoParse | None = None
    error: str | None = None


def parse_to_folder(
    parser: Parser,
    video: Path,
    out: Path,
    *,
    time_range: TimeRange | None = None,
    overlay: bool = True,
    progress: Progress | None = None,
) -> VideoOutcome:
    """Parse one video and write out/<stem>/parse.json and, unless switched off, overlay.mp4.

    Raises:
        ActparseError: the video cannot be read, or the folder cannot be written.
    """
    parse = parser.parse(video, time_range=time_range, progress=progress)
    folder = out / video.stem
    if overlay:
        write_overlay(parse, video, folder / OVERLAY_FILE, time_range=time_range)
    write_text(folder / PARSE_FILE, parse.to_json())
    return VideoOutcome(video, folder, parse)


def parse_videos(
    parser: Parser,
    videos: Sequence[Path],
    out: Path,
    *,
    time_range: TimeRange | None = None,
    overlay: bool = True,
    progress: Callable[[Path], Progress] | None = None,
) -> list[VideoOutcome]:
    """Parse several videos; one that cannot be parsed is reported and does not stop the others."""
    outcomes = []
    for video in videos:
        step = progress(video) if progress else None
        try:
            outcomes.append(parse_to_folder(parser, video, out, time_range=time_range, overlay=overlay, progress=step))
        except ActparseError as error:
            outcomes.append(VideoOutcome(video, error=str(error)))
    return outcomes


def load_parses(folder: Path) -> dict[str, VideoParse]:
    """Every parse.json below a folder, by its video's stem.

    Raises:
        DataError: a file is not a parse.
    """
    return {
        path.parent.name: VideoParse.from_json(path.read_text(encoding="utf-8"))
        for path in sorted(folder.glob(f"**/{PARSE_FILE}"))
    }
