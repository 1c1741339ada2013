"""Report pages for parses that are on disk already."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from actparse.core.errors import ActparseError, DataError, named
from actparse.core.structures import VideoParse
from actparse.data.evaluation import truth_folder
from actparse.data.parses import PARSE_FILE, load_parse
from actparse.data.submission import TpsFiles, load_truth
from actparse.report.mistakes import find_mistakes
from actparse.report.page import VIDEO_FILE, write_report


@dataclass(frozen=True)
class ReportOutcome:
    """How one parse went: its page, and whether that has a video; or the one line that says what was wrong."""

    parse: Path
    page: Path | None = None
    has_video: bool = False
    error: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it; paths are text."""
        return {**asdict(self), "parse": str(self.parse), "page": None if self.page is None else str(self.page)}


def write_reports(
    source: Path,
    *,
    videos: Path | None = None,
    truth: Path | None = None,
    split: str | None = None,
    embed: bool = False,
) -> Iterator[ReportOutcome]:
    """Write report.html beside a parse.json, or every one below a folder; a broken one does not stop the others.

    A page plays the video.mp4 beside it. Where there is none it is made from the file below `videos` that has the
    name of the parsed video; the path that a parse names is not followed.

    Args:
        source: a folder, or one parse.json.
        videos: the folder of the parsed videos, or the one video.
        truth: a dataset's root, or a folder with gt_*.json; the pages mark what is wrong.
        split: of a dataset's root.
        embed: each page holds its video.

    Raises:
        DataError: `source` holds no parse, or the truth is missing or not of the evaluator's form.
    """
    parses = [source] if source.is_file() else sorted(source.glob(f"**/{PARSE_FILE}"))
    if not parses:
        raise DataError(f"{source}: needs a {PARSE_FILE} or folders that hold one, got none")
    known = None if truth is None else load_truth(truth_folder(truth, split))
    places = _files_by_name(videos)
    return (_written(path, places, known, embed) for path in parses)


def _files_by_name(videos: Path | None) -> dict[str, Path]:
    """The files that a source may be found among.

    Raises:
        DataError: `videos` is neither a file nor a folder.
    """
    if videos is None:
        return {}
    if not videos.exists():
        raise DataError(f"{videos}: no such file or folder")
    files = [videos] if videos.is_file() else (path for path in sorted(videos.rglob("*")) if path.is_file())
    return {path.name: path for path in files}


def _written(path: Path, places: dict[str, Path], truth: TpsFiles | None, embed: bool) -> ReportOutcome:
    try:
        parse = load_parse(path)
        folder = path.resolve().parent
        mistakes = None if truth is None else find_mistakes(parse, folder.name, truth)
        page = write_report(parse, folder, source=_source(parse, path, places), mistakes=mistakes, embed=embed)
    except ActparseError as error:
        return ReportOutcome(path, error=named(path, error))
    return ReportOutcome(path, path.with_name(page.name), has_video=path.with_name(VIDEO_FILE).is_file())


def _source(parse: VideoParse, path: Path, places: dict[str, Path]) -> Path | None:
    """The parsed video, where the page has no copy yet."""
    if path.with_name(VIDEO_FILE).is_file():
        return None
    return places.get(Path(parse.video.path.replace("\\", "/")).name)
