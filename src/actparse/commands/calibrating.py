"""Command "calibrate"."""

from __future__ import annotations

import argparse
from pathlib import Path

from actparse.commands.options import Commands, add_json_option, print_json

EPILOG = """\
examples:
  actparse calibrate --weights bundle --known parses/known --unknown parses/other --write
  actparse calibrate --weights tiny --known parses/test --unknown parses/other --data data --split test --json"""


def add_commands(commands: Commands) -> None:
    """Add the command."""
    command = commands.add_parser(
        "calibrate",
        help="find the score below which a bundle asserts no action",
        description="Fit a bundle's temperature on parses of videos with known actions, and the score below which a "
        "video is called unknown on parses of videos that show none of them. Print what it does to these videos.",
        epilog=EPILOG,
    )
    command.add_argument("--weights", required=True, metavar="NAME_OR_PATH", help="that the parses were made with")
    named = "parses of the bundle's actions; a folder, or the one above it, is named after its action, as push_up_3"
    command.add_argument("--known", type=Path, required=True, metavar="DIR_OF_PARSES", help=named)
    command.add_argument(
        "--unknown", type=Path, required=True, metavar="DIR_OF_PARSES", help="parses of videos that show none of them"
    )
    command.add_argument(
        "--data",
        type=Path,
        metavar="DIR",
        help="a dataset's root, or a folder with gt_*.json, that has the true actions",
    )
    command.add_argument("--split", metavar="NAME", help="of a dataset's root")
    command.add_argument(
        "--max-rejected",
        type=float,
        default=0.1,
        metavar="S",
        help="share of rightly named videos called unknown, at most",
    )
    command.add_argument("--write", action="store_true", help="store it in the bundle.json of a folder of your own")
    add_json_option(command)
    command.set_defaults(run=_calibrate)


def _calibrate(args: argparse.Namespace) -> int:
    from actparse.data.evaluation import truth_folder
    from actparse.data.submission import load_truth
    from actparse.inspection.calibration import calibrate, store

    truth = None if args.data is None else load_truth(truth_folder(args.data, args.split)).videos
    found = calibrate(args.weights, args.known, args.unknown, truth=truth, max_right_rejected=args.max_rejected)
    folder = store(args.weights, found) if args.write else None
    if args.json:
        print_json(found.to_dict())
        return 0
    print(found.to_text())
    if folder is not None:
        print(f"written to {folder}")
    return 0
