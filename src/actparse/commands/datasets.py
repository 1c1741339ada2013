"""Command "synth"."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from actparse.commands.options import Commands


def add_commands(commands: Commands) -> None:
    """Make them known."""
    _add_synth(commands)


def _add_synth(commands: Commands) -> None:
    command = commands.add_parser(
        "synth",
        help="make a SynthTPS dataset",
        description="Videos of synthetic people with complete annotation, in the folders of Kinetics-TPS.",
        epilog="example: actparse synth data/synth --videos 200 --seed 7",
    )
    command.add_argument("dir", type=Path, metavar="DIR")
    which = command.add_mutually_exclusive_group(required=True)
    which.add_argument("--videos", type=int, metavar="N", help="videos in all splits together")
    which.add_argument("--benchmark", choices=["SynthTPS-v1"], help="the named benchmark: fixed seeds and counts")
    which.add_argument("--sheet", action="store_true", help="write a contact sheet, DIR/synth-sheet.jpg, alone")
    command.add_argument("--seed", type=int, default=0, metavar="S")
    command.add_argument("--test-share", type=float, default=0.2, metavar="SHARE", help="of the videos, 0..1")
    command.add_argument("--processes", type=int, default=os.cpu_count() or 1, metavar="N")
    command.set_defaults(run=_synth)


def _synth(args: argparse.Namespace) -> int:
    from actparse.data.synth.dataset import SPLITS_V1, plan_splits, write_dataset
    from actparse.data.synth.sheet import SHEET_FILE, write_sheet
    from actparse.progress import counted

    if args.sheet:
        write_sheet(args.dir / SHEET_FILE, seed=args.seed)
        print(args.dir / SHEET_FILE)
        return 0
    plans = SPLITS_V1 if args.benchmark else plan_splits(args.videos, seed=args.seed, test_share=args.test_share)
    with counted("videos") as progress:
        manifest = write_dataset(args.dir, plans, processes=args.processes, progress=progress)
    print(manifest)
    return 0
