"""Weights into a task's network before training, and the trained network out of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from actparse.core.errors import WeightsError
from actparse.metrics.figures import without_nan
from actparse.training.runs import RunFolder, write_json
from actparse.training.task import Start, Task
from actparse.weights.bundle import load_network, save_network

CLASSIFIERS = (  # layers whose labels may differ; the last three are those of the network on keypoints
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
    """Copy a stored network into `net`; a classifying layer with other labels, or another number of them, stays fresh.

    Of a network on tracks the rows of the labels that both have are copied.

    Args:
        net: the network.
        weights: a file of weights.bundle.
        labels: what `net` will say; None lets the number of labels alone decide.
        fresh: beginnings of other names that may differ and stay fresh then.

    Returns:
        The names of the tensors that stayed fresh.

    Raises:
        WeightsError: the file is damaged, or another layer differs.
    """
    file = load_network(weights)
    stored, own = file.net.state_dict(), net.state_dict()
    differing = sorted(set(own) ^ set(stored))
    differing += [name for name in own if name in stored and own[name].shape != stored[name].shape]
    for name in differing:
        if not name.startswith((*CLASSIFIERS, *fresh)) or name not in own:
            raise WeightsError(f"{weights}: cannot start from it: {name} is missing, unused or of another shape")
    if labels is not None and labels != file.labels:
        differing += [name for name in own if name.startswith(CLASSIFIERS) and name not in differing]
    with torch.no_grad():
        shared = _rows_of_tracks(own, stored, labels, file.labels) if labels is not None else {}
        net.load_state_dict({**stored, **{name: own[name] for name in differing}, **shared})
    return tuple(name for name in differing if name not in shared)


def _rows_of_tracks(
    own: Mapping[str, Tensor], stored: Mapping[str, Tensor], labels: Mapping[str, Any], theirs: Mapping[str, Any]
) -> dict[str, Tensor]:
    """The classifying layers of a network on tracks with the stored rows of the labels that it shares; else nothing."""
    if set(labels) != {"actions", "states"} or set(theirs) != set(labels):
        return {}
    rows = {
        "states": (
            [(n, s) for n, part in enumerate(labels["states"]) for s in part],
            [(n, s) for n, part in enumerate(theirs["states"]) for s in part],
        ),
        "action": (list(labels["actions"]), list(theirs["actions"])),
    }
    shared = {}
    for name, value in own.items():
        layer = name.split(".")[0]
        if layer not in (*rows, "action_embed"):
            continue
        names, known = rows["states" if layer == "states" else "action"]
        axis = 1 if layer == "action_embed" else 0
        pairs = [(row, known.index(label)) for row, label in enumerate(names) if label in known]
        if not pairs:
            continue
        to, at = (torch.tensor(column, dtype=torch.int64) for column in zip(*pairs, strict=True))
        shared[name] = value.index_copy(axis, to, stored[name].index_select(axis, at))
    return shared


def load_starts(run: RunFolder) -> dict[str, Start]:
    """What a run left to other recipes, by their names.

    Raises:
        WeightsError: a file is damaged.
    """
    files = {path.stem: load_network(path) for path in sorted(run.folder.glob("*.safetensors"))}
    return {name: Start(file.net, file.labels) for name, file in files.items()}


def load_best(task: Task, run: RunFolder) -> None:
    """Copy the network of a run's best checkpoint, and its helper, into those of `task`.

    Raises:
        WeightsError: there is none.
    """
    if not run.best.is_file():
        raise WeightsError(f"{run.best}: no such checkpoint; it needs a run that was checked on the way")
    state = torch.load(run.best, map_location="cpu", weights_only=True)["state_dict"]
    for prefix, module in (("net.", task.net), ("helper.", task.helper)):
        if module is not None:
            own = {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
            module.load_state_dict(own)


def save_trained(task: Task, run: RunFolder, figures: dict[str, Any]) -> dict[str, Any]:
    """Write the networks, then the figures, which mark the recipe as finished; returns the figures as written."""
    figures = without_nan(figures)
    save_network(
        run.weights,
        task.net,
        kind=task.kind,
        settings=task.stage_settings(),
        labels=task.labels(),
        metrics=figures,
        dtype=task.stored_as,
    )
    for name, start in task.starts().items():
        save_network(run.start_of(name), start.net, kind=name, settings=task.stage_settings(), labels=start.labels)
    write_json(run.metrics, figures)
    return figures
