"""Command "reproduce"."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

from actparse.commands.datasets import open_root
from actparse.commands.long_runs import add_long_run_options, long_run_options
from actparse.commands.options import Commands

BUNDLED = "tiny"
TRAIN = "train"


def add_commands(commands: Commands) -> None:
    """Make it known."""
    command = commands.add_parser(
        "reproduce",
        help="the paper's tables: train what is missing, parse, score, and print beside the paper's figures",
        description="Write OUT/TABLE.md, TABLE.json and TABLE.svg. What is trained already is not trained again, and a "
        "run that was stopped goes on. table1: methods; table2: boxes with and without the pose; table3: states of "
        "frames and of segments.",
        epilog="example: actparse reproduce table2 --data data --seeds 0 1 2 --steps 3000",
    )
    command.add_argument("table", choices=["table1", "table2", "table3"], help="of the paper")
    command.add_argument(
        "--data", type=Path, required=True, metavar="DIR", help="a dataset's root, or the YAML file of your own data"
    )
    command.add_argument("--size", default="tiny", choices=["tiny", "paper"], help="small networks, or the paper's own")
    command.add_argument(
        "--out", type=Path, default=Path("runs/reproduce"), metavar="DIR", help="for the table and its runs"
    )
    command.add_argument("--seeds", type=int, nargs="+", default=[0], metavar="S", help="of the trainings")
    length = command.add_mutually_exclusive_group()
    length.add_argument("--steps", type=int, metavar="N", help="optimiser steps of every training")
    length.add_argument("--minutes", type=float, metavar="M", help="of every training")
    length.add_argument("--share", type=float, metavar="F", help="of every recipe's own steps, at size tiny")
    command.add_argument(
        "--stage1",
        metavar="NAME_OR_PATH",
        help="a bundle whose networks for persons, poses and parts all methods share, or train; default: the bundled "
        "ones at size tiny, train at size paper",
    )
    command.add_argument("--init", type=Path, metavar="FOLDER", help="imported weights to start from; see weights")
    command.add_argument(
        "--split", metavar="NAME", help="to measure on; default: test, val, or what training holds out"
    )
    command.add_argument("--videos", type=int, metavar="N", help="measure on the first N alone")
    command.add_argument(
        "--stream-clips",
        type=int,
        default=14_400,
        metavar="N",
        help="rendered clips that ip-CSN is pre-trained on at size tiny, for SynthTPS; 0: none",
    )
    command.add_argument("--device", default="auto", choices=["auto", "cpu", "cuda"], help="of the trainings")
    add_long_run_options(command)
    command.set_defaults(run=_reproduce)


def _reproduce(args: argparse.Namespace) -> int:
    from actparse.core.progress import counted
    from actparse.reproduce import ReproduceOptions, reproduce
    from actparse.training import TrainOptions

    asked = args.stage1 or (BUNDLED if args.size == "tiny" else TRAIN)
    options = ReproduceOptions(
        size=args.size,
        seeds=tuple(args.seeds),
        stage_1=None if asked == TRAIN else asked,
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
