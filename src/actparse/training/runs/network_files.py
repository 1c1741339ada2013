"""Saving a trained network with its metrics, and loading the networks of an earlier run."""

from __future__ import annotations

from typing import Any

import torch

from actparse.core.errors import WeightsError
from actparse.core.files import without_nan
from actparse.training.run_folder import RunFolder, write_json
from actparse.training.task import Start, Task
from actparse.weights.bundle import load_network, save_network


def load_starts(run: RunFolder) -> dict[str, Start]:
    """Load the networks that a run has saved for other recipes, by recipe.

    Raises:
        WeightsError: a file is damaged.
    """
    files = {path.stem: load_network(path) for path in sorted(run.folder.glob("*.safetensors"))}
    return {name: Start(file.net, file.labels) for name, file in files.items()}


def load_best(task: Task, run: RunFolder) -> None:
    """Load the network of a run's best checkpoint, and its auxiliary heads, into `task`.

    Raises:
        WeightsError: there is no best checkpoint.
    """
    if not run.best.is_file():
        raise WeightsError(f"{run.best}: no such checkpoint; only runs with --check-every write it")
    state = torch.load(run.best, map_location="cpu", weights_only=True)["state_dict"]
    for prefix, module in (("net.", task.net), ("helper.", task.helper)):
        if module is not None:
            weights = {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
            module.load_state_dict(weights)


def save_trained(task: Task, run: RunFolder, metrics: dict[str, Any]) -> dict[str, Any]:
    """Write the networks, then the metrics, which mark the recipe as finished; return the metrics as written."""
    metrics = without_nan(metrics)
    save_network(
        run.weights,
        task.net,
        kind=task.kind,
        settings=task.stage_settings(),
        labels=task.labels(),
        metrics=metrics,
        dtype=task.stored_as,
    )
    for name, start in task.starts().items():
        save_network(run.start_of(name), start.net, kind=name, settings=task.stage_settings(), labels=start.labels)
    write_json(run.metrics, metrics)
    return metrics
