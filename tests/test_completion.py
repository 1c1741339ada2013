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
COMP_LINE="$1"; COMP_POINT=${#1}; COMP_TYPE=9; COMP_KEY=9
read -ra COMP_WORDS <<< "$1"; [[ "$1" == *" " ]] && COMP_WORDS+=("")
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
"$function" actparse "${COMP_WORDS[COMP_CWORD]}" ""
printf '%s\\n' "${COMPREPLY[@]}"
"""


def completions(line: str, folder: Path) -> list[str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    command = ["bash", "-c", ASK, "bash", line]
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, "PATH": path}, capture_output=True, text=True, timeout=120, check=True
    )
    return [word.strip() for word in done.stdout.splitlines()]


@pytest.mark.skipif(shutil.which("bash") is None, reason="asks bash")
def test_bash_completes_commands_options_choices_and_files(tmp_path: Path) -> None:
    (tmp_path / "video.mp4").touch()
    assert completions("actparse wat", tmp_path) == ["watch"]
    assert set(completions("actparse parse --s", tmp_path)) == {"--stride", "--summary"}
    assert set(completions("actparse train tiny --keep ", tmp_path)) == {"last", "best"}
    assert completions("actparse parse vi", tmp_path) == ["video.mp4"]


@pytest.mark.parametrize(
    ("shell", "mark"), [("bash", "complete "), ("zsh", "#compdef actparse"), ("fish", "complete ")]
)
def test_each_shell_has_its_script(shell: str, mark: str, capsys: pytest.CaptureFixture[str]) -> None:
    from actparse.cli import main

    assert main(["completion", shell]) == 0
    out = capsys.readouterr().out
    assert mark in out
    assert "actparse" in out
