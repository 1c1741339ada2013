"""The command "calibrate"."""

from __future__ import annotations

import argparse
from pathlib import Path

from actparse.commands.options import Commands, add_json_option, print_json

EPILOG = """\
examples:
  actparse calibrate --weights bundle --known parses/known --unknown parses/other --write
  actparse calibrate --weights tiny --known parses/test --unknown parses/other --data data --split test --json"""


def add_commands(commands: Commands) -> None:
    """Register the command."""
    command = commands.add_parser(
        "calibrate",
        help="find the score below which a bundle asserts no action",
        description="Fit a bundle's temperature on parses of videos with known actions, and the score below which a "
        "video is called unknown on parses of videos that show none of them. Print what it does to these videos.",
        epilog=EPILOG,
    )
    command.add_argument("--weights", required=True, metavar="NAME_OR_PATH", help="the weights that made the parses")
    layout = "parses of the bundle's actions; name each folder, or its parent, after the action, such as push_up_3"
    command.add_argument("--known", type=Path, required=True, metavar="DIR_OF_PARSES", help=layout)
    command.add_argument(
        "--unknown", type=Path, required=True, metavar="DIR_OF_PARSES", help="parses of videos that show none of them"
    )
    command.add_argument(
        "--data",
        type=Path,
        metavar="DIR",
        help="a dataset's root, or a folder with gt_*.json, that contains the true actions",
    )
    command.add_argument("--split", metavar="NAME", help="split of the dataset")
    command.add_argument(
        "--max-rejected",
        type=float,
        default=0.1,
        metavar="S",
        help="largest share of correctly recognised videos that may be called unknown",
    )
    command.add_argument("--write", action="store_true", help="store the result in the bundle.json of a custom bundle")
    add_json_option(command)
    command.set_defaults(run=_calibrate)


def _calibrate(args: argparse.Namespace) -> int:
    from actparse.data.evaluation import truth_folder
    from actparse.data.submission import load_truth
    from actparse.inspection.calibration import calibrate, store

    truth = None if args.data is None else load_truth(truth_folder(args.data, args.split)).videos
    fitted = calibrate(args.weights, args.known, args.unknown, truth=truth, max_right_rejected=args.max_rejected)
    folder = store(args.weights, fitted) if args.write else None
    if args.json:
        print_json(fitted.to_dict())
        return 0
    print(fitted.to_text())
    if folder is not None:
        print(f"written to {folder}")
    return 0
