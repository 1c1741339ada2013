"""Training of one network by its recipe, from the task to the run's files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from actparse.core.errors import TrainingError
from actparse.training.loop import ranks
from actparse.training.loop.hardware import choose_hardware
from actparse.training.loop.trainer import train
from actparse.training.options import TrainOptions, say_nothing
from actparse.training.recipes.builders import build_task, num_rendered_clips
from actparse.training.recipes.registry import RECIPES
from actparse.training.recipes.tiny_changes import expect_same_changes, rate_from_text
from actparse.training.run_folder import RunFolder, read_json
from actparse.training.runs.network_files import load_best, load_initial, load_starts, save_trained
from actparse.training.task import Task

CLIPS_FIGURE = "rendered_clips"  # in the metrics of a network that was trained on rendered clips


def run_network(name: str, data: Path, out: Path, options: TrainOptions) -> dict[str, Any]:
    """Train one tiny network; arguments, files and errors are those of `start.run_recipe`."""
    run = RunFolder(out, name)
    if options.resume and run.is_finished:
        expect_same_changes(run.metrics, read_json(run.metrics).get("changes", {}), options.changes)
        return finished_figures(run, options)
    for needed in RECIPES[name].needs:
        if not RunFolder(out, needed).weights.is_file():
            raise TrainingError(f"{name} needs {RunFolder(out, needed).weights}: run the recipe {needed} first")
    if options.minutes is None and options.epochs is None and options.steps is None:
        options = replace(options, steps=RECIPES[name].steps)
    return _train_network(name, data, run, options)


def finished_figures(run: RunFolder, options: TrainOptions) -> dict[str, Any]:
    """Return the metrics of a finished run, and report that it is not trained again."""
    metrics = read_json(run.metrics)
    if ranks.rank() == 0:
        steps = f" in {metrics['steps']} steps" if "steps" in metrics else ""
        options.report(f"{run.name}: is finished already{steps}; use a different --out to train again")
    return metrics


def _train_network(name: str, data: Path, run: RunFolder, options: TrainOptions) -> dict[str, Any]:
    def build(options: TrainOptions) -> tuple[Task, TrainOptions]:
        task = build_task(name, data, run, options)
        rate, initial = rate_from_text(options.changes), _initial_weights(name, run, options)
        if rate is not None:
            task.settings = replace(task.settings, learning_rate=rate)
        if initial is not None:
            load_initial(task.net, initial, labels=task.labels())
            adopted = task.adopt(load_starts(RunFolder(initial.parent, initial.stem)))
            options.report(f"{name}: starts from {initial}" + "".join(f", {layer}" for layer in adopted))
        return task, replace(options, init=initial)

    clips = num_rendered_clips(name, data, options)
    return train_and_save(build, run, options, notes={CLIPS_FIGURE: clips} if clips else {})


def train_and_save(
    build: Callable[[TrainOptions], tuple[Task, TrainOptions]],
    run: RunFolder,
    options: TrainOptions,
    *,
    notes: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Build a task, train it, evaluate it and write its files; the first of several processes evaluates and writes.

    Args:
        build: builds the task from the options; returns it with the final options.
        run: the run's folder.
        options: of the run.
        notes: JSON values to add to the metrics.

    Returns:
        The held-out metrics.
    """
    hardware = choose_hardware(options.device, options.precision)
    ranks.join_group(hardware.device.type)
    if ranks.rank() == 0:
        run.folder.mkdir(parents=True, exist_ok=True)
    else:
        options = replace(options, report=say_nothing)
    torch.manual_seed(options.seed)
    task, options = build(options)
    plan = train(task, run, options, hardware)
    metrics: dict[str, Any] = {}
    if ranks.rank() == 0 and not options.only_estimate:
        if options.keep == "best":
            load_best(task, run)
        options.report(f"{run.name}: measuring on held-out data")
        task.net.to(task.stored_as).float()  # as the weights are stored
        metrics = {
            **task.evaluate(task.net, hardware.device),
            "steps": plan.num_steps,
            "seed": plan.seed,
            **(notes or {}),
        }
        if options.changes:
            metrics["changes"] = dict(options.changes)
        if plan.start is not None:
            metrics["start"] = plan.start
        metrics = save_trained(task, run, metrics)
        summary = (f"{key} {value:.4g}" for key, value in metrics.items() if isinstance(value, int | float))
        options.report(f"{run.name}: finished, {', '.join(summary)}")
    ranks.wait_for_all()
    return metrics


def _initial_weights(name: str, run: RunFolder, options: TrainOptions) -> Path | None:
    """Return the initial weights: the requested file, or for states the action network of the same run."""
    if options.init is not None or not name.startswith("states-"):
        return options.init
    action = RunFolder(run.out, "action")
    return next((path for path in (action.start_of(name), action.weights) if path.is_file()), None)
