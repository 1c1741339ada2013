"""The report page: one HTML file that shows a parse over its video. It opens from disk and needs no network.

The texts of a parse are untrusted: they are stored as JSON that cannot end its element, the page writes them only as
text, and the page's policy allows only its own script to run.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from actparse.core.errors import VideoError
from actparse.core.files import write_text
from actparse.core.structures import VideoParse
from actparse.export.repetitions import Repetitions
from actparse.report.inline import data_url
from actparse.report.mistakes import Mistakes
from actparse.report.page_data import page_data, shown_range
from actparse.report.templating import render
from actparse.video.decode import frame_times
from actparse.video.playable import write_playable

PAGE_FILE = "report.html"
VIDEO_FILE = "video.mp4"  # the copy that the page plays


def write_report(
    parse: VideoParse,
    folder: Path,
    *,
    source: Path | None = None,
    mistakes: Mistakes | None = None,
    repetitions: Repetitions | None = None,
    embed: bool = False,
    frame_rate: float | None = None,
) -> Path:
    """Write report.html into a parse's folder, and video.mp4 beside it if it does not exist yet.

    Args:
        parse: the parse to show.
        folder: the folder of the parse's files; its name is the video's.
        source: the parsed video, copied to video.mp4; None plays the existing copy, or shows a page without video.
        mistakes: the parse's mistakes, if the truth is known.
        repetitions: marked on the angles of the person's joint.
        embed: embed the video in the page, so that the page can be sent as a single file.
        frame_rate: frames a second of a source that is an image sequence.

    Returns:
        The page's path.

    Raises:
        VideoError: the source, or the existing copy, cannot be read.
        OutputError: a file cannot be written.
    """
    copy = folder / VIDEO_FILE
    if source is not None and not _is_same(source, copy):
        write_playable(source, copy, info=parse.video, time_range=shown_range(parse), frame_rate=frame_rate)
    has_video = copy.is_file()
    video = VIDEO_FILE if has_video else None
    if has_video and embed:
        try:
            video = data_url(copy.read_bytes(), "video/mp4")
        except OSError as error:
            raise VideoError(f"{copy}: cannot be read: {error.strerror}") from None
    data = page_data(
        parse,
        name=folder.name,
        frame_times=frame_times(copy) if has_video else np.zeros(0),
        video=video,
        mistakes=mistakes,
        repetitions=repetitions,
    )
    write_text(folder / PAGE_FILE, render("page.html", {"data": data}))
    return folder / PAGE_FILE


def remove_report(folder: Path, *, source: Path) -> None:
    """Remove the files of an earlier `write_report`, except the parsed video itself if it has the copy's path."""
    (folder / PAGE_FILE).unlink(missing_ok=True)
    if not _is_same(source, folder / VIDEO_FILE):
        (folder / VIDEO_FILE).unlink(missing_ok=True)


def _is_same(source: Path, copy: Path) -> bool:
    return copy.exists() and source.exists() and copy.samefile(source)
