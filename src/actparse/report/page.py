"""The report page: one HTML file that shows a parse over its video. It opens from disk and asks no network.

What a parse says is untrusted text: it travels as JSON that cannot end its element, the page writes it as text alone,
and the page's policy lets no script run but its own.
"""

from __future__ import annotations

import html
import json
import re
from base64 import b64encode
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from actparse.errors import VideoError
from actparse.files import write_text
from actparse.report.mistakes import Mistakes
from actparse.report.page_data import page_data, shown_range
from actparse.structures import VideoParse
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
    embed: bool = False,
) -> Path:
    """Write report.html into a parse's folder, and video.mp4 beside it where it is not there yet.

    Args:
        parse: what is shown.
        folder: where the parse's files lie; its name is the video's.
        source: the parsed video, copied to video.mp4; None plays the copy that is there, or shows a page without.
        mistakes: where the truth is known.
        embed: the page holds the video, so that it can be sent alone.

    Returns:
        The page's path.

    Raises:
        VideoError: the source, or the copy that is there, cannot be read.
        OutputError: a file cannot be written.
    """
    copy = folder / VIDEO_FILE
    if source is not None and not _is_same(source, copy):
        write_playable(source, copy, info=parse.video, time_range=shown_range(parse))
    has_video = copy.is_file()
    data = page_data(
        parse,
        name=folder.name,
        frame_times=frame_times(copy) if has_video else np.zeros(0),
        video=(_data_url(copy) if embed else VIDEO_FILE) if has_video else None,
        mistakes=mistakes,
    )
    write_text(folder / PAGE_FILE, page_text(data))
    return folder / PAGE_FILE


def remove_report(folder: Path, *, source: Path) -> None:
    """Remove what an earlier `write_report` left; the parsed video stays, should it lie where a copy would."""
    (folder / PAGE_FILE).unlink(missing_ok=True)
    if not _is_same(source, folder / VIDEO_FILE):
        (folder / VIDEO_FILE).unlink(missing_ok=True)


def _is_same(source: Path, copy: Path) -> bool:
    return copy.exists() and source.exists() and copy.samefile(source)


def page_text(data: dict[str, Any]) -> str:
    """The page of what `page_data` gives."""
    style, script = _asset("page.css"), _asset("page.js")
    policy = (
        f"default-src 'none'; script-src '{_digest(script)}'; style-src '{_digest(style)}'; "
        "media-src 'self' file: data:; img-src data:; base-uri 'none'; form-action 'none'"
    )
    content = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
    values = {
        "title": html.escape(f"{data['name']}: {data['action'].replace('_', ' ')}"),
        "policy": policy,
        "style": style,
        "script": script,
        "data": content,
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda match: values[match[1]], _asset("page.html"))


def _asset(name: str) -> str:
    return files("actparse.report").joinpath("assets", name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    """How a content security policy names an inline text."""
    return f"sha256-{b64encode(sha256(text.encode()).digest()).decode()}"


def _data_url(path: Path) -> str:
    try:
        return f"data:video/mp4;base64,{b64encode(path.read_bytes()).decode()}"
    except OSError as error:
        raise VideoError(f"{path}: cannot be read: {error.strerror}") from None
