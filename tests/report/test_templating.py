from __future__ import annotations

import pytest
from jinja2 import UndefinedError

from actparse.report.templating import format_number, render

TABLE = {"title": "A & B", "description": "<all>", "heads": ["AP"], "rows": [("a", ["1.00"])]}


def test_markdown_is_not_escaped() -> None:
    assert render("table.md", TABLE) == "## A & B\n\n<all>\n\n| method | AP |\n|---|---|\n| a | 1.00 |\n"


def test_values_of_a_page_are_escaped() -> None:
    page = render("dataset.html", {"title": "<b>'", "subtitle": "", "actions": ["&"], "splits": [], "videos": []})
    assert "<title>&lt;b&gt;&#39;</title>" in page
    assert '<option value="&amp;">&amp;</option>' in page


def test_a_missing_value_is_an_error() -> None:
    with pytest.raises(UndefinedError, match="description"):
        render("table.md", {name: value for name, value in TABLE.items() if name != "description"})


@pytest.mark.parametrize(("value", "spec", "text"), [(None, ".1%", "none"), (0.25, ".1%", "25.0%"), (7, "", "7")])
def test_numbers(value: float | None, spec: str, text: str) -> None:
    assert format_number(value, spec) == text
