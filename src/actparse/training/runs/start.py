"""Training by a recipe's name: one network or a bundle, at either size, on one device or several."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from actparse.core.errors import ConfigError
from actparse.training.loop import ranks
from actparse.training.options import TrainOptions
from actparse.training.recipes.registry import recipe_of
from actparse.training.run_folder import RunFolder, read_json
from actparse.training.runs.bundle_run import train_bundle
from actparse.training.runs.network_run import run_network


def run_recipe(name: str, data: Path, out: Path, options: TrainOptions) -> dict[str, Any]:
    """Train the network, or the bundle, of a recipe.

    Args:
        name: one of RECIPES of `options.size`.
        data: root of a dataset in the layout of Kinetics-TPS, with the splits train and val (or test).
        out: the run's folder, for NAME.safetensors, NAME_metrics.json and, during the run, NAME/last.ckpt and log.csv.
        options: of the run.

    Returns:
        The held-out metrics; for "tiny", those of every network.

    Raises:
        ConfigError: no recipe has this name, or a changed hyperparameter is invalid for it.
        TrainingError: the run's folder holds another run, a required network is missing, or training failed.
        DataError: the dataset does not exist or is damaged.
    """
    recipe = recipe_of(name, options.size, options.changes)
    several = options.num_devices > 1 or ranks.world_size() > 1
    if recipe.hyperparameters is None:
        if several:
            needs = "trains its networks side by side, needs one device"
            raise ConfigError(f"train: {name} {needs}, got {options.num_devices}")
        return train_bundle(data, out, options)
    if several and ranks.world_size() == 1:
        ranks.run_together(options.num_devices, _run_network, name, data, out, replace(options, num_devices=1))
        return {} if options.only_estimate else read_json(RunFolder(out, name).metrics)
    return run_network(name, data, out, options)


def _run_network(name: str, data: Path, out: Path, options: TrainOptions) -> None:
    """Train a network in one of several processes, without a result."""
    run_network(name, data, out, options)
