"""The command "reps"."""

from __future__ import annotations

import argparse
import math
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from actparse.commands.options import Commands, add_json_option, add_model_options, print_json
from actparse.core.errors import DataError

if TYPE_CHECKING:
    from actparse.export.repetitions import Repetition

HEADER = ("rep", "start", "end", "seconds", "left", "right", "asymmetry", "sure")


def add_commands(commands: Commands) -> None:
    """Register the command."""
    command = commands.add_parser(
        "reps",
        help="count the repetitions of an exercise, with joint angles",
        description="Count the repetitions of one person in a video or a saved parse, and write repetitions.csv: for "
        "each one start, turning point, end, the extreme angles of the joint left and right, their ranges, the "
        "asymmetry, and how sure it is. Angles are those in the plane of the image, not in space: film from the side.",
        epilog="""\
exercises: squat, lunge, push_up, pull_up, deadlift, curl, raise, jump; or a joint: knee, left_elbow, ...
examples:
  actparse reps squats.mp4 --exercise squat --out out
  actparse reps out/squats/parse.json --exercise left_knee --format parquet""",
    )
    command.add_argument("source", type=Path, metavar="VIDEO_OR_PARSE", help="a video, a parse.json or its folder")
    command.add_argument("--exercise", metavar="NAME", help="default: the exercise of the parsed action")
    command.add_argument("--person", type=int, metavar="ID", help="number of a track; default: the person in front")
    command.add_argument(
        "--out", type=Path, default=Path("out"), metavar="DIR", help="parent folder of a video's parse"
    )
    command.add_argument("--format", default="csv", choices=("csv", "parquet"), help="file type of the table")
    command.add_argument(
        "--csv-dialect", default="excel", choices=("excel", "excel-de"), help="excel-de: semicolons and decimal commas"
    )
    command.add_argument(
        "--video", type=Path, metavar="MP4", help="the video of a saved parse, for pictures of the repetitions"
    )
    command.add_argument("--no-pictures", action="store_true", help="write no pictures of the repetitions")
    add_model_options(command)
    add_json_option(command)
    command.set_defaults(run=_count)


def _count(args: argparse.Namespace) -> int:
    from actparse.app.repetitions import parse_densely, write_repetitions
    from actparse.core.progress import VideoProgress
    from actparse.data.parses import PARSE_FILE

    source, video = args.source, args.video
    warnings: tuple[str, ...] = ()
    if not (source.name == PARSE_FILE or (source / PARSE_FILE).is_file()):
        with VideoProgress(1) as progress:
            outcome = parse_densely(source, args.out, weights=args.weights, device=args.device, progress=progress.start)
        if outcome.folder is None:
            raise DataError(str(outcome.error))
        source, video, warnings = outcome.folder, args.source, outcome.warnings
    counted = write_repetitions(
        source,
        args.exercise,
        track_id=args.person,
        table_format=args.format,
        csv_dialect=args.csv_dialect,
        video=None if args.no_pictures else video,
    )
    result = counted.repetitions
    for warning in (*warnings, *result.warnings):
        print(f"actparse: warning: {warning}", file=sys.stderr)
    if args.json:
        items = [_without_nan(asdict(item)) for item in result.items]
        document = {"exercise": result.exercise, "joint": result.joint, "person": result.track_id, "repetitions": items}
        print_json({**document, "table": str(counted.table), "pictures": list(map(str, counted.pictures))})
        return 0
    if result.items:
        print("".join(f"{name:>10}" for name in HEADER))
    for number, item in enumerate(result.items, start=1):
        print("".join(f"{cell:>10}" for cell in (str(number), *_cells(item))))
    print(f"{len(result.items)} repetitions of {result.exercise} by person {result.track_id} -> {counted.table}")
    return 0


def _cells(item: Repetition) -> tuple[str, ...]:
    """Format times in seconds, ranges in degrees, and the confidence."""
    times = (f"{item.start_seconds:.1f}", f"{item.end_seconds:.1f}", f"{item.seconds:.1f}")
    angles = tuple(
        "-" if math.isnan(side.range) else f"{side.smallest:.0f}..{side.largest:.0f}"
        for side in (item.left, item.right)
    )
    asymmetry = "-" if math.isnan(item.asymmetry) else f"{item.asymmetry:.0f}"
    return (*times, *angles, asymmetry, f"{item.confidence:.2f}")


def _without_nan(item: dict[str, object]) -> dict[str, object]:
    from actparse.core.files import without_nan

    result: dict[str, object] = without_nan(item)
    return result
