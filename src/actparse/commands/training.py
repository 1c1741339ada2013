"""The command "train", and the options of training runs that "reproduce" shares."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Group, Parameter
from cyclopts.validators import mutually_exclusive

from actparse.commands.datasets import open_root
from actparse.commands.options import RARE, Dataset
from actparse.core.errors import ActparseError

DEFAULTS: dict[str, dict[str, Any]] = {  # by the size of the networks
    "tiny": {"threads": 1, "tensorboard": False, "checkpoint_seconds": 90.0},
    "paper": {"threads": None, "tensorboard": True, "checkpoint_seconds": 600.0},  # a checkpoint has half a gigabyte
}
MAX_WORKERS = {"tiny": 0, "paper": 8}  # largest default number of processes that prepare batches

LENGTH = Group("Length of a run", sort_key=2, validator=mutually_exclusive)
Size = Annotated[Literal["tiny", "paper"], Parameter(help="small networks, or those of the paper")]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """Options of a training run; the fields have the names of those of TrainOptions, which checks them."""

    steps: Annotated[int | None, Parameter(group=LENGTH, metavar="N", help="optimiser steps")] = None
    minutes: Annotated[float | None, Parameter(group=LENGTH, metavar="M", help="train for about M minutes")] = None
    device: Annotated[str, Parameter(metavar="DEVICE", help="cpu, cuda, or auto: a GPU if available")] = "auto"
    num_devices: Annotated[
        int, Parameter(name="--devices", metavar="N", help="GPUs that share a batch; or use torchrun")
    ] = 1
    accumulate: Annotated[int, RARE, Parameter(help="parts into which a device splits its share of a batch")] = 1
    workers: Annotated[int | None, RARE, Parameter(help="processes that prepare batches; tiny: 0")] = None
    precision: Annotated[
        Literal["auto", "bfloat16", "float16", "float32"],
        RARE,
        Parameter(help="auto: bfloat16 if the device supports it, else float32"),
    ] = "auto"
    check_every: Annotated[
        int | None, RARE, Parameter(help="steps between two checks on held-out data; paper: one epoch")
    ] = None
    keep: Annotated[Literal["last", "best"], RARE, Parameter(help="checkpoint that is saved as the network")] = "last"
    stream_clips: Annotated[int, RARE, Parameter(help="rendered clips, for SynthTPS")] = 14_400

    def for_size(self, size: str) -> dict[str, Any]:
        """Return arguments of TrainOptions, with the defaults that depend on the size of the networks."""
        free_cores = max(1, (os.cpu_count() or 1) // max(1, self.num_devices) - 1)  # for each device
        workers = min(MAX_WORKERS[size], free_cores) if self.workers is None else self.workers
        return {**asdict(self), "workers": workers, **DEFAULTS[size]}


DEFAULT_RUN = RunOptions()


def train(
    recipe: str | None = None,
    *,
    print_list: Annotated[bool, Parameter(name="--list")] = False,
    print_numbers: Annotated[bool, RARE, Parameter(name="--numbers")] = False,
    size: Size = "tiny",
    data: Dataset | None = None,
    out: Annotated[Path | None, Parameter(metavar="RUN")] = None,
    epochs: Annotated[float | None, Parameter(group=LENGTH, metavar="E")] = None,
    run: RunOptions = DEFAULT_RUN,
    init: Annotated[Path | None, Parameter(metavar="FILE")] = None,
    train_on: Annotated[Literal["train", "all"], RARE] = "train",
    seed: Annotated[int, Parameter(metavar="S")] = 0,
    settings: Annotated[tuple[str, ...], Parameter(name="--set", metavar="NAME=VALUE")] = (),
    estimate: bool = False,
    threads: Annotated[int | None, RARE] = None,
    stream_tracks: Annotated[int, RARE] = 4_500,
    stream_frames: Annotated[int, RARE] = 12_000,
    stream_crops: Annotated[int, RARE] = 6_000,
    level: Annotated[Literal["segment", "frame"] | None, RARE] = None,
    segment_seconds: Annotated[str | None, RARE] = None,
    flow: Annotated[Path | None, RARE] = None,
) -> int:
    """Train one network, or the whole small bundle.

    Write RUN/<recipe>.safetensors. An interrupted run resumes. --print-config also prints the rare options, which
    docs/command.md describes.

    Args:
        recipe: name of a recipe, see --list
        print_list: print the recipes
        out: default: runs/RECIPE
        epochs: passes over the training samples
        init: safetensors file to start from; recipe tiny: a folder with one for each network, or the name of a bundle
        train_on: all: also train on the held-out videos, but never on the split test; measures nothing without one
        seed: seed of weights, order and augmentation
        settings: change a hyperparameter, or an interpretation of the paper; can be repeated
        estimate: print the expected time and memory of a run, and stop
        print_numbers: print the recipe's hyperparameters; their sources are in the code
        threads: CPU threads of one network; default: 1 at size tiny
        stream_tracks: scenes of tracks, for SynthTPS
        stream_frames: rendered frames, for persons, poses and parts
        stream_crops: rendered people, for parts-people and part-regression
        level: label segments, or single frames with a clip around each
        segment_seconds: about 3 or 10; at size tiny, this and --level exclude rendered clips
        flow: folder of flow files; default: flow in the dataset

    Examples:
      actparse train tiny --data data --out runs/tiny
      actparse train poses --data data --steps 7000 --print-config > poses.yaml
      actparse train --config poses.yaml --seed 2
    """
    from actparse.stages.loading import bundle_folder, bundled_names
    from actparse.training import RECIPES, TrainOptions, run_recipe

    if print_list:
        for name, listed in RECIPES[size].items():
            print(f"{name:22} {listed.description}")
        return 0
    changes = _changes(settings, level=level, segment_seconds=segment_seconds)
    if print_numbers and recipe is not None:
        return _print_hyperparameters(recipe, size, changes)
    if recipe is None or data is None:
        raise ActparseError("train: needs a RECIPE and --data DIR; `actparse train --list` names the recipes")
    if init is not None and not init.exists() and str(init) in bundled_names():
        init = bundle_folder(init)
    options = TrainOptions(
        epochs=epochs,
        init=init,
        resume=True,
        train_on=train_on,
        seed=seed,
        stream_tracks=stream_tracks,
        stream_frames=stream_frames,
        stream_crops=stream_crops,
        size=size,
        changes=changes,
        flow=flow,
        only_estimate=estimate,
        **run.for_size(size) | ({} if threads is None else {"threads": threads}),
    )
    run_recipe(recipe, open_root(data), out or Path("runs") / recipe, options)
    return 0


def _print_hyperparameters(name: str, size: str, changes: dict[str, str]) -> int:
    from actparse.training.recipes.hyperparameters import described
    from actparse.training.recipes.registry import recipe_of

    hyperparameters = recipe_of(name, size, changes).hyperparameters
    if hyperparameters is None:
        raise ActparseError(f"train: --numbers needs the recipe of one network, got {name}")
    print("\n".join(described(hyperparameters)))
    return 0


def _changes(settings: tuple[str, ...], **options: str | None) -> dict[str, str]:
    changes = {name: value for name, value in options.items() if value is not None}
    for text in settings:
        name, equals, value = text.partition("=")
        if not equals:
            raise ActparseError(f"train: --set needs NAME=VALUE, got {text!r}")
        changes[name] = value
    return changes
