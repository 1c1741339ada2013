"""CSV files as programs and spreadsheets of several countries write them."""

from __future__ import annotations

from pathlib import Path

import pytest

from actparse.core.errors import DataError
from actparse.data.annotation.csv_table import read_csv

TEXT = "video,start_s\nKniebeuge ü,0.5\nb,12\n"
GERMAN = "video;start_s\nKniebeuge ü;0,5\nb;12\n"


def values(path: Path) -> list[tuple[str, float]]:
    table = read_csv(path, required=("video", "start_s"))
    rows = ((row, table.named(row)) for row in table.rows)
    return [(cells["video"], table.number(cells["start_s"], row.where)) for row, cells in rows]


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(TEXT.encode(), id="plain"),
        pytest.param(TEXT.replace("\n", "\r\n").encode("utf-8-sig"), id="byte-order-mark-and-windows-lines"),
        pytest.param(TEXT.replace("\n", "\r").encode(), id="old-mac-lines"),
        pytest.param(GERMAN.encode("utf-8-sig"), id="semicolons"),
        pytest.param(GERMAN.replace(";", "\t").encode("utf-16"), id="unicode-text-of-excel"),
        pytest.param(GERMAN.replace("\n", "\r\n").encode("utf-16-be"), id="no-mark"),
        pytest.param(("sep=;\r\n" + GERMAN).encode(), id="separator-line"),
        pytest.param(TEXT.replace("0.5", '"0,5"').encode(), id="quoted-comma"),
        pytest.param(GERMAN.replace("0,5", "0.5").encode(), id="semicolons-and-points"),
        pytest.param(GERMAN.replace("video;start_s", '"Video" ; START_S\n').encode(), id="headings-and-empty-line"),
    ],
)
def test_the_same_values(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    assert values(path) == [("Kniebeuge ü", 0.5), ("b", 12.0)]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(
            TEXT.encode("cp1252"), r"UTF-8 or UTF-16 \(in Excel: save as CSV UTF-8\), got: .* at byte", id="cp1252"
        ),
        pytest.param(
            GERMAN.replace("12", "1.5").encode(), "line 3: needs one decimal sign.*'1.5' after .*0,5", id="both"
        ),
        pytest.param(
            TEXT.replace("0.5", '"1,500"').encode(), "line 2: needs a decimal point, as '1,500' may", id="thousands"
        ),
        pytest.param(GERMAN.replace("0,5", "1.234,5").encode(), "must be a number, got '1.234,5'", id="two-signs"),
        pytest.param(TEXT.replace("0.5", "nan").encode(), "must be a number, got 'nan'", id="nan"),
        pytest.param(b"", "needs the column video, got none", id="empty"),
        pytest.param(b"name,start_s\n", "needs the column video, got name, start_s", id="column"),
        pytest.param(b"video,start_s,video\n", "needs each column once, got 'video' twice", id="twice"),
        pytest.param(b"video,start_s\n" + b"x" * 200_000, "needs a CSV file, got: field larger", id="huge-cell"),
    ],
)
def test_what_cannot_be_read_is_named(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        values(path)
    assert "\n" not in str(caught.value)
