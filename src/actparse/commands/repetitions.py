"""The command "reps"."""

from __future__ import annotations

import math
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from actparse.commands.converting import CsvDialect, TableFormat
from actparse.commands.options import Device, Json, Weights, print_json, warn
from actparse.core.errors import DataError
from actparse.core.files import without_nan
from actparse.core.text_tables import format_table

if TYPE_CHECKING:
    from actparse.export.repetitions import Repetition

HEADER = ("rep", "start", "end", "seconds", "left", "right", "asymmetry", "sure")


def reps(
    source: Path,
    *,
    exercise: Annotated[str | None, Parameter(metavar="NAME")] = None,
    person: Annotated[int | None, Parameter(metavar="ID")] = None,
    out: Annotated[Path, Parameter(metavar="DIR")] = Path("out"),
    table_format: Annotated[TableFormat, Parameter(name="--format")] = "csv",
    csv_dialect: CsvDialect = "excel",
    video: Annotated[Path | None, Parameter(metavar="MP4")] = None,
    no_pictures: bool = False,
    weights: Weights = "people",
    device: Device = None,
    json: Json = False,
) -> int:
    """Count the repetitions of an exercise, with joint angles.

    Count the repetitions of one person in a video or a saved parse, and write repetitions.csv: for each one start,
    turning point, end, the extreme angles of the joint left and right, their ranges, the asymmetry, and how sure it is.
    Angles are those in the plane of the image, not in space: film from the side.

    Exercises are squat, lunge, push_up, pull_up, deadlift, curl, raise and jump, or a joint: knee, left_elbow, ...

    Args:
        source: a video, a parse.json or its folder
        exercise: default: the exercise of the parsed action
        person: number of a track; default: the person in front
        out: parent folder of a video's parse
        table_format: file type of the table
        video: the video of a saved parse, for pictures of the repetitions
        no_pictures: write no pictures of the repetitions

    Examples:
      actparse reps squats.mp4 --exercise squat --out out
      actparse reps out/squats/parse.json --exercise left_knee --format parquet
    """
    from actparse.app.repetitions import parse_densely, write_repetitions
    from actparse.core.progress import VideoProgress
    from actparse.data.parses import PARSE_FILE

    folder = source
    warnings: tuple[str, ...] = ()
    if not (source.name == PARSE_FILE or (source / PARSE_FILE).is_file()):
        with VideoProgress(1) as progress:
            outcome = parse_densely(source, out, weights=weights, device=device, progress=progress.start)
        if outcome.folder is None:
            raise DataError(str(outcome.error))
        folder, video, warnings = outcome.folder, source, outcome.warnings
    counted = write_repetitions(
        folder,
        exercise,
        track_id=person,
        table_format=table_format,
        csv_dialect=csv_dialect,
        video=None if no_pictures else video,
    )
    result = counted.repetitions
    for warning in (*warnings, *result.warnings):
        warn(warning)
    if json:
        items = [without_nan(asdict(item)) for item in result.items]
        document = {"exercise": result.exercise, "joint": result.joint, "person": result.track_id, "repetitions": items}
        print_json({**document, "table": str(counted.table), "pictures": list(map(str, counted.pictures))})
        return 0
    if result.items:
        table = [(str(i), *_cells(item)) for i, item in enumerate(result.items, start=1)]
        print(format_table([HEADER, *table], num_text_columns=0))
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
