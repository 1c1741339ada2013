"""The command "train"."""

from __future__ import annotations

import argparse
from pathlib import Path

from actparse.commands.datasets import open_root
from actparse.commands.long_runs import add_long_run_options, long_run_options
from actparse.commands.options import Commands, add_config_options
from actparse.core.errors import ActparseError

EPILOG = """\
examples:
  actparse train tiny --data data --out runs/tiny
  actparse train poses --data data --steps 7000 --print-config > poses.yaml
  actparse train --config poses.yaml --seed 2"""


def add_commands(commands: Commands) -> None:
    """Register the command."""
    _add_train(commands)


def _add_train(commands: Commands) -> None:
    command = commands.add_parser(
        "train",
        help="train one network, or the whole small bundle",
        description="Write RUN/<recipe>.safetensors. An interrupted run resumes.",
        epilog=EPILOG,
    )
    command.add_argument("recipe", nargs="?", metavar="RECIPE", help="see --list")
    command.add_argument("--list", action="store_true", help="print the recipes")
    command.add_argument(
        "--size", default="tiny", choices=["tiny", "paper"], help="small networks, or those of the paper"
    )
    command.add_argument("--data", type=Path, metavar="DIR", help="a dataset's root, or the YAML file of your own data")
    command.add_argument("--out", type=Path, metavar="RUN", help="default: runs/RECIPE")
    length = command.add_mutually_exclusive_group()
    length.add_argument("--steps", type=int, metavar="N", help="optimiser steps")
    length.add_argument("--epochs", type=float, metavar="E", help="passes over the training samples")
    length.add_argument("--minutes", type=float, metavar="M", help="train for about M minutes")
    command.add_argument(
        "--init",
        type=Path,
        metavar="FILE",
        help="safetensors file to start from; recipe tiny: a folder with one for each network, or the name of a bundle",
    )
    command.add_argument("--seed", type=int, default=0, metavar="S", help="seed of weights, order and augmentation")
    command.add_argument("--device", default="auto", choices=["auto", "cpu", "cuda"], help="auto: a GPU if available")
    command.add_argument("--threads", type=int, metavar="N", help="CPU threads of one network; tiny: 1")
    command.add_argument("--stream-clips", type=int, default=14_400, metavar="N", help="rendered clips, for SynthTPS")
    command.add_argument("--stream-tracks", type=int, default=4_500, metavar="N", help="scenes of tracks, for SynthTPS")
    command.add_argument(
        "--stream-crops", type=int, default=60_000, metavar="N", help="rendered people, for poses and parts"
    )
    _add_large_run(command)
    add_config_options(command)
    command.set_defaults(run=_train)


def _add_large_run(command: argparse.ArgumentParser) -> None:
    """Add the options of long runs and of the paper's hyperparameters."""
    add_long_run_options(command)
    command.add_argument(
        "--estimate", action="store_true", help="print the expected time and memory of a run, and stop"
    )
    level = command.add_argument_group("labels of clip networks (Table III)")
    level.add_argument(
        "--level", choices=["segment", "frame"], help="label segments, or single frames with a clip around each"
    )
    level.add_argument(
        "--segment-seconds", metavar="S", help="about 3 or 10; tiny: both options exclude rendered clips"
    )
    paper = command.add_argument_group("hyperparameters")
    paper.add_argument(
        "--numbers", action="store_true", help="print the recipe's hyperparameters; sources are in the code"
    )
    change = "change a hyperparameter, or an interpretation of the paper"
    paper.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help=change)
    paper.add_argument("--flow", type=Path, metavar="DIR", help="flow files; default: flow in the dataset")


def _train(args: argparse.Namespace) -> int:
    from actparse.training import TrainOptions, run_recipe

    if args.list:
        return _list(args.size)
    changes = _changes(args)
    if args.numbers and args.recipe is not None:
        return _show(args.recipe, args.size, changes)
    if args.recipe is None or args.data is None:
        raise ActparseError("train: needs a RECIPE and --data DIR; `actparse train --list` names the recipes")
    long_run = long_run_options(args)
    if args.threads is not None:
        long_run["threads"] = args.threads
    options = TrainOptions(
        steps=args.steps,
        epochs=args.epochs,
        minutes=args.minutes,
        init=_initial(args.init),
        resume=True,
        seed=args.seed,
        device=args.device,
        stream_clips=args.stream_clips,
        stream_tracks=args.stream_tracks,
        stream_crops=args.stream_crops,
        size=args.size,
        changes=changes,
        flow=args.flow,
        only_estimate=args.estimate,
        **long_run,
    )
    run_recipe(args.recipe, open_root(args.data), args.out or Path("runs") / args.recipe, options)
    return 0


def _initial(init: Path | None) -> Path | None:
    """Return the folder of a bundled name, or the path itself."""
    from actparse.stages.loading import bundle_folder, bundled_names

    return bundle_folder(init) if init is not None and not init.exists() and str(init) in bundled_names() else init


def _list(size: str) -> int:
    from actparse.training import RECIPES

    for name, recipe in RECIPES[size].items():
        print(f"{name:22} {recipe.description}")
    return 0


def _show(name: str, size: str, changes: dict[str, str]) -> int:
    from actparse.training.recipes.hyperparameters import described
    from actparse.training.recipes.registry import recipe_of

    hyperparameters = recipe_of(name, size, changes).hyperparameters
    if hyperparameters is None:
        raise ActparseError(f"train: --numbers needs the recipe of one network, got {name}")
    print("\n".join(described(hyperparameters)))
    return 0


def _changes(args: argparse.Namespace) -> dict[str, str]:
    options = {"level": args.level, "segment_seconds": args.segment_seconds}
    changes = {name: value for name, value in options.items() if value is not None}
    for text in args.set:
        name, equals, value = text.partition("=")
        if not equals:
            raise ActparseError(f"train: --set needs NAME=VALUE, got {text!r}")
        changes[name] = value
    return changes
