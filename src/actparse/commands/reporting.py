"""The command "report"."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from actparse.commands.options import Commands, add_json_option, exit_code, print_json


def add_commands(commands: Commands) -> None:
    """Register the command."""
    command = commands.add_parser(
        "report",
        help="write a page for each parse: video, timelines, action, tables",
        description="Write report.html next to each parse.json. It opens from disk without a network connection; the "
        "video that it plays is next to it as video.mp4, or embedded.",
        epilog="example: actparse report parses --embed",
    )
    command.add_argument("parses", type=Path, metavar="DIR_OR_PARSE", help="a folder of parses, or a parse.json")
    command.add_argument(
        "--videos", type=Path, metavar="DIR_OR_FILE", help="the parsed videos, for parses without video.mp4"
    )
    command.add_argument("--embed", action="store_true", help="embed the video, so that the page is a single file")
    command.add_argument(
        "--truth", type=Path, metavar="DIR", help="a dataset's root, or a folder with gt_*.json: mark the mistakes"
    )
    command.add_argument("--split", metavar="NAME", help="split of the dataset")
    add_json_option(command)
    command.set_defaults(run=_report)


def _report(args: argparse.Namespace) -> int:
    from actparse.report.folders import write_reports

    outcomes = []
    for outcome in write_reports(args.parses, videos=args.videos, truth=args.truth, split=args.split, embed=args.embed):
        outcomes.append(outcome)
        if outcome.error is not None:
            print(f"actparse: {outcome.error}", file=sys.stderr)
            continue
        if not outcome.has_video:
            print(f"actparse: warning: {outcome.page}: without a video; --videos says where it is", file=sys.stderr)
        if not args.json:
            print(outcome.page, flush=True)
    if args.json:
        print_json({"results": [outcome.to_dict() for outcome in outcomes]})
    return exit_code([outcome.error for outcome in outcomes])
