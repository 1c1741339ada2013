"""The recipes by name: one for each network of the tiny bundle, and one for all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from actparse.errors import ConfigError, TrainingError
from actparse.training import ranks
from actparse.training.options import TrainOptions, say_nothing
from actparse.training.runs import RunFolder, read_json
from actparse.training.task import Task
from actparse.training.tiny_changes import expect_same_changes, expect_tiny_changes, rate_from_text
from actparse.vocabulary import GROUPS

CLIPS_FIGURE = "rendered_clips"  # beside the figures of a network that trained on some


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What one name trains."""

    description: str
    steps: int  # by default
    samples_per_second: float  # on one processor core, measured; for the estimate of a run's time
    batch_size: int
    needs: tuple[str, ...] = ()  # recipes whose weights must lie in the run's folder

    @property
    def minutes(self) -> float:
        """How long the default number of steps takes on one core."""
        return self.steps * self.batch_size / self.samples_per_second / 60


NETWORK_RECIPES: dict[str, Recipe] = {
    "persons": Recipe(
        description="person detector: tiny YOLOF on frames", steps=10_000, samples_per_second=43, batch_size=12
    ),
    "poses": Recipe(
        description="pose network: tiny HRNet on rendered person crops",
        steps=25_000,
        samples_per_second=88,
        batch_size=32,
    ),
    "parts": Recipe(
        description="part detector: tiny YOLOF on person crops with the pose drawn on them",
        steps=12_500,
        samples_per_second=40,
        batch_size=16,
        needs=("poses",),
    ),
    "parts-without-dots": Recipe(
        description="part detector without the pose, for comparison",
        steps=12_500,
        samples_per_second=40,
        batch_size=16,
        needs=("poses",),
    ),
    "tracks": Recipe(
        description="network on keypoints: the action, and the states of each person alone",
        steps=4_000,
        samples_per_second=1_500,
        batch_size=256,
        needs=("poses",),
    ),
    "action": Recipe(
        description="action network: tiny ip-CSN on clips", steps=12_500, samples_per_second=68, batch_size=16
    ),
    **{
        f"states-{group}": Recipe(
            description=f"state network of the part group {group}, from the action network's weights",
            steps=2_500,
            samples_per_second=68,
            batch_size=16,
        )
        for group in GROUPS
    },
}
COMPARED_RECIPES: dict[str, Recipe] = {  # for Table I; video networks leave state networks beside them
    "action-tsn-rgb": Recipe(
        description="in the place of the action network: tiny TSN on frames",
        steps=12_500,
        samples_per_second=68,
        batch_size=16,
    ),
    "action-tsn-flow": Recipe(
        description="in the place of the action network: tiny TSN on TV-L1 flow",
        steps=12_500,
        samples_per_second=42,
        batch_size=16,
    ),
    "action-pretrained": Recipe(
        description="tiny ip-CSN on rendered clips alone; `--init` of action, as IG-65M's weights are the paper's",
        steps=120_000,
        samples_per_second=68,
        batch_size=16,
    ),
    "baseline": Recipe(
        description="official baseline: tiny ResNet, RoIAlign on persons and parts, fused with TSN on frames",
        steps=2_500,
        samples_per_second=7,  # of three frames each, with float32
        batch_size=8,
    ),
}
PEOPLE_RECIPES: dict[str, Recipe] = {  # of the bundle for real people; a run's poses.safetensors is MoveNet's there
    "parts-people": Recipe(
        description="part detector for real people: rendered person crops of the varied look, dots of the run's poses",
        steps=6_000,
        samples_per_second=40,
        batch_size=16,
        needs=("poses",),
    ),
    "part-regression": Recipe(
        description="network from keypoints to part boxes, on the same persons; half of them with true keypoints",
        steps=6_000,
        samples_per_second=20_000,
        batch_size=256,
        needs=("poses",),
    ),
    "tracks-people": Recipe(
        description="network on keypoints for real people: as tracks, unsure keypoints count as a little sure",
        steps=8_000,
        samples_per_second=1_500,
        batch_size=256,
        needs=("poses",),
    ),
}
RECIPES: dict[str, Recipe] = {
    **NETWORK_RECIPES,
    **COMPARED_RECIPES,
    **PEOPLE_RECIPES,
    "tiny": Recipe(
        description="the whole tiny bundle: all of its networks, two at a time",
        steps=sum(recipe.steps for recipe in NETWORK_RECIPES.values()),
        samples_per_second=45,
        batch_size=16,
    ),
}


def run_recipe(name: str, data: Path, out: Path, options: TrainOptions) -> dict[str, Any]:
    """Train what a recipe names.

    Args:
        name: one of RECIPES.
        data: a dataset's root in Kinetics-TPS's folders, with the splits train and val (or test).
        out: the run's folder; gets NAME.safetensors, NAME_metrics.json and, while it runs, NAME/last.ckpt and log.csv.
        options: how long, from what, where.

    Returns:
        The held-out figures; of "tiny" those of every network.

    Raises:
        ConfigError: no recipe has this name.
        TrainingError: the run's folder holds another run, a network that it needs is missing, or training failed.
        DataError: the dataset is not there or not as it should be.
    """
    _expect_recipe(name, options)
    if options.num_devices > 1 and ranks.world_size() == 1:
        ranks.run_together(options.num_devices, _run_alone, name, data, out, replace(options, num_devices=1))
        return {} if options.only_estimate else read_json(RunFolder(out, name).metrics)
    if options.size == "paper":
        from actparse.training.paper.recipes import run_paper_recipe

        return run_paper_recipe(name, data, out, options)
    if name == "tiny":
        from actparse.training.bundle_run import train_bundle

        return train_bundle(data, out, options)
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


def finished_figures(run: RunFolder, options: TrainOptions) -> dict[str, Any]:
    """The figures of a run that is finished, and a word that nothing is trained again."""
    figures = read_json(run.metrics)
    if ranks.rank() == 0:
        steps = f" in {figures['steps']} steps" if "steps" in figures else ""
        options.report(f"{run.name}: is finished already{steps}; another --out trains it anew")
    return figures


def _run_alone(name: str, data: Path, out: Path, options: TrainOptions) -> None:
    """The work of one of several processes."""
    run_recipe(name, data, out, options)


def _train_network(name: str, data: Path, run: RunFolder, options: TrainOptions) -> dict[str, Any]:
    from actparse.training.builders import build_task, num_rendered_clips
    from actparse.training.network_files import load_initial, load_starts

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
    """Build a task, train it, measure it and write its files; of several processes the first one measures and writes.

    Args:
        build: makes the task from the options, and may settle some of them.
        run: the run's folder.
        options: of the run.
        notes: what stands beside the figures, JSON values.

    Returns:
        The held-out figures.
    """
    from actparse.training.loop import choose_hardware, train
    from actparse.training.network_files import load_best, save_trained

    hardware = choose_hardware(options.device, options.precision)
    ranks.join_group(hardware.device.type)
    if ranks.rank() == 0:
        run.folder.mkdir(parents=True, exist_ok=True)
    else:
        options = replace(options, report=say_nothing)
    torch.manual_seed(options.seed)
    task, options = build(options)
    plan = train(task, run, options, hardware)
    figures: dict[str, Any] = {}
    if ranks.rank() == 0 and not options.only_estimate:
        if options.keep == "best":
            load_best(task, run)
        options.report(f"{run.name}: measuring on held-out data")
        task.net.to(task.stored_as).float()  # as the weights are stored
        figures = {
            **task.evaluate(task.net, hardware.device),
            "steps": plan.num_steps,
            "seed": plan.seed,
            **(notes or {}),
        }
        if options.changes:
            figures["changes"] = dict(options.changes)
        if plan.start is not None:
            figures["start"] = plan.start
        figures = save_trained(task, run, figures)
        options.report(f"{run.name}: finished, {_in_short(figures)}")
    ranks.wait_for_all()
    return figures


def _initial_weights(name: str, run: RunFolder, options: TrainOptions) -> Path | None:
    """What training starts from: the file that was asked for, or for states the action network of the same run."""
    if options.init is not None or not name.startswith("states-"):
        return options.init
    action = RunFolder(run.out, "action")
    return next((path for path in (action.start_of(name), action.weights) if path.is_file()), None)


def _in_short(figures: dict[str, Any]) -> str:
    return ", ".join(f"{key} {value:.4g}" for key, value in figures.items() if isinstance(value, int | float))
