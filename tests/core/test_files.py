from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from actparse.core.errors import OutputError
from actparse.core.files import (
    TEMPORARY,
    copy_file,
    folder_beside,
    printable,
    remove_temporaries,
    write_text,
    written_beside,
)


def test_a_file_is_written_whole(tmp_path: Path) -> None:
    write_text(tmp_path / "a" / "b" / "täxt.json", "é")
    assert (tmp_path / "a" / "b" / "täxt.json").read_text(encoding="utf-8") == "é"
    assert [path.name for path in (tmp_path / "a" / "b").iterdir()] == ["täxt.json"]


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    write_text(tmp_path / "a.txt", "old")
    with pytest.raises(KeyError), written_beside(tmp_path / "a.txt") as beside:
        beside.write_text("half")
        raise KeyError
    assert (tmp_path / "a.txt").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_folders_made_for_a_file_that_failed_are_removed(tmp_path: Path) -> None:
    with pytest.raises(KeyError), written_beside(tmp_path / "a" / "b" / "c.txt"):
        raise KeyError
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"c\.txt: cannot be written"):
        write_text(tmp_path / "file" / "c.txt", "x")
    (tmp_path / "folder" / "inside").mkdir(parents=True)
    with pytest.raises(OutputError, match="folder: cannot be written"):
        write_text(tmp_path / "folder", "x")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]


def test_a_copy_is_whole_or_not_there(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"weights")
    copy_file(source, tmp_path / "new" / "copy")
    assert (tmp_path / "new" / "copy").read_bytes() == b"weights"
    copy_file(source, source)  # onto itself it changes nothing
    assert source.read_bytes() == b"weights"
    with pytest.raises(OutputError, match="cannot be written: No such file"):
        copy_file(tmp_path / "missing", tmp_path / "other" / "copy")
    assert not (tmp_path / "other").exists()


def test_what_killed_processes_left_is_removed(tmp_path: Path) -> None:
    code = (
        "import os, sys, pathlib; from actparse.core.files import written_beside\n"
        "with written_beside(pathlib.Path(sys.argv[1])) as path: path.write_text('half'); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code, tmp_path / "a.txt"], check=False)
    [left] = tmp_path.iterdir()
    assert left.name.startswith(TEMPORARY)
    old, fresh = tmp_path / f"{TEMPORARY}0-1-old.txt", tmp_path / f"{TEMPORARY}0-1-fresh.txt"  # of another machine
    for path in (old, fresh):
        path.write_text("half")
    os.utime(old, (0, 0))
    with written_beside(tmp_path / "b.txt") as ours:
        assert {path.name for path in tmp_path.iterdir()} == {fresh.name, ours.name}
        with written_beside(tmp_path / "c.txt"):
            assert ours.exists()  # a temporary file of this process is not abandoned
    remove_temporaries(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"b.txt", "c.txt"}


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("深蹲 é.mp4", "深蹲 é.mp4"),
        (os.fsdecode(b"caf\xe9.mp4"), "caf\\xe9.mp4"),
        ("a\nb\x1b[31m\t\u202e", "a\\nb\\x1b[31m\\t\\u202e"),
        ("\ud800", "\\ud800"),
    ],
)
def test_any_name_is_one_line_and_can_be_written(tmp_path: Path, text: str, line: str) -> None:
    assert printable(text) == line
    write_text(tmp_path / "a.json", json.dumps({"name": text}, ensure_ascii=False))
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8")) == {"name": text}


def test_a_folder_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="half way"), folder_beside(tmp_path / "new") as temporary:
        (temporary / "file").write_text("half")
        raise ValueError("half way")
    assert list(tmp_path.iterdir()) == []
    with folder_beside(tmp_path / "new") as temporary:
        (temporary / "file").write_text("whole")
    with folder_beside(tmp_path / "new") as temporary:  # another process was faster
        (temporary / "file").write_text("later")
    assert [path.name for path in tmp_path.iterdir()] == ["new"]
    assert (tmp_path / "new" / "file").read_text() == "whole"
