"""Faults as text: one line each, however many places have the same."""

from __future__ import annotations

from actparse.core.words import listed, summarised
from actparse.data.annotation.faults import Fault, FaultReport, likewise


def test_many_places_are_counted() -> None:
    line = likewise(f"img_{n:05d}.json" for n in range(1, 10_001))
    assert line.startswith(", likewise img_00001.json, img_00002.json")
    assert line.endswith("img_00012.json and 9988 more")
    assert likewise(()) == ""
    assert likewise(["a"]) == ", likewise a"


def test_many_lines_are_counted() -> None:
    assert summarised(["a", "b"]) == ("a", "b")
    assert summarised([str(n) for n in range(15)])[-2:] == ("11", "... and 3 more lines like the last")
    assert listed(["a"]) == "a"


def test_a_list_of_many_faults_is_short() -> None:
    faults = tuple(Fault("field", f"f{n}", "text", "3") for n in range(10_000))
    text = FaultReport("root", {"train": {"videos": 1}}, True, faults).to_text(max_shown=10)
    assert len(text.splitlines()) == 16
    assert "and 9990 more" in text
