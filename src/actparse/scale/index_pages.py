"""Pages that list the videos of a batch, with links to their reports."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from actparse.report.templating import render

ROWS_PER_PAGE = 1000


@dataclass(frozen=True)
class BatchRow:
    """A video of a batch; `page` is the address of its report relative to this page, None if there is none."""

    video: str
    text: str  # the verdict, or why it failed
    has_failed: bool
    num_persons: int
    video_seconds: float
    seconds: float  # that it took
    page: str | None


def batch_pages(rows: Sequence[BatchRow]) -> Iterator[tuple[str, str]]:
    """Yield the name and the HTML of each page: index.html, index-2.html and so on; the first one also without rows."""
    starts = range(0, max(1, len(rows)), ROWS_PER_PAGE)
    names = ["index.html" if n == 1 else f"index-{n}.html" for n in range(1, len(starts) + 1)]
    num_failed = sum(row.has_failed for row in rows)
    for name, start in zip(names, starts, strict=True):
        values = {
            "title": "Videos of a batch",
            "subtitle": f"{len(rows)} videos, {len(rows) - num_failed} parsed, {num_failed} failed",
            "rows": rows[start : start + ROWS_PER_PAGE],
            "names": names,
            "name": name,
        }
        yield name, render("batch.html", values)
