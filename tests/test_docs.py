"""Every example of the README and of docs/ is run or, where it cannot be, read by the command's own parser."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from actparse.cli import main
from actparse.synth import dataset
from actparse.synth.dataset import DatasetPlan, SplitPlan, plan_splits, write_dataset
from examples import check_commands, find_blocks, our_calls, run_page
from plans import plain

ROOT = Path(__file__).parents[1]
PAGES = {
    str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
}
WALKED = {"docs/own-data.md": "tests/test_own_data.py"}  # pages whose examples a test of their own runs, step by step
RUN = [
    name
    for name, page in PAGES.items()
    if name not in WALKED and {"sh", "python"} & {b.language for b in find_blocks(page)}
]
NUM_FRAMES = 16  # of video.mp4 and of the videos in data/
LINK = re.compile(r"\]\((?!https?:|#)([^)#\s]+)")


@pytest.fixture(scope="module")
def example_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """What the pages take for granted: a short video.mp4, its parse below parses/, and a small dataset in data/."""
    folder = tmp_path_factory.mktemp("examples")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dataset, "MIN_FRAMES", NUM_FRAMES)  # also for the pages' own `actparse synth`
        patch.setattr(dataset, "MAX_FRAMES", NUM_FRAMES)
        write_dataset(folder / "data", DatasetPlan(plan_splits(4, seed=7)))  # `actparse synth data --videos 4 --seed 7`
        write_dataset(folder / "clip", plain(SplitPlan("test", 1, 7)))
        next((folder / "clip" / "test_videos").rglob("*.mp4")).rename(folder / "video.mp4")
        shutil.rmtree(folder / "clip")
        with pytest.MonkeyPatch.context() as inside:
            inside.chdir(folder)
            assert main(["parse", "video.mp4", "--out", "parses", "--quiet"]) == 0
        yield folder


@pytest.mark.parametrize("name", RUN)
def test_examples_run(name: str, example_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = shutil.copytree(example_folder, tmp_path / "here")
    monkeypatch.chdir(folder)
    run_page(PAGES[name])


@pytest.mark.parametrize("name", PAGES)
def test_what_is_not_run_is_a_call_that_the_command_knows(name: str) -> None:
    check_commands(PAGES[name])


@pytest.mark.parametrize("name", PAGES)
def test_links_lead_somewhere(name: str) -> None:
    for target in LINK.findall(PAGES[name]):
        if target != "commands.md":  # the site makes it from the commands' help
            assert ((ROOT / name).parent / target).exists(), target


@pytest.mark.parametrize("name", WALKED)
def test_pages_with_a_test_of_their_own(name: str) -> None:
    assert Path(name).name in (ROOT / WALKED[name]).read_text(encoding="utf-8")


def test_calls_are_found_in_lines_of_the_shell() -> None:
    code = "it's\nsource <(actparse completion bash)  # now\nmine | actparse watch -\n"
    code += 'actparse parse "a b" \\\n  --out x > log\nls\n'
    assert list(our_calls(code)) == [["completion", "bash"], ["watch", "-"], ["parse", "a b", "--out", "x"]]
