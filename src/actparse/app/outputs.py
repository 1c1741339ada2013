"""Output files of a parse: one folder per video, with parse.json, segments.csv, overlay.mp4 and report.html."""

from __future__ import annotations

from pathlib import Path

from actparse.core.files import write_text
from actparse.core.structures import VideoParse
from actparse.data.parses import PARSE_FILE
from actparse.export.table_files import write_csv
from actparse.export.tables import segments_table
from actparse.report.overlay import write_overlay
from actparse.report.page import PAGE_FILE, remove_report, write_report
from actparse.stages.timing import StageTimer
from actparse.video.decode import TimeRange

OVERLAY_FILE = "overlay.mp4"
SEGMENTS_FILE = "segments.csv"


def write_outputs(
    parse: VideoParse,
    video: Path,
    folder: Path,
    *,
    time_range: TimeRange | None = None,
    frame_rate: float | None = None,
    overlay: bool = True,
    page: bool = True,
    only_missing: bool = False,
    timer: StageTimer | None = None,
) -> None:
    """Write overlay.mp4, report.html with the video that it plays, segments.csv, and parse.json, in that order.

    If parse.json exists, the other files are complete. Files of an earlier parse in the folder are replaced or removed.

    Args:
        parse: the parse of this video in this time range.
        video: the source.
        folder: for the files; created if it is missing.
        time_range: (start, end) in seconds of the parse.
        frame_rate: frames a second of an image sequence.
        overlay: whether to write the overlay video.
        page: whether to write a report page.
        only_missing: keep existing files.
        timer: receives the seconds of "overlay", "page" and "files".

    Raises:
        VideoError: the source cannot be read.
        OutputError: the folder cannot be written.
    """

    def is_wanted(name: str) -> bool:
        return not (only_missing and (folder / name).is_file())

    timer = timer or StageTimer()
    if overlay and is_wanted(OVERLAY_FILE):
        with timer("overlay"):
            write_overlay(parse, video, folder / OVERLAY_FILE, time_range=time_range, frame_rate=frame_rate)
    elif not overlay and not only_missing:
        (folder / OVERLAY_FILE).unlink(missing_ok=True)
    if page and is_wanted(PAGE_FILE):
        with timer("page"):
            write_report(parse, folder, source=video, frame_rate=frame_rate)
    elif not page and not only_missing:
        remove_report(folder, source=video)
    with timer("files"):
        if is_wanted(SEGMENTS_FILE):
            write_csv(segments_table(parse), folder / SEGMENTS_FILE)
        if is_wanted(PARSE_FILE):
            write_text(folder / PARSE_FILE, parse.to_json())
