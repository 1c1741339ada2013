"""The loop on a toy task: one cycle, resume, determinism, a loss that is no number, and a run by the clock."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from actparse.errors import TrainingError
from actparse.training.loop import choose_hardware, one_cycle, train
from actparse.training.options import TrainOptions, say_nothing
from actparse.training.runs import RunFolder, read_plan
from actparse.training.task import Batch, Task, TaskSettings


class Toy(Task):
    """A line fitted with dropout, which makes every step depend on the seed."""

    kind = "toy"
    settings = TaskSettings(batch_size=4, learning_rate=0.01)

    def __init__(self, *, break_at: int | None = None, bad_at: int | None = None) -> None:
        torch.manual_seed(0)
        self.net = nn.Sequential(nn.Linear(3, 8), nn.Dropout(0.5), nn.Linear(8, 1))
        self.break_at, self.bad_at, self.drawn = break_at, bad_at, 0

    @property
    def num_samples(self) -> int:
        return 12

    def batch(self, rng: np.random.Generator) -> Batch:
        self.drawn += 1
        if self.drawn == self.break_at:
            raise RuntimeError("killed")
        x = torch.from_numpy(rng.normal(size=(4, 3)).astype(np.float32))
        return {"x": x, "y": x.sum(1, keepdim=True)}

    def losses(self, net: nn.Module, batch: Batch) -> dict[str, Tensor]:
        loss = (net(batch["x"]).float() - batch["y"]).square().mean()
        return {"error": loss * (float("nan") if self.drawn == self.bad_at else 1.0)}

    def evaluate(self, net: nn.Module, device: torch.device) -> dict[str, Any]:
        return {}

    def stage_settings(self) -> dict[str, Any]:
        return {}


def run_toy(out: Path, task: Toy, **options: Any) -> list[list[str]]:
    run = RunFolder(out, "toy")
    run.folder.mkdir(parents=True, exist_ok=True)
    options = {"checkpoint_seconds": 0.0, "report": say_nothing, "log_every": 1, "device": "cpu", **options}
    train(task, run, TrainOptions(**options), choose_hardware("cpu"))
    with run.log.open(newline="") as file:
        return [row[:3] for row in csv.reader(file)]


def test_one_cycle_rises_then_falls() -> None:
    schedule = one_cycle(1.0, 100)
    factors = [schedule.lr(step) for step in range(101)]
    assert factors[0] == pytest.approx(0.02)
    assert int(np.argmax(factors)) in (3, 4)
    assert factors[-1] == pytest.approx(0.005)


def test_same_seed_same_curve_other_seed_another(tmp_path: Path) -> None:
    first = run_toy(tmp_path / "a", Toy(), steps=6, seed=3)
    assert first == run_toy(tmp_path / "b", Toy(), steps=6, seed=3)
    assert first != run_toy(tmp_path / "c", Toy(), steps=6, seed=4)


def test_resumed_run_repeats_the_undisturbed_one(tmp_path: Path) -> None:
    whole, broken = Toy(), Toy(break_at=6)
    curve = run_toy(tmp_path / "whole", whole, steps=10)
    with pytest.raises(RuntimeError, match="killed"):
        run_toy(tmp_path / "broken", broken, steps=10)
    resumed = Toy()
    assert run_toy(tmp_path / "broken", resumed, steps=999, resume=True) == curve
    assert resumed.drawn == 5  # steps 5 to 9 alone
    for name, value in whole.net.state_dict().items():
        assert torch.equal(value, resumed.net.state_dict()[name])


def test_resume_without_a_checkpoint_starts(tmp_path: Path) -> None:
    assert len(run_toy(tmp_path, Toy(), steps=2, resume=True)) == 3


def test_second_run_into_the_same_folder_is_refused(tmp_path: Path) -> None:
    run_toy(tmp_path, Toy(), steps=1)
    with pytest.raises(TrainingError, match="holds a run of toy already"):
        run_toy(tmp_path, Toy(), steps=1)


def test_bad_loss_names_its_step(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="error is nan at step 2"):
        run_toy(tmp_path, Toy(bad_at=3), steps=5)


def test_epochs_and_minutes_become_steps(tmp_path: Path) -> None:
    run_toy(tmp_path / "epochs", Toy(), epochs=2)
    assert read_plan(RunFolder(tmp_path / "epochs", "toy")).num_steps == 6
    lines: list[str] = []
    run_toy(tmp_path / "minutes", Toy(), minutes=0.02, report=lines.append)
    num_steps = read_plan(RunFolder(tmp_path / "minutes", "toy")).num_steps
    assert lines[-1].startswith(f"toy: step {num_steps}/{num_steps} ")
