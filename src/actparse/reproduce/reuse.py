"""Checks of runs that a table may reuse, and of networks that were trained elsewhere."""

from __future__ import annotations

from pathlib import Path

from actparse.core.errors import TrainingError
from actparse.core.files import copy_file, file_sha256
from actparse.nets.detectors.yolof import Yolof
from actparse.training.recipes import tiny
from actparse.training.recipes.poses import PaperPoses
from actparse.training.recipes.registry import recipe_of
from actparse.training.run_folder import (
    HINT,
    RunFolder,
    expect_same_hyperparameters,
    read_json,
    read_plan,
    write_json,
)
from actparse.training.runs.jobs import Job
from actparse.training.runs.network_run import CLIPS_METRIC
from actparse.weights.bundle import config_to_dict, load_network


def expect_same(job: Job) -> None:
    """Check that a started run has the length and the start of `job`; otherwise a trial run would enter the table.

    Raises:
        TrainingError: it has not.
    """
    run, num_steps = RunFolder(job.out, job.recipe), _expected_steps(job)
    if not (run.is_finished or run.plan.is_file()):
        return
    recipe = recipe_of(job.recipe, job.options.size, job.options.changes)
    assert recipe.hyperparameters is not None, "the recipes of a table train single networks"
    if run.is_finished:
        metrics = read_json(run.metrics)
        steps, start = metrics.get("steps"), metrics.get("start")
    else:
        plan = read_plan(run)
        steps, start = plan.num_steps, plan.start
    if num_steps is not None and steps != num_steps:
        raise TrainingError(f"{run.weights}: the run has {steps} steps, got {num_steps}; {HINT}")
    expect_same_hyperparameters(run, config_to_dict(recipe.hyperparameters))
    if recipe.initial:
        return  # public weights, which full-size recipes start from, may be the same in other files
    if run.is_finished:  # a run that resumes checks its number of samples
        expect_clips(run, recipe.hyperparameters.num_rendered_clips(job.data, job.options))
    init = job.options.init
    if start != (file_sha256(init) if init is not None and init.is_file() else None):
        raise TrainingError(f"{run.weights}: the run did not start from {init or 'random weights'}; {HINT}")


def expect_clips(run: RunFolder, num_clips: int) -> None:
    """Check that a finished run saw this number of rendered clips.

    Raises:
        TrainingError: it saw another number.
    """
    trained_on = read_json(run.metrics).get(CLIPS_METRIC, 0)
    if trained_on != num_clips:
        raise TrainingError(f"{run.weights}: the run saw {trained_on} rendered clips, got {num_clips}; {HINT}")


def _expected_steps(job: Job) -> int | None:
    """Return the number of steps of a training; None if its data or a clock determines it."""
    options, recipe = job.options, recipe_of(job.recipe, job.options.size)
    if options.minutes is not None or options.epochs is not None or isinstance(recipe.hyperparameters, PaperPoses):
        return None  # the paper's pose network is not trained
    return recipe.steps if options.steps is None else options.steps


def copy_network(weights: Path, run: RunFolder) -> None:
    """Copy a network that was trained elsewhere into a run's folder, as if its recipe had finished.

    Raises:
        TrainingError: the folder contains a different network, on which the other trainings in it depend.
    """
    if run.weights.is_file() and file_sha256(run.weights) != file_sha256(weights):
        raise TrainingError(f"{run.weights}: is another network than {weights}; {HINT}")
    copy_file(weights, run.weights)
    if not run.metrics.is_file():
        write_json(run.metrics, {"from": weights.parent.name})


def start_of_objects(persons: Path) -> Path | None:
    """Return the file of the person detector if the tiny detector of objects has its backbone, else None."""
    net = load_network(persons).net
    return persons if isinstance(net, Yolof) and net.config.backbone == tiny.OBJECTS_NET.backbone else None
