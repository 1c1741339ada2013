"""Training by a recipe's name: one network, or every network of the tiny bundle, one or two at a time."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from actparse.core.errors import ConfigError, TrainingError
from actparse.core.files import copy_file, write_text
from actparse.data.division import choose_division
from actparse.data.own.tree import TRAINED_PARTS, read_manifest
from actparse.data.shares import SHARES_FILE, dataset_shares
from actparse.training.loop import ranks
from actparse.training.options import TrainOptions
from actparse.training.recipes.persons import FRAME_RECIPES, open_frames
from actparse.training.recipes.registry import BUNDLE_RECIPES, PARTS, POSES, WITHOUT_DOTS, recipe_of
from actparse.training.recipes.tiny_clips import open_clips
from actparse.training.recipes.tracks import open_tracks
from actparse.training.run_folder import RunFolder, expect_same_hyperparameters, read_json, write_json
from actparse.training.runs.bundles import BUNDLE_FOLDER, assemble
from actparse.training.runs.jobs import Job, run_jobs, without_report
from actparse.training.runs.network_run import run_network
from actparse.training.samples.splits import open_stores
from actparse.weights.bundle import load_network

STATE_FILE = "tiny.json"  # how the run divides its time, and which networks are finished
MAX_JOBS = 2  # that run at a time; each has one thread
ORDER = {  # recipe -> recipes to finish first
    name: ("action",) if recipe.group else recipe.needs for name, recipe in BUNDLE_RECIPES.items()
}


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
        ranks.run_together(options.num_devices, run_network, name, data, out, replace(options, num_devices=1))
        return {} if options.only_estimate else read_json(RunFolder(out, name).metrics)
    return run_network(name, data, out, options)


def train_bundle(data: Path, out: Path, options: TrainOptions) -> dict[str, Any]:
    """Train all networks and assemble their files into a bundle.

    Args:
        data: a dataset's root.
        out: the run's folder; `out`/bundle is what the parser loads.
        options: `minutes` is for the whole run, `steps` and `epochs` for each network; `init` is a folder, for example
            a bundle, and the networks that it contains start from there. With `resume`, an interrupted run continues.

    Returns:
        The held-out metrics of every network, by recipe; empty if only an estimate was requested.

    Raises:
        TrainingError: a network failed, `init` is not a folder, or `out` holds a run and `resume` was not requested.
    """
    if options.init is not None and not options.init.is_dir():
        raise TrainingError(f"train: tiny starts from a folder with a file for each network, got --init {options.init}")
    if (out / STATE_FILE).exists() and not options.resume:
        raise TrainingError(f"{out} holds a run of tiny already: resume it, or choose another folder")
    slots = min(MAX_JOBS, os.cpu_count() or 1)
    minutes = _divide_time(out, options, slots)
    options.report(estimate(minutes, slots))
    if options.only_estimate:
        return {}
    for name, recipe in BUNDLE_RECIPES.items():
        if recipe.hyperparameters is not None and recipe.hyperparameters.trains_on_videos:
            expect_same_hyperparameters(RunFolder(out, name), {}, options.train_on)
    keep_networks(data, out, options)
    out.mkdir(parents=True, exist_ok=True)
    open_stores(data, out, options)  # the caches that several jobs read are made first, with all cores
    if not all(RunFolder(out, name).is_finished for name in FRAME_RECIPES):
        open_frames(data, out, options)
        open_frames(data, out, options, "val")
    open_clips(data, out, options)
    open_tracks(data, out, options)
    jobs = {name: Job(name, data, out, _options_for(name, options, minutes), ORDER[name]) for name in BUNDLE_RECIPES}

    def save_state(running: list[str]) -> None:
        finished = [name for name in BUNDLE_RECIPES if jobs[name].is_finished]
        write_json(out / STATE_FILE, {"minutes": minutes, "finished": finished, "running": running})

    save_state([])
    run_jobs(jobs, slots=slots, report=options.report, changed=save_state)
    metrics = {name: read_json(RunFolder(out, name).metrics) for name in BUNDLE_RECIPES}
    bundle = assemble_tiny(out, metrics)
    train_split = choose_division(data, train_on=options.train_on).train
    write_text(bundle / SHARES_FILE, dataset_shares(data, train_split).to_json())
    options.report(f"tiny: the bundle is in {out / BUNDLE_FOLDER}")
    return metrics


def _divide_time(out: Path, options: TrainOptions, slots: int) -> dict[str, float]:
    """Return the minutes for each recipe: as recorded when the run began, else in proportion to the default minutes."""
    if (out / STATE_FILE).exists():
        raw = read_json(out / STATE_FILE).get("minutes")
        if isinstance(raw, dict) and set(raw) == set(BUNDLE_RECIPES):
            return {name: float(raw[name]) for name in BUNDLE_RECIPES}
        raise TrainingError(f"{out / STATE_FILE}: a run can be resumed only with its state file, got {raw!r}")
    default_minutes = {name: recipe.minutes for name, recipe in BUNDLE_RECIPES.items()}
    if options.minutes is not None:
        factor = options.minutes * slots / sum(default_minutes.values())
        return {name: minutes * factor for name, minutes in default_minutes.items()}
    if options.steps is not None:
        return {
            name: minutes * options.steps / (BUNDLE_RECIPES[name].steps or 1)
            for name, minutes in default_minutes.items()
        }
    return default_minutes


def estimate(minutes: dict[str, float], slots: int) -> str:
    """Return one line: how long the run will take, and which recipes take longest."""
    longest = sorted(minutes, key=lambda name: -minutes[name])[:4]
    recipes = ", ".join(f"{name} {minutes[name]:.0f}" for name in longest)
    total = sum(minutes.values()) / slots
    return f"tiny: about {total:.0f} minutes with {slots} networks at a time, after the data are decoded ({recipes})"


def _options_for(name: str, options: TrainOptions, minutes: dict[str, float]) -> TrainOptions:
    start = None if options.init is None else options.init / f"{name}.safetensors"
    init = start if start is not None and start.is_file() else None
    job_options = replace(without_report(options), init=init)
    return job_options if options.minutes is None else replace(job_options, minutes=minutes[name])


def assemble_tiny(out: Path, metrics: dict[str, Any]) -> Path:
    """Copy the networks of a finished run into `out`/bundle; return the bundle's folder.

    It includes the part detector without dots: `diagnose` compares with it.

    Raises:
        OutputError: the folder cannot be written.
    """
    files = {name: RunFolder(out, name).weights for name in BUNDLE_RECIPES}
    return assemble(out / BUNDLE_FOLDER, files, name="tiny", metrics=metrics)


def keep_networks(data: Path, out: Path, options: TrainOptions) -> None:
    """Copy the networks that a custom dataset cannot train from --init unchanged, and report each of them.

    These are the pose network, which learns from rendered people, and the part detectors if no part is labelled.

    Raises:
        TrainingError: a network can neither be copied nor trained.
        WeightsError: a network is damaged.
    """
    manifest = read_manifest(data)
    if manifest is None:
        return
    reasons = {POSES: "cannot be trained on own data"}
    if manifest.get(TRAINED_PARTS) == 0:
        reasons |= dict.fromkeys((PARTS, WITHOUT_DOTS), "the training videos label no body part")
    for name, reason in reasons.items():
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
