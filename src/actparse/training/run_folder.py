"""The files of a run: a recipe's checkpoint, log, plan, trained network and metrics."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from actparse.core.errors import DataError, TrainingError
from actparse.core.files import write_text

HINT = "use a different --out to train again"


@dataclass(frozen=True)
class RunFolder:
    """The files of one recipe in a run's folder `out`."""

    out: Path
    name: str  # of the recipe

    @property
    def folder(self) -> Path:
        """The folder of the files that only this recipe uses."""
        return self.out / self.name

    @property
    def checkpoint(self) -> Path:
        """The last checkpoint, with optimiser state and step."""
        return self.folder / "last.ckpt"

    @property
    def best(self) -> Path:
        """The checkpoint with the best held-out check."""
        return self.folder / "best.ckpt"

    @property
    def checks(self) -> Path:
        """Held-out metrics during training, CSV; only if the run has held-out checks."""
        return self.folder / "checks.csv"

    @property
    def tensorboard(self) -> Path:
        """TensorBoard's folder."""
        return self.folder / "tensorboard"

    @property
    def log(self) -> Path:
        """Loss, learning rate and speed by step, CSV."""
        return self.folder / "log.csv"

    @property
    def plan(self) -> Path:
        """The record of the run, see `Plan`: its hyperparameters and all that is fixed at its start; JSON."""
        return self.folder / "recipe.json"

    def start_of(self, name: str) -> Path:
        """Return the file of the network that this recipe saves as a start for another recipe."""
        return self.folder / f"{name}.safetensors"

    @property
    def weights(self) -> Path:
        """The trained network, in the format of weights.bundle."""
        return self.out / f"{self.name}.safetensors"

    @property
    def metrics(self) -> Path:
        """Held-out metrics, JSON; written last, so the file marks a finished recipe."""
        return self.out / f"{self.name}_metrics.json"

    @property
    def is_finished(self) -> bool:
        """Whether the recipe's network and metrics exist."""
        return self.weights.is_file() and self.metrics.is_file()


@dataclass(frozen=True)
class Plan:
    """What is fixed at the start of a run and kept when it resumes."""

    num_steps: int
    seed: int
    batch_size: int
    start: str | None = None  # SHA-256 of the file that training started from
    hyperparameters: Mapping[str, Any] = field(default_factory=dict)  # of the recipe, as JSON values
    num_samples: int = 0  # training samples
    train_on: str = "train"  # which of the dataset's videos, see TrainOptions


def read_plan(run: RunFolder) -> Plan:
    """Read the plan of an earlier run.

    Raises:
        TrainingError: the plan is missing or damaged.
    """
    try:
        raw = read_json(run.plan)
        counts = {name: int(raw[name]) for name in ("num_steps", "seed", "batch_size", "num_samples")}
        train_on = str(raw.get("train_on", "train"))
        return Plan(**counts, start=raw["start"], hyperparameters=dict(raw["hyperparameters"]), train_on=train_on)
    except (DataError, KeyError, TypeError, ValueError) as error:
        raise TrainingError(f"{run.plan}: a run can be resumed only with its record: {error}") from None


def expect_same_hyperparameters(run: RunFolder, hyperparameters: Mapping[str, Any], train_on: str = "train") -> None:
    """Check that a run that was begun before has these hyperparameters, and trains on these videos.

    Raises:
        TrainingError: they differ, or an earlier version of actparse began the run, which cannot be resumed.
    """
    if not (run.checkpoint.is_file() or run.is_finished):
        return
    if not run.plan.is_file():
        earlier = (run.folder / "plan.json", run.out / f"{run.name}_numbers.json")
        path = next((path for path in earlier if path.is_file()), None)
        if path is not None:
            raise TrainingError(f"{path}: is of an earlier version, whose runs do not resume; {HINT}")
        return
    plan = read_plan(run)
    if plan.train_on != train_on:
        raise TrainingError(f"{run.plan}: the run trains on {plan.train_on}, got {train_on}; {HINT}")
    stored = plan.hyperparameters
    for name, value in hyperparameters.items():
        if stored.get(name) != value:
            raise TrainingError(f"{run.plan}: the run has {name} {stored.get(name)}, got {value}; {HINT}")


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object from a file.

    Raises:
        DataError: the file cannot be read or contains something else.
    """
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path}: needs a JSON object, got: {error}") from None
    if not isinstance(raw, dict):
        raise DataError(f"{path}: needs a JSON object, got {type(raw).__name__}")
    return raw


def write_json(path: Path, value: Any) -> None:
    """Write JSON atomically.

    Raises:
        OutputError: the file cannot be written.
    """
    write_text(path, json.dumps(value, indent=1, sort_keys=True) + "\n")
