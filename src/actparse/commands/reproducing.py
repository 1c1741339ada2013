"""The command "reproduce"."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

from actparse.commands.datasets import open_root
from actparse.commands.long_runs import add_long_run_options, long_run_options
from actparse.commands.options import Commands

DEFAULT_STAGE_1 = {"tiny": "tiny", "paper": "train"}  # a bundle, or TRAIN, by size
TRAIN = "train"


def add_commands(commands: Commands) -> None:
    """Register the command."""
    command = commands.add_parser(
        "reproduce",
        help="reproduce the paper's tables: train missing networks, parse, score, compare with the paper",
        description="Write OUT/TABLE.md, TABLE.json and TABLE.svg. Finished training runs are reused and interrupted "
        "runs resume. table1: methods; table2: boxes with and without the pose; table3: states of frames or segments.",
        epilog="example: actparse reproduce table2 --data data --seeds 0 1 2 --steps 3000",
    )
    command.add_argument("table", choices=["table1", "table2", "table3"], help="a table of the paper")
    command.add_argument(
        "--data", type=Path, required=True, metavar="DIR", help="a dataset's root, or the YAML file of your own data"
    )
    command.add_argument(
        "--size", default="tiny", choices=["tiny", "paper"], help="small networks, or those of the paper"
    )
    command.add_argument(
        "--out", type=Path, default=Path("runs/reproduce"), metavar="DIR", help="folder for the table and its runs"
    )
    command.add_argument("--seeds", type=int, nargs="+", default=[0], metavar="S", help="seeds of the training runs")
    length = command.add_mutually_exclusive_group()
    length.add_argument("--steps", type=int, metavar="N", help="optimiser steps of every training run")
    length.add_argument("--minutes", type=float, metavar="M", help="approximate minutes of every training run")
    length.add_argument("--share", type=float, metavar="F", help="fraction of every recipe's usual steps, at size tiny")
    command.add_argument(
        "--stage1",
        metavar="NAME_OR_PATH",
        help="bundle of the networks for persons, poses and parts that all methods share, or train to train them; "
        "default: the bundled networks at size tiny, train at size paper",
    )
    command.add_argument(
        "--init",
        type=Path,
        metavar="FOLDER",
        help="folder of imported weights to start from; see actparse weights import",
    )
    command.add_argument(
        "--split", metavar="NAME", help="split for the measurements; default: test, val, or the held-out videos"
    )
    command.add_argument("--videos", type=int, metavar="N", help="measure only on the first N videos")
    command.add_argument(
        "--stream-clips",
        type=int,
        default=14_400,
        metavar="N",
        help="rendered clips for pre-training ip-CSN at size tiny, for SynthTPS; 0: none",
    )
    command.add_argument(
        "--device", default="auto", choices=["auto", "cpu", "cuda"], help="device of the training runs"
    )
    add_long_run_options(command)
    command.set_defaults(run=_reproduce)


def _reproduce(args: argparse.Namespace) -> int:
    from actparse.core.progress import counted
    from actparse.reproduce import ReproduceOptions, reproduce
    from actparse.training import TrainOptions

    stage_1 = args.stage1 or DEFAULT_STAGE_1[args.size]
    options = ReproduceOptions(
        size=args.size,
        seeds=tuple(args.seeds),
        stage_1=None if stage_1 == TRAIN else stage_1,
        share=args.share,
        split=args.split,
        limit=args.videos,
        training=TrainOptions(
            steps=args.steps,
            minutes=args.minutes,
            init=args.init,
            device=args.device,
            stream_clips=args.stream_clips,
            **long_run_options(args),
        ),
        progress=partial(counted, "videos"),
    )
    table = reproduce(args.table, open_root(args.data), args.out, options)
    print(table.to_markdown())
    return 0
