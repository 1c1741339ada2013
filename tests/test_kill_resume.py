"""Commands that are killed and started again end with what an undisturbed run writes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parents[1] / "benchmarks" / "kill_resume.py"


@pytest.mark.slow
@pytest.mark.parametrize("command", ["parse", "synth", "data-flow", "data-index", "weights-pull", "train"])
def test_a_killed_command_resumes(command: str) -> None:
    call = [sys.executable, str(PROGRAM), "--command", command, "--kills", "3"]
    outcome = json.loads(subprocess.run(call, stdout=subprocess.PIPE, text=True).stdout)
    assert (outcome["equal"], outcome["differing"]) == (True, {})
    assert outcome["kills"] == 3
