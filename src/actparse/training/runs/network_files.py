"""Loading initial weights into a task's network, and saving the trained network."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from actparse.core.errors import WeightsError
from actparse.core.files import without_nan
from actparse.training.run_folder import RunFolder, write_json
from actparse.training.task import Start, Task
from actparse.weights.bundle import load_network, save_network

CLASSIFIERS = (  # layers whose labels may differ; the last three belong to the network on keypoints
    "cls_head.fc_cls.",
    "bbox_head.cls_score.",
    "state_heads.",
    "action.1.",
    "action_embed.",
    "states.",
)


def load_initial(
    net: nn.Module, weights: Path, *, labels: Mapping[str, Any] | None = None, fresh: tuple[str, ...] = ()
) -> tuple[str, ...]:
    """Copy a stored network into `net`, except classifying layers with other labels, which stay random.

    For a network on tracks, the rows of the labels that both networks have are copied.

    Args:
        net: the network.
        weights: a file of weights.bundle.
        labels: of `net`; if None, only the number of labels is compared.
        fresh: prefixes of other tensors that may differ and then stay random.

    Returns:
        The names of the tensors that stayed random.

    Raises:
        WeightsError: the file is damaged, or another layer differs.
    """
    file = load_network(weights)
    stored, current = file.net.state_dict(), net.state_dict()
    differing = sorted(set(current) ^ set(stored))
    differing += [name for name in current if name in stored and current[name].shape != stored[name].shape]
    for name in differing:
        if not name.startswith((*CLASSIFIERS, *fresh)) or name not in current:
            raise WeightsError(f"{weights}: cannot start from it: {name} is missing, unused or of another shape")
    if labels is not None and labels != file.labels:
        differing += [name for name in current if name.startswith(CLASSIFIERS) and name not in differing]
    with torch.no_grad():
        shared = _shared_track_rows(current, stored, labels, file.labels) if labels is not None else {}
        net.load_state_dict({**stored, **{name: current[name] for name in differing}, **shared})
    return tuple(name for name in differing if name not in shared)


def _shared_track_rows(
    current: Mapping[str, Tensor],
    stored: Mapping[str, Tensor],
    labels: Mapping[str, Any],
    stored_labels: Mapping[str, Any],
) -> dict[str, Tensor]:
    """Return the classifying layers of a network on tracks with the stored rows of shared labels; {} for others."""
    if set(labels) != {"actions", "states"} or set(stored_labels) != set(labels):
        return {}
    label_lists = {
        "states": (
            [(part, state) for part, states in enumerate(labels["states"]) for state in states],
            [(part, state) for part, states in enumerate(stored_labels["states"]) for state in states],
        ),
        "action": (list(labels["actions"]), list(stored_labels["actions"])),
    }
    shared = {}
    for name, value in current.items():
        layer = name.split(".")[0]
        if layer not in (*label_lists, "action_embed"):
            continue
        current_list, stored_list = label_lists["states" if layer == "states" else "action"]
        axis = 1 if layer == "action_embed" else 0
        pairs = [(row, stored_list.index(label)) for row, label in enumerate(current_list) if label in stored_list]
        if not pairs:
            continue
        rows, stored_rows = (torch.tensor(column, dtype=torch.int64) for column in zip(*pairs, strict=True))
        shared[name] = value.index_copy(axis, rows, stored[name].index_select(axis, stored_rows))
    return shared


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
