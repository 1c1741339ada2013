"""Plain-text tables for a terminal or a pipe, without colours, borders or wrapped lines: grep and awk can read them."""

from __future__ import annotations

from collections.abc import Sequence


def format_table(rows: Sequence[Sequence[object]], *, num_text_columns: int = 1) -> str:
    """Align cells in columns that are two spaces apart, one line per row.

    Args:
        rows: the cells of each row, as many in each; a header is a row like the others. No rows make an empty text.
        num_text_columns: the first columns, which are aligned to the left; the others are aligned to the right.
    """
    texts = [[str(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column < num_text_columns else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in texts
    )
