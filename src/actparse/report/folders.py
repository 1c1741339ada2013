"""Report pages for saved parses."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from actparse.core.errors import ActparseError, DataError, named
from actparse.data.evaluation import truth_folder
from actparse.data.parses import PARSE_FILE, load_parse
from actparse.data.submission import TpsFiles, load_truth
from actparse.report.mistakes import find_mistakes
from actparse.report.page import VIDEO_FILE, write_report


@dataclass(frozen=True)
class ReportOutcome:
    """The result for one parse: its page, and whether that has a video; or an error message of one line."""

    parse: Path
    page: Path | None = None
    has_video: bool = False
    error: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; paths are text."""
        return {**asdict(self), "parse": str(self.parse), "page": None if self.page is None else str(self.page)}


def write_reports(
    source: Path,
    *,
    videos: Path | None = None,
    truth: Path | None = None,
    split: str | None = None,
    embed: bool = False,
) -> Iterator[ReportOutcome]:
    """Write report.html beside one or all parses below a folder; a damaged parse does not stop the others.

    A page plays the video.mp4 beside it. If it does not exist, it is made from the file below `videos` with the name of
    the parsed video; the path in a parse is not used.

    Args:
        source: a folder, or one parse.json.
        videos: the folder of the parsed videos, or the one video.
        truth: a dataset's root, or a folder with gt_*.json; the pages mark the mistakes.
        split: the split, if `truth` is a dataset's root.
        embed: embed the video in each page.

    Raises:
        DataError: `source` contains no parse, `videos` does not exist, or the truth is missing or not of the
            evaluator's form.
    """
    parses = [source] if source.is_file() else sorted(source.glob(f"**/{PARSE_FILE}"))
    if not parses:
        raise DataError(f"{source}: needs a {PARSE_FILE} or folders that hold one, got none")
    truth_files = None if truth is None else load_truth(truth_folder(truth, split))
    files: dict[str, Path] = {}  # the possible sources of a parse, by name
    if videos is not None:
        if not videos.exists():
            raise DataError(f"{videos}: no such file or folder")
        paths = [videos] if videos.is_file() else sorted(videos.rglob("*"))
        files = {path.name: path for path in paths if path.is_file()}
    return (_write_page(path, files, truth_files, embed) for path in parses)


def _write_page(path: Path, files: dict[str, Path], truth: TpsFiles | None, embed: bool) -> ReportOutcome:
    try:
        parse = load_parse(path)
        folder = path.resolve().parent
        has_video = path.with_name(VIDEO_FILE).is_file()
        source = None if has_video else files.get(Path(parse.video.path.replace("\\", "/")).name)
        mistakes = None if truth is None else find_mistakes(parse, folder.name, truth)
        page = write_report(parse, folder, source=source, mistakes=mistakes, embed=embed)
    except ActparseError as error:
        return ReportOutcome(path, error=named(path, error))
    return ReportOutcome(path, path.with_name(page.name), has_video=path.with_name(VIDEO_FILE).is_file())
