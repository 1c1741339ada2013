"""Every example of the README that is not marked as text is run, in one folder, in order."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from actparse.data.synth.dataset import SplitPlan, plan_videos, write_dataset

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_examples_run(tmp_path: Path) -> None:
    plan = SplitPlan("test", 1, 5)
    write_dataset(tmp_path / "made", [plan])
    video = plan_videos(plan)[0]
    shutil.copy(tmp_path / "made" / "test_videos" / video.action / f"{video.name}.mp4", tmp_path / "video.mp4")
    shutil.rmtree(tmp_path / "made")
    blocks = re.findall(r"```(sh|python)\n(.*?)```", README, flags=re.DOTALL)
    assert {language for language, _ in blocks} == {"sh", "python"}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    for language, code in blocks:
        command = ["bash", "-euc", code] if language == "sh" else [sys.executable, "-c", code]
        done = subprocess.run(
            command, cwd=tmp_path, env={**os.environ, "PATH": path}, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, f"{code}\n{done.stdout}\n{done.stderr}"


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\]\((?!https?:)([^)#]+)\)", README))))
def test_links_lead_somewhere(target: str) -> None:
    assert (ROOT / target).exists()
