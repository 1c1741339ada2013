"""Recipe "tiny": train every network of a bundle, one or two at a time, and assemble the bundle."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from actparse.core.errors import TrainingError
from actparse.core.files import copy_file, write_text
from actparse.data.shares import SHARES_FILE, dataset_shares
from actparse.stages.loading import BUNDLE_FILE
from actparse.training.options import TrainOptions
from actparse.training.recipes.own_data import keep_networks
from actparse.training.recipes.registry import NETWORK_RECIPES
from actparse.training.run_folder import RunFolder, read_json, write_json
from actparse.training.runs.jobs import Job, run_jobs, without_report

STATE_FILE = "tiny.json"  # how the run divides its time, and which networks are finished
BUNDLE_FOLDER = "bundle"
MAX_JOBS = 2  # that run at a time; each has one thread
ORDER = {**{name: recipe.needs for name, recipe in NETWORK_RECIPES.items()}}  # recipe -> recipes to finish first
ORDER |= {name: ("action",) for name in ORDER if name.startswith("states-")}


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
    keep_networks(data, out, options)
    _prepare(data, out, options)
    jobs = {name: Job(name, data, out, _options_for(name, options, minutes), ORDER[name]) for name in NETWORK_RECIPES}

    def save_state(running: list[str]) -> None:
        finished = [name for name in NETWORK_RECIPES if jobs[name].is_finished]
        write_json(out / STATE_FILE, {"minutes": minutes, "finished": finished, "running": running})

    save_state([])
    run_jobs(jobs, slots=slots, report=options.report, changed=save_state)
    metrics = {name: read_json(RunFolder(out, name).metrics) for name in NETWORK_RECIPES}
    bundle = assemble(out, metrics)
    write_text(bundle / SHARES_FILE, dataset_shares(data).to_json())
    options.report(f"tiny: the bundle is in {out / BUNDLE_FOLDER}")
    return metrics


def _divide_time(out: Path, options: TrainOptions, slots: int) -> dict[str, float]:
    """Return the minutes for each recipe: as recorded when the run began, else in proportion to the default minutes."""
    if (out / STATE_FILE).exists():
        raw = read_json(out / STATE_FILE).get("minutes")
        if isinstance(raw, dict) and set(raw) == set(NETWORK_RECIPES):
            return {name: float(raw[name]) for name in NETWORK_RECIPES}
        raise TrainingError(f"{out / STATE_FILE}: a run can be resumed only with its state file, got {raw!r}")
    default_minutes = {name: recipe.minutes for name, recipe in NETWORK_RECIPES.items()}
    if options.minutes is not None:
        factor = options.minutes * slots / sum(default_minutes.values())
        return {name: minutes * factor for name, minutes in default_minutes.items()}
    if options.steps is not None:
        return {
            name: minutes * options.steps / NETWORK_RECIPES[name].steps for name, minutes in default_minutes.items()
        }
    return default_minutes


def estimate(minutes: dict[str, float], slots: int) -> str:
    """Return one line: how long the run will take, and which recipes take longest."""
    longest = sorted(minutes, key=lambda name: -minutes[name])[:4]
    recipes = ", ".join(f"{name} {minutes[name]:.0f}" for name in longest)
    total = sum(minutes.values()) / slots
    return f"tiny: about {total:.0f} minutes with {slots} networks at a time, after the data are decoded ({recipes})"


def _prepare(data: Path, out: Path, options: TrainOptions) -> None:
    """Create the caches that several jobs read, with all cores, before the jobs start."""
    from actparse.training.recipes.builders import open_clips, open_pose_streams, open_splits, open_tracks

    out.mkdir(parents=True, exist_ok=True)
    open_splits(data, out, options.report)
    if not RunFolder(out, "poses").is_finished:
        open_pose_streams(data, out, options)
    open_clips(data, out, options)
    open_tracks(data, out, options)


def _options_for(name: str, options: TrainOptions, minutes: dict[str, float]) -> TrainOptions:
    start = None if options.init is None else options.init / f"{name}.safetensors"
    init = start if start is not None and start.is_file() else None
    job_options = replace(without_report(options), init=init)
    return job_options if options.minutes is None else replace(job_options, minutes=minutes[name])


def assemble(out: Path, metrics: dict[str, Any], *, name: str = "tiny") -> Path:
    """Copy the networks into `out`/bundle, with a file that lists them and their metrics.

    Returns:
        The bundle's folder.

    Raises:
        OutputError: the folder cannot be written.
    """
    bundle = out / BUNDLE_FOLDER
    kinds = list(NETWORK_RECIPES)  # includes the part detector without dots: `diagnose` compares with it
    for kind in kinds:
        copy_file(RunFolder(out, kind).weights, bundle / f"{kind}.safetensors")
    write_json(bundle / BUNDLE_FILE, {"name": name, "networks": kinds, "metrics": metrics})
    return bundle
