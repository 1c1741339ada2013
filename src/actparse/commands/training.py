"""Command "train"."""

from __future__ import annotations

import argparse
from pathlib import Path

from actparse.commands.options import Commands
from actparse.errors import ActparseError


def add_commands(commands: Commands) -> None:
    """Make them known."""
    _add_train(commands)


def _add_train(commands: Commands) -> None:
    command = commands.add_parser(
        "train",
        help="train one network, or the whole small bundle",
        description="Write RUN/<recipe>.safetensors; a run that was stopped goes on where it was.",
        epilog="example: actparse train tiny --data data --out runs/tiny",
    )
    command.add_argument("recipe", nargs="?", metavar="RECIPE", help="see --list")
    command.add_argument("--list", action="store_true", help="name the recipes")
    command.add_argument("--data", type=Path, metavar="DIR", help="a dataset in Kinetics-TPS's folders")
    command.add_argument("--out", type=Path, metavar="RUN", help="default: runs/RECIPE")
    length = command.add_mutually_exclusive_group()
    length.add_argument("--steps", type=int, metavar="N", help="optimiser steps")
    length.add_argument("--epochs", type=float, metavar="E", help="passes over the training samples")
    length.add_argument("--minutes", type=float, metavar="M", help="as many steps as fit")
    command.add_argument("--init", type=Path, metavar="FILE", help="safetensors to start from")
    command.add_argument("--seed", type=int, default=0, metavar="S")
    command.add_argument("--device", default="auto", choices=["auto", "cpu", "cuda"])
    command.add_argument("--threads", type=int, default=1, metavar="N", help="processor threads of one network")
    command.add_argument("--stream-crops", type=int, default=60_000, metavar="N", help="rendered people, for poses")
    command.set_defaults(run=_train)


def _train(args: argparse.Namespace) -> int:
    from actparse.training import RECIPES, TrainOptions, run_recipe

    if args.list:
        for name, recipe in RECIPES.items():
            print(f"{name:22} {recipe.description}")
        return 0
    if args.recipe is None or args.data is None:
        raise ActparseError("train: needs a RECIPE and --data DIR; `actparse train --list` names the recipes")
    options = TrainOptions(
        steps=args.steps,
        epochs=args.epochs,
        minutes=args.minutes,
        init=args.init,
        resume=True,
        seed=args.seed,
        device=args.device,
        threads=args.threads,
        stream_crops=args.stream_crops,
    )
    run_recipe(args.recipe, args.data, args.out or Path("runs") / args.recipe, options)
    return 0
