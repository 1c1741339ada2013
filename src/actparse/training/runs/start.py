"""Training by a recipe's name: one network or a bundle, at either size, on one device or several."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from actparse.core.errors import ConfigError
from actparse.training.loop import ranks
from actparse.training.options import TrainOptions
from actparse.training.recipes.registry import RECIPES
from actparse.training.recipes.tiny_changes import expect_tiny_changes
from actparse.training.run_folder import RunFolder, read_json


def run_recipe(name: str, data: Path, out: Path, options: TrainOptions) -> dict[str, Any]:
    """Train the network, or the bundle, of a recipe.

    Args:
        name: one of RECIPES.
        data: root of a dataset in the layout of Kinetics-TPS, with the splits train and val (or test).
        out: the run's folder, for NAME.safetensors, NAME_metrics.json and, during the run, NAME/last.ckpt and log.csv.
        options: of the run.

    Returns:
        The held-out metrics; for "tiny", those of every network.

    Raises:
        ConfigError: no recipe has this name.
        TrainingError: the run's folder holds another run, a required network is missing, or training failed.
        DataError: the dataset does not exist or is damaged.
    """
    _expect_recipe(name, options)
    if options.num_devices > 1 and ranks.world_size() == 1:
        ranks.run_together(options.num_devices, _run_alone, name, data, out, replace(options, num_devices=1))
        return {} if options.only_estimate else read_json(RunFolder(out, name).metrics)
    if options.size == "paper":
        from actparse.training.paper.recipes import run_paper_recipe

        return run_paper_recipe(name, data, out, options)
    if name == "tiny":
        from actparse.training.runs.bundle_run import train_bundle

        return train_bundle(data, out, options)
    from actparse.training.runs.network_run import run_network

    return run_network(name, data, out, options)


def _expect_recipe(name: str, options: TrainOptions) -> None:
    if options.size == "paper":
        from actparse.training.paper.recipes import numbers_of

        numbers_of(name, options.changes)
        return
    if name not in RECIPES:
        raise ConfigError(f"train: RECIPE must be one of {', '.join(RECIPES)}, got {name!r}")
    if options.changes:
        expect_tiny_changes(name, options.changes)
    if name == "tiny" and (options.num_devices > 1 or ranks.world_size() > 1):
        raise ConfigError(f"train: tiny trains its networks side by side, needs one device, got {options.num_devices}")


def _run_alone(name: str, data: Path, out: Path, options: TrainOptions) -> None:
    """Train a recipe in one of several processes, without a result."""
    run_recipe(name, data, out, options)
