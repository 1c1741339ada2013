from __future__ import annotations

import pytest

from actparse.core.text_tables import format_table


def test_text_is_aligned_left_and_numbers_right() -> None:
    assert format_table([("network", "passes"), ("a", 1), ("longer name", 1234)]) == (
        "network      passes\na                 1\nlonger name    1234"
    )


def test_several_text_columns_and_no_spaces_at_the_end_of_a_line() -> None:
    rows = [("video", "action", "seconds"), ("a b.mp4", "lunge", "1.5"), ("c", "", "")]
    assert format_table(rows, num_text_columns=2) == "video    action  seconds\na b.mp4  lunge       1.5\nc"


def test_long_cells_are_not_wrapped() -> None:
    assert format_table([("x" * 300, "y")]) == f"{'x' * 300}  y"


def test_no_rows() -> None:
    assert format_table([]) == ""


def test_rows_of_different_lengths_are_an_error() -> None:
    with pytest.raises(ValueError, match="argument"):
        format_table([("a", "b"), ("c",)])
