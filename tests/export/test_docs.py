"""docs/exports.md leaves nothing out."""

from __future__ import annotations

import re
from pathlib import Path

from actparse.export.angles import ANGLES
from actparse.export.formats import FORMATS
from actparse.export.tables import segments_table
from example_parse import example_parse

TEXT = (Path(__file__).parents[2] / "docs" / "exports.md").read_text(encoding="utf-8")


def test_every_form_column_and_angle_is_explained() -> None:
    assert set(FORMATS) <= set(re.findall(r"^\| `([a-z-]+)` \|", TEXT, flags=re.MULTILINE))
    assert {f"{name}_deg" for name in ANGLES} <= set(re.findall(r"`(\w+_deg)`", TEXT))
    assert set(segments_table(example_parse()).column_names) <= set(re.findall(r"`(\w+)`", TEXT))
