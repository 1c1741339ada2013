from __future__ import annotations

from pathlib import Path

import pytest

from actparse.core.errors import OutputError
from actparse.core.files import copy_file, write_text, written_beside


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
