"""Training of one network by its recipe, from the task to the run's files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch

from actparse.core.errors import TrainingError, WeightsError
from actparse.core.files import without_nan
from actparse.core.progress import discard_line
from actparse.data.division import choose_division
from actparse.nets.poses.hrnet import Hrnet
from actparse.training.loop import ranks
from actparse.training.loop.hardware import choose_hardware
from actparse.training.loop.trainer import train
from actparse.training.options import TrainOptions
from actparse.training.recipes.hyperparameters import Hyperparameters, Inputs
from actparse.training.recipes.poses import PaperPoses
from actparse.training.recipes.registry import Recipe, recipe_of
from actparse.training.run_folder import HINT, Plan, RunFolder, expect_same_hyperparameters, read_json, write_json
from actparse.training.runs.bundles import assemble_complete
from actparse.training.runs.initial_weights import start_from
from actparse.training.task import Task, steps_per_epoch
from actparse.weights.bundle import config_to_dict, load_network, save_network

CLIPS_METRIC = "rendered_clips"  # in the metrics of a network that was trained on rendered clips


def run_network(name: str, data: Path, out: Path, options: TrainOptions) -> dict[str, Any]:
    """Train one network; arguments, files and errors are those of `start.run_recipe`.

    NAME/recipe.json contains the hyperparameters of its training. Bundles of full-size networks are assembled as soon
    as all of their networks exist.
    """
    recipe, run = recipe_of(name, options.size, options.changes), RunFolder(out, name)
    hyperparameters = recipe.hyperparameters
    assert hyperparameters is not None, "a bundle is trained by start"
    if not hyperparameters.trains_on_videos:
        options = replace(options, train_on="train")
    expect_same_hyperparameters(run, config_to_dict(hyperparameters), options.train_on)
    if options.resume and run.is_finished:
        metrics = read_json(run.metrics)
        if ranks.rank() == 0:
            steps = f" in {metrics['steps']} steps" if "steps" in metrics else ""
            options.report(f"{run.name}: is finished already{steps}; {HINT}")
        return metrics
    initial = check_inputs(name, data, out, options)
    if isinstance(hyperparameters, PaperPoses):
        metrics = _save_poses(hyperparameters, run, initial, options)
    else:
        metrics = _train(recipe, hyperparameters, data, run, initial, options)
    if ranks.rank() == 0 and not options.only_estimate:
        assemble_complete(options.size, out, options.report)
    return metrics


def check_inputs(name: str, data: Path, out: Path, options: TrainOptions, *, needs: bool = True) -> Path | None:
    """Check the inputs of a recipe, so that a long run fails before it starts.

    Args:
        name: of the recipe.
        data: root of the dataset.
        out: the run's folder.
        options: of the run.
        needs: whether the networks of the recipes that it needs must exist.

    Returns:
        The file that its network is initialised from; None for fresh weights.

    Raises:
        TrainingError: a network that the recipe needs is missing.
        WeightsError: the folder of initial networks has no file for this recipe.
        DataError: other files that it needs are missing.
    """
    recipe = recipe_of(name, options.size)
    for needed in recipe.needs if needs else ():
        if not RunFolder(out, needed).weights.is_file():
            raise TrainingError(f"{name} needs {RunFolder(out, needed).weights}: run the recipe {needed} first")
    if recipe.hyperparameters is not None:
        recipe.hyperparameters.expect_inputs(data, options)
    if options.init is not None and options.init.is_dir():
        path = options.init / f"{recipe.initial or name}.safetensors"
        if not path.is_file():
            raise WeightsError(f"{path}: no such file; `actparse weights import` makes it from a public checkpoint")
        return path
    if options.init is not None or recipe.group is None or recipe.initial:
        return options.init
    action = RunFolder(out, "action")  # a state network starts from the network for the action of the same run
    return next((path for path in (action.start_of(recipe.kind), action.weights) if path.is_file()), None)


def _save_poses(
    hyperparameters: PaperPoses, run: RunFolder, initial: Path | None, options: TrainOptions
) -> dict[str, Any]:
    """Write the pose stage's file from an imported HRNet."""
    if initial is None:
        raise TrainingError("poses: HRNet-w48 is used as it is: needs --init, a file of `actparse weights import`")
    file = load_network(initial)
    width = file.net.config.width if isinstance(file.net, Hrnet) else 0
    if width != hyperparameters.width:
        found = f"{type(file.net).__name__} of {width}"
        raise WeightsError(f"{initial}: needs an HRNet of width {hyperparameters.width}, got a {found}")
    settings, metrics = config_to_dict(hyperparameters.stage()), {"steps": 0}
    _expect_initial_settings(initial, hyperparameters, settings)
    if ranks.rank() == 0:
        plan = Plan(0, options.seed, 0, hyperparameters=config_to_dict(hyperparameters))
        save_network(run.weights, file.net, kind="poses", settings=settings, metrics=metrics, dtype=torch.float32)
        write_json(run.plan, asdict(plan))
        write_json(run.metrics, metrics)
        options.report("poses: HRNet-w48 from COCO as it is, without any fine-tuning; nothing was trained")
    return dict(metrics)


def _expect_initial_settings(initial: Path, hyperparameters: Hyperparameters, settings: Mapping[str, Any]) -> None:
    """Check that an imported network is used with the settings of its training.

    Raises:
        WeightsError: a setting differs from the file's.
    """
    stored = load_network(initial).settings
    for name, field in hyperparameters.initial_settings.items():
        wanted = {**settings[name], **stored[name]} if isinstance(stored.get(name), dict) else stored.get(name)
        if wanted is not None and wanted != settings[name]:
            raise WeightsError(f"{initial}: needs {name} {wanted}, got {settings[name]}: --set {field}=... changes it")


def _train(
    recipe: Recipe,
    hyperparameters: Hyperparameters,
    data: Path,
    run: RunFolder,
    initial: Path | None,
    options: TrainOptions,
) -> dict[str, Any]:
    """Train a network, evaluate it and write its files; all processes measure, the first one writes."""
    hardware = choose_hardware(options.device, options.precision)
    ranks.join_group(hardware.device.type)
    if ranks.rank() == 0:
        run.folder.mkdir(parents=True, exist_ok=True)
    else:
        options = replace(options, report=discard_line)
    torch.manual_seed(options.seed)
    is_measured = _has_held_out(recipe.name, data, options)
    task = hyperparameters.build(Inputs(recipe.kind, recipe.group, data, run, options))
    if initial is not None:
        _expect_initial_settings(initial, hyperparameters, task.stage_settings())
        options.report(f"{run.name}: {start_from(task, initial)}")
    elif recipe.initial:
        options.report(f"{run.name}: starts from fresh weights; the paper's start is --init, an imported checkpoint")
    options = replace(_with_default_length(recipe, task, options, checks=is_measured), init=initial)
    plan = train(task, run, options, hardware)
    metrics: dict[str, Any] = {}
    if options.only_estimate:
        return metrics
    if options.keep == "best" and ranks.rank() == 0:
        load_best(task, run)
    if is_measured:
        options.report(f"{run.name}: measuring on held-out data")
        ranks.copy_from_first(task.net)
        task.net.to(task.stored_as).float()  # as the weights are stored
        metrics = task.evaluate(task.net, hardware.device)
    if ranks.rank() == 0:
        metrics = {**metrics, "steps": plan.num_steps, "seed": plan.seed}
        if plan.train_on != "train":
            metrics["train_on"] = plan.train_on
        num_clips = hyperparameters.num_rendered_clips(data, options)
        if num_clips:
            metrics[CLIPS_METRIC] = num_clips
        if plan.start is not None:
            metrics["start"] = plan.start
        metrics = save_trained(task, run, metrics)
        summary = (f"{key} {value:.4g}" for key, value in metrics.items() if isinstance(value, int | float))
        options.report(f"{run.name}: finished, {', '.join(summary)}")
    ranks.wait_for_all()
    return metrics


def _has_held_out(name: str, data: Path, options: TrainOptions) -> bool:
    """Return whether some annotated videos are not trained on; if none, report that nothing will be measured.

    Raises:
        TrainingError: held-out checks were requested, and there is nothing to check on.
    """
    division = None if options.train_on == "train" else choose_division(data, train_on=options.train_on)
    if division is None or not division.is_trained_on:
        return True
    if options.check_every is not None or options.keep == "best":
        option = "--keep best" if options.keep == "best" else "--check-every"
        raise TrainingError(f"train: {option} needs held-out videos, got --train-on all, which leaves none in {data}")
    options.report(f"{name}: trains on all annotated videos, so no held-out metrics are measured")
    return False


def _with_default_length(recipe: Recipe, task: Task, options: TrainOptions, *, checks: bool) -> TrainOptions:
    """Set the recipe's number of steps; a run of several epochs is estimated at its start and checked after each."""
    if task.settings.step_rule is not None:
        every = options.check_every or steps_per_epoch(task.num_samples, task.settings.batch_size)
        return replace(options, check_every=every if checks else None, estimate=True)
    if options.minutes is None and options.epochs is None and options.steps is None:
        return replace(options, steps=recipe.steps)
    return options


def load_best(task: Task, run: RunFolder) -> None:
    """Load the network of a run's best checkpoint, and its auxiliary heads, into `task`.

    Raises:
        WeightsError: there is no best checkpoint.
    """
    if not run.best.is_file():
        raise WeightsError(f"{run.best}: no such checkpoint; only runs with --check-every write it")
    state = torch.load(run.best, map_location="cpu", weights_only=True)["state_dict"]
    for prefix, module in (("net.", task.net), ("helper.", task.helper)):
        if module is not None:
            weights = {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
            module.load_state_dict(weights)


def save_trained(task: Task, run: RunFolder, metrics: dict[str, Any]) -> dict[str, Any]:
    """Write the networks, then the metrics, which mark the recipe as finished; return the metrics as written."""
    metrics = without_nan(metrics)
    save_network(
        run.weights,
        task.net,
        kind=task.kind,
        settings=task.stage_settings(),
        labels=task.labels(),
        metrics=metrics,
        dtype=task.stored_as,
    )
    for name, start in task.starts().items():
        save_network(run.start_of(name), start.net, kind=name, settings=task.stage_settings(), labels=start.labels)
    write_json(run.metrics, metrics)
    return metrics
