"""The full-size recipes by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from actparse.core.errors import ConfigError, DataError, TrainingError, WeightsError
from actparse.core.vocabulary import GROUPS
from actparse.nets.poses.hrnet import Hrnet
from actparse.training.loop import ranks
from actparse.training.options import TrainOptions
from actparse.training.paper.action import CsnIrNumbers, CsnNumbers
from actparse.training.paper.baseline import BaselineNumbers
from actparse.training.paper.flow_reader import flow_folder
from actparse.training.paper.parts import PartsNumbers
from actparse.training.paper.persons import PersonsNumbers
from actparse.training.paper.poses import PosesNumbers
from actparse.training.paper.readings import changed
from actparse.training.paper.states import IR_WEIGHTS, StatesIrNumbers, StatesNumbers
from actparse.training.paper.tsn import TsnFlowNumbers, TsnRgbNumbers
from actparse.training.run_folder import RunFolder, read_json, write_json
from actparse.training.task import steps_per_epoch
from actparse.weights.bundle import config_to_dict, load_network, save_network

# settings of an imported file that must equal the stage's, and the hyperparameters that determine them
SETTINGS_OF_POSES = {"size": "size", "decoding": "decoding"}
SETTINGS_OF_CSN = {"norm": "pretraining"}


@dataclass(frozen=True)
class PaperRecipe:
    """A recipe at full size."""

    description: str
    numbers: Any  # its hyperparameters: a frozen dataclass with the paper's values
    initial: str  # name of the file, in a folder given as --init, that the network is initialised from


def _with_groups(prefix: str, network: str, hyperparameters: Any, initial: str, action: Any) -> dict[str, PaperRecipe]:
    """Return the recipes of a video network for the action and of one for each part group."""
    groups = {
        f"states-{prefix}{group}": PaperRecipe(
            f"{network} for the states of the group {group}", hyperparameters, initial
        )
        for group in GROUPS
    }
    name = f"action-{prefix}".removesuffix("-")
    return {name: PaperRecipe(f"{network} for the action of a video", action, initial), **groups}


PAPER_RECIPES: dict[str, PaperRecipe] = {
    "persons": PaperRecipe("person detector: YOLOF-R101 on frames, from COCO", PersonsNumbers(), "yolof"),
    "poses": PaperRecipe("pose network: HRNet-w48 from COCO as it is, nothing is trained", PosesNumbers(), "hrnet"),
    "parts": PaperRecipe("part detector: YOLOF-R101 on person crops with the pose", PartsNumbers(), "yolof"),
    "parts-without-dots": PaperRecipe("part detector without the pose", PartsNumbers(dots=False), "yolof"),
    **_with_groups("", "ip-CSN-152 from IG-65M", StatesNumbers(), "csn", CsnNumbers()),
    "baseline": PaperRecipe("official baseline: ResNet-50 with RoIAlign, and TSN", BaselineNumbers(), "tsn"),
    "action-ir": PaperRecipe("ir-CSN-152 from Sports-1M, to go with ip-CSN-152", CsnIrNumbers(), "csn-ir"),
    **{
        f"states-ir-{group}": PaperRecipe(
            f"ir-CSN-152 for the states of the group {group}", StatesIrNumbers(ensemble=IR_WEIGHTS[group]), "csn-ir"
        )
        for group in GROUPS
    },
    **_with_groups("tsn-rgb-", "TSN-R50 on frames", TsnRgbNumbers(), "tsn", TsnRgbNumbers()),
    **_with_groups("tsn-flow-", "TSN-R50 on flow", TsnFlowNumbers(), "tsn", TsnFlowNumbers()),
}


def numbers_of(name: str, changes: Mapping[str, str]) -> Any:
    """Return a recipe's hyperparameters with some of them changed.

    Raises:
        ConfigError: no recipe has this name, or a change is invalid for it.
    """
    if name not in PAPER_RECIPES:
        raise ConfigError(f"train: RECIPE at size paper must be one of {', '.join(PAPER_RECIPES)}, got {name!r}")
    return changed(PAPER_RECIPES[name].numbers, changes)


def run_paper_recipe(name: str, data: Path, out: Path, options: TrainOptions) -> dict[str, Any]:
    """Run a full-size recipe; arguments, files and errors are those of `training.start.run_recipe`.

    NAME_numbers.json beside the network's file contains the hyperparameters of its training, and `out`/bundle is
    created as soon as all networks of a bundle exist.
    """
    hyperparameters = numbers_of(name, options.changes)
    run = RunFolder(out, name)
    record = out / f"{name}_numbers.json"
    _expect_same_hyperparameters(record, config_to_dict(hyperparameters), run)
    if options.resume and run.is_finished:
        from actparse.training.runs.network_run import finished_figures

        return finished_figures(run, options)
    initial = expect_inputs(name, data, options)
    if ranks.rank() == 0 and not options.only_estimate:
        write_json(record, config_to_dict(hyperparameters))
    metrics = _save_poses(hyperparameters, run, initial, options) if name == "poses" else None
    if metrics is None:
        metrics = _train(name, hyperparameters, data, run, initial, options)
    if ranks.rank() == 0:
        from actparse.training.paper.bundle import assemble_if_complete

        assemble_if_complete(out, options.report)
    return metrics


def _expect_same_hyperparameters(path: Path, hyperparameters: dict[str, Any], run: RunFolder) -> None:
    """Check that a started run has the same hyperparameters.

    Raises:
        TrainingError: the requested hyperparameters differ.
    """
    if not path.is_file() or not (run.checkpoint.is_file() or run.is_finished):
        return
    stored = read_json(path)
    for name, value in hyperparameters.items():
        if stored.get(name) != value:
            raise TrainingError(
                f"{path}: the run has {name} {stored.get(name)}, got {value}; use a different --out to train again"
            )


def expect_inputs(name: str, data: Path, options: TrainOptions) -> Path | None:
    """Check the inputs of a recipe, so that a long run fails before it starts.

    Returns:
        The file that its network is initialised from; None for fresh weights.

    Raises:
        WeightsError: the folder of initial networks has no file for this recipe.
        DataError: it needs flow, and the flow's folder does not exist.
    """
    recipe, flow = PAPER_RECIPES[name], flow_folder(data, options)
    if isinstance(recipe.numbers, TsnFlowNumbers) and not flow.is_dir():
        raise DataError(f"{flow}: no such folder; {name} needs the flow that `actparse data flow` makes")
    return initial_file(recipe, options)


def initial_file(recipe: PaperRecipe, options: TrainOptions) -> Path | None:
    """Return the file that a network is initialised from: the given file, or the recipe's file in the given folder."""
    if options.init is None or not options.init.is_dir():
        return options.init
    path = options.init / f"{recipe.initial}.safetensors"
    if not path.is_file():
        raise WeightsError(f"{path}: no such file; `actparse weights import` makes it from a public checkpoint")
    return path


def _save_poses(
    hyperparameters: PosesNumbers, run: RunFolder, initial: Path | None, options: TrainOptions
) -> dict[str, Any]:
    """Write the stage's file from an imported HRNet."""
    if initial is None:
        raise TrainingError("poses: HRNet-w48 is used as it is: needs --init, a file of `actparse weights import`")
    file = load_network(initial)
    net = file.net
    width = net.config.width if isinstance(net, Hrnet) else 0
    if width != hyperparameters.width:
        raise WeightsError(
            f"{initial}: needs an HRNet of width {hyperparameters.width}, got a {type(net).__name__} of {width}"
        )
    _expect_settings(initial, file.settings, config_to_dict(hyperparameters.stage()), SETTINGS_OF_POSES)
    metrics: dict[str, Any] = {"steps": 0}
    if ranks.rank() == 0:
        import torch

        settings = config_to_dict(hyperparameters.stage())
        save_network(run.weights, net, kind="poses", settings=settings, metrics=metrics, dtype=torch.float32)
        write_json(run.metrics, metrics)
        options.report("poses: HRNet-w48 from COCO as it is, without any fine-tuning; nothing was trained")
    return metrics


def _expect_settings(
    initial: Path, stored: Mapping[str, Any], requested: Mapping[str, Any], names: Mapping[str, str]
) -> None:
    """Check that an imported network is used with the settings of its training.

    Raises:
        WeightsError: a setting of `names` differs from the file's; the values of `names` are what `--set` changes.
    """
    for name, hyperparameter in names.items():
        wanted = {**requested[name], **stored[name]} if isinstance(stored.get(name), dict) else stored.get(name)
        if wanted is not None and wanted != requested[name]:
            raise WeightsError(
                f"{initial}: needs {name} {wanted}, got {requested[name]}: --set {hyperparameter}=... changes it"
            )


def _train(
    name: str, hyperparameters: Any, data: Path, run: RunFolder, initial: Path | None, options: TrainOptions
) -> dict[str, Any]:
    from actparse.training.paper import builders
    from actparse.training.runs.network_run import train_and_save

    builder: builders.Builder = builders.build_clips
    if name == "persons":
        builder = builders.build_persons
    elif name.startswith("parts"):
        builder = builders.build_parts
    elif name == "baseline":
        builder = builders.build_baseline

    def build(options: TrainOptions) -> tuple[Any, TrainOptions]:
        task = builder(name, hyperparameters, data, run, options)
        if initial is not None:
            if isinstance(hyperparameters, CsnNumbers):
                _expect_settings(initial, load_network(initial).settings, task.stage_settings(), SETTINGS_OF_CSN)
            fresh = builders.start_from(task, initial)
            options.report(f"{name}: starts from {initial}; fresh: {', '.join(fresh) or 'nothing'}")
        else:
            options.report(f"{name}: starts from fresh weights; the paper's start is --init, an imported checkpoint")
        every = options.check_every or steps_per_epoch(task.num_samples, task.settings.batch_size)
        return task, replace(options, init=initial, check_every=every, estimate=True)

    return train_and_save(build, run, options)
