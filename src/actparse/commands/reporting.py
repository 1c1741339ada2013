"""Command "report"."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from actparse.commands.options import Commands, add_json_option, exit_code, print_json


def add_commands(commands: Commands) -> None:
    """Make them known."""
    command = commands.add_parser(
        "report",
        help="a page for each parse: video, lanes, action, tables",
        description="Write report.html beside each parse.json. It opens from disk and asks no network; the "
        "video that it plays lies beside it as video.mp4, or within it.",
        epilog="example: actparse report parses --embed",
    )
    command.add_argument("parses", type=Path, metavar="DIR_OR_PARSE", help="a folder of parses, or a parse.json")
    command.add_argument(
        "--videos", type=Path, metavar="DIR_OR_FILE", help="where the parsed videos are, for parses without video.mp4"
    )
    command.add_argument("--embed", action="store_true", help="put the video into the page, to be sent alone")
    command.add_argument(
        "--truth", type=Path, metavar="DIR", help="a dataset's root, or a folder with gt_*.json: mark what is wrong"
    )
    command.add_argument("--split", metavar="NAME", help="of a dataset's root")
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
