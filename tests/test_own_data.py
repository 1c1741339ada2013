"""docs/own-data.md walked through: its commands in order, on the example that ships, from label files to a report."""

from __future__ import annotations

import json
import re
import runpy
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from actparse.cli import main
from actparse.core.files import file_sha256
from actparse.core.progress import discard_line
from actparse.core.structures import VideoParse
from actparse.data.own.config import read_config
from actparse.data.own.importing import dataset_root
from actparse.stages.loading import bundle_folder, load_bundle
from actparse.training import TrainOptions, run_recipe
from actparse.training.recipes.registry import BUNDLE_RECIPES
from actparse.training.runs.start import assemble_tiny, keep_networks
from examples import find_blocks

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "examples" / "own-data"
PAGE = (ROOT / "docs" / "own-data.md").read_text(encoding="utf-8")
COMMANDS = [line for block in re.findall(r"```sh\n(.*?)```", PAGE, flags=re.DOTALL) for line in block.splitlines()]
ACTIONS, STATES = {"split_squat", "floor_press"}, {"bent", "straight", "raised", "none"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the example with its videos and labels."""
    copy = tmp_path_factory.mktemp("own")
    for path in EXAMPLE.iterdir():
        if path.is_file():
            shutil.copy(path, copy)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["make_example.py"])
        runpy.run_path(str(copy / "make_example.py"), run_name="__main__")
    return copy


def train_here(own: Path, out: Path) -> None:
    """`actparse train tiny --init tiny --steps 1` in this process: one for each network takes minutes."""
    root, _ = dataset_root(own)
    tiny = bundle_folder("tiny")
    options = TrainOptions(steps=1, device="cpu", resume=True, threads=1, init=tiny, report=discard_line)
    keep_networks(root, out, options)
    figures = {}
    for name in BUNDLE_RECIPES:
        one = TrainOptions(
            steps=1, device="cpu", resume=True, threads=1, init=tiny / f"{name}.safetensors", report=discard_line
        )
        figures[name] = run_recipe(name, root, out, one)
    assemble_tiny(out, figures)


def test_the_walk_through(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(folder)
    said = {}
    for line in COMMANDS:
        program, *words = shlex.split(line)
        if program == "python":
            assert words == ["make_example.py"]  # the fixture has run it
        elif words[0] == "train":
            train_here(Path(words[words.index("--data") + 1]), Path(words[words.index("--out") + 1]))
        else:
            assert main(words) == 0, line
            said[" ".join(words[:2])] = capsys.readouterr().out
    assert [label["name"] for label in json.loads(said["data labels"])][:2] == ["person", "head"]
    assert "nothing is wrong" in said["data check"]
    assert "states: 3" in said["data stats"]
    assert 'data-name="squat_a"' in Path("look/index.html").read_text(encoding="utf-8")
    assert load_bundle("run/bundle").labels.actions == tuple(sorted(ACTIONS))
    assert file_sha256(Path("run/bundle/poses.safetensors")) == file_sha256(bundle_folder("tiny") / "poses.safetensors")
    parse = VideoParse.from_json(Path("parses/squat_c/parse.json").read_text(encoding="utf-8"))
    assert set(parse.action_scores) == ACTIONS
    assert parse.frames
    report = Path("parses/squat_c/report.html").read_text(encoding="utf-8")
    assert parse.action.replace("_", " ") in report
    assert {part.state for frame in parse.frames for person in frame.persons for part in person.parts} <= STATES


def test_the_python_example(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(folder)
    (block,) = (block for block in find_blocks(PAGE) if block.language == "python")
    exec(compile(block.code, "<example>", "exec"), {})
    assert "[[ 60.  30. 180. 170.]] [0.9] [1] None" in capsys.readouterr().out


@pytest.mark.slow
def test_the_walk_through_as_a_user_types_it(folder: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(folder, tmp_path / "mine", ignore=shutil.ignore_patterns(".cache", "run", "parses", "look"))
    for line in COMMANDS:
        program, *words = shlex.split(line.replace("--minutes 60", "--steps 1"))
        command = [sys.executable, *(["-m", "actparse.cli"] if program == "actparse" else []), *words]
        done = subprocess.run(command, cwd=copy, capture_output=True, text=True, timeout=1200)
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
    assert (copy / "parses" / "squat_c" / "report.html").is_file()


def test_the_page_shows_the_example() -> None:
    assert (EXAMPLE / "own.yaml").read_text(encoding="utf-8") in PAGE
    assert read_config(EXAMPLE / "own.yaml", with_files=False).actions == ("split_squat", "floor_press")


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\]\((?!https?:)([^)#]+)", PAGE))))
def test_links_lead_somewhere(target: str) -> None:
    assert (ROOT / "docs" / target).exists()
