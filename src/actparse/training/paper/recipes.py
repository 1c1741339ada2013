"""The full-size recipes by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from actparse.core.errors import ConfigError, DataError, TrainingError, WeightsError
from actparse.core.vocabulary import GROUPS
from actparse.nets.hrnet import Hrnet
from actparse.training import ranks
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
from actparse.training.runs import RunFolder, read_json, write_json
from actparse.training.task import steps_per_epoch
from actparse.weights.bundle import config_to_dict, load_network, save_network

# settings of an imported file that must be the stage's, and the numbers that decide them
SETTINGS_OF_POSES = {"size": "size", "decoding": "decoding"}
SETTINGS_OF_CSN = {"norm": "pretraining"}


@dataclass(frozen=True)
class PaperRecipe:
    """What one name trains at full size."""

    description: str
    numbers: Any  # its frozen dataclass, with the paper's values
    initial: str  # the file of a folder given as --init: which network it starts from


def _with_groups(prefix: str, network: str, numbers: Any, initial: str, action: Any) -> dict[str, PaperRecipe]:
    """A video network for the action and one for each part group."""
    groups = {
        f"states-{prefix}{group}": PaperRecipe(f"{network} for the states of the group {group}", numbers, initial)
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
    """A recipe's numbers, with some of them changed.

    Raises:
        ConfigError: no recipe has this name, or a change does not fit it.
    """
    if name not in PAPER_RECIPES:
        raise ConfigError(f"train: RECIPE at size paper must be one of {', '.join(PAPER_RECIPES)}, got {name!r}")
    return changed(PAPER_RECIPES[name].numbers, changes)


def run_paper_recipe(name: str, data: Path, out: Path, options: TrainOptions) -> dict[str, Any]:
    """Train what a full-size recipe names; arguments, files and errors as `training.start.run_recipe`.

    Beside the network's file lies NAME_numbers.json with the numbers that it was trained with, and `out`/bundle is
    made when all networks of a bundle are there.
    """
    numbers = numbers_of(name, options.changes)
    run = RunFolder(out, name)
    noted = out / f"{name}_numbers.json"
    _expect_numbers(noted, config_to_dict(numbers), run)
    if options.resume and run.is_finished:
        from actparse.training.network_run import finished_figures

        return finished_figures(run, options)
    initial = expect_inputs(name, data, options)
    if ranks.rank() == 0 and not options.only_estimate:
        write_json(noted, config_to_dict(numbers))
    figures = _keep_poses(numbers, run, initial, options) if name == "poses" else None
    if figures is None:
        figures = _train(name, numbers, data, run, initial, options)
    if ranks.rank() == 0:
        from actparse.training.paper.bundle import assemble_if_complete

        assemble_if_complete(out, options.report)
    return figures


def _expect_numbers(path: Path, numbers: dict[str, Any], run: RunFolder) -> None:
    """A run that was begun keeps what it is trained with.

    Raises:
        TrainingError: other numbers are asked for.
    """
    if not path.is_file() or not (run.checkpoint.is_file() or run.is_finished):
        return
    before = read_json(path)
    for name, number in numbers.items():
        if before.get(name) != number:
            raise TrainingError(f"{path}: the run has {name} {before.get(name)}, got {number}: another folder?")


def expect_inputs(name: str, data: Path, options: TrainOptions) -> Path | None:
    """Say before a long run what one of its trainings would lack.

    Returns:
        The file that its network starts from; None is fresh weights.

    Raises:
        WeightsError: the folder that networks start from has no file for this recipe.
        DataError: it reads flow, and there is none.
    """
    recipe, flow = PAPER_RECIPES[name], flow_folder(data, options)
    if isinstance(recipe.numbers, TsnFlowNumbers) and not flow.is_dir():
        raise DataError(f"{flow}: no such folder; {name} needs the flow that `actparse data flow` makes")
    return initial_file(recipe, options)


def initial_file(recipe: PaperRecipe, options: TrainOptions) -> Path | None:
    """The file that a network starts from: the one that was named, or the one for it in a folder."""
    if options.init is None or not options.init.is_dir():
        return options.init
    path = options.init / f"{recipe.initial}.safetensors"
    if not path.is_file():
        raise WeightsError(f"{path}: no such file; `actparse weights import` makes it from a public checkpoint")
    return path


def _keep_poses(numbers: PosesNumbers, run: RunFolder, initial: Path | None, options: TrainOptions) -> dict[str, Any]:
    """Write the stage's file from an imported HRNet."""
    if initial is None:
        raise TrainingError("poses: HRNet-w48 is used as it is: needs --init, a file of `actparse weights import`")
    file = load_network(initial)
    net = file.net
    width = net.config.width if isinstance(net, Hrnet) else 0
    if width != numbers.width:
        raise WeightsError(f"{initial}: needs an HRNet of width {numbers.width}, got a {type(net).__name__} of {width}")
    _expect_settings(initial, file.settings, config_to_dict(numbers.stage()), SETTINGS_OF_POSES)
    figures: dict[str, Any] = {"steps": 0}
    if ranks.rank() == 0:
        import torch

        settings = config_to_dict(numbers.stage())
        save_network(run.weights, net, kind="poses", settings=settings, metrics=figures, dtype=torch.float32)
        write_json(run.metrics, figures)
        options.report("poses: HRNet-w48 from COCO as it is, without any fine-tuning; nothing was trained")
    return figures


def _expect_settings(
    initial: Path, stored: Mapping[str, Any], asked: Mapping[str, Any], names: Mapping[str, str]
) -> None:
    """An imported network is used as it was trained.

    Raises:
        WeightsError: a setting of `names` differs from the file's; their values are the numbers that `--set` changes.
    """
    for name, number in names.items():
        wanted = {**asked[name], **stored[name]} if isinstance(stored.get(name), dict) else stored.get(name)
        if wanted is not None and wanted != asked[name]:
            raise WeightsError(f"{initial}: needs {name} {wanted}, got {asked[name]}: --set {number}=... changes it")


def _train(
    name: str, numbers: Any, data: Path, run: RunFolder, initial: Path | None, options: TrainOptions
) -> dict[str, Any]:
    from actparse.training.network_run import train_and_save
    from actparse.training.paper import builders

    builder: builders.Builder = builders.build_clips
    if name == "persons":
        builder = builders.build_persons
    elif name.startswith("parts"):
        builder = builders.build_parts
    elif name == "baseline":
        builder = builders.build_baseline

    def build(options: TrainOptions) -> tuple[Any, TrainOptions]:
        task = builder(name, numbers, data, run, options)
        if initial is not None:
            if isinstance(numbers, CsnNumbers):
                _expect_settings(initial, load_network(initial).settings, task.stage_settings(), SETTINGS_OF_CSN)
            fresh = builders.start_from(task, initial)
            options.report(f"{name}: starts from {initial}; fresh: {', '.join(fresh) or 'nothing'}")
        else:
            options.report(f"{name}: starts from fresh weights; the paper's start is --init, an imported checkpoint")
        every = options.check_every or steps_per_epoch(task.num_samples, task.settings.batch_size)
        return task, replace(options, init=initial, check_every=every, estimate=True)

    return train_and_save(build, run, options)
