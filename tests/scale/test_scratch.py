"""Scratch folders of workers, also of those that were killed."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from actparse.scale.scratch import ScratchFolder

LIVE_THEN_WAIT = """
from actparse.scale.scratch import ScratchFolder
folder = ScratchFolder()
(folder.path / "video").mkdir()
print(folder.path, flush=True)
input()
"""


def test_the_folder_of_a_killed_process_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    command = [sys.executable, "-c", LIVE_THEN_WAIT]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        other = Path(process.stdout.readline().strip())
        first = ScratchFolder()
        assert set(tmp_path.iterdir()) == {other, first.path}
        process.kill()
    second = ScratchFolder()
    assert set(tmp_path.iterdir()) == {first.path, second.path}
    first.close()
    second.close()
    assert not any(tmp_path.iterdir())
