"""What a dataset of one's own cannot teach: poses, which are learnt from rendered people, and parts without a label."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from actparse.core.errors import TrainingError
from actparse.core.files import copy_file
from actparse.data.own.tree import TRAINED_PARTS, read_manifest
from actparse.training.options import TrainOptions
from actparse.training.runs import RunFolder, write_json
from actparse.weights.bundle import load_network

POSES, PART_NETWORKS = "poses", ("parts", "parts-without-dots")


def keep_networks(data: Path, out: Path, options: TrainOptions) -> None:
    """Take what the dataset cannot teach from --init as it is, where the dataset is one's own, and say so.

    Args:
        data: the dataset's root.
        out: the run's folder; the networks count as finished there.
        options: of the run; `init` is a folder.

    Raises:
        TrainingError: a network can neither be taken nor be trained.
        WeightsError: a network is damaged.
    """
    manifest = read_manifest(data)
    if manifest is None:
        return
    for name, reason in _untaught(manifest).items():
        run = RunFolder(out, name)
        weights = None if options.init is None else options.init / f"{name}.safetensors"
        if run.is_finished:
            continue
        if weights is not None and weights.is_file():
            _keep(weights, run)
            options.report(f"{name}: {reason}, so the network stays that of {options.init}")
        elif name == POSES:
            options.report(f"{name}: {reason}, so rendered people do; --init tiny takes the bundle's network")
        else:
            raise TrainingError(
                f"{name}: {reason}; needs --init tiny, or another folder with {name}.safetensors, got none"
            )


def _untaught(manifest: Mapping[str, Any]) -> dict[str, str]:
    """Why each network cannot be trained, by recipe."""
    reasons = {POSES: "own data teach none"}
    if manifest.get(TRAINED_PARTS) == 0:
        reasons |= dict.fromkeys(PART_NETWORKS, "the training videos label no body part")
    return reasons


def _keep(weights: Path, run: RunFolder) -> None:
    metrics = dict(load_network(weights).metrics)
    copy_file(weights, run.weights)
    write_json(run.metrics, metrics)
