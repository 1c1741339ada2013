from __future__ import annotations

import time
from pathlib import Path

import pytest

from actparse.training.loop.logs import MetricsFile, RunLog
from actparse.training.options import TrainOptions
from actparse.training.run_folder import Plan, RunFolder


@pytest.mark.parametrize(
    ("last_step", "lines"),
    [
        pytest.param(0, ["step,loss", "40,0.25"], id="new run"),
        pytest.param(20, ["step,loss", "10,0.5", "20,0.333333", "40,0.25"], id="resumed"),
        pytest.param(30, ["step,loss", "10,0.5", "20,0.333333", "40,0.25"], id="half a row"),
    ],
)
def test_rows_after_the_checkpoint_are_dropped(tmp_path: Path, last_step: int, lines: list[str]) -> None:
    path = tmp_path / "log.csv"
    path.write_text("step,loss\n10,0.5\n20,0.333333\n3")
    MetricsFile(path, last_step=last_step, board=None, section="").append(40, {"loss": 0.25})
    assert path.read_text().splitlines() == lines


@pytest.mark.parametrize("content", ["", "step,loss\n", "step,loss\n40,0.2\n"])
def test_a_file_that_a_kill_left_without_rows_gets_its_header(tmp_path: Path, content: str) -> None:
    path = tmp_path / "log.csv"
    path.write_text(content)
    MetricsFile(path, last_step=30, board=None, section="").append(40, {"loss": 0.25})
    assert path.read_text().splitlines() == ["step,loss", "40,0.25"]


def test_an_unfinished_row_continues(tmp_path: Path) -> None:
    run, plan = RunFolder(tmp_path, "toy"), Plan(num_steps=4, seed=0, batch_size=1)
    run.folder.mkdir()
    reported: list[str] = []
    options = TrainOptions(log_every=3, report=reported.append)
    first = RunLog(run, plan, options, step=0, state={})
    first.add(1, 0.1, {"loss": 1.0})
    second = RunLog(run, plan, options, step=1, state=first.state())
    second.add(2, 0.1, {"loss": 2.0})
    second.add(3, 0.1, {"loss": 6.0})
    second.add(4, 0.1, {"loss": 4.0})
    assert [row.split(",")[::2][:2] for row in run.log.read_text().splitlines()] == [
        ["step", "loss"],
        ["3", "3"],
        ["4", "4"],
    ]
    assert reported[-1].startswith("toy: step 4/4 learning_rate 0.1 loss 4 ")


def test_the_best_check_is_remembered(tmp_path: Path) -> None:
    run, plan = RunFolder(tmp_path, "toy"), Plan(num_steps=4, seed=0, batch_size=1)
    run.folder.mkdir()
    reported: list[str] = []
    options = TrainOptions(report=reported.append)
    first = RunLog(run, plan, options, step=0, state={})
    assert [first.add_check(step, {"ap": ap}, "ap", 0.0) for step, ap in ((1, 0.5), (2, 0.4), (3, 0.6))] == [1, 0, 1]
    second = RunLog(run, plan, options, step=3, state=first.state())
    second.checked_at = time.monotonic() - 100.0
    assert not second.add_check(4, {"ap": 0.55}, "ap", time.monotonic() - 4.0)
    assert reported[-1].startswith("toy: held out after step 4: ap 0.55, measured in 4.")
    assert reported[-1].endswith(" s, 4.0 % of the time")
