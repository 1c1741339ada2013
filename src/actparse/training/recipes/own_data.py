"""Networks that a custom dataset cannot train: poses, which are learnt from rendered people, and unlabelled parts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from actparse.core.errors import TrainingError
from actparse.core.files import copy_file
from actparse.data.own.tree import TRAINED_PARTS, read_manifest
from actparse.training.options import TrainOptions
from actparse.training.recipes.registry import PARTS, POSES, WITHOUT_DOTS
from actparse.training.run_folder import RunFolder, write_json
from actparse.weights.bundle import load_network


def keep_networks(data: Path, out: Path, options: TrainOptions) -> None:
    """Copy the networks that a custom dataset cannot train from --init unchanged, and report each of them.

    Args:
        data: the dataset's root.
        out: the run's folder, where the copied networks count as finished.
        options: of the run; `init` is a folder.

    Raises:
        TrainingError: a network can neither be copied nor trained.
        WeightsError: a network is damaged.
    """
    manifest = read_manifest(data)
    if manifest is None:
        return
    for name, reason in _untrainable(manifest).items():
        run = RunFolder(out, name)
        weights = None if options.init is None else options.init / f"{name}.safetensors"
        if run.is_finished:
            continue
        if weights is not None and weights.is_file():
            metrics = dict(load_network(weights).metrics)
            copy_file(weights, run.weights)
            write_json(run.metrics, metrics)
            options.report(f"{name}: {reason}, so the network of {options.init} is used unchanged")
        elif name == POSES:
            options.report(f"{name}: {reason}, so rendered people are used; --init tiny uses the bundle's network")
        else:
            raise TrainingError(
                f"{name}: {reason}; needs --init tiny, or another folder with {name}.safetensors, got none"
            )


def _untrainable(manifest: Mapping[str, Any]) -> dict[str, str]:
    """Return the reason why a network cannot be trained, by recipe."""
    reasons = {POSES: "cannot be trained on own data"}
    if manifest.get(TRAINED_PARTS) == 0:
        reasons |= dict.fromkeys((PARTS, WITHOUT_DOTS), "the training videos label no body part")
    return reasons
