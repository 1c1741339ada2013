"""CSV files of programs and spreadsheets: separated by commas, semicolons or tabs, with decimal points or commas."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from actparse.core.errors import DataError
from actparse.core.words import listed, readable

MAX_BYTES = 1 << 30  # of a file
SEPARATORS = ",;\t"
BYTE_ORDER_MARKS = {codecs.BOM_UTF8: "utf-8", codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
DECIMAL = re.compile(r"[+-]?\d+([.,])\d+")
THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(,\d{3})+")


def decoded(content: bytes) -> str:
    """Return the text of a file in UTF-8 or UTF-16, without its byte order mark.

    Raises:
        UnicodeDecodeError: it is in another encoding.
    """
    for mark, encoding in BYTE_ORDER_MARKS.items():
        if content.startswith(mark):
            return content[len(mark) :].decode(encoding)
    if b"\0" in content[:4]:  # UTF-16 without a mark, for text that starts with a character of ASCII
        return content.decode("utf-16-be" if content[:1] == b"\0" else "utf-16-le")
    return content.decode("utf-8")


@dataclass(frozen=True)
class CsvRow:
    """One line of a table: `where` is its file and line, for messages; `cells` have no surrounding spaces."""

    where: str
    cells: tuple[str, ...]


class CsvTable:
    """The rows of a CSV file; `columns` are the lower-case names of its first row, empty if that row has numbers."""

    def __init__(self, path: Path, columns: Sequence[str], lines: Iterator[CsvRow], separator: str) -> None:
        self.path, self.columns, self.rows = path, tuple(columns), lines
        self._separator = separator
        self._decimal: tuple[str, str] | None = None  # the first decimal sign, and its place

    def named(self, row: CsvRow) -> Mapping[str, str]:
        """Return a row's cells by column; missing cells are empty."""
        return dict.fromkeys(self.columns, "") | dict(zip(self.columns, row.cells, strict=False))

    def number(self, text: str, where: str) -> float:
        """Return the finite number in a cell; a comma is its decimal sign where that is certain.

        Raises:
            DataError: it is not a number, may have commas between thousands, or the file has both decimal signs.
        """
        match = DECIMAL.fullmatch(text)
        if match and match[1] == "," and self._separator == "," and THOUSANDS.fullmatch(text):
            raise DataError(f"{where}: needs a decimal point, as {readable(text)!r} may be a decimal or thousands")
        if match:
            self._decimal = self._decimal or (match[1], f"{where}: {text[:20]}")
            if match[1] != self._decimal[0]:
                needs = "needs one decimal sign in the whole file"
                raise DataError(f"{where}: {needs}, got {readable(text)!r} after {self._decimal[1]}")
        try:
            value = float(text.replace(",", ".") if match else text)
        except ValueError:
            value = float("nan")
        if not abs(value) < float("inf"):
            raise DataError(f"{where} must be a number, got {readable(text)!r}")
        return value


def read_csv(path: Path, *, required: Collection[str] = (), aliases: Mapping[str, str] | None = None) -> CsvTable:
    """Open a CSV file in UTF-8 or UTF-16, as programs and spreadsheets of any country write it.

    Args:
        path: of the file.
        required: columns that must exist.
        aliases: other names of columns -> names that `columns` has instead.

    Raises:
        DataError: the file cannot be read, has another encoding, or lacks a column or has it twice.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise DataError(f"{path}: needs at most {MAX_BYTES >> 30} GB, got more")
        text = decoded(path.read_bytes())
    except OSError as error:
        raise DataError(f"{path}: needs a CSV file, got: {error.strerror}") from None
    except UnicodeDecodeError as error:
        needs = "needs a CSV file in UTF-8 or UTF-16 (in Excel: save as CSV UTF-8)"
        raise DataError(f"{path}: {needs}, got: {error.reason} at byte {error.start}") from None
    has_hint = re.match(r"sep=([,;\t])\r?\n", text)  # Excel's own first line
    first_line = re.split(r"[\r\n]", text[has_hint.end() if has_hint else 0 :].lstrip(), maxsplit=1)[0]
    separator = has_hint[1] if has_hint else max(SEPARATORS, key=first_line.count)
    lines = _rows(path, text, separator, skipped=int(has_hint is not None))
    header = next(lines, CsvRow(str(path), ()))
    names = [cell.lower() for cell in header.cells]
    names = [(aliases or {}).get(name, name) for name in names]
    if not required and all(re.match(r"[+-]?[.,]?\d|$", name) for name in names):
        return CsvTable(path, (), chain([header], lines), separator)
    for name in required:
        if name not in names:
            raise DataError(f"{path}: needs the column {name}, got {readable(listed(names)) or 'none'}")
    repeated = next((name for name in names if name and names.count(name) > 1), None)
    if repeated is not None:
        raise DataError(f"{path}: needs each column once, got {readable(repeated)!r} twice")
    return CsvTable(path, names, lines, separator)


def _rows(path: Path, text: str, separator: str, *, skipped: int) -> Iterator[CsvRow]:
    """Yield the lines that are not empty."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    try:
        for index, cells in enumerate(reader):
            if index >= skipped and any(cell.strip() for cell in cells):
                yield CsvRow(f"{path}: line {reader.line_num}", tuple(cell.strip() for cell in cells))
    except csv.Error as error:
        raise DataError(f"{path}: line {reader.line_num}: needs a CSV file, got: {error}") from None
