"""Ids of persons: one whole number of 64 bits for what programs and tables write in several ways."""

from __future__ import annotations

from typing import Any

import pytest

from actparse.core.errors import DataError
from actparse.data.annotation.ids import person_id


@pytest.mark.parametrize(
    ("value", "identity"),
    [(4, 4), (4.0, 4), ("4", 4), (" 4.0 ", 4), (0, 0), (-7, -7), (2**63 - 1, 2**63 - 1), (2**64 - 2, -2)],
)
def test_numbers(value: Any, identity: int) -> None:
    assert person_id(value, "t") == identity


def test_text_has_one_number_everywhere() -> None:
    assert person_id("Anna", "a") == person_id("Anna ", "b") != person_id("Ben", "a")
    assert 0 <= person_id("550e8400-e29b", "a") < 2**48


@pytest.mark.parametrize("value", [-1, "-1", 2**64, "9" * 20, 1.5, None, True, "", "x" * 1001, [4]])
def test_what_is_no_person(value: Any) -> None:
    with pytest.raises(DataError, match=r"^t must be a whole number of at most 64 bits or text"):
        person_id(value, "t")
