"""Completion as bash itself does it: the script is read, and the function that it names is asked."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ASK = """
source <(actparse completion bash)
spec=$(complete -p actparse) && function=$(sed 's/.*-F \\([^ ]*\\).*/\\1/' <<< "$spec")
for line; do
  COMP_LINE="$line"; COMP_POINT=${#line}; COMP_TYPE=9; COMP_KEY=9
  read -ra COMP_WORDS <<< "$line"; [[ "$line" == *" " ]] && COMP_WORDS+=("")
  COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); COMPREPLY=()
  "$function" actparse "${COMP_WORDS[COMP_CWORD]}" ""
  echo ${COMPREPLY[@]}
done
"""


def completions(lines: list[str], folder: Path) -> list[set[str]]:
    """The words that bash offers for each line."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    command = ["bash", "-c", ASK, "bash", *lines]
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, "PATH": path}, capture_output=True, text=True, timeout=120, check=True
    )
    return [set(words.split()) for words in done.stdout.splitlines()]


@pytest.mark.skipif(shutil.which("bash") is None, reason="asks bash")
def test_bash_completes_commands_options_choices_and_files(tmp_path: Path) -> None:
    (tmp_path / "video.mp4").touch()
    expected = {
        "actparse wat": {"watch"},
        "actparse parse --s": {"--stride", "--summary"},
        "actparse train tiny --keep ": {"last", "best"},
        "actparse parse vi": {"video.mp4"},
    }
    assert completions(list(expected), tmp_path) == list(expected.values())


@pytest.mark.parametrize(
    ("shell", "mark"), [("bash", "complete "), ("zsh", "#compdef actparse"), ("fish", "complete ")]
)
def test_each_shell_has_its_script(shell: str, mark: str, capsys: pytest.CaptureFixture[str]) -> None:
    from actparse.cli import main

    assert main(["completion", shell]) == 0
    out = capsys.readouterr().out
    assert mark in out
    assert "actparse" in out
