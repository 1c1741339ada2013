"""A task of single samples on which the loop is tried, in a module of its own so that other processes can import it."""

from __future__ import annotations

import csv
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from actparse.core.progress import discard_line
from actparse.training.loop import ranks
from actparse.training.loop.hardware import choose_hardware
from actparse.training.loop.trainer import train
from actparse.training.options import TrainOptions
from actparse.training.run_folder import RunFolder, write_json
from actparse.training.task import Batch, SampledTask, StepRule, TaskSettings

NUM_ROWS = 20


class Line(SampledTask):
    """A line fitted by SGD in steps; its held-out figure falls with every check."""

    kind = "line"
    metric = "worse"
    settings = TaskSettings(
        batch_size=8,
        learning_rate=0.05,
        weight_decay=1e-4,
        max_gradient_norm=40.0,
        optimizer="sgd",
        nesterov=True,
        step_rule=StepRule(epochs=4, milestones=(2,), warmup_iterations=2, warmup_start=0.5),
    )

    def __init__(self, *, bad_row: int | None = None, seconds: float = 0.0) -> None:
        torch.manual_seed(0)
        self.net = nn.Linear(3, 1)
        self.bad_row, self.seconds, self.num_checks = bad_row, seconds, 0

    @property
    def num_samples(self) -> int:
        return NUM_ROWS

    def sample(self, row: int, rng: np.random.Generator) -> tuple[str, np.ndarray]:
        values = np.random.default_rng(row).normal(size=3) + rng.normal(0, 0.1, 3)
        return f"row {row}", values.astype(np.float32)

    def collate(self, samples: Sequence[tuple[str, np.ndarray]]) -> Batch:
        return {"x": torch.from_numpy(np.stack([x for _, x in samples])), "names": [name for name, _ in samples]}

    def losses(self, net: nn.Module, batch: Batch) -> dict[str, Tensor]:
        time.sleep(self.seconds)
        error = (net(batch["x"]).float() - batch["x"].sum(1, keepdim=True)).square().mean()
        is_bad = f"row {self.bad_row}" in batch["names"]
        return {"error": error * (float("nan") if is_bad else 1.0)}

    def evaluate(self, net: nn.Module, device: torch.device) -> dict[str, Any]:
        self.num_checks += 1
        return {"worse": 1.0 / self.num_checks, "text": "no number"}

    def stage_settings(self) -> dict[str, Any]:
        return {}


class SlowLine(Line):
    """One that can be killed on its way."""

    def __init__(self) -> None:
        super().__init__(seconds=0.05)


def run_line(out: Path, task: Line, steps: int | None = None, **options: Any) -> list[list[str]]:
    """Train, and read the log without its last column, the speed."""
    run = RunFolder(out, "line")
    run.folder.mkdir(parents=True, exist_ok=True)
    options = {"checkpoint_seconds": 0.0, "report": discard_line, "log_every": 1, "device": "cpu", **options}
    train(task, run, TrainOptions(steps=steps, precision="float32", **options), choose_hardware("cpu", "float32"))
    return log_rows(run)


def run_fresh_line(out: Path, steps: int, bad_row: int | None) -> None:
    """The same for one of several processes, which must not share a network's memory."""
    run_line(out, Line(bad_row=bad_row), steps)
    write_shares(out)


def run_slow_line(out: Path) -> None:
    """A long run in one of several processes, with a checkpoint only at the end or after an interrupt."""
    run_line(out, SlowLine(), steps=1000, checkpoint_seconds=1e6)


def write_shares(out: Path) -> None:
    """Write what the processes of a group gather from their shares, and a network's statistics after the copy."""
    net = nn.BatchNorm1d(2)
    net.running_mean += 1.0 + ranks.rank()  # type: ignore[operator]
    ranks.copy_from_first(net)
    gathered = ranks.gathered(ranks.shard(["a", "b", "c", "d", "e"]))
    write_json(out / f"{ranks.rank()}.json", {"gathered": gathered, "mean": net.running_mean.tolist()})  # type: ignore[operator, union-attr]


def log_rows(run: RunFolder) -> list[list[str]]:
    if not run.log.is_file():
        return []  # not the first of several processes
    with run.log.open(newline="") as file:
        return [row[:3] for row in csv.reader(file)]


def losses_of(rows: list[list[str]]) -> list[float]:
    return [float(row[2]) for row in rows[1:]]
