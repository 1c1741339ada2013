"""Initial weights of a task's network: from an earlier training run, or from an imported public checkpoint."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from actparse.core.errors import WeightsError
from actparse.nets.baseline import Baseline
from actparse.nets.clips.tsn import Tsn
from actparse.stages.loading import BUNDLE_FILE
from actparse.training.recipes.paper_clips import PaperTsnFlow
from actparse.training.run_folder import RunFolder
from actparse.training.task import Start, Task
from actparse.weights.bundle import NetworkFile, load_network
from actparse.weights.label_rows import initial_rows

FIRST_CONVOLUTION = "backbone.conv1.conv.weight"  # parameter name in a Tsn
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

    For networks on clips or tracks that share labels, weights.label_rows says how those layers start.

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
        try:
            shared = initial_rows(current, stored, labels, file.labels) if labels is not None else {}
        except (IndexError, RuntimeError, ValueError) as error:
            raise WeightsError(f"{weights}: cannot start from it: its labels do not fit its layers: {error}") from None
        net.load_state_dict({**stored, **{name: current[name] for name in differing}, **shared})
    return tuple(name for name in differing if name not in shared)


def start_from(task: Task, weights: Path) -> str:
    """Initialise a task's network, and its auxiliary heads from files beside; return what was loaded and what is fresh.

    Raises:
        WeightsError: the file is damaged, or a layer differs that has to match.
    """
    file = load_network(weights)
    if isinstance(task.net, Baseline) and isinstance(file.net, Tsn):
        fresh = _start_backbone(task.net, file, weights)
    else:
        inputs = (FIRST_CONVOLUTION,) if isinstance(task.net, Tsn) else ()  # flow has other channels than frames
        fresh = load_initial(task.net, weights, labels=task.labels(), fresh=inputs)
    hyperparameters = task.hyperparameters
    takes_mean = isinstance(hyperparameters, PaperTsnFlow) and hyperparameters.first_convolution == "mean"
    if FIRST_CONVOLUTION in fresh and takes_mean:
        stored = file.net.state_dict()[FIRST_CONVOLUTION]  # (64, 3, 7, 7)
        weight = task.net.state_dict()[FIRST_CONVOLUTION]  # (64, 10, 7, 7)
        weight.copy_(stored.mean(dim=1, keepdim=True).expand_as(weight))
        fresh = tuple(name for name in fresh if name != FIRST_CONVOLUTION)
    heads = task.adopt(load_starts(RunFolder(weights.parent, weights.stem)) or _load_states_beside(weights))
    return f"starts from {', '.join((str(weights), *heads))}; fresh: {', '.join(fresh) or 'nothing'}"


def _start_backbone(net: Baseline, file: NetworkFile, weights: Path) -> tuple[str, ...]:
    """Initialise the baseline from a Tsn, whose ResNet has the same layers with other names."""
    assert isinstance(file.net, Tsn)
    stored = {_resnet_name(name): value for name, value in file.net.backbone.state_dict().items()}
    expected = net.backbone.state_dict()
    for name in sorted(set(expected) ^ set(stored)) or (n for n in expected if expected[n].shape != stored[n].shape):
        raise WeightsError(f"{weights}: cannot start from it: {name} is missing, unused or of another shape")
    net.backbone.load_state_dict(stored)
    return tuple(name for name in net.state_dict() if not name.startswith("backbone."))


def _resnet_name(name: str) -> str:
    """Convert a parameter name of Tsn to that of ResNet: layer1.0.conv2.bn.weight -> layer1.0.bn2.weight."""
    name = name.replace("downsample.conv.", "downsample.0.").replace("downsample.bn.", "downsample.1.")
    return re.sub(r"conv(\d)\.bn\.", r"bn\1.", re.sub(r"conv(\d)\.conv\.", r"conv\1.", name))


def load_starts(run: RunFolder) -> dict[str, Start]:
    """Load the networks that a run has saved for other recipes, by recipe.

    Raises:
        WeightsError: a file is damaged.
    """
    return _load_files(run.folder, "*.safetensors")


def _load_states_beside(weights: Path) -> dict[str, Start]:
    """Load the state networks of a bundle whose action network is `weights`; none if it is another file."""
    if weights.stem != "action" or not (weights.parent / BUNDLE_FILE).is_file():
        return {}
    return _load_files(weights.parent, "states-*.safetensors")


def _load_files(folder: Path, pattern: str) -> dict[str, Start]:
    files = {path.stem: load_network(path) for path in sorted(folder.glob(pattern))}
    return {name: Start(file.net, file.labels) for name, file in files.items()}
