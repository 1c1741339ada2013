"""Every example of docs/exports.md that is not marked as text is run, in one folder, in order."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from actparse.cli import main
from actparse.export.angles import ANGLES
from actparse.export.formats import FORMATS
from actparse.export.tables import segments_table
from example_parse import example_parse

TEXT = (Path(__file__).parents[2] / "docs" / "exports.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(sh|python)\n(.*?)```", TEXT, flags=re.DOTALL)


def test_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("parses/video").mkdir(parents=True)
    Path("parses/video/parse.json").write_text(example_parse().to_json(), encoding="utf-8")
    assert {language for language, _ in BLOCKS} == {"sh", "python"}
    for language, code in BLOCKS:
        if language == "python":
            exec(compile(code, "docs/exports.md", "exec"), {})
        for line in code.splitlines() if language == "sh" else ():
            program, *arguments = shlex.split(line, comments=True)
            assert (program, main(arguments)) == ("actparse", 0)
    assert {"parses/video/frames.csv", "tables/video/parts.parquet", "video.xml", "video_labels.json"} <= {
        path.as_posix() for path in Path().rglob("*")
    }


def test_every_form_column_and_angle_is_explained() -> None:
    assert set(FORMATS) <= set(re.findall(r"^\| `([a-z-]+)` \|", TEXT, flags=re.MULTILINE))
    assert {f"{name}_deg" for name in ANGLES} <= set(re.findall(r"`(\w+_deg)`", TEXT))
    assert set(segments_table(example_parse()).column_names) <= set(re.findall(r"`(\w+)`", TEXT))
