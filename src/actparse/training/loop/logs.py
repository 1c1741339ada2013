"""The logs of a run: metrics by step as CSV and for TensorBoard, and lines of progress."""

from __future__ import annotations

import csv
import time
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from actparse.core.files import written_beside
from actparse.core.progress import format_duration
from actparse.training.options import TrainOptions
from actparse.training.run_folder import Plan, RunFolder

REPORT_SECONDS = 15.0  # between two lines of progress


class MetricsFile:
    """A CSV file with a row of metrics for some of the steps; `board`, a writer for TensorBoard, gets the same."""

    def __init__(self, path: Path, *, last_step: int, board: Any, section: str) -> None:
        """Open the file for a run that continues after `last_step`, without the rows of later steps."""
        self.path, self.board, self.section = path, board, section
        if last_step == 0:
            path.unlink(missing_ok=True)
        elif path.exists():
            with path.open(newline="", encoding="utf-8") as file:
                header, *rows = list(csv.reader(file)) or [[]]
            kept = [row for row in rows if len(row) == len(header) and int(row[0]) <= last_step]
            if not kept:  # a killed run may have left an empty file
                path.unlink()
                return
            with written_beside(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
                csv.writer(file).writerows([header, *kept])

    def append(self, step: int, metrics: Mapping[str, float]) -> None:
        """Add a row."""
        is_new = not self.path.exists()
        with self.path.open("a", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            if is_new:
                writer.writerow(["step", *metrics])
            writer.writerow([step, *(f"{value:.6g}" for value in metrics.values())])
        if self.board is not None:
            for name, value in metrics.items():
                self.board.add_scalar(f"{self.section}/{name}", value, step)
            self.board.flush()


class RunLog:
    """The log of a run: a row for every `options.log_every` steps, a row for every check, and lines of progress.

    A row holds the learning rate of its last step, the mean of each loss term over its steps, and samples per second.
    """

    def __init__(self, run: RunFolder, plan: Plan, options: TrainOptions, *, step: int, state: dict[str, Any]) -> None:
        """Open the log of a run that continues after `step`, with the `state` of its checkpoint, empty at step 0."""
        board = open_board(run.tensorboard, step, options) if options.tensorboard else None
        self.steps = MetricsFile(run.log, last_step=step, board=board, section="training")
        self.checks = MetricsFile(run.checks, last_step=step, board=board, section="held_out")
        self.name, self.plan, self.options = run.name, plan, options
        self.sums: dict[str, float] = state.get("sums", {})  # of the loss terms since the last row
        self.count: int = state.get("count", 0)  # steps in the sums
        self.best: float = state.get("best", float("-inf"))  # metric of the best check
        self.means: dict[str, float] = {}  # the last row
        self.row_at = self.reported_at = self.checked_at = time.monotonic()
        self.recent = deque([(self.row_at, step)], maxlen=8)  # time and step of the last lines

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint stores of the log."""
        return {"sums": self.sums, "count": self.count, "best": self.best}

    def add(self, step: int, learning_rate: float, losses: Mapping[str, float]) -> None:
        """Add the loss terms of a step; write a row and report a line if they are due."""
        self.sums = {term: self.sums.get(term, 0.0) + value for term, value in losses.items()}
        self.count += 1
        seconds, is_last = time.monotonic(), step == self.plan.num_steps
        if step % self.options.log_every == 0 or is_last:
            self.means = {term: total / self.count for term, total in self.sums.items()}
            speed = self.count * self.plan.batch_size / max(seconds - self.row_at, 1e-9)
            self.steps.append(step, {"learning_rate": learning_rate, **self.means, "samples_per_second": speed})
            self.sums, self.count, self.row_at = {}, 0, seconds
        if self.means and (seconds - self.reported_at >= REPORT_SECONDS or is_last):
            self.reported_at = seconds
            self.recent.append((seconds, step))
            first_seconds, first_step = self.recent[0]
            rate = (step - first_step) / max(seconds - first_seconds, 1e-9)  # steps per second
            terms = " ".join(f"{term} {value:.4g}" for term, value in self.means.items())
            self.options.report(
                f"{self.name}: step {step}/{self.plan.num_steps} learning_rate {learning_rate:.4g} {terms} "
                f"{rate * self.plan.batch_size:.1f}/s {format_duration((self.plan.num_steps - step) / rate)} left"
            )

    def add_check(self, step: int, metrics: Mapping[str, float], metric: str, started_at: float) -> bool:
        """Add a row of held-out metrics; return whether `metric`, one of them, is the best of the run so far.

        `started_at` is the monotonic time at which the check began: its share of the time since the last is reported.
        """
        self.checks.append(step, metrics)
        now = time.monotonic()
        seconds, since_last, self.checked_at = now - started_at, now - self.checked_at, now
        self.options.report(
            f"{self.name}: held out after step {step}: {metric} {metrics[metric]:.4g}, measured in {seconds:.1f} s, "
            f"{100 * seconds / max(since_last, 1e-9):.1f} % of the time"
        )
        is_best = metrics[metric] > self.best
        self.best = max(self.best, metrics[metric])
        return is_best


def open_board(folder: Path, step: int, options: TrainOptions) -> Any:
    """Return a writer for TensorBoard that continues after `step`, or None, with a report, if it is not installed."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        options.report("no log for TensorBoard: it is not installed (pip install 'actparse[train]')")
        return None
    return SummaryWriter(str(folder), purge_step=step + 1)
