"""The command "convert"."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from actparse.commands.options import Commands, add_json_option, exit_code, print_json

# The formats of export.formats, repeated here so that --help does not import it.
FORMS = {
    "segments": "state intervals of each part, with start and end",
    "frames": "one row per person and frame: box, keypoints, joint angles",
    "parts": "one row per body part and frame: box, state",
    "coco": "COCO JSON of persons and parts, and a file of results",
    "coco-keypoints": "COCO JSON of poses, and a file of results",
    "openpose": "a folder of OpenPose's JSON, BODY_25",
    "cvat": "CVAT for video 1.1, and the labels of its task",
    "rerun": "a recording for the Rerun viewer",
}
TABLE_FORMATS = ("csv", "parquet")
CSV_DIALECTS = ("excel", "excel-de")


def add_commands(commands: Commands) -> None:
    """Register the command."""
    formats = "\n".join(f"  {name:16}{about}" for name, about in FORMS.items())
    command = commands.add_parser(
        "convert",
        help="convert parses to tables, annotation files, or a viewer's format",
        description="Convert parses to the formats of other programs, next to each parse.json or below OUT.",
        epilog=f"""\
formats:
{formats}
examples:
  actparse convert parses --to segments
  actparse convert parses --to frames --format parquet --out tables
  actparse convert parses/video/parse.json --to cvat --out video.xml
exit codes: 0 done; 1 some parses of several could not be written; 2 wrong input or option; 130 interrupted""",
    )
    command.add_argument("source", type=Path, metavar="DIR_OR_PARSE", help="a parse.json, or a folder of parses")
    command.add_argument("--to", required=True, choices=list(FORMS), metavar="FORM", help="one of the formats below")
    command.add_argument(
        "--format", default="csv", choices=TABLE_FORMATS, help="file type of segments, frames and parts"
    )
    command.add_argument(
        "--csv-dialect",
        default="excel",
        choices=CSV_DIALECTS,
        help="excel-de: semicolons and decimal commas, for spreadsheets in German, French, Spanish, ...",
    )
    command.add_argument("--out", type=Path, metavar="OUT", help="a folder; for a single parse also the file itself")
    command.add_argument(
        "--min-confidence",
        type=float,
        default=0.25,
        metavar="C",
        help="keypoints with a lower confidence count as invisible",
    )
    command.add_argument(
        "--video", type=Path, metavar="MP4", help="video to include in the recording of a single parse (rerun)"
    )
    add_json_option(command, "the written files as JSON")
    command.set_defaults(run=_convert)


def _convert(args: argparse.Namespace) -> int:
    from actparse.app.conversion import convert
    from actparse.export.formats import ExportConfig

    config = ExportConfig(
        table_format=args.format,
        csv_dialect=args.csv_dialect,
        min_confidence=args.min_confidence,
        video=args.video,
    )
    outcomes = []
    for outcome in convert(args.source, args.to, out=args.out, config=config):
        outcomes.append(outcome)
        if outcome.error is not None:
            print(f"actparse: {outcome.error}", file=sys.stderr)
        elif not args.json:
            print(f"{outcome.name}: {', '.join(map(str, outcome.files))}")
    if args.json:
        print_json([{"name": o.name, "files": list(map(str, o.files)), "error": o.error} for o in outcomes])
    return exit_code([outcome.error for outcome in outcomes])
