"""Pages of a batch: theirs are replaced and removed, those of others stay."""

from __future__ import annotations

from pathlib import Path

import pytest

from actparse.core.errors import OutputError
from actparse.scale import index_pages
from actparse.scale.index_pages import BatchRow, write_pages
from actparse.scale.store import Store


def test_pages_that_are_not_needed_any_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_pages, "ROWS_PER_PAGE", 2)
    store = Store(str(tmp_path))
    rows = [BatchRow(f"{n}.mp4", "squat", False, 1, 1.0, 1.0, None) for n in range(7)]
    write_pages(store, rows)
    assert store.list() == ["index-2.html", "index-3.html", "index-4.html", "index.html"]
    store.write("index-3.html", b"mine")
    with pytest.raises(OutputError, match=r"index-3\.html: is not a page of a batch; move it or use a different --out"):
        write_pages(store, rows)
    write_pages(store, rows[:3])
    assert store.list() == ["index-2.html", "index-3.html", "index.html"]
    assert store.read("index-3.html") == b"mine"
    assert "3 videos, 3 parsed, 0 failed" in (tmp_path / "index.html").read_text()
