"""Output files of a parse: one folder per video, with parse.json, segments.csv, overlay.mp4 and report.html."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from actparse.core.errors import failure_line
from actparse.core.files import printable, write_text
from actparse.core.structures import VideoParse
from actparse.data.parses import PARSE_FILE
from actparse.export.table_files import write_csv
from actparse.export.tables import segments_table
from actparse.report.overlay import write_overlay
from actparse.report.page import PAGE_FILE, VIDEO_FILE, remove_report, write_report
from actparse.stages.timing import StageTimer
from actparse.video.decode import TimeRange

OVERLAY_FILE = "overlay.mp4"
SEGMENTS_FILE = "segments.csv"
OUTPUT_FILES = (PARSE_FILE, SEGMENTS_FILE, OVERLAY_FILE, PAGE_FILE, VIDEO_FILE)


def write_parse(parse: VideoParse, video: Path, folder: Path) -> None:
    """Write parse.json; the files of an earlier parse in the folder are removed first.

    Args:
        parse: the parse of this video.
        video: the source, which is preserved if it is one of those files.
        folder: for the file; created if it is missing.

    Raises:
        OutputError: the folder cannot be written.
    """
    remove_report(folder, source=video)
    for name in (OVERLAY_FILE, SEGMENTS_FILE):
        (folder / name).unlink(missing_ok=True)
    write_text(folder / PARSE_FILE, parse.to_json())


def write_drawings(
    parse: VideoParse,
    video: Path,
    folder: Path,
    *,
    time_range: TimeRange | None = None,
    frame_rate: float | None = None,
    overlay: bool = True,
    page: bool = True,
    timer: StageTimer | None = None,
) -> tuple[str, ...]:
    """Write the missing files among segments.csv, overlay.mp4 and report.html with the video that it plays.

    A file that cannot be written costs a warning and does not stop the others: the parse itself is complete without it.

    Args:
        parse: the parse of this video in this time range.
        video: the source.
        folder: the folder of its parse.json.
        time_range: (start, end) in seconds of the parse.
        frame_rate: frames a second of an image sequence.
        overlay: whether to write the overlay video.
        page: whether to write a report page.
        timer: receives the seconds of "overlay", "page" and "files".

    Returns:
        One line for each file that could not be written.
    """
    drawings: dict[str, tuple[str, Callable[[], object]]] = {  # file -> stage of the timer, function that writes it
        SEGMENTS_FILE: ("files", lambda: write_csv(segments_table(parse), folder / SEGMENTS_FILE)),
    }
    if overlay:
        path = folder / OVERLAY_FILE
        drawings[OVERLAY_FILE] = (
            "overlay",
            lambda: write_overlay(parse, video, path, time_range=time_range, frame_rate=frame_rate),
        )
    if page:
        drawings[PAGE_FILE] = ("page", lambda: write_report(parse, folder, source=video, frame_rate=frame_rate))
    timer = timer or StageTimer()
    warnings = []
    for name, (stage, draw) in drawings.items():
        if (folder / name).is_file():
            continue
        try:
            with timer(stage):
                draw()
        except Exception as error:
            if name == PAGE_FILE:
                remove_report(folder, source=video)  # its video may be complete, but nothing plays it
            line = failure_line(folder / name, error)
            warnings.append(printable(f"{line}; {PARSE_FILE} is complete without {name}"))
    return tuple(warnings)
