"""Table files: CSV for spreadsheets, Parquet for programs.

The CSV follows RFC 4180, in UTF-8 with a byte order mark, by which Excel recognises it (Python:
encoding="utf-8-sig"): commas between cells, decimal points, empty cells for unknown values. Numbers are rounded: pixels
and degrees to hundredths, seconds to millionths, scores to ten thousandths. Text that a spreadsheet would run as a
formula is prefixed with an apostrophe. In the dialect "excel-de" semicolons are between cells and numbers have decimal
commas, as Excel expects it in the countries that write decimal commas.
"""

from __future__ import annotations

import csv
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from actparse.core.errors import ConfigError
from actparse.core.files import written_beside
from actparse.export.tables import unit_of

FILE_TYPES = ("csv", "parquet")
CSV_DIALECTS = {"excel": (",", "."), "excel-de": (";", ",")}  # signs between cells, and before decimals
DECIMALS = {"pixel": 2, "degree": 2, "second": 6, None: 4}  # by the unit of the column
FORMULA_START = r"^[=+\-@\t\r\n]"  # Source: OWASP, CSV injection


def write_csv(table: pa.Table, path: Path, *, dialect: str = "excel") -> None:
    """Write a table for a spreadsheet; `dialect` is one of CSV_DIALECTS.

    Raises:
        OutputError: the file cannot be written.
    """
    separator, decimal_sign = CSV_DIALECTS[dialect]
    columns = [_for_spreadsheet(name, table[name]).to_pylist() for name in table.column_names]
    if decimal_sign != ".":
        columns = [
            [str(cell).replace(".", decimal_sign) if isinstance(cell, float) else cell for cell in column]
            for column in columns
        ]
    with written_beside(path) as temporary, temporary.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file, delimiter=separator)
        writer.writerow(table.column_names)
        writer.writerows(zip(*columns, strict=True))


def write_parquet(table: pa.Table, path: Path) -> None:
    """Write a table with its metadata.

    Raises:
        OutputError: the file cannot be written.
    """
    with written_beside(path) as temporary:
        pq.write_table(table, temporary, compression="zstd")


def write_table(table: pa.Table, path: Path, *, file_type: str = "csv", dialect: str = "excel") -> None:
    """Write a table in one of FILE_TYPES; `dialect` is that of a CSV file.

    Raises:
        ConfigError: there is no such file type or dialect.
        OutputError: the file cannot be written.
    """
    if file_type not in FILE_TYPES:
        raise ConfigError(f"format must be one of {', '.join(FILE_TYPES)}, got {file_type!r}")
    if dialect not in CSV_DIALECTS:
        raise ConfigError(f"csv_dialect must be one of {', '.join(CSV_DIALECTS)}, got {dialect!r}")
    if file_type == "csv":
        write_csv(table, path, dialect=dialect)
    else:
        write_parquet(table, path)


def _for_spreadsheet(name: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_floating(column.type):
        rounded = pc.round(column.cast(pa.float64()), ndigits=DECIMALS[unit_of(name)])
        return pc.add(rounded, 0.0)  # no -0
    if pa.types.is_string(column.type):
        is_formula = pc.match_substring_regex(column, FORMULA_START)
        return pc.if_else(is_formula, pc.binary_join_element_wise("'", column, ""), column)
    return column
