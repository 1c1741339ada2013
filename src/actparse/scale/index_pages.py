"""Pages that list the videos of a batch, with links to their reports."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from actparse.core.errors import OutputError
from actparse.report.templating import render
from actparse.scale.store import Store

ROWS_PER_PAGE = 1000
PAGE_NAME = re.compile(r"index(-\d+)?\.html")
MARK = b'data-page="actparse-batch"'  # in the template


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


def earlier_pages(store: Store, *, num_rows: int) -> list[str]:
    """Return the names of the pages that an earlier batch has written.

    Args:
        store: of the results.
        num_rows: number of rows that are to be written.

    Raises:
        OutputError: somebody else's page has the name of one that is to be written.
    """
    names = [name for name in store.list() if PAGE_NAME.fullmatch(name)]
    others = [name for name in names if MARK not in (store.read(name) or MARK)]
    if in_use := sorted(set(others) & set(_page_names(num_rows))):
        raise OutputError(f"{store.uri}/{in_use[0]}: is not a page of a batch; move it or use a different --out")
    return [name for name in names if name not in others]


def write_pages(store: Store, rows: Sequence[BatchRow]) -> None:
    """Write index.html, index-2.html and so on, and remove those of an earlier batch with more rows.

    Raises:
        OutputError: see `earlier_pages`.
    """
    earlier, names = earlier_pages(store, num_rows=len(rows)), _page_names(len(rows))
    num_failed = sum(row.has_failed for row in rows)
    for index, name in enumerate(names):
        values = {
            "title": "Videos of a batch",
            "subtitle": f"{len(rows)} videos, {len(rows) - num_failed} parsed, {num_failed} failed",
            "rows": rows[index * ROWS_PER_PAGE : (index + 1) * ROWS_PER_PAGE],
            "names": names,
            "name": name,
        }
        store.write(name, render("batch.html", values).encode())
    store.remove(set(earlier) - set(names))


def _page_names(num_rows: int) -> list[str]:
    """Return the names of the pages; without rows, of one page."""
    num_pages = max(1, -(-num_rows // ROWS_PER_PAGE))
    return ["index.html", *(f"index-{n}.html" for n in range(2, num_pages + 1))]
