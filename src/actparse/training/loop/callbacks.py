"""Callbacks of the training loop: regular checkpoints, held-out checks, and a log with a compact line of progress."""

from __future__ import annotations

import csv
import time
from collections import deque
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from actparse.core.errors import TrainingError
from actparse.training.loop.ranks import first_says, rank, wait_for_all
from actparse.training.options import Report
from actparse.training.run_folder import RunFolder
from actparse.training.task import Task


class Watched(LightningModule):
    """A module that exposes the losses, learning rate and metrics of its last step."""

    last_losses: dict[str, float]  # the terms of the loss
    learning_rate: float
    last_figures: dict[str, float]  # metrics of a held-out check after that step; empty if there was none


class SaveLast(Callback):
    """Overwrites one checkpoint every `seconds` and at the end; it is written to a temporary file first."""

    def __init__(self, path: Path, seconds: float) -> None:
        self.path = path
        self.seconds = seconds
        self.saved_at = time.monotonic()

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *args: Any) -> None:
        """Save a checkpoint if `seconds` have passed on the first process's clock."""
        if first_says(time.monotonic() - self.saved_at >= self.seconds):
            self._save(trainer)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save a checkpoint of the last step."""
        self._save(trainer)

    def _save(self, trainer: Trainer) -> None:
        save_checkpoint(trainer, self.path)
        self.saved_at = time.monotonic()


def save_checkpoint(trainer: Trainer, path: Path) -> None:
    """Write a checkpoint atomically; every process calls this and the first one writes."""
    temporary = path.with_name(path.name + ".part")
    trainer.save_checkpoint(temporary)
    if rank() == 0:
        temporary.replace(path)
    wait_for_all()


class ProgressLog(Callback):
    """Adds a row to a CSV every `every_steps` steps and reports a line every `report_seconds`.

    A row holds the last step, the learning rate, the mean of each loss term over the row's steps, and the samples per
    second.
    """

    def __init__(
        self, path: Path, *, name: str, num_steps: int, batch_size: int, report: Report, every_steps: int = 20
    ) -> None:
        self.path, self.name, self.num_steps, self.batch_size = path, name, num_steps, batch_size
        self.report, self.every_steps, self.report_seconds = report, every_steps, 15.0
        self.sums: dict[str, float] = {}
        self.count = 0  # of steps in `sums`
        self.row: dict[str, float] = {}
        self.row_at = self.reported_at = time.monotonic()
        self.recent: deque[tuple[float, int]] = deque(maxlen=8)  # time and step of the last reported lines

    def state_dict(self) -> dict[str, Any]:
        """Return the sums of the unfinished row, for the checkpoint."""
        return {"sums": self.sums, "count": self.count}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the sums of the unfinished row."""
        self.sums, self.count = dict(state_dict["sums"]), int(state_dict["count"])

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Discard log rows written after the checkpoint that is being resumed."""
        self.row_at = self.reported_at = time.monotonic()
        self.recent.append((self.row_at, trainer.global_step))
        drop_rows_after(self.path, trainer.global_step)

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *args: Any) -> None:
        """Add the loss terms of this step; write a row and report a line when they are due."""
        assert isinstance(pl_module, Watched)
        for term, value in pl_module.last_losses.items():
            self.sums[term] = self.sums.get(term, 0.0) + value
        self.count += 1
        step = trainer.global_step
        if step % self.every_steps == 0 or step == self.num_steps:
            self._write_row(step, pl_module.learning_rate)
        time_now = time.monotonic()
        if self.row and (time_now - self.reported_at >= self.report_seconds or step == self.num_steps):
            self.reported_at = time_now
            self.report(self._line(step, time_now))

    def _write_row(self, step: int, learning_rate: float) -> None:
        time_now = time.monotonic()
        means = {term: total / self.count for term, total in self.sums.items()}
        rate = self.count * self.batch_size / max(time_now - self.row_at, 1e-9)
        self.row = {"step": step, "learning_rate": learning_rate, **means, "samples_per_second": rate}
        is_new = not self.path.exists()
        with self.path.open("a", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            if is_new:
                writer.writerow(self.row)
            writer.writerow(f"{value:.6g}" if isinstance(value, float) else value for value in self.row.values())
        self.sums, self.count, self.row_at = {}, 0, time_now

    def _line(self, step: int, time_now: float) -> str:
        self.recent.append((time_now, step))
        since, first = self.recent[0]
        rate = (step - first) / max(time_now - since, 1e-9)  # recent steps per second
        remaining = (self.num_steps - step) / rate
        terms = " ".join(
            f"{term} {value:.4g}" for term, value in self.row.items() if term not in ("step", "samples_per_second")
        )
        return (
            f"{self.name}: step {step}/{self.num_steps} {terms} {rate * self.batch_size:.1f}/s {clock(remaining)} left"
        )


class CheckHeldOut(Callback):
    """Evaluates the network on held-out data every `every_steps` steps and at the end, and keeps the best checkpoint.

    The first process evaluates, the others wait. A row of the CSV holds the step and all metrics that are numbers.
    """

    def __init__(self, task: Task, run: RunFolder, every_steps: int, report: Report) -> None:
        self.task, self.run, self.every_steps, self.report = task, run, every_steps, report
        self.best = float("-inf")

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Read the checks of an interrupted run up to the step at which it resumes."""
        if rank() == 0:
            drop_rows_after(self.run.checks, trainer.global_step)
        self.best = first_says(max(self._rows(), default=float("-inf")) if rank() == 0 else 0.0)

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *args: Any) -> None:
        """Evaluate the network if a check is due."""
        assert isinstance(pl_module, Watched)
        step = trainer.global_step
        pl_module.last_figures = {}
        if step % self.every_steps == 0 or step == trainer.max_steps:
            value = first_says(self._measure(step, pl_module) if rank() == 0 else 0.0)
            if value > self.best:
                self.best = value
                save_checkpoint(trainer, self.run.best)

    def _measure(self, step: int, pl_module: Watched) -> float:
        with torch.random.fork_rng(devices=[]):
            metrics = self.task.check(self.task.net, pl_module.device)
        pl_module.train()
        row = {name: float(value) for name, value in metrics.items() if isinstance(value, int | float)}
        if self.task.metric not in row:
            raise TrainingError(f"{self.task.kind}: a check needs the figure {self.task.metric!r}, got {sorted(row)}")
        is_new = not self.run.checks.exists()
        with self.run.checks.open("a", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            if is_new:
                writer.writerow(["step", *row])
            writer.writerow([step, *(f"{value:.6g}" for value in row.values())])
        pl_module.last_figures = row
        self.report(f"{self.run.name}: held out after step {step}: {self.task.metric} {row[self.task.metric]:.4g}")
        return row[self.task.metric]

    def _rows(self) -> list[float]:
        if not self.run.checks.is_file():
            return []
        with self.run.checks.open(newline="", encoding="utf-8") as file:
            return [float(row[self.task.metric]) for row in csv.DictReader(file)]


def clock(seconds: float) -> str:
    """Format seconds as h:mm:ss or m:ss."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def drop_rows_after(path: Path, step: int) -> None:
    """Keep only the rows of a log up to `step`; step 0 removes the log."""
    if not path.exists():
        return
    if step == 0:
        path.unlink()
        return
    with path.open(newline="", encoding="utf-8") as file:
        header, *rows = list(csv.reader(file))
    rows = [row for row in rows if row and int(row[0]) <= step]
    temporary = path.with_name(path.name + ".part")
    with temporary.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])
    temporary.replace(path)
